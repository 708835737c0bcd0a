import type { PeerId } from "../../core/ids.ts";
import type { StatsStore } from "../../peer/stats-store.ts";
import { counterRows, countersOf, type CounterRow } from "../counter-rows.ts";

/** Figures of each peer, in memory. Every method runs without a pause, so each is one step. */
export function memoryStatsStore(): StatsStore {
  const peers = new Map<PeerId, Map<string, CounterRow>>();
  return {
    async add(peer, counters) {
      const rows = peers.get(peer) ?? new Map<string, CounterRow>();
      peers.set(peer, rows);
      for (const row of counterRows(counters)) {
        const name = `${row.counter} ${row.part}`;
        rows.set(name, { ...row, total: row.total + (rows.get(name)?.total ?? 0) });
      }
    },
    async get(peer) {
      return countersOf(peers.get(peer)?.values() ?? []);
    },
  };
}
