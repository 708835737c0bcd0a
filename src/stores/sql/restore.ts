import type { Insertable, Transaction } from "kysely";
import type { StoreRecord } from "../../host/store-record.ts";
import { counterRows } from "../counter-rows.ts";
import { notEmpty } from "../not-empty.ts";
import { keyRow } from "./key-store.ts";
import { lockSite, readSite, renewGeneration, ROWS_AT_ONCE, writeAllHosts, type SqlContext } from "./engine.ts";
import { peerRow } from "./peer-store.ts";
import { enrolmentRow } from "./remote-course-store.ts";
import type { Schema } from "./schema.ts";
import { sessionRow } from "./session-store.ts";

/** `Store.restore` in SQL: one transaction, in which rows are written as they come. It is not repeated, because they come once. */
export async function restoreSql(context: SqlContext, records: AsyncIterable<StoreRecord>): Promise<void> {
  const { db, tables, engine } = context;
  await db.transaction().execute(async (trx) => {
    await lockSite(context, trx);
    if (await isInUse(context, trx)) throw notEmpty();
    const rows = new RowsByTable(trx, context);
    for await (const record of records) await write(context, trx, rows, record);
    await rows.flush();
    await renewGeneration(context, trx);
    // Only peers have ids that others know; everybody else's were given by the database.
    await engine.resumeIds(trx, tables.peer);
  });
}

async function isInUse(context: SqlContext, trx: Transaction<Schema>): Promise<boolean> {
  const { tables } = context;
  const key = await trx.selectFrom(tables.key).select("id").limit(1).executeTakeFirst();
  const peer = await trx.selectFrom(tables.peer).select("id").limit(1).executeTakeFirst();
  const { all_hosts_services: allHosts } = await readSite({ ...context, db: trx });
  return key !== undefined || peer !== undefined || allHosts !== "{}";
}

async function write(
  { tables }: SqlContext,
  trx: Transaction<Schema>,
  rows: RowsByTable,
  record: StoreRecord,
): Promise<void> {
  switch (record.kind) {
    case "key":
      await rows.add("key", [{ ...keyRow(record.key), state: record.key.state }]);
      return;
    case "all-hosts":
      await writeAllHosts(trx, tables, JSON.stringify(record.services));
      return;
    case "peer":
      await rows.add("peer", [{ ...peerRow(record.peer), id: record.peer.id, version: record.peer.version }]);
      return;
    case "stats":
      await rows.add(
        "stats",
        counterRows(record.counters).map((row) => ({ ...row, peer: record.peer })),
      );
      return;
    case "access":
      await rows.add("access", [{ peer: record.peer, username: record.username, rule: record.rule }]);
      return;
    case "session":
      await rows.add("session", [sessionRow(record.session)]);
      return;
    case "courses": {
      const { peer, fetchedAt, courses } = record;
      await rows.add("remote_peer", [{ peer, fetched_at: fetchedAt }]);
      await rows.add(
        "remote_course",
        courses.map(({ id, fields }) => ({ peer, course: id, fields: JSON.stringify(fields) })),
      );
      return;
    }
    case "enrolments": {
      const { peer, course, fetchedAt } = record;
      if (fetchedAt !== undefined) await rows.add("remote_roster", [{ peer, course, fetched_at: fetchedAt }]);
      await rows.add(
        "remote_enrolment",
        record.rows.map((row) => enrolmentRow(peer, { ...row, course })),
      );
    }
  }
}

/** Rows that wait until there are enough of one table for a statement. */
class RowsByTable {
  readonly #trx: Transaction<Schema>;
  readonly #tables: SqlContext["tables"];
  readonly #waiting = new Map<keyof Schema, object[]>();

  constructor(trx: Transaction<Schema>, { tables }: SqlContext) {
    this.#trx = trx;
    this.#tables = tables;
  }

  async add<Table extends keyof Schema>(table: Table, rows: readonly Insertable<Schema[Table]>[]): Promise<void> {
    const waiting = this.#waiting.get(table) ?? [];
    this.#waiting.set(table, waiting);
    waiting.push(...rows);
    while (waiting.length >= ROWS_AT_ONCE) await this.#insert(table, waiting.splice(0, ROWS_AT_ONCE));
  }

  async flush(): Promise<void> {
    for (const [table, rows] of this.#waiting) if (rows.length > 0) await this.#insert(table, rows);
    this.#waiting.clear();
  }

  async #insert(table: keyof Schema, rows: readonly object[]): Promise<void> {
    // `add` has seen that the rows are of this table.
    await this.#trx.insertInto(this.#tables[table]).values(rows).execute();
  }
}
