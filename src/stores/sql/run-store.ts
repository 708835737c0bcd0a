import type { Transaction } from "kysely";
import type { RunStore } from "../../service-stores/run-store.ts";
import { chunksOf } from "./chunks.ts";
import { lockSite, transact, type SqlContext } from "./engine.ts";
import type { Schema } from "./schema.ts";

type Run = Pick<Schema["run"], "owner" | "lease_until"> & { readonly id: number };

/** Journals of long work in SQL. */
export function sqlRunStore(context: SqlContext): RunStore {
  const { db, swift, tables, engine } = context;

  /** The run, which nobody else changes until the transaction ends. */
  async function locked(trx: Transaction<Schema>, key: string): Promise<Run | undefined> {
    const query = trx.selectFrom(tables.run).select(["id", "owner", "lease_until"]).where("key", "=", key);
    return (engine.rowLocks ? query.forUpdate() : query).executeTakeFirst();
  }

  /** The same; if it is not there, it is made. */
  async function begun(trx: Transaction<Schema>, key: string): Promise<Run> {
    const present = await locked(trx, key);
    if (present) return present;
    // A row that is not there cannot be locked.
    await lockSite(context, trx);
    const meanwhile = await locked(trx, key);
    if (meanwhile) return meanwhile;
    await trx.insertInto(tables.run).values({ key, lease_until: 0 }).execute();
    const inserted = await locked(trx, key);
    if (!inserted) throw new TypeError("A row that was just written is not there.");
    return inserted;
  }

  return {
    async acquire(key, owner, leaseUntil, now) {
      return transact(context, db, async (trx) => {
        const run = await begun(trx, key);
        if (run.owner !== null && run.owner !== owner && run.lease_until > now) return false;
        await trx.updateTable(tables.run).set({ owner, lease_until: leaseUntil }).where("id", "=", run.id).execute();
        return true;
      });
    },
    async release(key, owner) {
      await db.updateTable(tables.run).set({ owner: null }).where("key", "=", key).where("owner", "=", owner).execute();
    },
    async record(key, entries) {
      const byRow = new Map(entries.map((entry) => [entry.row, entry]));
      await transact(context, db, async (trx) => {
        const { id: run } = await begun(trx, key);
        for (const chunk of chunksOf([...byRow.values()])) {
          const rows = chunk.map(({ row }) => row);
          await trx.deleteFrom(tables.run_entry).where("run", "=", run).where("row", "in", rows).execute();
          await trx
            .insertInto(tables.run_entry)
            .values(chunk.map(({ row, digest, outcome }) => ({ run, row, digest, outcome })))
            .execute();
        }
      });
    },
    async outcomes(key, fromRow, limit) {
      return db
        .selectFrom(tables.run_entry)
        .innerJoin(tables.run, `${tables.run}.id`, `${tables.run_entry}.run`)
        .select(["row", "digest", "outcome"])
        .where("key", "=", key)
        .where("row", ">=", fromRow)
        .orderBy("row")
        .limit(limit)
        .execute();
    },
    async forget(key) {
      await transact(context, db, async (trx) => {
        const run = await locked(trx, key);
        if (!run) return;
        await trx.deleteFrom(tables.run_entry).where("run", "=", run.id).execute();
        await trx.deleteFrom(tables.run).where("id", "=", run.id).execute();
      });
    },
    async prune(overBefore, limit) {
      const over = await db
        .selectFrom(tables.run)
        .select("key")
        .where("lease_until", "<", overBefore)
        .orderBy("id")
        .limit(limit)
        .execute();
      let pruned = 0;
      for (const { key } of over) {
        if (pruned < limit) pruned += await pruneOne(key, overBefore, limit - pruned);
      }
      return pruned;
    },
  };

  async function pruneOne(key: string, overBefore: number, limit: number): Promise<number> {
    return transact(context, swift, async (trx) => {
      const run = await locked(trx, key);
      // Somebody may have begun to work on it again.
      if (!run || run.lease_until >= overBefore) return 0;
      const last = await trx
        .selectFrom(tables.run_entry)
        .select("row")
        .where("run", "=", run.id)
        .orderBy("row", "desc")
        .limit(limit)
        .execute();
      for (const rows of chunksOf(last.map(({ row }) => row))) {
        await trx.deleteFrom(tables.run_entry).where("run", "=", run.id).where("row", "in", rows).execute();
      }
      if (last.length === limit) return limit;
      await trx.deleteFrom(tables.run).where("id", "=", run.id).execute();
      return last.length + 1;
    });
  }
}
