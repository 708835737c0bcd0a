import { shortLived } from "./short-lived.ts";

/** Where bytes come to stand. */
type Memory = (length: number) => Buffer;

/**
 * Decodes base64 strictly (SEC-012): the standard alphabet, canonical padding, no stray bits.
 * XML white space is allowed anywhere, because Moodles with line-wrapping PHP builds send it (MNET-034).
 *
 * @returns the bytes, or `undefined` if the text is anything else.
 */
export function decodeBase64(text: string): Buffer | undefined {
  // Of letters beyond Latin-1 the platform's decoder takes the low byte.
  return Buffer.byteLength(text, "utf8") === text.length
    ? decodeLatin1(text, (length) => Buffer.allocUnsafe(length))
    : undefined;
}

function decodeLatin1(text: string, memory: Memory): Buffer | undefined {
  return decodeCompact(text, memory) ?? (hasSpace(text) ? decodeCompact(withoutSpace(text), memory) : undefined);
}

function decodeCompact(text: string, memory: Memory): Buffer | undefined {
  if (text.length % 4 !== 0 || isForUrls(text)) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = memory((text.length / 4) * 3 - padding);
  // The platform's decoder skips what it does not know, so something is missing then.
  if (bytes.write(text, "base64") !== bytes.length) return undefined;
  // No stray bits in the last character.
  const rest = bytes.length % 3;
  return rest === 0 || text.endsWith(bytes.toString("base64", bytes.length - rest)) ? bytes : undefined;
}

/** Characters that are taken at once: strings of this size are soon forgotten, those of megabytes stay for long. */
const SLICE = 64 * 1024;
/** The same as bytes. */
const BYTES_OF_SLICE = (SLICE / 4) * 3;

/**
 * The same of text that is there as bytes, for what is soon forgotten. A long one is decoded in slices, so that it never
 * stands in memory as a string.
 */
export function decodeBase64Bytes(text: Buffer): Buffer | undefined {
  if (text.length <= SLICE) return decodeLatin1(text.toString("latin1"), shortLived);
  const bytes = Buffer.allocUnsafe(Math.ceil(text.length / 4) * 3);
  const lastSlice = text.length - (text.length % SLICE || SLICE);
  let length = 0;
  let rest = "";
  for (let at = 0; at < lastSlice; at += SLICE) {
    const slice = rest + compact(text.toString("latin1", at, at + SLICE));
    // Padding may stand at the end, after which there may be nothing but white space.
    const whole = Math.max(0, slice.length - (slice.length % 4 || 4));
    rest = slice.slice(whole);
    const written = bytes.write(slice.slice(0, whole), length, "base64");
    if (written !== (whole / 4) * 3 || isForUrls(slice)) return undefined;
    length += written;
  }
  const end = decodeLatin1(rest + text.toString("latin1", lastSlice), shortLived);
  return end && bytes.subarray(0, length + end.copy(bytes, length));
}

/** Bytes that stand in a text as base64. */
export class Base64 {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** How much they are as text. */
  get length(): number {
    return Math.ceil(this.bytes.length / 3) * 4;
  }
}

/** A text in Latin-1, of texts and of bytes that stand in it as base64; soon forgotten. */
export function latin1Of(parts: readonly (string | Base64)[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const text = shortLived(length);
  let at = 0;
  for (const part of parts) {
    if (typeof part === "string") text.write(part, at, "latin1");
    else writeBase64(text, at, part.bytes);
    at += part.length;
  }
  return text;
}

function writeBase64(text: Buffer, start: number, part: Uint8Array): void {
  const bytes = Buffer.isBuffer(part) ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  let at = start;
  for (let from = 0; from < bytes.length; from += BYTES_OF_SLICE) {
    at += text.write(bytes.toString("base64", from, from + BYTES_OF_SLICE), at, "latin1");
  }
}

const SPACE = [" ", "\t", "\r", "\n"];

const hasSpace = (text: string): boolean => SPACE.some((character) => text.includes(character));

const compact = (text: string): string => (hasSpace(text) ? withoutSpace(text) : text);

/** The platform's decoder knows the alphabet for URLs, too (RFC 4648, 5). */
const isForUrls = (text: string): boolean => text.includes("-") || text.includes("_");

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
