import { isUtf8 } from "node:buffer";

/**
 * An entity that stands for nothing, in place of a reference to a character that XML forbids. Taking the reference out
 * instead would join what is on both sides, so that `&&#1;lt;` became a `<`. It is no XML name, so no other software
 * can mean anything by it; documents that use it are refused before.
 */
export const NOTHING_ENTITY = "-";

const REFERENCE = /&#(?:x([0-9a-fA-F]+)|([0-9]+));/g;

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
    if (isUtf8(bytes)) replace(run.from, run.to, bytes.toString("utf8").replace(/[\ufffe\uffff]/g, ""));
    run = { from: 0, to: -1, bytes: "" };
  };

  for (const { 0: reference, 1: hexadecimal, 2: decimal, index: from } of text.matchAll(REFERENCE)) {
    const to = from + reference.length;
    const code = hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16);
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

/** Whether XML 1.0 forbids the character. A number that is no code point at all is left to the parser to refuse. */
function isForbidden(code: number): boolean {
  if (code < 0x20) return code !== 0x9 && code !== 0xa && code !== 0xd;
  return (code >= 0xd800 && code <= 0xdfff) || code === 0xfffe || code === 0xffff;
}
