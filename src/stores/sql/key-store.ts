import type { Fingerprint } from "../../core/ids.ts";
import type { KeyStore } from "../../keys/key-store.ts";
import { change, type SqlContext } from "./engine.ts";

/** Own keys in SQL. */
export function sqlKeyStore(context: SqlContext): KeyStore {
  const { db, tables } = context;
  return {
    async list() {
      const rows = await db
        .selectFrom(tables.key)
        .select(["fingerprint", "certificate", "private_key", "state", "created_at"])
        .orderBy("created_at", "desc")
        .orderBy("id", "desc")
        .execute();
      return rows.map((row) => ({
        fingerprint: row.fingerprint as Fingerprint,
        certificate: row.certificate,
        // Drivers give a Buffer or an ArrayBuffer, some of them on memory that they use again.
        privateKey: new Uint8Array(row.private_key),
        state: row.state,
        createdAt: row.created_at,
      }));
    },
    async prepare(key) {
      await change(context, async (trx) => {
        const existing = await trx
          .selectFrom(tables.key)
          .select("id")
          .where("fingerprint", "=", key.fingerprint)
          .executeTakeFirst();
        if (existing) return { changed: false, result: undefined };
        await trx
          .insertInto(tables.key)
          .values({
            fingerprint: key.fingerprint,
            certificate: key.certificate,
            private_key: key.privateKey,
            state: "prepared",
            created_at: key.createdAt,
            changed_at: key.createdAt,
          })
          .execute();
        return { changed: true, result: undefined };
      });
    },
    async promote(next, expected, now) {
      return change(context, async (trx) => {
        const rows = await trx
          .selectFrom(tables.key)
          .select(["fingerprint", "state"])
          .where((row) => row.or([row("state", "=", "current"), row("fingerprint", "=", next)]))
          .execute();
        const current = rows.find((row) => row.state === "current")?.fingerprint;
        const isPrepared = rows.some((row) => row.fingerprint === next && row.state === "prepared");
        if (current !== expected || !isPrepared) return { changed: false, result: false };
        await trx
          .updateTable(tables.key)
          .set({ state: "archived", changed_at: now })
          .where("state", "=", "current")
          .execute();
        await trx
          .updateTable(tables.key)
          .set({ state: "current", changed_at: now })
          .where("fingerprint", "=", next)
          .execute();
        return { changed: true, result: true };
      });
    },
  };
}
