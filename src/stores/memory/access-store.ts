import type { PeerId } from "../../core/ids.ts";
import type { AccessRule, AccessStore } from "../../service-stores/access-store.ts";
import { compareText } from "../compare-text.ts";
import { cursorAtName, nameOf } from "../cursor.ts";

/** Rules for single users, in memory. Every method runs without a pause, so each is one step. */
export function memoryAccessStore(): AccessStore {
  const peers = new Map<PeerId, Map<string, AccessRule>>();
  return {
    async set(peer, username, rule) {
      const rules = peers.get(peer) ?? new Map<string, AccessRule>();
      peers.set(peer, rules);
      if (rule === undefined) rules.delete(username);
      else rules.set(username, rule);
    },
    async get(peer, username) {
      return peers.get(peer)?.get(username);
    },
    async list(peer, after, limit) {
      const from = after === undefined ? undefined : nameOf(after);
      const found = [...(peers.get(peer) ?? [])]
        .map(([username, rule]) => ({ username, rule }))
        .filter(({ username }) => from === undefined || compareText(username, from) > 0)
        .sort((a, b) => compareText(a.username, b.username));
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return found.length > limit && last ? { items, next: cursorAtName(last.username) } : { items };
    },
  };
}
