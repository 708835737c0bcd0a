import type { Job, OutboxStore } from "../../service-stores/outbox-store.ts";

/** How many jobs a memory store keeps; those that were put first go first. */
export const MEMORY_JOBS = 100_000;

interface Entry {
  readonly job: Job;
  /** While it is claimed: when the lease ends. */
  readonly dueAt: number;
}

/** Queued work in memory. Every method runs without a pause, so each is one step. */
export function memoryOutboxStore(): OutboxStore {
  let entries = new Map<string, Entry>();
  return {
    async put(jobs, dueAt) {
      for (const { id, kind, peer, data } of jobs) {
        if (!entries.has(id)) entries.set(id, { job: { id, kind, peer, data, attempts: 0 }, dueAt });
      }
      // Cutting copies the whole map, so some more go at once.
      if (entries.size > MEMORY_JOBS) entries = new Map([...entries].slice(-MEMORY_JOBS * 0.99));
    },
    async claim(kind, limit, leaseUntil, now) {
      const claimed = [...entries.values()]
        .filter(({ job, dueAt }) => job.kind === kind && dueAt <= now)
        .sort((a, b) => a.dueAt - b.dueAt)
        .slice(0, limit)
        .map(({ job }) => job);
      for (const job of claimed) {
        entries.set(job.id, { job: { ...job, attempts: job.attempts + 1 }, dueAt: leaseUntil });
      }
      return claimed;
    },
    async done(ids) {
      for (const id of ids) entries.delete(id);
    },
    async retry(id, dueAt) {
      const entry = entries.get(id);
      if (entry) entries.set(id, { ...entry, dueAt });
    },
  };
}
