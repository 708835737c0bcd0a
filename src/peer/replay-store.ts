import type { PeerId } from "../core/ids.ts";

/** Remembers messages, so that none is taken twice. Every promise holds across processes. */
export interface ReplayStore {
  /**
   * Of any number of calls with one (peer, key), exactly one gets `"first"`, until `limits.until` has passed; the others
   * get `"again"`. Where more than `limits.maxEntries` of this peer would be kept, the oldest of this peer go, counted in
   * `evicted`; other peers' are untouched.
   *
   * @param key at most 64 characters of ASCII.
   * @param limits `until`: Unix milliseconds; at that moment the entry is forgotten.
   * @param now Unix milliseconds.
   */
  remember(
    peer: PeerId,
    key: string,
    limits: { readonly until: number; readonly maxEntries: number },
    now: number,
  ): Promise<{ readonly seen: "first" | "again"; readonly evicted: number }>;
  /** Removes at most `limit` entries whose time has passed. Returns how many. Never blocks `remember` for long. */
  prune(now: number, limit: number): Promise<number>;
}
