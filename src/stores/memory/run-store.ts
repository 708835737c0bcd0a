import type { RunEntry, RunStore } from "../../service-stores/run-store.ts";

/** How many runs a memory store keeps; those that were begun first go first. */
export const MEMORY_RUNS = 1000;

interface Run {
  owner: string | undefined;
  leaseUntil: number;
  readonly entries: Map<number, RunEntry>;
}

/** Journals of long work in memory. Every method runs without a pause, so each is one step. */
export function memoryRunStore(): RunStore {
  const runs = new Map<string, Run>();

  function begun(key: string): Run {
    const run = runs.get(key) ?? { owner: undefined, leaseUntil: 0, entries: new Map<number, RunEntry>() };
    runs.set(key, run);
    const [first] = runs.keys();
    if (runs.size > MEMORY_RUNS && first !== undefined) runs.delete(first);
    return run;
  }

  return {
    async acquire(key, owner, leaseUntil, now) {
      const run = begun(key);
      if (run.owner !== undefined && run.owner !== owner && run.leaseUntil > now) return false;
      run.owner = owner;
      run.leaseUntil = leaseUntil;
      return true;
    },
    async release(key, owner) {
      const run = runs.get(key);
      if (run?.owner === owner) run.owner = undefined;
    },
    async record(key, entries) {
      const run = begun(key);
      for (const { row, digest, outcome } of entries) run.entries.set(row, { row, digest, outcome });
    },
    async outcomes(key, fromRow, limit) {
      return [...(runs.get(key)?.entries.values() ?? [])]
        .filter(({ row }) => row >= fromRow)
        .sort((a, b) => a.row - b.row)
        .slice(0, limit);
    },
    async forget(key) {
      runs.delete(key);
    },
    async prune(overBefore, limit) {
      let pruned = 0;
      for (const [key, { leaseUntil, entries }] of runs) {
        if (leaseUntil >= overBefore) continue;
        const rows = [...entries.keys()].sort((a, b) => b - a).slice(0, limit - pruned);
        for (const row of rows) entries.delete(row);
        pruned += rows.length;
        if (pruned >= limit) break;
        runs.delete(key);
        pruned += 1;
      }
      return pruned;
    },
  };
}
