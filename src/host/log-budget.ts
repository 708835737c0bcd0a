import type { MnetEvent } from "../core/events.ts";
import type { PeerId } from "../core/ids.ts";
import { TokenBucket } from "../core/token-bucket.ts";

/** Entries of one type and peer: some 8 million until the log forgets them, and not 4 billion. */
const ALLOWANCE = { capacity: 1000, perSecond: 1 };
/** Each takes some 100 bytes. Beyond that, peers share one for each type. */
const MAXIMUM_SHARES = 10_000;

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

interface Share {
  readonly type: MnetEvent["type"];
  readonly bucket: TokenBucket;
  skipped: number;
}

/**
 * Says which events the log has room for. Anybody can send requests that are refused, five hundred a second and for
 * weeks; the log must neither fill the disk with them nor slow down everybody else's calls (SEC-084).
 */
export class LogBudget {
  readonly #shares = new Map<string, Share>();

  /** Whether the event may be logged. One that may not is counted. */
  allows({ type, peer, at }: MnetEvent): boolean {
    if (!FLOODS.has(type)) return true;
    const now = at.getTime();
    const share = this.#shareOf(type, peer?.id, now);
    if (share.bucket.take(now)) return true;
    share.skipped += 1;
    return false;
  }

  /** What was not allowed since the last time that somebody asked, by type. */
  takeSkipped(): ReadonlyMap<MnetEvent["type"], number> {
    const skipped = new Map<MnetEvent["type"], number>();
    for (const share of this.#shares.values()) {
      if (share.skipped === 0) continue;
      skipped.set(share.type, (skipped.get(share.type) ?? 0) + share.skipped);
      share.skipped = 0;
    }
    return skipped;
  }

  #shareOf(type: MnetEvent["type"], peer: PeerId | undefined, now: number): Share {
    const isFull = this.#shares.size >= MAXIMUM_SHARES;
    const own = `${type} ${peer ?? ""}`;
    const name = isFull && !this.#shares.has(own) ? type : own;
    let share = this.#shares.get(name);
    if (!share) {
      share = { type, bucket: new TokenBucket(ALLOWANCE, now), skipped: 0 };
      this.#shares.set(name, share);
    }
    return share;
  }
}
