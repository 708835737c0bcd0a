import { sql } from "kysely";
import type { TokenStore } from "../../service-stores/token-store.ts";
import { chunksOf } from "./chunks.ts";
import type { SqlContext } from "./engine.ts";

/** Tokens in SQL. */
export function sqlTokenStore({ db, swift, tables }: SqlContext): TokenStore {
  return {
    async issue({ hash, peer, accountId, sessionId, userAgentHash, expiresAt }) {
      await db
        .insertInto(tables.token)
        .values({
          hash,
          peer,
          account_id: accountId,
          session_id: sessionId,
          user_agent_hash: userAgentHash,
          expires_at: expiresAt,
          uses: 0,
        })
        .execute();
    },
    async redeem(hash, { peer, userAgentHash }, grace, now) {
      // Only `uses` and `first_used_at` ever change, so the rest may be read before.
      const token = await db
        .selectFrom(tables.token)
        .select(["account_id", "session_id", "expires_at", "uses", "first_used_at"])
        .where("hash", "=", hash)
        .where("peer", "=", peer)
        .where("user_agent_hash", "=", userAgentHash)
        .executeTakeFirst();
      if (!token) return { outcome: "absent" };
      // A token that is used up stays so, and one that has expired unused does: that needs no lock, of which SQLite has one.
      const isUsed = token.uses > 0;
      if (isUsed && (token.uses >= grace.uses || (token.first_used_at ?? 0) <= now - grace.withinMs)) {
        return { outcome: "used" };
      }
      if (!isUsed && token.expires_at <= now) return { outcome: "expired" };
      // One statement looks and counts, so that nobody comes in between.
      const { numUpdatedRows } = await db
        .updateTable(tables.token)
        .set((row) => ({
          uses: row("uses", "+", 1),
          first_used_at: row.fn.coalesce("first_used_at", sql<number>`${now}`),
        }))
        .where("hash", "=", hash)
        .where((row) =>
          row.or([
            row.and([row("uses", "=", 0), row("expires_at", ">", now)]),
            row.and([
              row("uses", ">", 0),
              row("uses", "<", grace.uses),
              row("first_used_at", ">", now - grace.withinMs),
            ]),
          ]),
        )
        .executeTakeFirst();
      if (numUpdatedRows === 1n) {
        const { account_id: accountId, session_id: sessionId, expires_at: expiresAt } = token;
        return { outcome: "redeemed", token: { hash, peer, accountId, sessionId, userAgentHash, expiresAt } };
      }
      const refused = await db.selectFrom(tables.token).select("uses").where("hash", "=", hash).executeTakeFirst();
      if (!refused) return { outcome: "absent" };
      return { outcome: refused.uses > 0 ? "used" : "expired" };
    },
    async prune(expiredBefore, limit) {
      const expired = await db
        .selectFrom(tables.token)
        .select("hash")
        .where("expires_at", "<", expiredBefore)
        .orderBy("expires_at")
        .limit(limit)
        .execute();
      let pruned = 0;
      for (const chunk of chunksOf(expired.map(({ hash }) => hash))) {
        const { numDeletedRows } = await swift.deleteFrom(tables.token).where("hash", "in", chunk).executeTakeFirst();
        pruned += Number(numDeletedRows);
      }
      return pruned;
    },
  };
}
