import { setTimeout } from "node:timers/promises";
import type { Dialect, Kysely, RawBuilder, Transaction } from "kysely";
import { StoreError } from "../../core/errors.ts";
import type { Schema, TableNames } from "./schema.ts";

/** One kind of database: everything in which the engines differ. */
export interface SqlEngine {
  /** Kysely's side of it. What its driver throws are `StoreError`s. Connects with the first query. */
  readonly dialect: Dialect;
  /**
   * The same, over the same connections. What is written by it is there after the process has crashed, but after a power
   * cut the last of it may be missing; in return, writing does not wait for the disk.
   */
  readonly swiftDialect: Dialect;
  /** Nobody else administers it, so a new one is made ready without being asked. */
  readonly embedded: boolean;
  /** A transaction that will write holds no lock until it takes one with `select … for update`. */
  readonly rowLocks: boolean;
  /** How a row that is there already is changed by an `insert`. */
  readonly upserts: "on-conflict" | "on-duplicate-key";
  /** How columns are declared. */
  readonly columns: ColumnTypes;
  /** Names of all tables that the connection sees by default. */
  tables(db: Kysely<Schema>): Promise<readonly string[]>;
  /** Runs `work` in a transaction, where the engine has transactions for its schema, while no other process migrates. */
  migrating<T>(db: Kysely<Schema>, work: (db: Kysely<Schema>) => Promise<T>): Promise<T>;
  /** Whether a transaction failed only because others were in its way, so that it is to be done again from its beginning. */
  mustRepeat(error: unknown): boolean;
  /** After rows were written with ids that were not given by the database: the next one that is gets a higher id. */
  resumeIds(trx: Kysely<Schema>, table: "peer"): Promise<void>;
  /** Makes bytes that were overwritten or deleted unreadable in the files, where the engine can and nobody prevents it. */
  scrub(db: Kysely<Schema>): Promise<void>;
  /** Ends all connections, after the queries in flight. Harmless when done twice. */
  close(): Promise<void>;
}

/** Declarations of columns. Whether it may be null is added after it. */
export interface ColumnTypes {
  /** Primary key; counts up, never gives a number twice. */
  readonly id: RawBuilder<unknown>;
  /** Text that is compared byte by byte and can have an index. */
  readonly exact: (length: number) => RawBuilder<unknown>;
  /** Text of any length. */
  readonly text: RawBuilder<unknown>;
  /** At least 53 bits. */
  readonly integer: RawBuilder<unknown>;
  readonly bytes: RawBuilder<unknown>;
  /** Follows the declaration of a table. */
  readonly tableEnd: string;
}

/** What the concerns of one SQL store share. */
export interface SqlContext {
  readonly db: Kysely<Schema>;
  /** For what may be lost in a power cut. */
  readonly swift: Kysely<Schema>;
  readonly tables: TableNames;
  readonly engine: SqlEngine;
}

/** Rows of one statement. Engines bound the number of its parameters; the lowest bound met is 2,100. */
export const ROWS_AT_ONCE = 200;

const SITE = 1;

/** How often a transaction is begun again, before whoever asked for it hears that it does not work. */
const ATTEMPTS = 10;
const LONGEST_PAUSE_MS = 100;

/**
 * Runs `work` in a transaction, of `db` or `swift`. Where two transactions wait for each other, a database ends one of
 * them: that one is done again, so `work` may run several times, and nothing but the last is kept.
 */
export async function transact<T>(
  { engine }: SqlContext,
  db: Kysely<Schema>,
  work: (trx: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(work);
    } catch (error) {
      if (attempt >= ATTEMPTS || !engine.mustRepeat(error)) throw error;
      // At random, so that the same two do not meet again.
      await setTimeout(Math.random() * Math.min(2 ** attempt, LONGEST_PAUSE_MS));
    }
  }
}

/**
 * Runs `work` in one transaction with a new generation, or with none if `work` says that it changed nothing.
 * All such transactions stand in one queue, in all processes: what `work` reads is true until it is done.
 */
export async function change<T>(
  context: SqlContext,
  work: (trx: Transaction<Schema>) => Promise<{ readonly changed: boolean; readonly result: T }>,
): Promise<T> {
  return transact(context, context.db, async (trx) => {
    await lockSite(context, trx);
    const { changed, result } = await work(trx);
    if (changed) await renewGeneration(context, trx);
    return result;
  });
}

/** Says to every cache that something has changed. */
export async function renewGeneration({ tables }: SqlContext, trx: Transaction<Schema>): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable(tables.site)
    .set((row) => ({ generation: row("generation", "+", 1) }))
    .where("id", "=", SITE)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw siteMissing(tables);
}

/** Until the transaction ends, nobody else passes here. */
export async function lockSite({ tables, engine }: SqlContext, trx: Transaction<Schema>): Promise<void> {
  if (engine.rowLocks) await trx.selectFrom(tables.site).select("id").where("id", "=", SITE).forUpdate().execute();
}

/** Reads the site's one row. */
export async function readSite({ db, tables }: SqlContext): Promise<Schema["site"]> {
  const row = await db.selectFrom(tables.site).selectAll().where("id", "=", SITE).executeTakeFirst();
  if (row === undefined) throw siteMissing(tables);
  return row;
}

/** Writes the site's boxes for All Hosts. */
export async function writeAllHosts(trx: Transaction<Schema>, tables: TableNames, services: string): Promise<void> {
  await trx.updateTable(tables.site).set({ all_hosts_services: services }).where("id", "=", SITE).execute();
}

const siteMissing = (tables: TableNames): StoreError =>
  new StoreError("MNET_STORE_INCOMPLETE", `The table ${tables.site} has lost its row. Restore a backup.`);
