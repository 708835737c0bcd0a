import { setTimeout } from "node:timers/promises";
import {
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type TransactionSettings,
} from "kysely";
import { StoreError } from "../../core/errors.ts";
import type { SqlEngine } from "./engine.ts";

/** One open SQLite database. Every embedded driver is dressed as this. What it throws are `StoreError`s. */
export interface SqliteDatabase {
  readonly inTransaction: boolean;
  /** Runs statements that give no rows. */
  exec(statements: string): void;
  /** Runs one statement to its end, so that it holds no lock afterwards. */
  run(
    statement: string,
    parameters: readonly unknown[],
  ): { readonly rows: readonly unknown[]; readonly changes?: number | bigint };
  close(): void;
}

/**
 * How long to wait for another connection to finish writing. The waiting is ours and asynchronous; SQLite's own
 * (`busy_timeout`) blocks the event loop, and with it the very transaction that it waits for, if that is another store's
 * in this process.
 */
const BUSY_TIMEOUT_MS = 5000;
/** At random up to this: whoever looks seldom, or when others do, is never in time where many write. */
const LONGEST_PAUSE_MS = 10;

/** How often to look for a moment in which nobody reads or writes, and how long to wait in between. */
const SCRUB_ATTEMPTS = 20;
const SCRUB_PAUSE_MS = 25;

/**
 * When writing waits for the disk. A key that was published must be there after a power cut: `full`, with every commit.
 * `normal` waits only now and then; commits survive a crash of the process all the same, and a later `full` takes those
 * before it along.
 */
type Synchronous = "full" | "normal";

const PREPARATION = [
  "pragma busy_timeout = 0",
  "pragma synchronous = full",
  "pragma foreign_keys = on",
  // What is deleted or replaced is overwritten with zeros: private keys are among it.
  "pragma secure_delete = on",
  // Four times the default. Emptying the log into the file holds up the event loop while the disk works, and every replay
  // entry changes pages far apart; seldom and more at once, many of them are written once instead of four times.
  "pragma wal_autocheckpoint = 4000",
];

/** SQLite behind any embedded driver. One connection a store, several stores and processes a file. */
export function sqliteEngine(open: () => Promise<SqliteDatabase>): SqlEngine {
  const driver = new SqliteDriver(open);
  return {
    dialect: dialectOf(() => driver),
    swiftDialect: dialectOf(() => driver.swift()),
    embedded: true,
    // A transaction takes the lock of the whole database when it begins.
    rowLocks: false,
    upserts: "on-conflict",
    columns: {
      id: sql`integer primary key autoincrement`,
      // SQLite compares text byte by byte, unless told otherwise.
      exact: () => sql`text`,
      text: sql`text`,
      integer: sql`integer`,
      bytes: sql`blob`,
      tableEnd: "",
    },
    async tables(db) {
      const { rows } = await sql<{ name: string }>`
        select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'`.execute(db);
      return rows.map(({ name }) => name);
    },
    migrating: (db, work) => db.transaction().execute(work),
    // Whoever begins a transaction has the lock that it needs to the end.
    mustRepeat: () => false,
    // `autoincrement` looks at every id that is written.
    resumeIds: async () => undefined,
    async scrub(db) {
      try {
        // The log beside the file has the old pages until it is emptied, which others who read or write put off.
        for (let attempt = 1; attempt <= SCRUB_ATTEMPTS; attempt += 1) {
          const { rows } = await sql<{ busy: number }>`pragma wal_checkpoint(truncate)`.execute(db);
          if (rows[0]?.busy === 0) return;
          await setTimeout(SCRUB_PAUSE_MS);
        }
      } catch {
        // What was changed is changed. The log is emptied later, at the latest when everybody has closed the file.
      }
    },
    close: () => driver.close(),
  };
}

const dialectOf = (createDriver: () => Driver): Dialect => ({
  createDriver,
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createAdapter: () => new SqliteAdapter(),
  createIntrospector: (db) => new SqliteIntrospector(db),
});

class SqliteDriver implements Driver {
  readonly #open: () => Promise<SqliteDatabase>;
  #opening: Promise<void> | undefined;
  #database: SqliteDatabase | undefined;
  #synchronous: Synchronous = "full";
  #isClosed = false;
  /** Done when the last in the queue has let go of the connection. */
  #last: Promise<void> = Promise.resolve();

  constructor(open: () => Promise<SqliteDatabase>) {
    this.#open = open;
  }

  /** The driver of a second Kysely on this connection, which does not wait for the disk. */
  swift(): Driver {
    return {
      init: () => this.init(),
      acquireConnection: () => this.#acquire("normal"),
      releaseConnection: (connection: SqliteConnection) => this.releaseConnection(connection),
      beginTransaction: (connection: SqliteConnection, settings) => this.beginTransaction(connection, settings),
      commitTransaction: (connection: SqliteConnection) => this.commitTransaction(connection),
      rollbackTransaction: (connection: SqliteConnection) => this.rollbackTransaction(connection),
      destroy: () => this.destroy(),
    };
  }

