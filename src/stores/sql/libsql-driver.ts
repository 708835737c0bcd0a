import { ConfigError, StoreError } from "../../core/errors.ts";
import type { SqlEngine } from "./engine.ts";
import { sqliteEngine, type SqliteDatabase } from "./sqlite-engine.ts";
import { sqliteError } from "./sqlite-error.ts";
import { createDatabaseFile } from "./sqlite-file.ts";

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
    const Database = await loadDriver();
    createDatabaseFile(file);
    return translated(file, () => dressed(new Database(file), file));
  });
}

async function loadDriver(): Promise<new (file: string) => LibsqlDatabase> {
  try {
    return (await import("libsql")).default;
  } catch (error) {
    throw new StoreError(
      "MNET_STORE_DRIVER_MISSING",
      'The package "libsql" cannot be loaded: it is not installed, or not for this platform.',
      { cause: error },
    );
  }
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

/** The driver ends the whole process when it is given, say, a boolean, and cuts text at a NUL. */
function bindable(value: unknown): unknown {
  if (typeof value === "string") {
    if (!value.includes("\0")) return value;
    throw new ConfigError("MNET_CONFIG_INVALID", "A text with a NUL character cannot be stored.");
  }
  if (value === null || value instanceof Uint8Array || (typeof value === "number" && Number.isFinite(value)))
    return value;
  throw new TypeError(`A ${typeof value} cannot be stored.`);
}

function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw sqliteError(error, file);
  }
}
