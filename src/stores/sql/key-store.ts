import type { Selectable, Transaction } from "kysely";
import type { Fingerprint, PeerId } from "../../core/ids.ts";
import type { KeyStore, StoredKey } from "../../keys/key-store.ts";
import { currentKeyStays, keysToForget } from "../key-rules.ts";
import { change, type SqlContext } from "./engine.ts";
import type { Schema } from "./schema.ts";

/** Own keys in SQL. */
export function sqlKeyStore(context: SqlContext): KeyStore {
  const { db, tables, engine } = context;

  /** Zeros of the same length first, which most engines write over what was there. */
  async function overwrite(
    trx: Transaction<Schema>,
    key: { readonly id: number; readonly private_key: Uint8Array },
    bytes: Uint8Array,
  ): Promise<void> {
    for (const private_key of [new Uint8Array(key.private_key.byteLength), bytes]) {
      await trx.updateTable(tables.key).set({ private_key }).where("id", "=", key.id).execute();
    }
  }

  return {
    async list(owner) {
      let query = db
        .selectFrom(tables.key)
        .select(["fingerprint", "certificate", "private_key", "state", "created_at", "peer"]);
      if (owner === "shared") query = query.where("peer", "is", null);
      else if (owner !== undefined) query = query.where("peer", "=", owner);
      const rows = await query.orderBy("created_at", "desc").orderBy("id", "desc").execute();
      return rows.map((row) => ({
        fingerprint: row.fingerprint as Fingerprint,
        certificate: row.certificate,
        // Drivers give a Buffer or an ArrayBuffer, some of them on memory that they use again.
        privateKey: new Uint8Array(row.private_key),
        state: row.state,
        createdAt: row.created_at,
        ...ownerOf(row),
      }));
    },
    async owners() {
      const rows = await db.selectFrom(tables.key).select("peer").distinct().where("peer", "is not", null).execute();
      return rows.flatMap((row) => ownerOf(row).peer ?? []);
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
          .values({ ...keyRow(key), state: "prepared" })
          .execute();
        return { changed: true, result: undefined };
      });
    },
    async promote(next, expected, now) {
      return change(context, async (trx) => {
        const prepared = await trx
          .selectFrom(tables.key)
          .select("peer")
          .where("fingerprint", "=", next)
          .where("state", "=", "prepared")
          .executeTakeFirst();
        if (!prepared) return { changed: false, result: false };
        const { peer } = prepared;
        const current = await trx
          .selectFrom(tables.key)
          .select("fingerprint")
          .where("state", "=", "current")
          .where("peer", peer === null ? "is" : "=", peer)
          .executeTakeFirst();
        if (current?.fingerprint !== expected) return { changed: false, result: false };
        await trx
          .updateTable(tables.key)
          .set({ state: "archived", changed_at: now })
          .where("state", "=", "current")
          .where("peer", peer === null ? "is" : "=", peer)
          .execute();
        await trx
          .updateTable(tables.key)
          .set({ state: "current", changed_at: now })
          .where("fingerprint", "=", next)
          .execute();
        return { changed: true, result: true };
      });
    },
    async archive(fingerprint, now) {
      return change(context, async (trx) => {
        const current = await trx
          .selectFrom(tables.key)
          .select("id")
          .where("fingerprint", "=", fingerprint)
          .where("state", "=", "current")
          .where("peer", "is not", null)
          .executeTakeFirst();
        if (!current) return { changed: false, result: false };
        await trx
          .updateTable(tables.key)
          .set({ state: "archived", changed_at: now })
          .where("id", "=", current.id)
          .execute();
        return { changed: true, result: true };
      });
    },
    async revoke(fingerprint) {
      const isForgotten = await change(context, async (trx) => {
        const key = await trx
          .selectFrom(tables.key)
          .select(["id", "state", "private_key"])
          .where("fingerprint", "=", fingerprint)
          .executeTakeFirst();
        if (key?.state === "current") throw currentKeyStays();
        if (key === undefined || key.state === "revoked") return { changed: false, result: false };
        await trx.updateTable(tables.key).set({ state: "revoked" }).where("id", "=", key.id).execute();
        await overwrite(trx, key, new Uint8Array());
        return { changed: true, result: true };
      });
      if (isForgotten) await engine.scrub(db);
    },
    async rewrap(fingerprint, expected, privateKey) {
      const isReplaced = await change(context, async (trx) => {
        const key = await trx
          .selectFrom(tables.key)
          .select(["id", "state", "private_key"])
          .where("fingerprint", "=", fingerprint)
          .executeTakeFirst();
        const isExpected =
          key !== undefined &&
          key.state !== "revoked" &&
          Buffer.compare(new Uint8Array(key.private_key), expected) === 0;
        if (isExpected) await overwrite(trx, key, privateKey);
        return { changed: isExpected, result: isExpected };
      });
      if (isReplaced) await engine.scrub(db);
      return isReplaced;
    },
    async prune(generations, now, before) {
      const isForgotten = await change(context, async (trx) => {
        const rows = await trx
          .selectFrom(tables.key)
          .select(["id", "state", "created_at", "peer"])
          .where("state", "in", ["archived", "prepared"])
          .orderBy("created_at", "desc")
          .orderBy("id", "desc")
          .execute();
        const forgotten = keysToForget(
          rows.map((row) => ({ id: row.id, state: row.state, createdAt: row.created_at, ...ownerOf(row) })),
          { generations, now, ...(before !== undefined && { before }) },
        );
        for (const { id } of forgotten) await trx.deleteFrom(tables.key).where("id", "=", id).execute();
        return { changed: forgotten.length > 0, result: forgotten.length > 0 };
      });
      if (isForgotten) await engine.scrub(db);
    },
  };
}

export function keyRow(key: StoredKey): Omit<Selectable<Schema["key"]>, "id" | "state"> {
  return {
    fingerprint: key.fingerprint,
    certificate: key.certificate,
    private_key: key.privateKey,
    created_at: key.createdAt,
    changed_at: key.createdAt,
    peer: key.peer ?? null,
  };
}

const ownerOf = ({ peer }: { readonly peer: number | null }): Pick<StoredKey, "peer"> =>
  peer === null ? {} : { peer: peer as PeerId };
