import type { Job, OutboxStore } from "../../service-stores/outbox-store.ts";
import { ExpiryHeap, type Expiring } from "./expiry-heap.ts";

/** How many jobs a memory store keeps; those that have been due for longest go first. */
export const MEMORY_JOBS = 100_000;

/** `until` is when it is due; while it is claimed, when the lease ends. */
interface Entry extends Expiring {
  readonly job: Job;
}

/** Queued work in memory. Every method runs without a pause, so each is one step. */
export function memoryOutboxStore(): OutboxStore {
  // In the order in which they were put: whoever replaces an entry of a map leaves it where it stands.
  const byId = new Map<string, Entry>();
  const byDue = new ExpiryHeap<Entry>();

  function set(job: Job, dueAt: number): void {
    const replaced = byId.get(job.id);
    if (replaced) byDue.remove(replaced);
    const entry: Entry = { job, until: dueAt, place: 0 };
    byId.set(job.id, entry);
    byDue.add(entry);
  }

  function forget(id: string): void {
    const entry = byId.get(id);
    if (!entry) return;
    byId.delete(id);
    byDue.remove(entry);
  }

  return {
    async put(jobs, dueAt) {
      for (const { id, kind, peer, data } of jobs) {
        if (!byId.has(id)) set({ id, kind, peer, data, attempts: 0 }, dueAt);
        if (byId.size > MEMORY_JOBS && byDue.first) forget(byDue.first.job.id);
      }
    },
    async claim(kind, limit, leaseUntil, now) {
      const claimed = [...byId.values()]
        .filter(({ job, until }) => job.kind === kind && until <= now)
        .sort((a, b) => a.until - b.until)
        .slice(0, limit)
        .map(({ job }) => job);
      for (const job of claimed) set({ ...job, attempts: job.attempts + 1 }, leaseUntil);
      return claimed;
    },
    async done(ids) {
      ids.forEach(forget);
    },
    async retry(id, dueAt) {
      const entry = byId.get(id);
      if (entry) set(entry.job, dueAt);
    },
  };
}
