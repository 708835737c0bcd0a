import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { describe, expect, inject, test } from "vitest";
import { importMoodle, moodleUsers } from "../../src/moving/moodle/import-moodle.ts";
import { openMoodleDatabase } from "../../src/moving/moodle/open-moodle-database.ts";
import type { MoodleDatabase } from "../../src/moving/moodle/moodle-database.ts";
import { siteRecords } from "../../src/moving/archive/site-records.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { runCli } from "../cli/run-cli.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { administration } from "../support/database-servers.ts";
import { moodleOf, RECORDED_USERS, recordedTables } from "../support/recorded-moodle.ts";

const DUMP = new URL("../../fixtures/moodle-4.5-database.sql", import.meta.url);
let databases = 0;

/** A new database on the server that runs already, and its URL. */
async function database(name: "mariadb" | "postgresql"): Promise<{ url: string } | { missing: string }> {
  const port = inject("servers")[name];
  if (typeof port === "string") return { missing: port };
  databases += 1;
  return { url: await administration(name, port).database(`moodle_${process.pid}_${databases}`) };
}

/** What the importer makes of a database. */
async function importOf(moodle: MoodleDatabase): Promise<unknown> {
  const store = memoryStore();
  const report = await importMoodle(store, moodle);
  const records: unknown[] = [];
  for await (const record of siteRecords(store)) records.push(record);
  const users: unknown[] = [];
  for await (const user of moodleUsers(moodle)) users.push(user);
  await moodle.close();
  return { report, records, users: JSON.parse(JSON.stringify(users)) as unknown };
}

const connectMysql = (url: string) => {
  const { port, username, password, pathname } = new URL(url);
  const user = { user: decodeURIComponent(username), password: decodeURIComponent(password) };
  return createConnection({
    host: "127.0.0.1",
    port: Number(port),
    ...user,
    database: pathname.slice(1),
    multipleStatements: true,
    charset: "utf8mb4",
  });
};

describe("the database of a real Moodle", () => {
  test("on MariaDB, out of its own dump, is taken over as recorded; nothing in it is changed", async (ctx) => {
    const found = await database("mariadb");
    if ("missing" in found) return ctx.skip(found.missing);
    const connection = await connectMysql(found.url);
    await connection.query(readFileSync(DUMP, "utf8"));
    const checksums = async (): Promise<unknown> => {
      const tables = Object.keys(recordedTables()).map((table) => `mdl_${table}`);
      return (await connection.query(`checksum table ${tables.join(", ")}`))[0];
    };
    const before = await checksums();
    expect(await importOf(openMoodleDatabase(found.url))).toEqual(await importOf(moodleOf(recordedTables())));
    expect(await checksums()).toEqual(before);
    await connection.end();
  });

  test("by the command line, with a list of users, and a rehearsal", async (ctx) => {
    const found = await database("mariadb");
    if ("missing" in found) return ctx.skip(found.missing);
    const connection = await connectMysql(found.url);
    await connection.query(readFileSync(DUMP, "utf8"));
    await connection.end();
    const folder = mkdtempSync(join(tmpdir(), "mnet-import-"));
    try {
      const users = join(folder, "users.jsonl");
      const run = (...more: string[]) =>
        runCli(["import-moodle", found.url, "--store", `sqlite:${folder}/site.db`, "--users", users, ...more]);
      const rehearsal = await run("--dry-run");
      expect(rehearsal).toMatchObject({ code: 0, stdout: expect.stringContaining("Nothing was written.") });
      expect(readdirSync(folder)).toEqual([]);
      const { code, stdout } = await run("--json");
      expect({ code, report: JSON.parse(stdout) as unknown }).toMatchObject({
        code: 0,
        report: { wwwroot: "http://moodle-a.test:8101", imported: { keys: 4, peers: 4, accessRules: 2 } },
      });
      const lines = readFileSync(users, "utf8").trimEnd().split("\n");
      expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(RECORDED_USERS);
      expect((statSync(users).mode & 0o777).toString(8)).toBe("600");
      expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining("MNET_STORE_NOT_EMPTY") });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("on PostgreSQL, with the same rows, is taken over as recorded", async (ctx) => {
    const found = await database("postgresql");
    if ("missing" in found) return ctx.skip(found.missing);
    const client = new pg.Client({ connectionString: found.url });
    await client.connect();
    for (const [table, { columns, rows }] of Object.entries(recordedTables())) {
      // As Moodle's installer declares them: numbers are bigint or smallint, and text is text.
      const isNumber = (column: string): boolean => rows.some((row) => typeof row[column] === "number");
      const small = new Set(["deleted", "publish", "subscribe", "sslverification", "suspended"]);
      const type = (column: string): string => (!isNumber(column) ? "text" : small.has(column) ? "smallint" : "bigint");
      await client.query(
        `create table m_${table} (${columns.map((column) => `"${column}" ${type(column)}`).join(", ")})`,
      );
      for (const row of rows) {
        const values = columns.map((_, index) => `$${index + 1}`).join(", ");
        await client.query(
          `insert into m_${table} values (${values})`,
          columns.map((column) => row[column] ?? null),
        );
      }
    }
    const moodle = openMoodleDatabase(found.url, { prefix: "m_" });
    const { users, ...rest } = (await importOf(moodle)) as { users: unknown };
    expect(users).toEqual(RECORDED_USERS);
    const { users: _, ...expected } = (await importOf(moodleOf(recordedTables()))) as { users: unknown };
    expect(rest).toEqual(expected);
    await client.end();
  });

  test.each(["mariadb", "postgresql"] as const)("on %s: an empty database, and none", async (name) => {
    const found = await database(name);
    if ("missing" in found) throw new Error(found.missing);
    const empty = openMoodleDatabase(found.url);
    expect(await codeOf(() => importMoodle(memoryStore(), empty))).toBe("MNET_MOODLE_TABLES_MISSING");
    await empty.close();
    const none = openMoodleDatabase(`${found.url}_none`);
    const error = await errorOf(() => importMoodle(memoryStore(), none));
    expect(error).toMatchObject({ code: "MNET_STORE_UNAVAILABLE" });
    expect(String(error)).not.toContain("secret");
    await none.close();
  });

  test("is named by a URL and a prefix that are safe", async (ctx) => {
    const found = await database("mariadb");
    if ("missing" in found) return ctx.skip(found.missing);
    expect(() => openMoodleDatabase(found.url, { prefix: "mdl_; drop table x; --" })).toThrow(
      expect.objectContaining({ code: "MNET_CONFIG_INVALID", option: "prefix" }) as Error,
    );
    for (const url of ["sqlite:x.db", "memory:", "", "http://x/y"]) {
      expect(() => openMoodleDatabase(url)).toThrow(
        expect.objectContaining({ code: "MNET_CONFIG_INVALID", option: "url" }) as Error,
      );
    }
  });
});
