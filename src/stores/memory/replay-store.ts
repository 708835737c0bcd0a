import type { PeerId } from "../../core/ids.ts";
import type { ReplayStore } from "../../peer/replay-store.ts";
import { ExpiryHeap, type Expiring } from "./expiry-heap.ts";

/** One message that was taken. */
interface Entry extends Expiring {
  readonly key: string;
  older: Entry | undefined;
  newer: Entry | undefined;
}

/**
 * Messages that were taken, in memory: for one process, gone at exit, at most `maxEntries` of each peer.
 * Every method runs without a pause, so each is one step.
 */
export function memoryReplayStore(): ReplayStore {
  const peers = new Map<PeerId, PeerEntries>();
  return {
    async remember(peer, key, { until, maxEntries }, now) {
      const entries = peers.get(peer) ?? new PeerEntries();
      const known = entries.get(key);
      if (known && known.until > now) return { seen: "again", evicted: 0 };
      if (until <= now) return { seen: "first", evicted: 0 };
      if (known) entries.remove(known);
      entries.add(key, until);
      peers.set(peer, entries);
      let evicted = 0;
      while (entries.size > maxEntries) {
        if (entries.removeExpired(now)) continue;
        entries.removeOldest();
        evicted += 1;
      }
      return { seen: "first", evicted };
    },
    async prune(now, limit) {
      let removed = 0;
      for (const [peer, entries] of peers) {
        while (removed < limit && entries.removeExpired(now)) removed += 1;
        if (entries.size === 0) peers.delete(peer);
      }
      return removed;
    },
  };
}

/** The entries of one peer, by key, by age and by when they expire. */
class PeerEntries {
  readonly #byKey = new Map<string, Entry>();
  readonly #byExpiry = new ExpiryHeap<Entry>();
  // A list of its own. The map has the same order, but asking it again and again for its first entry while others are
  // removed before that takes longer and longer: it walks over the gaps.
  #oldest: Entry | undefined;
  #newest: Entry | undefined;

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Entry | undefined {
    return this.#byKey.get(key);
  }

  add(key: string, until: number): void {
    const entry: Entry = { key, until, place: 0, older: this.#newest, newer: undefined };
    if (this.#newest) this.#newest.newer = entry;
    else this.#oldest = entry;
    this.#newest = entry;
    this.#byKey.set(key, entry);
    this.#byExpiry.add(entry);
  }

  remove(entry: Entry): void {
    const { older, newer } = entry;
    if (older) older.newer = newer;
    else this.#oldest = newer;
    if (newer) newer.older = older;
    else this.#newest = older;
    this.#byKey.delete(entry.key);
    this.#byExpiry.remove(entry);
  }

  removeOldest(): void {
    if (this.#oldest) this.remove(this.#oldest);
  }

  /** Returns whether there was one. */
  removeExpired(now: number): boolean {
    const first = this.#byExpiry.first;
    if (first === undefined || first.until > now) return false;
    this.remove(first);
    return true;
  }
}
