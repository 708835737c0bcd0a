import type { PeerId } from "../core/ids.ts";

/**
 * Counts how often each peer was told our new key. A Mahara that is told while it has a call of ours drops that call, and
 * this is how the caller finds out (MNET-129).
 */
export class NewKeyNotices {
  readonly #counts = new Map<PeerId, number>();

  /** The peer was answered with fault 7025. */
  add(peer: PeerId): void {
    this.#counts.set(peer, this.count(peer) + 1);
  }

  /** How often that happened in this process. */
  count(peer: PeerId): number {
    return this.#counts.get(peer) ?? 0;
  }
}
