import { setImmediate } from "node:timers/promises";
import type { Transaction } from "kysely";
import { Gathering } from "../../core/gathering.ts";
import type { PeerId } from "../../core/ids.ts";
import type { ReplayStore } from "../../peer/replay-store.ts";
import { compiledOnce, type Gaps } from "./compiled-once.ts";
import { lockSite, ROWS_AT_ONCE, transact, type SqlContext } from "./engine.ts";
import { judge, type Count, type Message, type ReplayRow, type Seen } from "./replay-judgement.ts";
import type { Schema } from "./schema.ts";
import { replacing } from "./upsert.ts";

/** Who lowers the bound by a million rows gets rid of them bit by bit, not in one call that holds up everybody. */
const EVICTED_AT_ONCE = 1000;

/** One connection that hangs must not hold up those whose messages could be remembered by another. */
const PATIENCE_MS = 1000;

/**
 * Messages that were taken, in SQL. Each peer's rows are counted in a row of their own: counting a million takes too long.
 *
 * What comes while other messages are remembered is remembered together, in as few statements as one message takes: a
 * server is asked six times for each transaction, and an embedded engine writes to the disk.
 */
export function sqlReplayStore(context: SqlContext): ReplayStore {
  const { db, swift, tables, engine } = context;

  const readCount = compiledOnce((gap: Gaps<{ peer: number }>) => {
    const query = db.selectFrom(tables.replay_peer).selectAll().where("peer", "=", gap("peer"));
    return engine.rowLocks ? query.forUpdate() : query;
  });
  const writeCount = compiledOnce((gap: Gaps<Schema["replay_peer"]>) =>
    db
      .updateTable(tables.replay_peer)
      .set({ entries: gap("entries"), newest: gap("newest") })
      .where("peer", "=", gap("peer")),
  );
  const find = compiledOnce((gap: Gaps<{ peer: number; key: string }>) =>
    db.selectFrom(tables.replay).selectAll().where("peer", "=", gap("peer")).where("key", "=", gap("key")),
  );
  const insert = compiledOnce((gap: Gaps<ReplayRow>) =>
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

  const together = new Gathering<"all", Message, Seen | undefined>({
    go: (messages) => rememberAll(messages, engine.rowLocks ? lockedIfFree : lockedEach),
    atMost: ROWS_AT_ONCE,
    // An embedded engine never waits for anything: nothing could come meanwhile, and be remembered with the rest.
    pause: engine.embedded ? setImmediate : undefined,
    patienceMs: engine.embedded ? undefined : PATIENCE_MS,
  });
  /** Messages of a peer whose count somebody else has: no other peer waits for it. */
  const apart = new Gathering<PeerId, Message, Seen>({
    // Nobody is left out here.
    go: async (messages) => (await rememberAll(messages, lockedEach)) as readonly Seen[],
    atMost: ROWS_AT_ONCE,
  });

  return {
    async remember(peer, key, { until, maxEntries }, now) {
      const message = { peer, key, until, maxEntries, now };
      return (await together.add("all", message)) ?? apart.add(peer, message);
    },
    async prune(now, limit) {
      let removed = 0;
      for (const peer of await peersWithExpired(now)) {
        for (let bite = ROWS_AT_ONCE; bite === ROWS_AT_ONCE && removed < limit; removed += bite) {
          // One transaction each, so that `remember` comes in between.
          bite = await pruneOne(peer, now, Math.min(limit - removed, ROWS_AT_ONCE));
          // Without this, an embedded engine would not let the event loop turn.
          await setImmediate();
        }
      }
      return removed;
    },
  };

  /** In one transaction. Says nothing of messages whose peers `lock` leaves out. */
  async function rememberAll(
    messages: readonly Message[],
    lock: (trx: Transaction<Schema>, peers: readonly PeerId[]) => Promise<ReadonlyMap<PeerId, Count>>,
  ): Promise<readonly (Seen | undefined)[]> {
    return transact(context, swift, async (trx) => {
      const counts = await lock(trx, [...new Set(messages.map(({ peer }) => peer))]);
      const known = await findAll(
        trx,
        messages.filter(({ peer }) => counts.has(peer)),
      );
      const judged = [...counts].map(([peer, count]) => judge(peer, messages, known, count));
      for (const { peer, replaced } of judged) await remove(trx, peer, replaced);
      await insertAll(
        trx,
        judged.flatMap(({ added }) => added),
      );
      const results = new Map<Message, Seen>();
      const changed: Schema["replay_peer"][] = [];
      for (const { peer, seen, count, last } of judged) {
        for (const [message, said] of seen) results.set(message, { seen: said, evicted: 0 });
        if (!last) continue;
        const { entries, evicted } = await bounded(trx, peer, count, last.maxEntries, last.now);
        results.set(last, { seen: "first", evicted });
        changed.push({ peer, entries, newest: count.newest });
      }
      await writeCounts(trx, changed);
      return messages.map((message) => results.get(message));
    });
  }

  /** The counts of peers, waited for one after the other. Where rows are locked, of one only: two could wait for each other. */
  async function lockedEach(trx: Transaction<Schema>, peers: readonly PeerId[]): Promise<ReadonlyMap<PeerId, Count>> {
    const counts = new Map<PeerId, Count>();
    for (const peer of peers) counts.set(peer, await locked(trx, peer));
    return counts;
  }

  /** Of those peers that have a count which nobody else has locked. Waits for nobody, so nobody can wait in a circle. */
  async function lockedIfFree(trx: Transaction<Schema>, peers: readonly PeerId[]): Promise<ReadonlyMap<PeerId, Count>> {
    const query = trx.selectFrom(tables.replay_peer).selectAll().where("peer", "in", peers);
    const rows = await query.forUpdate().skipLocked().execute();
    return new Map(rows.map((row) => [row.peer as PeerId, row]));
  }

  /** The rows with the messages' keys. */
  async function findAll(trx: Transaction<Schema>, messages: readonly Message[]): Promise<readonly ReplayRow[]> {
    if (messages.length > 1 && !engine.embedded) {
      const query = trx.selectFrom(tables.replay).selectAll();
      const peers = [...new Set(messages.map(({ peer }) => peer))];
      const keysOf = (peer: PeerId): string[] =>
        messages.filter((message) => message.peer === peer).map(({ key }) => key);
      return query
        .where((row) => row.or(peers.map((peer) => row.and([row("peer", "=", peer), row("key", "in", keysOf(peer))]))))
        .execute();
    }
    const found: ReplayRow[] = [];
    for (const { peer, key } of messages) found.push(...(await find(trx, { peer, key })).rows);
    return found;
  }

  async function insertAll(trx: Transaction<Schema>, rows: readonly ReplayRow[]): Promise<void> {
    if (rows.length > 1 && !engine.embedded) {
      await trx.insertInto(tables.replay).values(rows).execute();
    } else {
      for (const row of rows) await insert(trx, row);
    }
  }

  async function writeCounts(trx: Transaction<Schema>, counts: readonly Schema["replay_peer"][]): Promise<void> {
    if (counts.length > 1 && !engine.embedded) {
      const query = trx.insertInto(tables.replay_peer).values(counts);
      await replacing(engine, query, ["peer"], ["entries", "newest"]).execute();
    } else {
      for (const count of counts) await writeCount(trx, count);
    }
  }

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
