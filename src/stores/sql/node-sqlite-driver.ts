import { StoreError } from "../../core/errors.ts";
import { bindable } from "./bindable.ts";
import type { SqlEngine } from "./engine.ts";
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

/** Preparing costs three times what running does. The texts of our statements are few. */
const PREPARED_STATEMENTS = 100;

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
  const prepared = new Map<string, NodeStatement>();
  const countChanges = database.prepare("select changes() as changes");

  function prepare(text: string): NodeStatement {
    const statement = prepared.get(text) ?? database.prepare(text);
    // Put at the end: the first of a `Map` is then the one that was not used for longest.
    prepared.delete(text);
    prepared.set(text, statement);
    const [oldest] = prepared.keys();
    if (prepared.size > PREPARED_STATEMENTS && oldest !== undefined) prepared.delete(oldest);
    return statement;
  }

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
      const values = parameters.map(bindable);
      return translated(file, () => {
        // Rows come without a prototype; whoever is given one may compare it with an object of its own.
        const rows = prepare(text)
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

function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw sqliteError(error, file);
  }
}
