import type { PeerId } from "../../core/ids.ts";
import type { PeerRecord, PeerStore } from "../../peer/peer-store.ts";
import { withChange } from "../../peer/service-flags.ts";
import { cursorAt, numberOf } from "../cursor.ts";
import { peerTaken } from "../peer-taken.ts";
import type { MemoryState } from "./memory-store.ts";

/** Peers in memory. Every method runs without a pause, so each is one step. */
export function memoryPeerStore(state: MemoryState): PeerStore {
  // In the order of their ids: nothing is ever removed, and a restored one comes before all that are added.
  const { peers } = state;

  function find(matches: (peer: PeerRecord) => boolean): PeerRecord | undefined {
    for (const peer of peers.values()) if (matches(peer)) return peer;
    return undefined;
  }
  const sameSite = (one: Omit<PeerRecord, "id" | "version">): PeerRecord | undefined =>
    find((peer) => peer.wwwroot === one.wwwroot) ?? find((peer) => peer.canonical === one.canonical);

  return {
    async insert(peer) {
      const existing = sameSite(peer);
      if (existing) return { inserted: false, peer: structuredClone(existing) };
      state.newestPeer += 1;
      const record: PeerRecord = { ...structuredClone(peer), id: state.newestPeer as PeerId, version: 1 };
      peers.set(record.id, record);
      state.generation += 1;
      return { inserted: true, peer: structuredClone(record) };
    },
    async find(key) {
      const found = typeof key === "number" ? peers.get(key) : find((peer) => peer.wwwroot === key);
      return structuredClone(found);
    },
    async update(peer) {
      if (peers.get(peer.id)?.version !== peer.version) return undefined;
      const taken = find(
        (other) => other.id !== peer.id && (other.wwwroot === peer.wwwroot || other.canonical === peer.canonical),
      );
      if (taken) throw peerTaken();
      const record: PeerRecord = { ...structuredClone(peer), version: peer.version + 1 };
      peers.set(peer.id, record);
      state.generation += 1;
      return structuredClone(record);
    },
    async list(filter, after, limit) {
      const from = after === undefined ? 0 : numberOf(after);
      const found = [...peers.values()].filter(
        (peer) =>
          peer.id > from &&
          (filter.state === undefined ? peer.state !== "deleted" : peer.state === filter.state) &&
          (filter.held !== true || peer.held !== undefined),
      );
      const items = found.slice(0, limit).map((peer) => structuredClone(peer));
      const last = items.at(-1);
      return found.length > limit && last ? { items, next: cursorAt(last.id) } : { items };
    },
    async allHostsServices() {
      return { ...state.allHosts };
    },
    async changeAllHostsServices(flags) {
      state.allHosts = withChange(state.allHosts, flags);
      state.generation += 1;
    },
    async generation() {
      return state.generation;
    },
  };
}
