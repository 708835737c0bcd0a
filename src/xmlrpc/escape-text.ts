/**
 * How text is written (spec 5.2): `"raw"` as UTF-8, `"code-points"` in ASCII with a reference to each other character,
 * `"bytes"` in ASCII with a reference to each byte of the UTF-8 form of the others and of markup, as epi writes it and
 * needs it in responses.
 */
export type TextForm = "raw" | "code-points" | "bytes";

/** Characters that cannot stand for themselves. Control characters other than TAB, LF and CR are illegal in XML. */
const SPECIAL: Readonly<Record<TextForm, RegExp>> = {
  // A raw CR would arrive as LF.
  raw: /[&<>"'\0-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]/u,
  "code-points": /[&<>"']|[^\x20-\x7f]/u,
  bytes: /[&<>"]|[^\x20-\x7e]/u,
};

/** What XML 1.0 allows (section 2.2, Char). */
const LEGAL = /[\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&apos;"],
]);

/** What stands for a character that cannot stand for itself. */
function replacementOf(character: string, form: TextForm): string {
  if (!LEGAL.test(character)) return "";
  if (form === "bytes") return byteReferences(character);
  return ENTITIES.get(character) ?? `&#${character.codePointAt(0)};`;
}

/** The same for the characters of Latin-1, made once; `undefined` for those that stand for themselves. */
const latin1Replacements = (form: TextForm): readonly (string | undefined)[] =>
  Array.from({ length: 256 }, (_, code) => {
    const character = String.fromCharCode(code);
    return SPECIAL[form].test(character) ? replacementOf(character, form) : undefined;
  });
const REPLACEMENTS: Readonly<Record<TextForm, readonly (string | undefined)[]>> = {
  raw: latin1Replacements("raw"),
  "code-points": latin1Replacements("code-points"),
  bytes: latin1Replacements("bytes"),
};

const ASCII = /^[\t\n\r -~]*$/;

/** Each of these takes as long as copying the text; one pass over all kinds takes ten times that where there are many. */
function escapeAscii(text: string, form: "raw" | "code-points"): string {
  const escaped = text
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/'/g, "&apos;")
    .replace(/\r/g, "&#13;");
  return form === "raw" ? escaped : escaped.replace(/\n/g, "&#10;").replace(/\t/g, "&#9;");
}

/**
 * Escapes text for an XML document. Characters that XML 1.0 forbids are left out (MNET-067): a stray control character
 * in a site's data must not make the whole answer fail, and no receiver could read it.
 */
export function escapeText(text: string, form: TextForm): string {
  if (form !== "bytes" && ASCII.test(text)) return escapeAscii(text, form);
  const special = SPECIAL[form];
  const first = text.search(special);
  if (first < 0) return text;
  // A loop rather than `replace`: a function called for each character takes three times as long for HTML.
  const replacements = REPLACEMENTS[form];
  let escaped = "";
  let copiedTo = 0;
  for (let at = first; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    let length = 1;
    let replacement = replacements[code];
    if (code >= replacements.length) {
      const character = String.fromCodePoint(text.codePointAt(at) ?? code);
      length = character.length;
      if (special.test(character)) replacement = replacementOf(character, form);
    }
    if (replacement !== undefined) {
      escaped += text.slice(copiedTo, at) + replacement;
      copiedTo = at + length;
    }
    at += length - 1;
  }
  return escaped + text.slice(copiedTo);
}

function byteReferences(character: string): string {
  let references = "";
  for (const byte of Buffer.from(character)) references += `&#${byte};`;
  return references;
}
