import type { PeerId } from "../../core/ids.ts";
import type { PeerStore } from "../../peer/peer-store.ts";
import { withChange } from "../../peer/service-flags.ts";
import { cursorAt, numberOf } from "../cursor.ts";
import { peerTaken } from "../peer-taken.ts";
import type { MemoryState } from "./memory-store.ts";

/** Peers in memory. Every method runs without a pause, so each is one step. */
export function memoryPeerStore(state: MemoryState): PeerStore {
  const { peers } = state;
  return {
    async insert(peer) {
      const existing = peers.sameSite(peer);
      if (existing) return { inserted: false, peer: existing };
      state.newestPeer += 1;
      state.generation += 1;
      return { inserted: true, peer: peers.set({ ...peer, id: state.newestPeer as PeerId, version: 1 }) };
    },
    async find(key) {
      return peers.get(key);
    },
    async update(peer) {
      if (peers.get(peer.id)?.version !== peer.version) return undefined;
      if (peers.sameSite(peer, peer.id)) throw peerTaken();
      state.generation += 1;
      return peers.set({ ...peer, version: peer.version + 1 });
    },
    async list(filter, after, limit) {
      const from = after === undefined ? 0 : numberOf(after);
      const found = peers
        .inOrder()
        .filter(
          (peer) =>
            peer.id > from &&
            (filter.state === undefined ? peer.state !== "deleted" : peer.state === filter.state) &&
            (filter.held !== true || peer.held !== undefined),
        );
      const items = found.slice(0, limit);
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
