import type { IssuedToken, TokenStore } from "../../service-stores/token-store.ts";
import { ExpiryHeap, type Expiring } from "./expiry-heap.ts";

/** How many tokens a memory store keeps; those that expire first go first. */
export const MEMORY_TOKENS = 100_000;

interface Entry extends Expiring {
  readonly token: IssuedToken;
  uses: number;
  firstUsedAt: number;
}

/** Tokens in memory. Every method runs without a pause, so each is one step. */
export function memoryTokenStore(): TokenStore {
  const byHash = new Map<string, Entry>();
  const byExpiry = new ExpiryHeap<Entry>();

  function forget(entry: Entry): void {
    byHash.delete(entry.token.hash);
    byExpiry.remove(entry);
  }

  return {
    async issue({ hash, peer, accountId, sessionId, userAgentHash, expiresAt }) {
      if (byHash.has(hash)) throw new TypeError("A token is issued once.");
      const token: IssuedToken = { hash, peer, accountId, sessionId, userAgentHash, expiresAt };
      const entry: Entry = { token, until: expiresAt, place: 0, uses: 0, firstUsedAt: 0 };
      byHash.set(hash, entry);
      byExpiry.add(entry);
      if (byHash.size > MEMORY_TOKENS && byExpiry.first) forget(byExpiry.first);
    },
    async redeem(hash, by, grace, now) {
      const entry = byHash.get(hash);
      if (entry?.token.peer !== by.peer || entry.token.userAgentHash !== by.userAgentHash) return { outcome: "absent" };
      if (entry.uses === 0) {
        if (now >= entry.token.expiresAt) return { outcome: "expired" };
        entry.firstUsedAt = now;
      } else if (entry.uses >= grace.uses || now >= entry.firstUsedAt + grace.withinMs) return { outcome: "used" };
      entry.uses += 1;
      return { outcome: "redeemed", token: { ...entry.token } };
    },
    async prune(expiredBefore, limit) {
      let pruned = 0;
      for (let first = byExpiry.first; pruned < limit && first && first.until < expiredBefore; first = byExpiry.first) {
        forget(first);
        pruned += 1;
      }
      return pruned;
    },
  };
}
