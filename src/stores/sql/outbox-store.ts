import type { PeerId } from "../../core/ids.ts";
import type { Job, OutboxStore } from "../../service-stores/outbox-store.ts";
import { chunksOf } from "./chunks.ts";
import { transact, type SqlContext } from "./engine.ts";
import { keeping } from "./upsert.ts";

/** Queued work in SQL. A claimed job is one that is due when its lease ends. */
export function sqlOutboxStore(context: SqlContext): OutboxStore {
  const { db, tables, engine } = context;
  return {
    async put(jobs, dueAt) {
      if (jobs.length === 0) return;
      const rows = jobs.map(({ id, kind, peer, data }) => ({ id, kind, peer, data, attempts: 0, due_at: dueAt }));
      await transact(context, db, async (trx) => {
        for (const chunk of chunksOf(rows)) {
          await keeping(engine, trx.insertInto(tables.outbox).values(chunk), "id").execute();
        }
      });
    },
    async claim(kind, limit, leaseUntil, now) {
      return transact(context, db, async (trx) => {
        const query = trx
          .selectFrom(tables.outbox)
          .select(["sequence", "id", "kind", "peer", "data", "attempts"])
          .where("kind", "=", kind)
          .where("due_at", "<=", now)
          .orderBy("due_at")
          .orderBy("sequence")
          .limit(limit);
        // Whoever claims beside us takes others, instead of waiting to find these gone.
        const rows = await (engine.rowLocks ? query.forUpdate().skipLocked() : query).execute();
        for (const chunk of chunksOf(rows.map(({ sequence }) => sequence))) {
          await trx
            .updateTable(tables.outbox)
            .set((row) => ({ due_at: leaseUntil, attempts: row("attempts", "+", 1) }))
            .where("sequence", "in", chunk)
            .execute();
        }
        return rows.map(({ id, peer, data, attempts }): Job => ({ id, kind, peer: peer as PeerId, data, attempts }));
      });
    },
    async done(ids) {
      for (const chunk of chunksOf(ids)) await db.deleteFrom(tables.outbox).where("id", "in", chunk).execute();
    },
    async retry(id, dueAt) {
      await db.updateTable(tables.outbox).set({ due_at: dueAt }).where("id", "=", id).execute();
    },
  };
}
