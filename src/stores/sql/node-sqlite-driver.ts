import { StoreError } from "../../core/errors.ts";
import { bindable } from "./bindable.ts";
import type { SqlEngine } from "./engine.ts";
import { PreparedStatements } from "./prepared-statements.ts";
import { sqliteEngine, type SqliteDatabase } from "./sqlite-engine.ts";
import { sqliteError } from "./sqlite-error.ts";
import { claimDatabaseFile, createDatabaseFile } from "./sqlite-file.ts";

/** What is called of `node:sqlite`. Its types are not in those of the oldest Node that we run on. */
interface NodeSqlite {
  readonly DatabaseSync: new (file: string, options: { readonly timeout: number }) => NodeDatabase;
}
interface NodeDatabase {
  /** Since Node 22.16. */
  readonly isTransaction: boolean;
  exec(statements: string): void;
  prepare(statement: string): NodeStatement;
  close(): void;
}
interface NodeStatement {
  all(...parameters: readonly unknown[]): unknown[];
}

/** The embedded engine without a package: an SQLite file, by `node:sqlite`. `file` is absolute. */
export function nodeSqliteEngine(file: string): SqlEngine {
  return sqliteEngine(async () => {
    const { DatabaseSync } = loadNodeSqlite();
    createDatabaseFile(file);
    claimDatabaseFile(file, "node:sqlite");
    return translated(file, () => dressed(new DatabaseSync(file, { timeout: 0 }), file));
  });
}

/** Throws `MNET_STORE_DRIVER_MISSING`. */
function loadNodeSqlite(): NodeSqlite {
  const loaded = process.getBuiltinModule("node:sqlite") as NodeSqlite | undefined;
  if (loaded && knowsTransactions(loaded)) return loaded;
  throw new StoreError(
    "MNET_STORE_DRIVER_MISSING",
    `The node:sqlite of Node ${process.versions.node} is missing or too old. 22.16 has one; "sqlite:FILE" opens the same file on any.`,
  );
}

/** The property is one of each database, so one has to be made to see it. */
function knowsTransactions({ DatabaseSync }: NodeSqlite): boolean {
  const probe = new DatabaseSync(":memory:", { timeout: 0 });
  probe.close();
  return "isTransaction" in probe;
}

function dressed(database: NodeDatabase, file: string): SqliteDatabase {
  const prepared = new PreparedStatements<NodeStatement>((text) => database.prepare(text));
  const countChanges = database.prepare("select changes() as changes");

  return {
    get inTransaction() {
      return database.isTransaction;
    },
    exec(statements) {
      translated(file, () => {
        database.exec(statements);
      });
    },
    run(text, parameters) {
      const values = parameters.map(bindable).map(withMemory);
      return translated(file, () => {
        // Rows come without a prototype; whoever is given one may compare it with an object of its own.
        const rows = prepared
          .get(text)
          .all(...values)
          .map((row) => ({ ...(row as object) }));
        if (!/^(insert|update|delete) /.test(text)) return { rows };
        const [counted] = countChanges.all() as { readonly changes: number }[];
        return { rows, changes: counted?.changes ?? 0 };
      });
    },
    close() {
      prepared.clear();
      database.close();
    },
  };
}

const NO_BYTES = new Uint8Array(new ArrayBuffer(1), 0, 0);

/** Node 22 takes bytes that are none, in a buffer of no length, for NULL. */
function withMemory<Value>(value: Value): Value | Uint8Array {
  return value instanceof Uint8Array && value.byteLength === 0 ? NO_BYTES : value;
}

function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw sqliteError(error, file);
  }
}
