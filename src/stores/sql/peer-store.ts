import type { Kysely, Selectable } from "kysely";
import type { Fingerprint, PeerId, Wwwroot } from "../../core/ids.ts";
import type { PeerSettings } from "../../peer/peer-settings.ts";
import type { PeerRecord, PeerStore } from "../../peer/peer-store.ts";
import { withChange, type ServiceFlags } from "../../peer/service-flags.ts";
import { cursorAt, numberOf } from "../cursor.ts";
import { peerTaken } from "../peer-taken.ts";
import { change, readSite, writeAllHosts, type SqlContext } from "./engine.ts";
import type { Schema } from "./schema.ts";

/** Peers in SQL. */
export function sqlPeerStore(context: SqlContext): PeerStore {
  const { db, tables } = context;

  /** Who has one of the two forms; whoever has the very wwwroot stands first. */
  async function sameSite(
    trx: Kysely<Schema>,
    { wwwroot, canonical }: Pick<PeerRecord, "wwwroot" | "canonical">,
  ): Promise<readonly PeerRecord[]> {
    const rows = await trx
      .selectFrom(tables.peer)
      .selectAll()
      .where((row) => row.or([row("wwwroot", "=", wwwroot), row("canonical", "=", canonical)]))
      .execute();
    return rows.map(toRecord).sort((a, b) => Number(b.wwwroot === wwwroot) - Number(a.wwwroot === wwwroot));
  }

  return {
    async insert(peer) {
      return change<{ inserted: boolean; peer: PeerRecord }>(context, async (trx) => {
        const [existing] = await sameSite(trx, peer);
        if (existing) return { changed: false, result: { inserted: false, peer: existing } };
        // Read back instead of `returning`, which not every engine has.
        await trx
          .insertInto(tables.peer)
          .values({ ...peerRow(peer), version: 1 })
          .execute();
        const [inserted] = await sameSite(trx, peer);
        if (!inserted) throw new TypeError("A row that was just written is not there.");
        return { changed: true, result: { inserted: true, peer: inserted } };
      });
    },
    async find(key) {
      // Such a text can be no peer's, and some drivers would cut or change it into one that is.
      if (typeof key === "number" ? !Number.isSafeInteger(key) : /[\0\p{Surrogate}]/u.test(key)) return undefined;
      const row = await db
        .selectFrom(tables.peer)
        .selectAll()
        .where(typeof key === "number" ? "id" : "wwwroot", "=", key)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async update(peer) {
      return change(context, async (trx) => {
        const stored = await trx
          .selectFrom(tables.peer)
          .select("id")
          .where("id", "=", peer.id)
          .where("version", "=", peer.version)
          .executeTakeFirst();
        if (!stored) return { changed: false, result: undefined };
        if ((await sameSite(trx, peer)).some(({ id }) => id !== peer.id)) throw peerTaken();
        const row = { ...peerRow(peer), version: peer.version + 1 };
        await trx
          .updateTable(tables.peer)
          .set(row)
          .where("id", "=", peer.id)
          .where("version", "=", peer.version)
          .execute();
        return { changed: true, result: toRecord({ ...row, id: peer.id }) };
      });
    },
    async list(filter, after, limit) {
      let query = db.selectFrom(tables.peer).selectAll();
      query =
        filter.state === undefined ? query.where("state", "!=", "deleted") : query.where("state", "=", filter.state);
      if (filter.held === true) query = query.where("held", "is not", null);
      if (after !== undefined) query = query.where("id", ">", numberOf(after) as PeerId);
      // One more than asked for tells whether there is another page.
      const rows = await query
        .orderBy("id")
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map(toRecord);
      const last = items.at(-1);
      return rows.length > limit && last ? { items, next: cursorAt(last.id) } : { items };
    },
    async allHostsServices() {
      return JSON.parse((await readSite(context)).all_hosts_services) as ServiceFlags;
    },
    async changeAllHostsServices(flags) {
      await change(context, async (trx) => {
        const { all_hosts_services: before } = await readSite({ ...context, db: trx });
        await writeAllHosts(trx, tables, JSON.stringify(withChange(JSON.parse(before) as ServiceFlags, flags)));
        return { changed: true, result: undefined };
      });
    },
    async generation() {
      return (await readSite(context)).generation;
    },
  };
}

export function peerRow(peer: Omit<PeerRecord, "id" | "version">): Omit<Selectable<Schema["peer"]>, "id" | "version"> {
  return {
    wwwroot: peer.wwwroot,
    canonical: peer.canonical,
    name: peer.name,
    application: peer.application,
    state: peer.state,
    certificate: peer.certificate,
    retired: JSON.stringify(peer.retired),
    held: peer.held ? JSON.stringify(peer.held) : null,
    settings: JSON.stringify(peer.settings),
    services: JSON.stringify(peer.services),
    dialect: peer.dialect ?? null,
    last_contact_at: peer.lastContactAt ?? null,
    profile: peer.profile ? JSON.stringify(peer.profile) : null,
  };
}

function toRecord(row: Selectable<Schema["peer"]>): PeerRecord {
  return {
    id: row.id as PeerId,
    version: row.version,
    wwwroot: row.wwwroot as Wwwroot,
    canonical: row.canonical,
    name: row.name,
    application: row.application,
    state: row.state,
    certificate: row.certificate,
    retired: JSON.parse(row.retired) as readonly Fingerprint[],
    ...(row.held === null ? {} : { held: JSON.parse(row.held) as NonNullable<PeerRecord["held"]> }),
    settings: JSON.parse(row.settings) as PeerSettings,
    services: JSON.parse(row.services) as ServiceFlags,
    ...(row.dialect === null ? {} : { dialect: row.dialect }),
    ...(row.profile === null ? {} : { profile: JSON.parse(row.profile) as NonNullable<PeerRecord["profile"]> }),
    ...(row.last_contact_at === null ? {} : { lastContactAt: row.last_contact_at }),
  };
}
