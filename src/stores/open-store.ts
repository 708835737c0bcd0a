import { resolve } from "node:path";
import { ConfigError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { Store } from "../host/store.ts";
import { memoryStore } from "./memory/memory-store.ts";
import { parseServerAddress, wrongUrl } from "./server-address.ts";
import { libsqlEngine } from "./sql/libsql-driver.ts";
import { mysqlEngine } from "./sql/mysql-engine.ts";
import { nodeSqliteEngine } from "./sql/node-sqlite-driver.ts";
import { postgresEngine } from "./sql/postgres-engine.ts";
import { sqlStore } from "./sql/sql-store.ts";

/** What can be said about a store beside its URL. */
export interface StoreOptions {
  /** Default `mnet_`. Letters, digits, underscore, at most 32; several hosts can share one database with one prefix each. */
  readonly tablePrefix?: string | undefined;
  /** Default 10 for each process; embedded engines have one. */
  readonly maxConnections?: number | undefined;
}

const DEFAULT_PREFIX = "mnet_";
const DEFAULT_CONNECTIONS = 10;
const KNOWN_OPTIONS: { readonly [K in keyof StoreOptions]-?: true } = { tablePrefix: true, maxConnections: true };

/**
 * The store behind a URL:
 *
 * | URL | Engine | Package |
 * | --- | --- | --- |
 * | `sqlite:FILE` | SQLite | none beside ours |
 * | `node-sqlite:FILE` | SQLite, the same file, by Node's own driver (22.16 and later) | none |
 * | `postgres://USER:PASSWORD@HOST:PORT/DATABASE` | PostgreSQL 12 and later | `pg` |
 * | `mysql://…`, `mariadb://…` | MariaDB 10.6, MySQL 8 and later | `mysql2` |
 * | `memory:` | none: gone at exit | none |
 *
 * Parameters of the servers: `?sslmode=disable` (default), `require` (encrypted) or `verify-full` (and the server's
 * certificate is checked, against `&sslrootcert=FILE` or the system's authorities); `?socket=PATH&user=NAME` for a Unix
 * socket; PostgreSQL: `?schema=NAME`.
 *
 * Nothing is opened before a host or `migrate` needs it. A relative file is relative to the directory of now.
 *
 * Throws `MNET_CONFIG_INVALID`. No error shows the URL, which may hold a password. The store itself throws
 * `MNET_STORE_DRIVER_MISSING` where the package is not installed.
 *
 * @example
 * const store = openStore("sqlite:mnet.db");
 * const shared = openStore("postgres://mnet:secret@db.example.edu/mnet?sslmode=verify-full");
 * const other = openStore(Secret.fromEnv("MNET_STORE"), { tablePrefix: "hub_" });
 */
export function openStore(url: string | Secret, options: StoreOptions = {}): Store {
  const { tablePrefix, maxConnections } = checkOptions(options);
  const text: unknown = url instanceof Secret ? url.reveal() : url;
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(typeof text === "string" ? text : "") ?? [];
  switch (scheme?.toLowerCase()) {
    case "sqlite":
      return sqlStore(libsqlEngine(fileOf(rest)), tablePrefix);
    case "node-sqlite":
      return sqlStore(nodeSqliteEngine(fileOf(rest)), tablePrefix);
    case "postgres":
    case "postgresql":
      return sqlStore(postgresEngine(parseServerAddress(`postgres:${rest}`), maxConnections), tablePrefix);
    case "mysql":
    case "mariadb":
      return sqlStore(mysqlEngine(parseServerAddress(`mysql:${rest}`), maxConnections), tablePrefix);
    case "memory":
      if (rest !== "") throw wrongUrl('"memory:" stands alone.');
      return memoryStore();
    default:
      throw wrongUrl('It must be "sqlite:FILE", "postgres://…", "mysql://…" or "memory:".');
  }
}

function fileOf(path: string): string {
  if (path === ":memory:") throw wrongUrl('A store in memory is "memory:".');
  // `sqlite://data/mnet.db` reads as if `data` were a directory here; to a URL it is another machine.
  if (path === "" || /^\/\/[^/]/.test(path)) throw wrongUrl('A file is "sqlite:mnet.db" or "sqlite:/var/lib/mnet.db".');
  if (path.endsWith("/")) throw wrongUrl("It names a directory, not a file.");
  if (/[?\0-\x1f\x7f]/.test(path)) throw wrongUrl("The name of a file has no parameters and no control characters.");
  return resolve(path);
}

function checkOptions(options: StoreOptions): { readonly tablePrefix: string; readonly maxConnections: number } {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(KNOWN_OPTIONS, name)) {
      throw new ConfigError("MNET_CONFIG_INVALID", `There is no option ${JSON.stringify(name)}.`, { option: name });
    }
  }
  const { tablePrefix = DEFAULT_PREFIX, maxConnections = DEFAULT_CONNECTIONS } = options;
  // SQLite keeps names that begin with its own for itself.
  if (typeof tablePrefix !== "string" || !/^[A-Za-z0-9_]{1,32}$/.test(tablePrefix) || /^sqlite_/i.test(tablePrefix)) {
    throw new ConfigError(
      "MNET_CONFIG_INVALID",
      "tablePrefix must be 1 to 32 letters, digits and underscores, and not sqlite_.",
      { option: "tablePrefix" },
    );
  }
  if (!Number.isInteger(maxConnections) || maxConnections < 1 || maxConnections > 1000) {
    throw new ConfigError("MNET_CONFIG_INVALID", "maxConnections must be an integer from 1 to 1000.", {
      option: "maxConnections",
    });
  }
  return { tablePrefix, maxConnections };
}
