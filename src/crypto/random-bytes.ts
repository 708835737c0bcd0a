import { randomFillSync } from "node:crypto";

const DRAWN_AT_ONCE = 4096;
const drawn = Buffer.alloc(DRAWN_AT_ONCE);
let used = DRAWN_AT_ONCE;

/**
 * Random bytes of the platform, for session keys: it takes as long to draw sixteen as some thousands, so they are drawn
 * ahead. What is handed out is left nowhere else.
 */
export function randomBytesAhead(length: number): Buffer {
  if (length > DRAWN_AT_ONCE) return randomFillSync(Buffer.alloc(length));
  if (used + length > DRAWN_AT_ONCE) {
    randomFillSync(drawn);
    used = 0;
  }
  const bytes = Buffer.from(drawn.subarray(used, used + length));
  drawn.fill(0, used, used + length);
  used += length;
  return bytes;
}
