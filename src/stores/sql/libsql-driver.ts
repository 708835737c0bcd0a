import { bindable } from "./bindable.ts";
import type { SqlEngine } from "./engine.ts";
import { loadDriver } from "./load-driver.ts";
import { sqliteEngine, type SqliteDatabase } from "./sqlite-engine.ts";
import { sqliteError } from "./sqlite-error.ts";
import { claimDatabaseFile, createDatabaseFile } from "./sqlite-file.ts";

/** What is called of the package `libsql`. */
interface LibsqlDatabase {
  readonly inTransaction: boolean;
  exec(statements: string): void;
  prepare(statement: string): LibsqlStatement;
  close(): void;
}
interface LibsqlStatement {
  readonly reader: boolean;
  all(parameters: readonly unknown[]): unknown[];
  run(parameters: readonly unknown[]): { readonly changes: number };
}

/** Preparing costs three times what running does. The texts of our statements are few. */
const PREPARED_STATEMENTS = 100;

/** The embedded engine: an SQLite file, by the package `libsql`. `file` is absolute. */
export function libsqlEngine(file: string): SqlEngine {
  return sqliteEngine(async () => {
    const { default: Database } = await loadDriver("libsql", () => import("libsql"));
    createDatabaseFile(file);
    claimDatabaseFile(file, "libsql");
    return translated(file, () => dressed(new Database(file), file));
  });
}

function dressed(database: LibsqlDatabase, file: string): SqliteDatabase {
  const prepared = new Map<string, LibsqlStatement>();

  function prepare(text: string): LibsqlStatement {
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
      return database.inTransaction;
    },
    exec(statements) {
      translated(file, () => {
        database.exec(statements);
      });
    },
    run(text, parameters) {
      const values = parameters.map(bindable);
      return translated(file, () => {
        try {
          const statement = prepare(text);
          if (statement.reader) return { rows: statement.all(values) };
          return { rows: [], changes: statement.run(values).changes };
        } catch (error) {
          // It may stand half way through its rows.
          prepared.delete(text);
          throw error;
        }
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
