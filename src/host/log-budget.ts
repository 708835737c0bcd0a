import type { MnetEvent } from "../core/events.ts";
import type { PeerId } from "../core/ids.ts";

/** Entries of one type and peer that may come at once. */
const BURST = 1000;
/** One more may come after so long: some 8 million until the log forgets them, and not 4 billion. */
const REFILL_MS = 1000;
/** Each takes some 100 bytes. Beyond that, peers share one for each type. */
const MAXIMUM_BUCKETS = 10_000;

/**
 * What others cause as often as they like, strangers among them, or what goes on failing by itself for days. What people
 * do is not in it: that is logged always.
 */
const FLOODS: ReadonlySet<MnetEvent["type"]> = new Set<MnetEvent["type"]>([
  "call.refused",
  "request.throttled",
  "trusted-machine.used",
  "call.failed",
  "call.retried",
  "envelope.remark",
  "handler.failed",
  "request.failed",
  "clock.off",
  "replay.evicted",
  "legacy.used",
  "peer.registration-refused",
  "maintenance.failed",
]);

interface Bucket {
  readonly type: MnetEvent["type"];
  tokens: number;
  filledAt: number;
  skipped: number;
}

/**
 * Says which events the log has room for. Anybody can send requests that are refused, five hundred a second and for
 * weeks; the log must neither fill the disk with them nor slow down everybody else's calls (SEC-084).
 */
export class LogBudget {
  readonly #buckets = new Map<string, Bucket>();

  /** Whether the event may be logged. One that may not is counted. */
  allows({ type, peer, at }: MnetEvent): boolean {
    if (!FLOODS.has(type)) return true;
    const now = at.getTime();
    const bucket = this.#bucketOf(type, peer?.id, now);
    // A clock that was set back must not lock the log.
    const elapsedMs = Math.max(0, now - bucket.filledAt);
    bucket.tokens = Math.min(BURST, bucket.tokens + elapsedMs / REFILL_MS);
    bucket.filledAt = now;
    if (bucket.tokens < 1) {
      bucket.skipped += 1;
      return false;
    }
    bucket.tokens -= 1;
    return true;
  }

  /** What was not allowed since the last time that somebody asked, by type. */
  takeSkipped(): ReadonlyMap<MnetEvent["type"], number> {
    const skipped = new Map<MnetEvent["type"], number>();
    for (const bucket of this.#buckets.values()) {
      if (bucket.skipped === 0) continue;
      skipped.set(bucket.type, (skipped.get(bucket.type) ?? 0) + bucket.skipped);
      bucket.skipped = 0;
    }
    return skipped;
  }

  #bucketOf(type: MnetEvent["type"], peer: PeerId | undefined, now: number): Bucket {
    const isFull = this.#buckets.size >= MAXIMUM_BUCKETS;
    const own = `${type} ${peer ?? ""}`;
    const name = isFull && !this.#buckets.has(own) ? type : own;
    let bucket = this.#buckets.get(name);
    if (!bucket) {
      bucket = { type, tokens: BURST, filledAt: now, skipped: 0 };
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }
}
