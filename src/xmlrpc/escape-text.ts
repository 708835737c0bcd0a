/**
 * How text is written (spec 5.2): `"raw"` as UTF-8, `"code-points"` in ASCII with a reference to each other character,
 * `"bytes"` in ASCII with a reference to each byte of the UTF-8 form of the others and of markup, as epi writes it and
 * needs it in responses.
 */
export type TextForm = "raw" | "code-points" | "bytes";

/** Characters that cannot stand for themselves. Control characters other than TAB, LF and CR are illegal in XML. */
const SPECIAL: Readonly<Record<TextForm, RegExp>> = {
  // A raw CR would arrive as LF.
  raw: /[&<>"'\0-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]/gu,
  "code-points": /[&<>"']|[^\x20-\x7f]/gu,
  bytes: /[&<>"]|[^\x20-\x7e]/gu,
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

/**
 * Escapes text for an XML document. Characters that XML 1.0 forbids are left out (MNET-067): a stray control character
 * in a site's data must not make the whole answer fail, and no receiver could read it.
 */
export function escapeText(text: string, form: TextForm): string {
  return text.replace(SPECIAL[form], (character) => {
    if (!LEGAL.test(character)) return "";
    if (form === "bytes") return byteReferences(character);
    return ENTITIES.get(character) ?? `&#${character.codePointAt(0)};`;
  });
}

function byteReferences(character: string): string {
  let references = "";
  for (const byte of Buffer.from(character)) references += `&#${byte};`;
  return references;
}
