import { setImmediate } from "node:timers/promises";
import type { Transaction } from "kysely";
import type { PeerId } from "../../core/ids.ts";
import type { ReplayStore } from "../../peer/replay-store.ts";
import { compiledOnce, type Gaps } from "./compiled-once.ts";
import { lockSite, ROWS_AT_ONCE, transact, type SqlContext } from "./engine.ts";
import type { Schema } from "./schema.ts";

/** Who lowers the bound by a million rows gets rid of them bit by bit, not in one call that holds up everybody. */
const EVICTED_AT_ONCE = 1000;

type Count = Pick<Schema["replay_peer"], "entries" | "newest">;

/** Messages that were taken, in SQL. Each peer's rows are counted in a row of their own: counting a million takes too long. */
export function sqlReplayStore(context: SqlContext): ReplayStore {
  const { db, swift, tables, engine } = context;

  const readCount = compiledOnce((gap: Gaps<{ peer: number }>) => {
    const query = db.selectFrom(tables.replay_peer).select(["entries", "newest"]).where("peer", "=", gap("peer"));
    return engine.rowLocks ? query.forUpdate() : query;
  });
  const writeCount = compiledOnce((gap: Gaps<Schema["replay_peer"]>) =>
    db
      .updateTable(tables.replay_peer)
      .set({ entries: gap("entries"), newest: gap("newest") })
      .where("peer", "=", gap("peer")),
  );
  const find = compiledOnce((gap: Gaps<{ peer: number; key: string }>) =>
    db.selectFrom(tables.replay).select(["age", "until"]).where("peer", "=", gap("peer")).where("key", "=", gap("key")),
  );
  const insert = compiledOnce((gap: Gaps<Schema["replay"]>) =>
    db.insertInto(tables.replay).values({ peer: gap("peer"), key: gap("key"), age: gap("age"), until: gap("until") }),
  );
  const findExpired = compiledOnce((gap: Gaps<{ peer: number; now: number; limit: number }>) =>
    db
      .selectFrom(tables.replay)
      .select("age")
      .where("peer", "=", gap("peer"))
      .where("until", "<=", gap("now"))
      .orderBy("until")
      .orderBy("age")
      .limit(gap("limit")),
  );
  const findOldest = compiledOnce((gap: Gaps<{ peer: number; limit: number }>) =>
    db.selectFrom(tables.replay).select("age").where("peer", "=", gap("peer")).orderBy("age").limit(gap("limit")),
  );
  const removeUpTo = compiledOnce((gap: Gaps<{ peer: number; age: number }>) =>
    db.deleteFrom(tables.replay).where("peer", "=", gap("peer")).where("age", "<=", gap("age")),
  );

  return {
    async remember(peer, key, { until, maxEntries }, now) {
      return transact(context, swift, async (trx) => {
        const count = await locked(trx, peer);
        const known = (await find(trx, { peer, key })).rows[0];
        if (known && known.until > now) return { seen: "again", evicted: 0 };
        if (until <= now) return { seen: "first", evicted: 0 };
        if (known) await remove(trx, peer, [known.age]);
        const newest = count.newest + 1;
        await insert(trx, { peer, key, age: newest, until });
        const grown = { entries: count.entries + (known ? 0 : 1), newest };
        const { entries, evicted } = await bounded(trx, peer, grown, maxEntries, now);
        await writeCount(trx, { peer, entries, newest });
        return { seen: "first", evicted };
      });
    },
    async prune(now, limit) {
      let removed = 0;
      for (const peer of await peersWithExpired(now)) {
        for (let bite = ROWS_AT_ONCE; bite === ROWS_AT_ONCE && removed < limit; removed += bite) {
          // One transaction each, so that `remember` comes in between.
          bite = await pruneOne(peer, now, Math.min(limit - removed, ROWS_AT_ONCE));
          // An embedded engine never waits for anything: without this, nor would the event loop turn.
          await setImmediate();
        }
      }
      return removed;
    },
  };

  /** The peer's count, which nobody else changes until the transaction ends. */
  async function locked(trx: Transaction<Schema>, peer: PeerId): Promise<Count> {
    const row = (await readCount(trx, { peer })).rows[0];
    if (row) return row;
    // A row that is not there cannot be locked.
    await lockSite(context, trx);
    const meanwhile = (await readCount(trx, { peer })).rows[0];
    if (meanwhile) return meanwhile;
    const first = await counted(trx, peer);
    await trx
      .insertInto(tables.replay_peer)
      .values({ peer, ...first })
      .execute();
    return first;
  }

  /** Counts for once. Nothing, unless somebody has changed the tables by hand. */
  async function counted(trx: Transaction<Schema>, peer: PeerId): Promise<Count> {
    const { entries, newest } = await trx
      .selectFrom(tables.replay)
      .select((row) => [
        row.fn.countAll<number | bigint | string>().as("entries"),
        row.fn.max<number | null>("age").as("newest"),
      ])
      .where("peer", "=", peer)
      .executeTakeFirstOrThrow();
    return { entries: Number(entries), newest: newest ?? 0 };
  }

  /** Ages of rows whose time has passed. */
  async function expired(
    trx: Transaction<Schema>,
    peer: PeerId,
    now: number,
    limit: number,
  ): Promise<readonly number[]> {
    const { rows } = await findExpired(trx, { peer, now, limit: Math.min(limit, ROWS_AT_ONCE) });
    return rows.map(({ age }) => age);
  }

  /** Returns how many there were. */
  async function remove(trx: Transaction<Schema>, peer: PeerId, ages: readonly number[]): Promise<number> {
    if (ages.length === 0) return 0;
    const { numDeletedRows } = await trx
      .deleteFrom(tables.replay)
      .where("peer", "=", peer)
      .where("age", "in", ages)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  /** Removes rows down to `maxEntries`, or as many as go at once: first those whose time has passed, then the oldest. */
  async function bounded(
    trx: Transaction<Schema>,
    peer: PeerId,
    { entries, newest }: Count,
    maxEntries: number,
    now: number,
  ): Promise<{ readonly entries: number; readonly evicted: number }> {
    if (entries <= maxEntries) return { entries, evicted: 0 };
    const gone = await remove(trx, peer, await expired(trx, peer, now, entries - maxEntries));
    const left = entries - gone;
    if (left <= maxEntries || gone === ROWS_AT_ONCE) return { entries: left, evicted: 0 };
    const limit = Math.min(left - maxEntries, EVICTED_AT_ONCE);
    const { rows: oldest } = await findOldest(trx, { peer, limit });
    const [first, last] = [oldest[0], oldest.at(-1)];
    // So few ages cannot be that many rows: somebody has deleted some by hand, and what is left must not go as well.
    if (first === undefined || last === undefined || newest - first.age < maxEntries) {
      return { entries: (await counted(trx, peer)).entries, evicted: 0 };
    }
    const evicted = Number((await removeUpTo(trx, { peer, age: last.age })).numAffectedRows);
    return { entries: left - evicted, evicted };
  }

  async function peersWithExpired(now: number): Promise<readonly PeerId[]> {
    const rows = await db
      .selectFrom(tables.replay_peer)
      .select("peer")
      .where((row) =>
        row.exists(
          row
            .selectFrom(tables.replay)
            .select("age")
            .whereRef(`${tables.replay}.peer`, "=", `${tables.replay_peer}.peer`)
            .where("until", "<=", now),
        ),
      )
      .orderBy("peer")
      .execute();
    return rows.map(({ peer }) => peer as PeerId);
  }

  async function pruneOne(peer: PeerId, now: number, limit: number): Promise<number> {
    return transact(context, swift, async (trx) => {
      const count = await locked(trx, peer);
      const removed = await remove(trx, peer, await expired(trx, peer, now, limit));
      await writeCount(trx, { peer, ...count, entries: count.entries - removed });
      return removed;
    });
  }
}
