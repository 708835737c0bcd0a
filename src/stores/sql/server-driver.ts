import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from "kysely";
import { StoreError } from "../../core/errors.ts";

/** The connections to one database server. Every driver of a server is dressed as this. What it throws are `StoreError`s. */
export interface ServerPool {
  /** A connection that nobody else uses until it is released. */
  connect(): Promise<ServerConnection>;
  /** Ends connections that nobody uses; the others are ended when they are released. */
  end(): Promise<void>;
}

export interface ServerConnection {
  run(
    statement: string,
    parameters: readonly unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly changes?: number | bigint }>;
  /** @param isBroken nobody may use it any more. */
  release(isBroken: boolean): void;
}

/** Statements that begin a transaction. */
export interface BeginStatements {
  readonly durable: string;
  /** For what may be lost in a power cut. */
  readonly swift: string;
  /** Reads everything as it is at its first statement. */
  readonly snapshot: readonly string[];
}

/** How long to wait for an answer of a server. */
export interface ServerTimeouts {
  readonly connectMs: number;
  /** Of one statement. One that changes the schema takes as long as it takes. */
  readonly statementMs: number;
}

export const DEFAULT_SERVER_TIMEOUTS: ServerTimeouts = { connectMs: 10_000, statementMs: 15_000 };

const isSchemaChange = (statement: string): boolean => /^(create|alter|drop) /i.test(statement);

/** The driver that Kysely has for any server. */
export class ServerDriver implements Driver {
  readonly #open: () => Promise<ServerPool>;
  readonly #begin: BeginStatements;
  readonly #timeouts: ServerTimeouts;
  #pool: Promise<ServerPool> | undefined;
  #isClosed = false;
  #inUse = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(open: () => Promise<ServerPool>, begin: BeginStatements, timeouts: ServerTimeouts) {
    this.#open = open;
    this.#begin = begin;
    this.#timeouts = timeouts;
  }

  /** The driver of a second Kysely on these connections, which does not wait for the disk. */
  swift(): Driver {
    return {
      init: () => this.init(),
      acquireConnection: () => this.acquireConnection(),
      releaseConnection: (connection: PooledConnection) => this.releaseConnection(connection),
      beginTransaction: (connection: PooledConnection, settings) =>
        this.#beginBy(this.#begin.swift, connection, settings),
      commitTransaction: (connection: PooledConnection) => this.commitTransaction(connection),
      rollbackTransaction: (connection: PooledConnection) => this.rollbackTransaction(connection),
      destroy: () => this.destroy(),
    };
  }

  /** Loads the driver's package, once for all who ask. What failed can be tried again. */
  async init(): Promise<void> {
    this.#refuseIfClosed();
    this.#pool ??= this.#open();
    try {
      await this.#pool;
    } catch (error) {
      this.#pool = undefined;
      throw error;
    }
  }

  async acquireConnection(): Promise<PooledConnection> {
    this.#refuseIfClosed();
    if (!this.#pool) throw new TypeError("The driver was not initialised.");
    this.#inUse += 1;
    try {
      const connecting = (await this.#pool).connect();
      const connection = await within(this.#timeouts.connectMs, connecting).catch((error: unknown) => {
        // One that comes too late is for the next who asks.
        connecting.then(
          (late) => late.release(false),
          () => undefined,
        );
        throw error;
      });
      return new PooledConnection(connection, this.#timeouts.statementMs);
    } catch (error) {
      this.#oneLess();
      throw error;
    }
  }

  async releaseConnection(connection: PooledConnection): Promise<void> {
    connection.release();
    this.#oneLess();
  }

  async beginTransaction(connection: PooledConnection, settings: TransactionSettings): Promise<void> {
    await this.#beginBy(this.#begin.durable, connection, settings);
  }

  async #beginBy(statement: string, connection: PooledConnection, settings: TransactionSettings): Promise<void> {
    // A connection that cannot even begin is of no use to anybody.
    const statements = settings.accessMode === "read only" ? this.#begin.snapshot : [statement];
    for (const one of statements) await connection.control(one);
  }

  async commitTransaction(connection: PooledConnection): Promise<void> {
    await connection.control("commit");
  }

  async rollbackTransaction(connection: PooledConnection): Promise<void> {
    try {
      await connection.control("rollback");
    } catch {
      // The connection is gone, and the server has rolled back; what led here is what matters.
    }
  }

  /** Lets whoever has a connection finish. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async destroy(): Promise<void> {
    await this.close();
  }

  async #end(): Promise<void> {
    if (this.#inUse > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    const pool = await this.#pool?.catch(() => undefined);
    // A server that does not answer any more does not keep a host from closing.
    if (pool) await within(this.#timeouts.connectMs, pool.end()).catch(() => undefined);
  }

  #oneLess(): void {
    this.#inUse -= 1;
    if (this.#inUse === 0) this.#idle?.();
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new StoreError("MNET_STORE_UNAVAILABLE", "The store is closed.");
  }
}

class PooledConnection implements DatabaseConnection {
  readonly #connection: ServerConnection;
  readonly #statementMs: number;
  #isBroken = false;

  constructor(connection: ServerConnection, statementMs: number) {
    this.#connection = connection;
    this.#statementMs = statementMs;
  }

  /** Begins or ends a transaction. Where that fails, nobody knows what state the connection is in. */
  async control(statement: string): Promise<void> {
    try {
      await this.#run(statement, []);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes } = await this.#run(query.sql, query.parameters);
    return { rows: rows as Row[], ...(changes === undefined ? {} : { numAffectedRows: BigInt(changes) }) };
  }

  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new TypeError("The queries of a store are not streamed.");
  }

  release(): void {
    this.#connection.release(this.#isBroken);
  }

  async #run(statement: string, parameters: readonly unknown[]): ReturnType<ServerConnection["run"]> {
    if (this.#isBroken) throw new StoreError("MNET_STORE_UNAVAILABLE", "The connection was lost.", { retryable: true });
    const running = this.#connection.run(statement, parameters);
    if (isSchemaChange(statement)) return running;
    return within(this.#statementMs, running).catch((error: unknown) => {
      // Its answer may still come, and must not be taken for that to the next statement.
      if (error instanceof LateError) this.#isBroken = true;
      throw error;
    });
  }
}

class LateError extends StoreError {
  constructor() {
    super("MNET_STORE_UNAVAILABLE", "The database does not answer in time.", { retryable: true });
  }
}

/** Drivers bound some of their waiting, each in its way; this bounds all of it. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new LateError());
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
