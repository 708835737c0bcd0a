/**
 * Decodes base64 strictly (SEC-012): the standard alphabet, canonical padding, no stray bits.
 * XML white space is allowed anywhere, because Moodles with line-wrapping PHP builds send it (MNET-034).
 *
 * @returns the bytes, or `undefined` if the text is anything else.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const compact = SPACE.some((character) => text.includes(character)) ? withoutSpace(text) : text;
  const bytes = Buffer.from(compact, "base64");
  // The platform's decoder skips what it does not know, so something is missing then; but it knows the URLs' alphabet.
  if (compact.length !== Math.ceil(bytes.length / 3) * 4 || compact.includes("-") || compact.includes("_")) return;
  // What is left is in the last characters: padding of the right length, and no stray bits.
  const tail = bytes.length - (bytes.length % 3 || Math.min(3, bytes.length));
  return bytes.toString("base64", tail) === compact.slice((tail / 3) * 4) ? bytes : undefined;
}

/** Characters that are taken at once: strings of this size are soon forgotten, those of megabytes stay for long. */
const SLICE = 64 * 1024;
const BYTES_OF_SLICE = (SLICE / 4) * 3;

/** The same of text that is there as bytes. A long one is decoded in slices, so that it never stands in memory as a string. */
export function decodeBase64Bytes(text: Buffer): Buffer | undefined {
  if (text.length <= SLICE) return decodeBase64(text.toString("latin1"));
  const bytes = Buffer.allocUnsafe(Math.ceil(text.length / 4) * 3);
  const lastSlice = text.length - (text.length % SLICE || SLICE);
  let length = 0;
  for (let at = 0; at < lastSlice; at += SLICE) {
    const written = bytes.write(text.toString("latin1", at, at + SLICE), length, "base64");
    // White space, or something that does not belong there.
    if (written !== BYTES_OF_SLICE) return decodeBase64(text.toString("latin1"));
    length += written;
  }
  const end = decodeBase64(text.toString("latin1", lastSlice));
  if (!end || text.includes("-") || text.includes("_")) return decodeBase64(text.toString("latin1"));
  return bytes.subarray(0, length + end.copy(bytes, length));
}

/** A text in Latin-1, of texts and of bytes that stand in it as base64. */
export function latin1WithBase64(parts: readonly (string | Uint8Array)[]): Buffer {
  const lengthOf = (part: string | Uint8Array): number =>
    typeof part === "string" ? part.length : Math.ceil(part.length / 3) * 4;
  const text = Buffer.allocUnsafe(parts.reduce((length, part) => length + lengthOf(part), 0));
  let at = 0;
  for (const part of parts) {
    if (typeof part === "string") {
      at += text.write(part, at, "latin1");
      continue;
    }
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    for (let from = 0; from < bytes.length; from += BYTES_OF_SLICE) {
      at += text.write(bytes.toString("base64", from, from + BYTES_OF_SLICE), at, "latin1");
    }
  }
  return text;
}

const SPACE = [" ", "\t", "\r", "\n"];

/** Goes over bytes: replacing in a string takes ten times as long where every other character is a space (SEC-024). */
function withoutSpace(text: string): string {
  const bytes = Buffer.from(text, "utf8");
  let length = 0;
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at++] ?? 0;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a) bytes[length++] = byte;
  }
  return bytes.toString("latin1", 0, length);
}
