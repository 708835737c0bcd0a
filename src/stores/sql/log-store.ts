import type { LogEntry, LogStore } from "../../host/log-store.ts";
import { cursorAt, numberOf } from "../cursor.ts";
import { decodeEvent, encodeEvent } from "../event-json.ts";
import { chunksOf } from "./chunks.ts";
import { ROWS_AT_ONCE, transact, type SqlContext } from "./engine.ts";

/** The log in SQL. */
export function sqlLogStore(context: SqlContext): LogStore {
  const { db, swift, tables } = context;
  return {
    async append(events) {
      if (events.length === 0) return;
      const rows = events.map(encodeEvent).map(({ at, type, peer, code, json }) => ({
        at,
        type,
        peer: peer ?? null,
        code: code ?? null,
        event: json,
      }));
      await transact(context, swift, async (trx) => {
        for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
          await trx
            .insertInto(tables.log)
            .values(rows.slice(from, from + ROWS_AT_ONCE))
            .execute();
        }
      });
    },
    async list({ peer, type, code, since, until }, after, limit) {
      let query = db.selectFrom(tables.log).select(["sequence", "event"]);
      if (peer !== undefined) query = query.where("peer", "=", peer.id);
      if (type !== undefined) query = query.where("type", "=", type);
      if (code !== undefined) query = query.where("code", "=", code);
      if (since !== undefined) query = query.where("at", ">=", since.getTime());
      if (until !== undefined) query = query.where("at", "<", until.getTime());
      if (after !== undefined) query = query.where("sequence", "<", numberOf(after));
      // One more than asked for tells whether there is another page.
      const rows = await query
        .orderBy("sequence", "desc")
        .limit(limit + 1)
        .execute();
      const items = rows
        .slice(0, limit)
        .map((row): LogEntry => ({ ...decodeEvent(row.event), sequence: row.sequence }));
      const last = items.at(-1);
      return rows.length > limit && last ? { items, next: cursorAt(last.sequence) } : { items };
    },
    async prune(before, limit) {
      const old = await db
        .selectFrom(tables.log)
        .select("sequence")
        .where("at", "<", before)
        .orderBy("at")
        .limit(limit)
        .execute();
      let pruned = 0;
      // By their numbers alone: with `at` in the condition, an engine may walk along all that is old.
      for (const chunk of chunksOf(old.map(({ sequence }) => sequence))) {
        const { numDeletedRows } = await swift.deleteFrom(tables.log).where("sequence", "in", chunk).executeTakeFirst();
        pruned += Number(numDeletedRows);
      }
      return pruned;
    },
  };
}
