/**
 * How text is written (spec 5.2): `"raw"` as UTF-8, `"code-points"` in ASCII with a reference to each other character,
 * `"bytes"` in ASCII with a reference to each byte of the UTF-8 form of the others and of markup, as epi writes it and
 * needs it in responses.
 */
export type TextForm = "raw" | "code-points" | "bytes";

/** ASCII that cannot stand for itself. Control characters other than TAB, LF and CR are illegal in XML. */
const SPECIAL: Readonly<Record<TextForm, RegExp>> = {
  // A raw CR would arrive as LF.
  raw: /[&<>"'\0-\x08\x0b-\x1f]/,
  "code-points": /[&<>"'\0-\x1f]/,
  bytes: /[&<>"\0-\x1f\x7f]/,
};

/** What XML 1.0 allows (section 2.2, Char) of ASCII. */
const LEGAL = /[\t\n\r\x20-\x7f]/;

/** And of the rest: all but halves of surrogate pairs and two others. */
const isLegalBeyondAscii = (point: number): boolean =>
  (point < 0xd800 || point > 0xdfff) && point !== 0xfffe && point !== 0xffff;

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&apos;"],
]);

const FIRST_BEYOND_ASCII = 0x80;
const LAST_OF_ONE_UNIT = 0xffff;

/** What stands for a character of ASCII that does not stand for itself. */
function replacementOf(character: string, form: TextForm): string {
  if (!LEGAL.test(character)) return "";
  if (form === "bytes") return byteReferences(character);
  return ENTITIES.get(character) ?? `&#${character.codePointAt(0)};`;
}

function byteReferences(character: string): string {
  let references = "";
  for (const byte of Buffer.from(character)) references += `&#${byte};`;
  return references;
}

/** The same for each, made once; `undefined` for those that are written as they are. */
const replacements = (form: TextForm): readonly (string | undefined)[] =>
  Array.from({ length: FIRST_BEYOND_ASCII }, (_, code) => {
    const character = String.fromCharCode(code);
    return SPECIAL[form].test(character) ? replacementOf(character, form) : undefined;
  });
const REPLACEMENTS: Readonly<Record<TextForm, readonly (string | undefined)[]>> = {
  raw: replacements("raw"),
  "code-points": replacements("code-points"),
  bytes: replacements("bytes"),
};

/** RFC 3629, section 3, for what is beyond ASCII. Returns where it ends. */
function writeUtf8(bytes: Buffer, at: number, point: number): number {
  let end = at;
  if (point < 0x800) {
    bytes[end++] = 0xc0 | (point >> 6);
  } else {
    if (point > LAST_OF_ONE_UNIT) {
      bytes[end++] = 0xf0 | (point >> 18);
      bytes[end++] = 0x80 | ((point >> 12) & 0x3f);
    } else {
      bytes[end++] = 0xe0 | (point >> 12);
    }
    bytes[end++] = 0x80 | ((point >> 6) & 0x3f);
  }
  bytes[end++] = 0x80 | (point & 0x3f);
  return end;
}

/** What may not stand for itself. A text without any, be it a sentence or a picture in base64, is copied as a whole. */
const NOT_PLAIN = /[^\w +/=.,:;!?()-]/;
/** Shorter texts are written before one has looked for that. */
const WORTH_LOOKING = 512;
/** Characters of text that are written before there is asked for room again. */
const PIECE = 4096;
/** Bytes that one UTF-16 code unit may become: three references of six characters. */
const LONGEST = 18;
/** Where documents are put together, one at a time. Larger ones move out of it. */
const COMMON_SIZE = 2 * PIECE * LONGEST;
let common: Buffer | undefined;
/** Divides by three, so that the parts of a base64 text can stand one after the other. */
const BASE64_SLICE = 48 * 1024;

/** Markup as a writer takes it: reading bytes takes a third of the time that reading a string's characters does. */
export const markup = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

/**
 * Puts a document together byte by byte. That leaves nothing behind for the garbage collector, and is twice as fast as
 * strings are where other work has filled the heap.
 */
export class DocumentWriter {
  readonly #form: TextForm;
  readonly #replacements: readonly (string | undefined)[];
  #bytes: Buffer;
  #length = 0;

  constructor(form: TextForm) {
    this.#form = form;
    // Taken out, because a value's getter may write a document of its own meanwhile.
    this.#bytes = common ?? Buffer.allocUnsafeSlow(COMMON_SIZE);
    common = undefined;
    this.#replacements = REPLACEMENTS[form];
  }

  /** What has been written. That is the end of it. */
  finish(): Buffer {
    const written = this.#bytes.subarray(0, this.#length);
    if (this.#bytes.length > COMMON_SIZE) return written;
    common = this.#bytes;
    return Buffer.from(written);
  }

  /** What is the same in every document; see `markup`. */
  markup(markup: Uint8Array): void {
    this.#reserve(markup.length);
    const bytes = this.#bytes;
    const end = this.#length;
    for (let at = 0; at < markup.length; at += 1) bytes[end + at] = markup[at] ?? 0;
    this.#length = end + markup.length;
  }

  /** ASCII, as it is. */
  ascii(text: string): void {
    this.#reserve(text.length);
    this.#length += this.#bytes.write(text, this.#length, "latin1");
  }

  /**
   * Text, escaped. Characters that XML 1.0 forbids are left out (MNET-067): a stray control character in a site's data
   * must not make the whole answer fail, and no receiver could read it.
   */
  text(text: string): void {
    if (text.length >= WORTH_LOOKING && !NOT_PLAIN.test(text)) {
      this.ascii(text);
      return;
    }
    for (let at = 0; at < text.length;) at = this.#piece(text, at, Math.min(text.length, at + PIECE));
  }

  base64(value: Uint8Array): void {
    const { buffer, byteOffset, byteLength } = value;
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    // In one go, rather than by doubling what is there.
    this.#reserve(Math.ceil(byteLength / 3) * 4);
    for (let at = 0; at < byteLength; at += BASE64_SLICE) this.ascii(bytes.toString("base64", at, at + BASE64_SLICE));
  }

  /** @returns where the next piece begins: one character further if a character of two units would be cut. */
  #piece(text: string, from: number, to: number): number {
    this.#reserve((PIECE + 1) * LONGEST);
    const form = this.#form;
    const replacements = this.#replacements;
    const bytes = this.#bytes;
    let end = this.#length;
    let at = from;
    for (; at < to; at += 1) {
      const code = text.charCodeAt(at);
      // Asked first, because V8 is slow where an array is read beyond its end.
      if (code < FIRST_BEYOND_ASCII) {
        const replacement = replacements[code];
        if (replacement === undefined) bytes[end++] = code;
        else for (let n = 0; n < replacement.length; n += 1) bytes[end++] = replacement.charCodeAt(n);
        continue;
      }
      const point = text.codePointAt(at) ?? code;
      if (point > LAST_OF_ONE_UNIT) at += 1;
      if (!isLegalBeyondAscii(point)) continue;
      if (form === "raw") {
        end = writeUtf8(bytes, end, point);
      } else {
        const reference = form === "bytes" ? byteReferences(String.fromCodePoint(point)) : `&#${point};`;
        for (let n = 0; n < reference.length; n += 1) bytes[end++] = reference.charCodeAt(n);
      }
    }
    this.#length = end;
    return at;
  }

  #reserve(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
