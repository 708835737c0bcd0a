import { markAsUntransferable } from "node:worker_threads";

/** Asked of the platform at once. */
const SLAB_SIZE = 64 * 1024;
/** What is larger has memory of its own: whoever keeps a part of a slab keeps all of it. */
const LARGEST_PART = 16 * 1024;
/** A part begins where a word of memory does. */
const WORD = 8;

let slab = Buffer.alloc(0);
let used = 0;

/**
 * Memory for bytes that are forgotten when a request has been answered; they are not set to zero.
 *
 * Node's own pool ends at 4 KB. Most envelopes are somewhat larger, and memory of its own for each costs more than what is
 * written there, most of it in the garbage collector.
 */
export function shortLived(length: number): Buffer {
  if (length > LARGEST_PART) return Buffer.allocUnsafeSlow(length);
  if (used + length > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    // A thread that was given one part would take the others along.
    markAsUntransferable(slab.buffer);
    used = 0;
  }
  const part = slab.subarray(used, used + length);
  used = Math.ceil((used + length) / WORD) * WORD;
  return part;
}
