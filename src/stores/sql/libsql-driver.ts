import { bindable } from "./bindable.ts";
import type { SqlEngine } from "./engine.ts";
import { loadDriver } from "./load-driver.ts";
import { PreparedStatements } from "./prepared-statements.ts";
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
  const prepared = new PreparedStatements<LibsqlStatement>((text) => database.prepare(text));

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
          const statement = prepared.get(text);
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
