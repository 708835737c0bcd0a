import { isUtf8 } from "node:buffer";

/**
 * An entity that stands for nothing, in place of a reference to a character that XML forbids. Taking the reference out
 * instead would join what is on both sides, so that `&&#1;lt;` became a `<`. It is no XML name, so no other software
 * can mean anything by it; documents that use it are refused before.
 */
export const NOTHING_ENTITY = "-";

const LETTER_X = 0x78;
const SEMICOLON = 0x3b;

/**
 * Does in one linear pass what an XML parser, which resolves references itself, can no longer do:
 *
 * - References to characters that XML forbids, which Moodle 4 does send, come to stand for nothing (MNET-067).
 * - With `perByte`, a run of references from 128 to 255 whose bytes are valid UTF-8 becomes that text (MNET-065).
 *   Other runs stay code points, and literal characters stay as they are.
 */
export function prepareReferences(text: string, perByte: boolean): string {
  let prepared = "";
  let copiedTo = 0;
  const replace = (from: number, to: number, replacement: string): void => {
    prepared += text.slice(copiedTo, from) + replacement;
    copiedTo = to;
  };

  let run = { from: 0, to: -1, bytes: "" };
  const endRun = (): void => {
    if (run.bytes === "") return;
    const bytes = Buffer.from(run.bytes, "latin1");
    const decoded = bytes.toString("utf8");
    // Bytes that are no UTF-8 decode to replacement characters.
    if (!decoded.includes("\ufffd") || isUtf8(bytes)) {
      replace(run.from, run.to, decoded.replace(/[\ufffe\uffff]/g, ""));
    }
    run = { from: 0, to: -1, bytes: "" };
  };

  for (let from = text.indexOf("&#"); from !== -1; from = text.indexOf("&#", from + 2)) {
    const reference = referenceAt(text, from);
    if (!reference) continue;
    const { code, to } = reference;
    if (from !== run.to) endRun();
    if (perByte && code >= 128 && code <= 255) {
      if (run.bytes === "") run.from = from;
      run.to = to;
      run.bytes += String.fromCharCode(code);
    } else if (isForbidden(code)) {
      endRun();
      replace(from, to, `&${NOTHING_ENTITY};`);
    }
  }
  endRun();
  return prepared + text.slice(copiedTo);
}

/** The code of the reference that begins there, and where it ends. By hand: a regular expression takes four times as long. */
function referenceAt(text: string, from: number): { readonly code: number; readonly to: number } | undefined {
  let at = from + 2;
  const radix = text.charCodeAt(at) === LETTER_X ? 16 : 10;
  if (radix === 16) at += 1;
  const start = at;
  let code = 0;
  for (let digit = digitOf(text.charCodeAt(at)); digit < radix; digit = digitOf(text.charCodeAt(++at))) {
    code = code * radix + digit;
  }
  return at > start && text.charCodeAt(at) === SEMICOLON ? { code, to: at + 1 } : undefined;
}

/** The value of a digit in ASCII, hexadecimal or not; `Infinity` for any other character. */
function digitOf(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Infinity;
}

/** Whether XML 1.0 forbids the character. A number that is no code point at all is left to the parser to refuse. */
function isForbidden(code: number): boolean {
  if (code < 0x20) return code !== 0x9 && code !== 0xa && code !== 0xd;
  return (code >= 0xd800 && code <= 0xdfff) || code === 0xfffe || code === 0xffff;
}
