import type { PeerId } from "../../core/ids.ts";
import type { PeerRecord, PeerStore } from "../../peer/peer-store.ts";
import { withChange, type ServiceFlags } from "../../peer/service-flags.ts";
import { cursorAt, numberOf } from "../cursor.ts";
import { peerTaken } from "../peer-taken.ts";
import type { MemoryState } from "./memory-store.ts";

/** Peers in memory. Every method runs without a pause, so each is one step. */
export function memoryPeerStore(state: MemoryState): PeerStore {
  // Nothing is ever removed, so the record with id n stands at n - 1 and no id comes twice.
  const peers: PeerRecord[] = [];
  let allHosts: ServiceFlags = {};

  const sameSite = (one: Omit<PeerRecord, "id" | "version">): PeerRecord | undefined =>
    peers.find((peer) => peer.wwwroot === one.wwwroot) ?? peers.find((peer) => peer.canonical === one.canonical);

  return {
    async insert(peer) {
      const existing = sameSite(peer);
      if (existing) return { inserted: false, peer: structuredClone(existing) };
      const record: PeerRecord = { ...structuredClone(peer), id: (peers.length + 1) as PeerId, version: 1 };
      peers.push(record);
      state.generation += 1;
      return { inserted: true, peer: structuredClone(record) };
    },
    async find(key) {
      const found = typeof key === "number" ? peers[key - 1] : peers.find((peer) => peer.wwwroot === key);
      return structuredClone(found);
    },
    async update(peer) {
      if (peers[peer.id - 1]?.version !== peer.version) return undefined;
      const isTaken = peers.some(
        (other) => other.id !== peer.id && (other.wwwroot === peer.wwwroot || other.canonical === peer.canonical),
      );
      if (isTaken) throw peerTaken();
      const record: PeerRecord = { ...structuredClone(peer), version: peer.version + 1 };
      peers[peer.id - 1] = record;
      state.generation += 1;
      return structuredClone(record);
    },
    async list(filter, after, limit) {
      const from = after === undefined ? 0 : numberOf(after);
      const found = peers.filter(
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
      return { ...allHosts };
    },
    async changeAllHostsServices(flags) {
      allHosts = withChange(allHosts, flags);
      state.generation += 1;
    },
    async generation() {
      return state.generation;
    },
  };
}
