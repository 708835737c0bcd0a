/**
 * Decodes base64 strictly (SEC-012): the standard alphabet, canonical padding, no stray bits.
 * XML white space is allowed anywhere, because Moodles with line-wrapping PHP builds send it (MNET-034).
 *
 * @returns the bytes, or `undefined` if the text is anything else.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  // Encoding again is the strict check: the platform's decoder skips what it does not know, and what it skipped is missing here.
  if (bytes.toString("base64") === text) return bytes;
  const compact = text.replace(/[ \t\r\n]+/g, "");
  return compact.length !== text.length && bytes.toString("base64") === compact ? bytes : undefined;
}
