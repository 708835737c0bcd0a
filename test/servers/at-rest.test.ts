import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { beforeAll, afterAll, expect, test } from "vitest";
import { createHost } from "../../src/create-host.ts";
import { Secret } from "../../src/core/secret.ts";
import type { PeerId } from "../../src/core/ids.ts";
import type { Store } from "../../src/host/store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { keyedSite, keyedStore } from "../support/hosts.ts";
import { ENGINES, onEngines, type Engine } from "./engines.ts";

const WWWROOT = "https://host.example";

/** Everything that the database holds, byte for byte: of SQLite the files, of a server every column of every row. */
async function contentOf({ name }: Engine, url: string): Promise<Buffer> {
  if (name === "postgresql") {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows: tables } = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public'",
    );
    const parts = await Promise.all(tables.map((table) => client.query<object>(`select * from "${table.name}"`)));
    await client.end();
    return bytesOf(parts.flatMap(({ rows }) => rows));
  }
  if (name === "mariadb") {
    const connection = await createConnection({ uri: url.replace(/^mariadb:/, "mysql:") });
    const [tables] = await connection.query({ sql: "show tables", rowsAsArray: true });
    const rows: object[] = [];
    for (const [table] of tables as unknown as readonly [string][]) {
      const [found] = await connection.query(`select * from \`${table}\``);
      rows.push(...(found as object[]));
    }
    await connection.end();
    return bytesOf(rows);
  }
  const file = url.replace(/^[a-z-]+:/, "");
  const folder = dirname(file);
  const files = readdirSync(folder).filter((one) => join(folder, one).startsWith(file));
  expect(files.length).toBeGreaterThan(0);
  return Buffer.concat(files.map((one) => readFileSync(join(folder, one))));
}

const bytesOf = (rows: readonly object[]): Buffer =>
  Buffer.concat(
    rows
      .flatMap((row) => Object.values(row) as unknown[])
      .map((value) => (Buffer.isBuffer(value) ? value : Buffer.from(`${String(value)}\n`))),
  );

onEngines("what lies in the database", ENGINES.sql, (engine) => {
  let url = "";
  let store: Store;
  beforeAll(async () => {
    url = await engine.database();
    store = openStore(url);
    await store.migrate();
  });
  afterAll(() => store.close());

  test("SEC-061 of a token the hash, and nothing from which the token could be had", async () => {
    const token = randomBytes(20);
    const hash = createHash("sha256").update(token.toString("hex")).digest("hex");
    await store.tokens.issue({
      hash,
      peer: 1 as PeerId,
      accountId: "account of the token",
      sessionId: "session",
      userAgentHash: "agent",
      expiresAt: Date.now() + 60_000,
    });
    const content = await contentOf(engine, url);
    expect(content.includes("account of the token")).toBe(true);
    expect(content.includes(hash)).toBe(true);
    for (const form of [token, token.toString("hex"), token.toString("base64"), token.toString("base64url")]) {
      expect(content.includes(form)).toBe(false);
    }
  });

  test("SEC-051 a private key is not in it any more once a host encrypts its keys", async () => {
    await keyedStore(WWWROOT, 0, store);
    const { privateKeyPem, certificate } = keyedSite(WWWROOT, 0);
    // What tells this key from others, in each form in which it could lie there.
    const lines = privateKeyPem.split("\n").filter((line) => line.length === 64);
    const der = Buffer.from(privateKeyPem.replace(/-----[^-]+-----|\s/g, ""), "base64");
    const hasKey = async (): Promise<boolean> => {
      const content = await contentOf(engine, url);
      expect(content.includes(certificate.pem.split("\n")[3] ?? "no such line")).toBe(true);
      return lines.some((line) => content.includes(line)) || content.includes(der.subarray(40, 104));
    };
    expect(await hasKey()).toBe(true);
    const encrypted = await createHost({
      wwwroot: WWWROOT,
      name: "A site",
      store: openStore(url),
      maintenance: "manual",
      keys: { encryptWith: new Secret("a passphrase of a site") },
    });
    const { fingerprint } = await encrypted.keys.current();
    expect(fingerprint).toBe(certificate.fingerprint);
    await encrypted.close();
    expect(await hasKey()).toBe(false);
  });
});
