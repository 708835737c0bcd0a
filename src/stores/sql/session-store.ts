import { sql, type Selectable } from "kysely";
import type { PeerId } from "../../core/ids.ts";
import type { SessionMatch, SessionRecord, SessionStore } from "../../service-stores/session-store.ts";
import { cursorAt, numberOf } from "../cursor.ts";
import { requireRestriction } from "../session-match.ts";
import { chunksOf } from "./chunks.ts";
import { transact, type SqlContext } from "./engine.ts";
import type { Schema } from "./schema.ts";
import { replacing } from "./upsert.ts";

/** Sessions that are taken in one transaction: others write in between. */
const TAKEN_AT_ONCE = 1000;

const COLUMN_OF = {
  role: "role",
  peer: "peer",
  accountId: "account_id",
  username: "username",
  userAgentHash: "user_agent_hash",
  sessionId: "session_id",
} as const satisfies { readonly [K in keyof SessionMatch]-?: keyof Schema["session"] };
/** Which of them leave few sessions of a million. */
const FEW = ["accountId", "username", "sessionId"] as const satisfies readonly (keyof SessionMatch)[];
const MATCHED = Object.keys(COLUMN_OF) as (keyof SessionMatch)[];

/** Sessions with peers in SQL. */
export function sqlSessionStore(context: SqlContext): SessionStore {
  const { db, swift, tables, engine } = context;

  /** Those that match, by id, which is the order in which they were first saved. */
  function select(match: SessionMatch, after: number, limit: number) {
    let query = db.selectFrom(tables.session).selectAll().limit(limit);
    for (const name of MATCHED) {
      const value = match[name];
      if (value !== undefined) query = query.where(COLUMN_OF[name], "=", value);
    }
    if (after > 0) query = query.where("id", ">", after);
    const isFew = FEW.some((name) => match[name] !== undefined);
    // The few are sorted. If an index gave the order, SQLite would walk along that and look at every session of the peer.
    return isFew ? query.orderBy(sql`${sql.ref("id")} + 0`) : query.orderBy("id");
  }

  return {
    async save(session) {
      const row = sessionRow(session);
      const key = ["account_id", "peer", "role", "user_agent_hash"] as const;
      await transact(context, db, async (trx) => {
        await replacing(engine, trx.insertInto(tables.session).values(row), key, [
          "username",
          "session_id",
          "started_at",
          "expires_at",
        ]).execute();
      });
    },
    async take(match) {
      requireRestriction(match);
      const taken: SessionRecord[] = [];
      for (let after = 0, isLast = false; !isLast;) {
        const rows = await transact(context, db, async (trx) => {
          const query = select(match, after, TAKEN_AT_ONCE);
          const { rows: found } = await trx.executeQuery(engine.rowLocks ? query.forUpdate() : query);
          for (const chunk of chunksOf(found.map(({ id }) => id))) {
            await trx.deleteFrom(tables.session).where("id", "in", chunk).execute();
          }
          return found;
        });
        taken.push(...rows.map(toRecord));
        after = rows.at(-1)?.id ?? after;
        isLast = rows.length < TAKEN_AT_ONCE;
      }
      return taken;
    },
    async find(match, after, limit) {
      // One more than asked for tells whether there is another page.
      const rows = await select(match, after === undefined ? 0 : numberOf(after), limit + 1).execute();
      const page = rows.slice(0, limit);
      const items = page.map(toRecord);
      const last = page.at(-1);
      return rows.length > limit && last ? { items, next: cursorAt(last.id) } : { items };
    },
    async extend({ role, peer, usernames }, expiresAt, now) {
      const extended: { readonly id: number; readonly session_id: string; readonly username: string }[] = [];
      for (const names of chunksOf([...new Set(usernames)])) {
        const rows = await transact(context, db, async (trx) => {
          const query = trx
            .selectFrom(tables.session)
            .select(["id", "session_id", "username"])
            .where("role", "=", role)
            .where("peer", "=", peer)
            .where("username", "in", names)
            .where("expires_at", ">", now);
          const found = await (engine.rowLocks ? query.forUpdate() : query).execute();
          for (const chunk of chunksOf(found.map(({ id }) => id))) {
            await trx
              .updateTable(tables.session)
              .set({ expires_at: expiresAt })
              .where("id", "in", chunk)
              .where("expires_at", "<", expiresAt)
              .execute();
          }
          return found;
        });
        extended.push(...rows);
      }
      extended.sort((a, b) => a.id - b.id);
      return extended.map(({ username, session_id }) => ({ username, sessionId: session_id }));
    },
    async prune(expiredBefore, limit) {
      const expired = await db
        .selectFrom(tables.session)
        .select("id")
        .where("expires_at", "<", expiredBefore)
        .orderBy("expires_at")
        .orderBy("id")
        .limit(limit)
        .execute();
      let pruned = 0;
      for (const chunk of chunksOf(expired.map(({ id }) => id))) {
        const { numDeletedRows } = await swift
          .deleteFrom(tables.session)
          .where("id", "in", chunk)
          // Saved anew since it was read: it stays.
          .where("expires_at", "<", expiredBefore)
          .executeTakeFirst();
        pruned += Number(numDeletedRows);
      }
      return pruned;
    },
  };
}

export function sessionRow(session: SessionRecord): Omit<Selectable<Schema["session"]>, "id"> {
  return {
    role: session.role,
    peer: session.peer,
    account_id: session.accountId,
    username: session.username,
    user_agent_hash: session.userAgentHash,
    session_id: session.sessionId,
    started_at: session.startedAt,
    expires_at: session.expiresAt,
  };
}

function toRecord(row: Selectable<Schema["session"]>): SessionRecord {
  return {
    role: row.role,
    peer: row.peer as PeerId,
    accountId: row.account_id,
    username: row.username,
    userAgentHash: row.user_agent_hash,
    sessionId: row.session_id,
    startedAt: row.started_at,
    expiresAt: row.expires_at,
  };
}
