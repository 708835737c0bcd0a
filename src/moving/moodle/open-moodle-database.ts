import { Kysely, sql } from "kysely";
import { ConfigError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { parseServerAddress } from "../../stores/server-address.ts";
import type { SqlEngine } from "../../stores/sql/engine.ts";
import { mysqlEngine } from "../../stores/sql/mysql-engine.ts";
import { postgresEngine } from "../../stores/sql/postgres-engine.ts";
import type { MoodleDatabase } from "./moodle-database.ts";

/** What can be said beside the URL. */
export interface MoodleDatabaseOptions {
  /** `$CFG->prefix` of the Moodle. Default `mdl_`. */
  readonly prefix?: string | undefined;
}

/** Its tables and columns are another program's. */
type AnyTables = Record<string, Record<string, string | number>>;

/**
 * A Moodle's database: `mysql://…` or `mariadb://…` (package `mysql2`), `postgres://…` (package `pg`); parameters as in
 * `openStore`. Everything is read as it was at the first query, in a transaction that cannot write.
 *
 * Throws `MNET_CONFIG_INVALID`; no error shows the URL, which may hold a password. Its methods throw
 * `MNET_STORE_DRIVER_MISSING` and `MNET_STORE_UNAVAILABLE`.
 */
export function openMoodleDatabase(
  url: string | Secret,
  { prefix = "mdl_" }: MoodleDatabaseOptions = {},
): MoodleDatabase {
  if (!/^[A-Za-z0-9_]{0,32}$/.test(prefix)) {
    throw new ConfigError("MNET_CONFIG_INVALID", "The prefix must be at most 32 letters, digits and underscores.", {
      option: "prefix",
    });
  }
  const engine = engineOf(url instanceof Secret ? url.reveal() : url);
  const db = new Kysely<AnyTables>({ dialect: engine.dialect });
  let beginning: ReturnType<typeof begin> | undefined;
  const begin = () => db.startTransaction().setAccessMode("read only").setIsolationLevel("repeatable read").execute();
  const snapshot = () => (beginning ??= begin());

  return {
    async tables() {
      const schema = engine.upserts === "on-conflict" ? sql`current_schema()` : sql`database()`;
      const { rows } = await sql<{ table_name: string; column_name: string }>`
        select table_name as ${sql.ref("table_name")}, column_name as ${sql.ref("column_name")}
        from information_schema.columns where table_schema = ${schema}`.execute(await snapshot());
      const tables = new Map<string, Set<string>>();
      for (const { table_name: table, column_name: column } of rows) {
        if (!table.startsWith(prefix)) continue;
        const name = table.slice(prefix.length);
        tables.set(name, (tables.get(name) ?? new Set()).add(column));
      }
      return tables;
    },
    async rows(table, { columns, where = {}, except = {} }, after, limit) {
      let query = (await snapshot()).selectFrom(`${prefix}${table}`).select(["id", ...columns]);
      for (const [column, value] of Object.entries(where)) query = query.where(column, "=", value);
      for (const [column, value] of Object.entries(except)) query = query.where(column, "!=", value);
      return query.where("id", ">", after).orderBy("id").limit(limit).execute();
    },
    async close() {
      const trx = await beginning?.catch(() => undefined);
      await trx?.rollback().execute();
      await engine.close();
    },
  };
}

function engineOf(url: string): SqlEngine {
  const [, scheme, rest = ""] = /^([a-z]+):(.*)$/is.exec(url) ?? [];
  switch (scheme?.toLowerCase()) {
    case "postgres":
    case "postgresql":
      return postgresEngine(parseServerAddress(`postgres:${rest}`), 1);
    case "mysql":
    case "mariadb":
      return mysqlEngine(parseServerAddress(`mysql:${rest}`), 1);
    default:
      throw new ConfigError(
        "MNET_CONFIG_INVALID",
        "The URL of the Moodle's database cannot be used. It must be mysql://… or postgres://….",
        { option: "url" },
      );
  }
}