  /** Opens the database, once for all who ask. What failed can be tried again. */
  async init(): Promise<void> {
    this.#opening ??= this.#prepare();
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    this.#refuseIfClosed();
    const database = await this.#open();
    try {
      // Even these may meet a lock: whoever opens a new file, or one after a crash, keeps everybody out for a moment.
      for (const statement of PREPARATION) {
        await patiently(() => {
          database.exec(statement);
        });
      }
      const { rows } = await patiently(() => database.run("pragma journal_mode = wal", []));
      if ((rows[0] as { readonly journal_mode?: unknown } | undefined)?.journal_mode !== "wal") {
        throw new StoreError(
          "MNET_STORE_UNAVAILABLE",
          "The database cannot have a write-ahead log where it is. Put the file on a local disk.",
        );
      }
      // Closing does not wait for a connection that is still being made.
      this.#refuseIfClosed();
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
  }

  async acquireConnection(): Promise<SqliteConnection> {
    return this.#acquire("full");
  }

  async #acquire(synchronous: Synchronous): Promise<SqliteConnection> {
    const release = await this.#turn();
    try {
      this.#refuseIfClosed();
      if (!this.#database) throw new TypeError("The driver was not initialised.");
      const connection = new SqliteConnection(this.#database, release);
      if (this.#synchronous !== synchronous) {
        // Costs 3 µs, and cannot be done inside a transaction.
        await connection.control(`pragma synchronous = ${synchronous}`);
        this.#synchronous = synchronous;
      }
      return connection;
    } catch (error) {
      release();
      throw error;
    }
  }

  async releaseConnection(connection: SqliteConnection): Promise<void> {
    connection.release();
  }

  async beginTransaction(connection: SqliteConnection, settings: TransactionSettings): Promise<void> {
    // A transaction that reads first and writes later could not wait for a lock then: what it has read would be old.
    await connection.control(settings.accessMode === "read only" ? "begin" : "begin immediate");
  }

  async commitTransaction(connection: SqliteConnection): Promise<void> {
    await connection.control("commit");
  }

  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    // After some failures, such as a full disk, SQLite has done it already.
    if (connection.inTransaction) await connection.control("rollback");
  }

  async close(): Promise<void> {
    const release = await this.#turn();
    try {
      this.#isClosed = true;
      const database = this.#database;
      this.#database = undefined;
      if (!database) return;
      try {
        // Drivers leave the closing of the file to the garbage collector; a copy of it must be whole before that.
        database.run("pragma wal_checkpoint(truncate)", []);
      } catch {
        // Somebody else is reading. The log beside the file has the rest.
      }
      database.close();
    } finally {
      release();
    }
  }

  async destroy(): Promise<void> {
    await this.close();
  }

  /** Waits until everybody who asked before is done; returns how to say so oneself. */
  async #turn(): Promise<() => void> {
    const previous = this.#last;
    let release = (): void => undefined;
    this.#last = new Promise((resolve) => {
      release = resolve;
    });
    await previous;
    return release;
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new StoreError("MNET_STORE_UNAVAILABLE", "The store is closed.");
  }
}

const WRITES: ReadonlySet<string> = new Set([
  "InsertQueryNode",
  "UpdateQueryNode",
  "DeleteQueryNode",
  "MergeQueryNode",
]);

class SqliteConnection implements DatabaseConnection {
  readonly release: () => void;
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase, release: () => void) {
    this.#database = database;
    this.release = release;
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  async control(statement: string): Promise<void> {
    await patiently(() => {
      this.#database.exec(statement);
    });
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const run = (): ReturnType<SqliteDatabase["run"]> => this.#database.run(query.sql, query.parameters);
    const { rows, changes } = await this.#execute(query, run);
    return { rows: rows as Row[], ...(changes === undefined ? {} : { numAffectedRows: BigInt(changes) }) };
  }

  async #execute<T>({ query }: CompiledQuery, run: () => T): Promise<T> {
    // Inside a transaction the lock is ours: nothing to wait for, and a retry could hide a failure.
    if (this.inTransaction) return run();
    return WRITES.has(query.kind) ? this.#write(run) : patiently(run);
  }

  /**
   * In a transaction, so that what waits for the lock is its beginning. A writing statement that was refused the lock
   * counts as under way until it is run again or collected as garbage, and until then SQLite commits nothing that other
   * statements of this connection write, while telling them that all is well.
   */
  async #write<T>(run: () => T): Promise<T> {
    await this.control("begin immediate");
    try {
      const result = run();
      await this.control("commit");
      return result;
    } catch (error) {
      if (this.inTransaction) await this.control("rollback");
      throw error;
    }
  }

  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new TypeError("SQLite queries are not streamed.");
  }
}

/** Repeats what fails for a moment only, until the patience is used up. */
async function patiently<T>(work: () => T): Promise<T> {
  for (let waited = 0, pause = 1; ; waited += pause / 2, pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof StoreError && error.retryable) || waited >= BUSY_TIMEOUT_MS) throw error;
      await setTimeout(Math.random() * pause);
    }
  }
}
