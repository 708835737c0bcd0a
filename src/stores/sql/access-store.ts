import type { AccessStore } from "../../service-stores/access-store.ts";
import { cursorAtName, nameOf } from "../cursor.ts";
import type { SqlContext } from "./engine.ts";
import { replacing } from "./upsert.ts";

/** Rules for single users in SQL. */
export function sqlAccessStore({ db, tables, engine }: SqlContext): AccessStore {
  return {
    async set(peer, username, rule) {
      if (rule === undefined) {
        await db.deleteFrom(tables.access).where("peer", "=", peer).where("username", "=", username).execute();
        return;
      }
      const insert = db.insertInto(tables.access).values({ peer, username, rule });
      await replacing(engine, insert, ["peer", "username"], ["rule"]).execute();
    },
    async get(peer, username) {
      const row = await db
        .selectFrom(tables.access)
        .select("rule")
        .where("peer", "=", peer)
        .where("username", "=", username)
        .executeTakeFirst();
      return row?.rule;
    },
    async list(peer, after, limit) {
      let query = db.selectFrom(tables.access).select(["username", "rule"]).where("peer", "=", peer);
      if (after !== undefined) query = query.where("username", ">", nameOf(after));
      // One more than asked for tells whether there is another page.
      const rows = await query
        .orderBy("username")
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map(({ username, rule }) => ({ username, rule }));
      const last = items.at(-1);
      return rows.length > limit && last ? { items, next: cursorAtName(last.username) } : { items };
    },
  };
}
