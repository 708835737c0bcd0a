import { readFile } from "node:fs/promises";
import { MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql, type Dialect, type Driver } from "kysely";
import type { PoolConnection, TypeCastField, TypedParameter } from "mysql2/promise";
import type { StoreError } from "../../core/errors.ts";
import type { ServerAddress } from "../server-address.ts";
import { bindable } from "./bindable.ts";
import type { SqlEngine } from "./engine.ts";
import { loadDriver } from "./load-driver.ts";
import { waitForMigrationLock } from "./migration-lock.ts";
import { isDeadlock, mysqlError, survives } from "./mysql-error.ts";
import {
  DEFAULT_SERVER_TIMEOUTS,
  ServerDriver,
  type BeginStatements,
  type ServerConnection,
  type ServerPool,
  type ServerTimeouts,
} from "./server-driver.ts";

const BEGIN: BeginStatements = {
  durable: "start transaction",
  // Whether to wait for the disk is set for the whole server.
  swift: "start transaction",
  snapshot: ["set transaction isolation level repeatable read", "start transaction read only"],
};
/**
 * What every new connection is told. Read committed: a transaction that has waited for a lock must see what was done
 * meanwhile, and rows that are not there must not be locked. Strict: a value that does not fit is refused, not cut.
 */
const SESSION = [
  "set session transaction isolation level read committed",
  "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
];
/** Preparing costs a round trip. The texts of our statements are few. */
const PREPARED_STATEMENTS = 100;
/** An index holds 3,072 bytes of a row, and a character takes up to four. */
const BYTES_OF_CHARACTER = 4;

/** MariaDB 10.6 and later and MySQL 8 and later, by the package `mysql2`. */
export function mysqlEngine(
  address: ServerAddress,
  maxConnections: number,
  timeouts: ServerTimeouts = DEFAULT_SERVER_TIMEOUTS,
): SqlEngine {
  const driver = new ServerDriver(() => openPool(address, maxConnections, timeouts), BEGIN, timeouts);
  return {
    dialect: dialectOf(() => driver),
    swiftDialect: dialectOf(() => driver.swift()),
    embedded: false,
    rowLocks: true,
    upserts: "on-duplicate-key",
    columns: {
      id: sql`bigint auto_increment primary key`,
      // Bytes, because no collation that both servers know compares them all: even the binary ones forget spaces at the end.
      exact: (length) => sql`varbinary(${sql.lit(length * BYTES_OF_CHARACTER)})`,
      text: sql`longtext character set utf8mb4 collate utf8mb4_bin`,
      integer: sql`bigint`,
      bytes: sql`longblob`,
      // The only engine of theirs with transactions.
      tableEnd: " engine = InnoDB",
    },
    async tables(db) {
      const { rows } = await sql<{ name: string }>`
        select table_name as name from information_schema.tables where table_schema = database()`.execute(db);
      return rows.map(({ name }) => name);
    },
    // A change of the schema ends the transaction that it stands in, so the lock is one of the connection.
    migrating: (db, work) =>
      db.connection().execute(async (connection) => {
        const name = sql`concat('mnet ', sha1(database()))`;
        await waitForMigrationLock(async () => {
          const lock = await sql<{ got: number | null }>`select get_lock(${name}, 0) as got`.execute(connection);
          return lock.rows[0]?.got === 1;
        });
        try {
          return await work(connection);
        } finally {
          // Where this fails, the connection is gone, and the lock with it.
          await sql`select release_lock(${name})`.execute(connection).catch(() => undefined);
        }
      }),
    mustRepeat: isDeadlock,
    // `auto_increment` looks at every id that is written.
    resumeIds: async () => undefined,
    // Old versions of rows stay in the files until the server cleans up, and in its log of writes; nobody can order that.
    scrub: async () => undefined,
    close: () => driver.close(),
  };
}

const dialectOf = (createDriver: () => Driver): Dialect => ({
  createDriver,
  createQueryCompiler: () => new MysqlQueryCompiler(),
  createAdapter: () => new MysqlAdapter(),
  createIntrospector: (db) => new MysqlIntrospector(db),
});

async function openPool(
  { host, port, socket, user, password, database, tls }: ServerAddress,
  maxConnections: number,
  { connectMs }: ServerTimeouts,
): Promise<ServerPool> {
  // By its default: the names of this module are not all seen from outside.
  const { default: mysql } = await loadDriver("mysql2", () => import("mysql2/promise"));
  const translate = (error: unknown): StoreError => mysqlError(error, `${database} on ${socket ?? host}`);
  const caFile = tls?.caFile;
  const ca = caFile === undefined ? undefined : await readFile(caFile, "utf8").catch(rethrow(translate));
  const pool = mysql.createPool({
    ...(socket === undefined ? { host, port: port ?? 3306 } : { socketPath: socket }),
    database,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(tls && { ssl: { rejectUnauthorized: tls.isVerified, ...(ca !== undefined && { ca }) } }),
    charset: "utf8mb4",
    connectionLimit: maxConnections,
    connectTimeout: connectMs,
    maxPreparedStatements: PREPARED_STATEMENTS,
    // Nobody may make the client send a file of its machine.
    flags: ["-LOCAL_FILES"],
    typeCast: readField,
  });
  const prepared = new WeakSet<object>();
  return {
    async connect() {
      const connection = await pool.getConnection().catch(rethrow(translate));
      const one = dressed(connection, mysql.TypedParameter.BIGINT, translate);
      // The pool gives the wrapper anew each time; what it wraps stays the same.
      if (!prepared.has(connection.connection)) {
        try {
          for (const statement of SESSION) await one.run(statement, []);
        } catch (error) {
          one.release(true);
          throw error;
        }
        prepared.add(connection.connection);
      }
      return one;
    },
    end: () => pool.end(),
  };
}

function dressed(
  connection: PoolConnection,
  integer: typeof TypedParameter.BIGINT,
  translate: (error: unknown) => StoreError,
): ServerConnection {
  let isLost = false;
  return {
    async run(text, parameters) {
      // The driver would send a number as a floating-point one, which no `limit` takes.
      const values = parameters
        .map(bindable)
        .map((value) =>
          Number.isInteger(value)
            ? integer(value as number)
            : value instanceof Uint8Array
              ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
              : value,
        );
      try {
        const [result] = await (values.length > 0
          ? // Values travel apart from the statement: nothing is escaped, so nothing can be escaped wrongly (SEC-057).
            connection.execute(text, values)
          : connection.query(text));
        if (Array.isArray(result)) return { rows: result };
        return { rows: [], changes: result.affectedRows };
      } catch (error) {
        if (!survives(error)) isLost = true;
        throw translate(error);
      }
    },
    release(isBroken) {
      if (isBroken || isLost) connection.destroy();
      else connection.release();
    },
  };
}

/** Text that is compared byte by byte is text to us, although it is bytes to the server. */
const readField = (field: TypeCastField, next: () => unknown): unknown =>
  field.type === "VAR_STRING" || field.type === "VARCHAR" ? field.string("utf8") : next();

const rethrow =
  (translate: (error: unknown) => StoreError) =>
  (error: unknown): never => {
    throw translate(error);
  };
