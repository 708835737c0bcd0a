import { sql } from "kysely";
import type { StatsStore } from "../../peer/stats-store.ts";
import { counterRows, countersOf } from "../counter-rows.ts";
import { ROWS_AT_ONCE, transact, type SqlContext } from "./engine.ts";

/** Figures of each peer in SQL, one row a number. The database adds, so that nothing is lost between processes. */
export function sqlStatsStore(context: SqlContext): StatsStore {
  const { db, swift, tables, engine } = context;
  return {
    async add(peer, counters) {
      const rows = counterRows(counters).map((row) => ({ ...row, peer }));
      if (rows.length === 0) return;
      await transact(context, swift, async (trx) => {
        for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
          const query = trx.insertInto(tables.stats).values(rows.slice(from, from + ROWS_AT_ONCE));
          await (
            engine.upserts === "on-conflict"
              ? query.onConflict((conflict) =>
                  conflict.columns(["peer", "counter", "part"]).doUpdateSet((row) => ({
                    total: row(row.ref(`${tables.stats}.total`), "+", row.ref("excluded.total")),
                  })),
                )
              : query.onDuplicateKeyUpdate({ total: sql`${sql.ref("total")} + values(${sql.ref("total")})` })
          ).execute();
        }
      });
    },
    async get(peer) {
      const rows = await db
        .selectFrom(tables.stats)
        .select(["counter", "part", "total"])
        .where("peer", "=", peer)
        .execute();
      return countersOf(rows);
    },
  };
}
