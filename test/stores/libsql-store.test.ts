import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import Database from "libsql";
import { Kysely, sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ConfigError, StoreError } from "../../src/core/errors.ts";
import type { Fingerprint, PeerId, Wwwroot } from "../../src/core/ids.ts";
import type { Store } from "../../src/host/store.ts";
import type { StoredKey } from "../../src/keys/key-store.ts";
import type { PeerRecord } from "../../src/peer/peer-store.ts";
import { openStore, type StoreOptions } from "../../src/stores/open-store.ts";
import { libsqlEngine } from "../../src/stores/sql/libsql-driver.ts";
import { MIGRATIONS } from "../../src/stores/sql/migrations.ts";
import { sqliteError } from "../../src/stores/sql/sqlite-error.ts";

const TABLES = MIGRATIONS.flatMap(({ creates }) => creates.map((name) => `mnet_${name}`)).sort();
const STEPS = MIGRATIONS.map(({ name }) => name);

let directory = "";
let file = "";
const opened: { close: () => unknown }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mnet-libsql-"));
  file = join(directory, "mnet.db");
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  rmSync(directory, { recursive: true, force: true });
});

function storeOf(path = file, options?: StoreOptions): Store {
  const store = openStore(`sqlite:${path}`, options);
  opened.push(store);
  return store;
}

async function ready(options?: StoreOptions): Promise<Store> {
  const store = storeOf(file, options);
  await store.open();
  return store;
}

/** The file by its driver alone, as an administrator has it. */
function byHand(path = file): Database.Database {
  const database = new Database(path);
  opened.push(database);
  return database;
}

const tablesOf = (database: Database.Database): readonly unknown[] =>
  database
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name")
    .all()
    .map((row) => (row as { name: string }).name);

const key = (name: string): StoredKey => ({
  fingerprint: name as Fingerprint,
  certificate: "certificate",
  privateKey: Uint8Array.of(1, 2, 3),
  state: "prepared",
  createdAt: 1,
});

const peer = (wwwroot: string): Omit<PeerRecord, "id" | "version"> => ({
  wwwroot: wwwroot as Wwwroot,
  canonical: wwwroot,
  name: "name",
  application: "moodle",
  state: "active",
  certificate: "certificate",
  retired: [],
  settings: {},
  services: {},
});

async function failure(work: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

describe("open", () => {
  test("makes a new file ready, and only then", async () => {
    const store = storeOf();
    expect(existsSync(file)).toBe(false);
    expect((await store.pendingMigrations()).map(({ name }) => name)).toEqual(STEPS);
    await store.open();
    expect(await store.pendingMigrations()).toEqual([]);
    expect(tablesOf(byHand())).toEqual(TABLES);
  });

  test("makes an empty file ready", async () => {
    writeFileSync(file, "");
    await ready();
    expect(tablesOf(byHand())).toEqual(TABLES);
  });

  test("leaves a database of somebody else alone until it is told to migrate", async () => {
    byHand().exec("create table users (id integer)");
    const store = storeOf();
    expect(await failure(store.open())).toMatchObject({ code: "MNET_STORE_MIGRATION_NEEDED", retryable: false });
    expect(tablesOf(byHand())).toEqual(["users"]);
    expect((await store.migrate()).applied).toEqual(STEPS);
    expect((await store.migrate()).applied).toEqual([]);
    await store.open();
    expect(tablesOf(byHand())).toEqual([...TABLES, "users"]);
  });

  test("tells a newer schema", async () => {
    await ready();
    byHand().exec("insert into mnet_migration (name) values ('9999-later')");
    for (const act of ["open", "migrate", "pendingMigrations"] as const) {
      expect(await failure(storeOf()[act]())).toMatchObject({ code: "MNET_STORE_TOO_NEW", retryable: false });
    }
  });

  test.each([
    ["a table is missing", "drop table mnet_peer"],
    ["the record of the migration is missing", "delete from mnet_migration"],
    ["the table of migrations is missing", "drop table mnet_migration"],
    ["the table of migrations is another one", "drop table mnet_migration; create table mnet_migration (id integer)"],
  ])("tells that %s", async (_what, damage) => {
    await ready();
    byHand().exec(damage);
    const before = tablesOf(byHand());
    for (const act of ["open", "migrate", "pendingMigrations"] as const) {
      expect(await failure(storeOf()[act]())).toMatchObject({ code: "MNET_STORE_INCOMPLETE", retryable: false });
    }
    expect(tablesOf(byHand())).toEqual(before);
  });

  test("tells a half that somebody else has begun", async () => {
    byHand().exec("create table mnet_log (line text)");
    expect(await failure(storeOf().open())).toMatchObject({ code: "MNET_STORE_INCOMPLETE" });
  });

  test("a table or row that is lost later is told as well", async () => {
    const store = await ready();
    byHand().exec("delete from mnet_site");
    expect(await failure(store.peers.generation())).toMatchObject({ code: "MNET_STORE_INCOMPLETE" });
    expect(await failure(store.keys.prepare(key("a")))).toMatchObject({ code: "MNET_STORE_INCOMPLETE" });
    expect(await store.keys.list()).toEqual([]);
    byHand().exec("drop table mnet_log");
    expect(await failure(store.log.list({}, undefined, 1))).toMatchObject({ code: "MNET_STORE_INCOMPLETE" });
  });

  test("a failed migration leaves nothing behind", async () => {
    byHand().exec("create table users (id integer); create index mnet_log_peer on users (id)");
    expect(await failure(storeOf().migrate())).toMatchObject({ code: "MNET_STORE_UNAVAILABLE" });
    expect(tablesOf(byHand())).toEqual(["users"]);
  });
});

describe("pendingMigrations", () => {
  test("is SQL that makes by hand what migrate makes", async () => {
    const pending = await storeOf(join(directory, "unused.db"), { tablePrefix: "Own_2_" }).pendingMigrations();
    const script = pending.map(({ sql }) => sql).join("");
    expect(script).not.toContain("?");
    expect(script).not.toContain("$1");
    byHand().exec(`begin; ${script} commit;`);
    const migrated = storeOf(join(directory, "other.db"), { tablePrefix: "Own_2_" });
    await migrated.migrate();
    const [one, other] = [byHand(), byHand(join(directory, "other.db"))].map((database) => [
      database.prepare("select type, name, tbl_name, sql from sqlite_master order by type, name").all(),
      database.prepare("select * from Own_2_site").all(),
      database.prepare("select name from Own_2_migration").all(),
    ]);
    expect(one).toEqual(other);

    const store = await ready({ tablePrefix: "Own_2_" });
    expect(await store.pendingMigrations()).toEqual([]);
    expect((await store.migrate()).applied).toEqual([]);
  });

  test("the script of which only a part was run is told", async () => {
    const [migration] = await storeOf(join(directory, "unused.db")).pendingMigrations();
    const statements = (migration?.sql ?? "").split(";\n");
    byHand().exec(statements.slice(0, -2).join(";\n"));
    expect(await failure(storeOf().open())).toMatchObject({ code: "MNET_STORE_INCOMPLETE" });
  });
});

describe("tablePrefix", () => {
  test("SEC-057 takes letters, digits and underscores only", () => {
    const wrong = [
      "",
      "a-b",
      "a b",
      'a"',
      "a'",
      "a`",
      "a;drop table x;--",
      "ä_",
      "a.b",
      "mnet_\n",
      "a\0",
      "x".repeat(33),
      "sqlite_",
      "SQLite_x",
    ];
    for (const tablePrefix of [...wrong, 5 as unknown as string, null as unknown as string]) {
      expect(() => openStore(`sqlite:${file}`, { tablePrefix })).toThrow(
        expect.objectContaining({ code: "MNET_CONFIG_INVALID", option: "tablePrefix" }),
      );
    }
  });

  test("the longest, a number and a reserved word are fine", async () => {
    for (const tablePrefix of ["x".repeat(32), "1", "_", "select"]) {
      const store = storeOf(join(directory, `${tablePrefix}.db`), { tablePrefix });
      await store.open();
      await store.peers.insert(peer("http://a.test"));
      expect((await store.peers.list({}, undefined, 5)).items).toHaveLength(1);
    }
  });

  test("keeps several sites in one database apart", async () => {
    const one = await ready();
    const other = storeOf(file, { tablePrefix: "mnet_b_" });
    expect(await failure(other.open())).toMatchObject({ code: "MNET_STORE_MIGRATION_NEEDED" });
    await other.migrate();
    await other.open();
    await one.peers.insert(peer("http://a.test"));
    expect((await other.peers.insert(peer("http://a.test"))).inserted).toBe(true);
    await one.keys.prepare(key("a"));
    expect(await other.keys.list()).toEqual([]);
    await storeOf().open();
  });
});

describe("the file", () => {
  test("is for its owner only, and so are the files beside it", async () => {
    const umask = process.umask(0);
    try {
      const store = await ready();
      await store.keys.prepare(key("a"));
    } finally {
      process.umask(umask);
    }
    const names = readdirSync(directory);
    expect(names).toContain("mnet.db-wal");
    const modes = names.map((name) => `${name} ${(statSync(join(directory, name)).mode & 0o777).toString(8)}`);
    expect(modes).toEqual(names.map((name) => `${name} 600`));
  });

  test("that is there keeps its mode", async () => {
    writeFileSync(file, "", { mode: 0o640 });
    await ready();
    expect((statSync(file).mode & 0o777).toString(8)).toBe("640");
  });

  test("is whole by itself after close", async () => {
    const store = await ready();
    await store.keys.prepare(key("a"));
    await store.close();
    expect(existsSync(`${file}-wal`) ? statSync(`${file}-wal`).size : 0).toBe(0);
  });

  test("is written through to the disk", async () => {
    const engine = libsqlEngine(file);
    opened.push(engine);
    const db = new Kysely<unknown>({ dialect: engine.dialect });
    const swift = new Kysely<unknown>({ dialect: engine.swiftDialect });
    const value = async (name: string, by = db): Promise<unknown> =>
      (await sql.raw(`pragma ${name}`).execute(by)).rows[0];
    expect(await value("journal_mode")).toEqual({ journal_mode: "wal" });
    expect(await value("synchronous")).toEqual({ synchronous: 2 }); // FULL
    expect(await value("foreign_keys")).toEqual({ foreign_keys: 1 });
    expect(await value("secure_delete")).toEqual({ secure_delete: 1 });
    // Turn by turn on one connection, in transactions and out of them, and after a failure.
    expect(await value("synchronous", swift)).toEqual({ synchronous: 1 }); // NORMAL
    expect(await value("synchronous")).toEqual({ synchronous: 2 });
    const within = (by: Kysely<unknown>) =>
      by.transaction().execute(async (trx) => (await sql`pragma synchronous`.execute(trx)).rows[0]);
    expect(await within(swift)).toEqual({ synchronous: 1 });
    expect(await within(db)).toEqual({ synchronous: 2 });
    await expect(swift.transaction().execute(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await within(db)).toEqual({ synchronous: 2 });
  });

  test("SEC-050 SEC-051 holds no byte of a revoked or forgotten key, nor does the log beside it", async () => {
    const store = await ready();
    const other = await ready();
    const secret = (name: string): Buffer => Buffer.from(`private half of ${name} `.repeat(80));
    const names = Array.from({ length: 12 }, (_, index) => `key ${index}.`);
    for (const [index, name] of names.entries()) {
      await store.keys.prepare({ ...key(name), privateKey: secret(name), createdAt: index });
      const before = names[index - 1] as Fingerprint | undefined;
      expect(await other.keys.promote(name as Fingerprint, before, index)).toBe(true);
    }
    const found = (): readonly string[] => {
      const bytes = readdirSync(directory).map((name) => readFileSync(join(directory, name)));
      return names.filter((name) => bytes.some((one) => one.includes(`private half of ${name}`)));
    };
    expect(found()).toEqual(names);
    for (const name of names.slice(3, 6)) await store.keys.revoke(name as Fingerprint);
    expect(found()).toEqual([...names.slice(0, 3), ...names.slice(6)]);
    await other.keys.prune(3, 0);
    expect(found()).toEqual(names.slice(8));
    expect((await store.keys.list()).map(({ state }) => state)).toEqual([
      "current",
      ...["archived", "archived", "archived"],
      ...["revoked", "revoked", "revoked"],
    ]);
  });

  test("SEC-050 a reader who stays puts off the cleaning of the log, and not the revoking", async () => {
    const store = await ready();
    await store.keys.prepare(key("a"));
    const reader = byHand();
    reader.exec("begin; select * from mnet_key");
    await store.keys.revoke("a" as Fingerprint);
    expect(await store.keys.list()).toMatchObject([{ state: "revoked", privateKey: new Uint8Array() }]);
    reader.exec("commit");
  });

  test("that is no database is told", async () => {
    writeFileSync(file, "This is a letter, not a database. ".repeat(100));
    expect(await failure(storeOf().open())).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: false });
  });

  test("that is a directory is told", async () => {
    mkdirSync(file);
    expect(await failure(storeOf().open())).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: false });
  });

  test("whose directory is missing is told, and works once it is there", async () => {
    const store = storeOf(join(directory, "later", "mnet.db"));
    const error = await failure(store.open());
    expect(error).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: false });
    expect(error.message).toContain("directory does not exist");
    mkdirSync(join(directory, "later"));
    await store.open();
    expect(await store.keys.list()).toEqual([]);
  });

  test("whose directory cannot be written is told", async () => {
    const locked = join(directory, "locked");
    mkdirSync(locked, { mode: 0o555 });
    await asNobody(async () => {
      const error = await failure(storeOf(join(locked, "mnet.db")).open());
      expect(error).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: false });
    });
    expect(readdirSync(locked)).toEqual([]);
  });

  test("that cannot be written is told", async () => {
    await (await ready()).close();
    chmodSync(directory, 0o755);
    chmodSync(file, 0o444);
    await asNobody(async () => {
      const error = await failure(storeOf().open());
      expect(error).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: false });
    });
  });

  /** To root, nothing is read-only. */
  async function asNobody(work: () => Promise<void>): Promise<void> {
    if (process.geteuid?.() !== 0) return work();
    chmodSync(directory, 0o755);
    process.seteuid?.(65534);
    try {
      await work();
      // While still nobody: closing what root may open could leave root's files behind.
      for (const one of opened.splice(0)) await one.close();
    } finally {
      process.seteuid?.(0);
    }
  }
});

describe("another writer", () => {
  test("SEC-063 whatever is written after waiting for the lock is in the file", async () => {
    const store = await ready();
    const token = { peer: 1 as PeerId, accountId: "1", sessionId: "s", userAgentHash: "agent", expiresAt: 1000 };
    for (const hash of ["a", "b"]) await store.tokens.issue({ ...token, hash });
    const other = byHand();
    other.exec("begin immediate");
    const redeem = (hash: string) => store.tokens.redeem(hash, token, { uses: 1, withinMs: 0 }, 1);
    const waiting = redeem("a");
    await setTimeout(60);
    other.exec("commit");
    expect(await waiting).toMatchObject({ outcome: "redeemed" });
    expect(await redeem("b")).toMatchObject({ outcome: "redeemed" });
    expect(other.prepare("select hash, uses from mnet_token").all([])).toEqual([
      { hash: "a", uses: 1 },
      { hash: "b", uses: 1 },
    ]);
  });

  test("is waited for, without holding up the event loop", async () => {
    const store = await ready();
    const writer = byHand();
    writer.exec("begin immediate");
    let turns = 0;
    let isDone = false;
    const prepared = store.keys.prepare(key("a")).then(() => {
      isDone = true;
    });
    while (turns < 20) {
      await setTimeout(5);
      turns += 1;
    }
    expect(isDone).toBe(false);
    // Reading needs no lock, and does not wait behind the writer in other stores.
    expect(await storeOf().keys.list()).toEqual([]);
    writer.exec("commit");
    await prepared;
    expect(await store.keys.list()).toHaveLength(1);
  });

  test("who does not end in five seconds makes a failure that may be tried again", async () => {
    const store = await ready();
    const writer = byHand();
    writer.exec("begin immediate");
    const error = await failure(store.keys.prepare(key("a")));
    expect(error).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: true });
    writer.exec("rollback");
    await store.keys.prepare(key("a"));
    expect(await store.keys.list()).toHaveLength(1);
  });
});

describe("close", () => {
  test("lets what was begun come to its end, and refuses what comes later", async () => {
    const store = await ready();
    const begun = Array.from({ length: 10 }, (_, index) => store.peers.insert(peer(`http://${index}.test`)));
    await store.close();
    const results = await Promise.allSettled(begun);
    expect(await failure(store.peers.generation())).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: false });
    const inserted = results.filter(({ status }) => status === "fulfilled").length;
    const later = await ready();
    expect((await later.peers.list({}, undefined, 50)).items).toHaveLength(inserted);
  });

  test("before anything was opened leaves no file", async () => {
    const store = storeOf();
    await store.close();
    expect(await failure(store.open())).toMatchObject({ code: "MNET_STORE_UNAVAILABLE" });
    expect(existsSync(file)).toBe(false);
  });

  test("while the file is still being opened leaves nothing open", async () => {
    const store = storeOf();
    const opening = store.open();
    await store.close();
    expect(await failure(opening)).toMatchObject({ code: "MNET_STORE_UNAVAILABLE" });
  });
});

describe("replay", () => {
  const remember = (store: Store, key: string, maxEntries: number, peer = 1) =>
    store.replay.remember(peer as PeerId, key, { until: 9, maxEntries }, 1);

  async function filled(count: number): Promise<Store> {
    const store = await ready();
    for (let index = 0; index < count; index += 1) await remember(store, `${index}`, count);
    return store;
  }

  test("SEC-084 prune removes exactly what is forgotten, of all peers", async () => {
    const store = await ready();
    for (let index = 0; index < 900; index += 1) {
      const limits = { until: index < 870 ? 5 : 6, maxEntries: 1000 };
      await store.replay.remember((index % 2) as PeerId, `${index}`, limits, 1);
    }
    expect(await store.replay.prune(5, 1)).toBe(1);
    expect(await store.replay.prune(5, 449)).toBe(449);
    expect(await store.replay.prune(5, 1000)).toBe(420);
    expect(await store.replay.prune(5, 1000)).toBe(0);
    expect(byHand().prepare("select entries from mnet_replay_peer").all()).toEqual([{ entries: 15 }, { entries: 15 }]);
  });

  test("SEC-084 a bound that falls far is reached bit by bit, the oldest first", async () => {
    const store = await filled(2500);
    expect(await remember(store, "a", 10)).toEqual({ seen: "first", evicted: 1000 });
    expect(await remember(store, "b", 10)).toEqual({ seen: "first", evicted: 1000 });
    expect(await remember(store, "c", 10)).toEqual({ seen: "first", evicted: 493 });
    expect(await remember(store, "d", 10)).toEqual({ seen: "first", evicted: 1 });
    expect(byHand().prepare("select entries, newest from mnet_replay_peer").all()).toEqual([
      { entries: 10, newest: 2504 },
    ]);
    for (const key of ["d", "c", "b", "a", "2499", "2494"]) expect((await remember(store, key, 10)).seen).toBe("again");
    expect((await remember(store, "2493", 10)).seen).toBe("first");
  });

  test("counts again where somebody deleted rows by hand, and forgets nothing for it", async () => {
    const store = await filled(20);
    byHand().exec("delete from mnet_replay where age < 20");
    for (const key of ["a", "b", "c"]) {
      expect(await remember(store, key, 20)).toEqual({ seen: "first", evicted: 0 });
    }
    for (const key of ["19", "a", "b", "c"]) expect((await remember(store, key, 20)).seen).toBe("again");
    byHand().exec("delete from mnet_replay_peer");
    expect(await remember(store, "d", 4)).toEqual({ seen: "first", evicted: 1 });
    expect(byHand().prepare("select entries, newest from mnet_replay_peer").all()).toEqual([
      { entries: 4, newest: 24 },
    ]);
  });

  test("SEC-084 a peer that is at its bound stays there", async () => {
    const store = await filled(50);
    for (let index = 0; index < 500; index += 1) {
      expect((await remember(store, `more ${index}`, 50)).evicted).toBe(1);
    }
    expect(byHand().prepare("select count(*) as count from mnet_replay").all()).toEqual([{ count: 50 }]);
  });
});

test("a driver that is not installed is told", async () => {
  vi.doMock("libsql", () => {
    throw new Error("Cannot find package");
  });
  try {
    const error = await failure(storeOf().open());
    expect(error).toMatchObject({ code: "MNET_STORE_DRIVER_MISSING", retryable: false });
    expect(existsSync(file)).toBe(false);
  } finally {
    vi.doUnmock("libsql");
  }
});

describe("values", () => {
  test("that the driver would cut or die of are refused, and the store goes on", async () => {
    const store = await ready();
    await expect(store.peers.insert({ ...peer("http://a.test"), name: "a\0b" })).rejects.toThrow(ConfigError);
    for (const createdAt of [true, NaN, Infinity, undefined, {}, "1\0"]) {
      await expect(store.keys.prepare({ ...key("a"), createdAt: createdAt as number })).rejects.toThrow();
    }
    expect(await store.keys.list()).toEqual([]);
    expect((await store.peers.insert(peer("http://a.test"))).inserted).toBe(true);
  });

  test("SEC-061 of a token it holds the hash, and nothing from which the token could be had", async () => {
    const store = await ready();
    const token = randomBytes(20).toString("hex");
    const hash = createHash("sha256").update(token).digest("hex");
    const by = { peer: 1 as PeerId, userAgentHash: "a".repeat(40) };
    await store.tokens.issue({ ...by, hash, accountId: "account", sessionId: "session", expiresAt: 9 });
    await store.tokens.redeem(hash, by, { uses: 3, withinMs: 9 }, 1);
    expect(byHand().prepare("select * from mnet_token").all()).toEqual([
      {
        hash,
        peer: 1,
        account_id: "account",
        session_id: "session",
        user_agent_hash: "a".repeat(40),
        expires_at: 9,
        uses: 1,
        first_used_at: 1,
      },
    ]);
    const bytes = Buffer.concat(readdirSync(directory).map((name) => readFileSync(join(directory, name))));
    expect(bytes.includes(hash)).toBe(true);
    expect(bytes.includes(token)).toBe(false);
  });

  test.each([
    "select * from mnet_session where role = 'sp' and peer = 1 and username = 'u' order by id + 0 limit 9",
    "select * from mnet_session where account_id = 'a' and peer = 1 order by id + 0 limit 9",
    "select * from mnet_session where session_id = 's' order by id + 0 limit 9",
    "select id from mnet_session where expires_at < 1 order by expires_at, id limit 9",
    "select hash from mnet_token where expires_at < 1 order by expires_at limit 9",
    "select id from mnet_outbox where kind = 'k' and due_at <= 1 order by due_at, sequence limit 9",
    "select * from mnet_remote_enrolment where peer = 1 and username = 'u'",
    "select * from mnet_run_entry where run = 1 and row >= 5 order by row limit 9",
  ])("SEC-084 a million rows do not slow it down: %s", async (query) => {
    await ready();
    const plan = byHand().prepare(`explain query plan ${query}`).all() as readonly { readonly detail: string }[];
    // Not by the peer alone, who may have a million sessions.
    expect(plan[0]?.detail).toMatch(/^SEARCH \S+ USING (COVERING )?INDEX (?!mnet_session_peer)/);
  });

  test("SEC-051 no error shows a private key", async () => {
    const store = await ready();
    const secret = "-----BEGIN PRIVATE KEY-----";
    byHand().exec("drop table mnet_key");
    const error = await failure(store.keys.prepare({ ...key("a"), privateKey: Buffer.from(secret) }));
    const shown = `${error.stack ?? ""} ${JSON.stringify(error)} ${String(error.cause)}`;
    expect(shown).not.toContain(secret);
    expect(shown).not.toContain(Buffer.from(secret).toString("hex"));
  });
});

describe("sqliteError", () => {
  test.each([
    [5, true],
    [6, true],
    [15, true],
    [261, true], // SQLITE_BUSY_RECOVERY
    [8, false],
    [10, false],
    [11, false],
    [13, false],
    [14, false],
    [26, false],
    [1, false],
  ])("code %i: retryable %s", (code, retryable) => {
    const cause = Object.assign(new Error("disk I/O"), { rawCode: code });
    expect(sqliteError(cause, "x.db")).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable, cause });
    expect(sqliteError(Object.assign(new Error("disk I/O"), { errcode: code }), "x.db").retryable).toBe(retryable);
  });

  test("says what a person can do, and leaves our own errors as they are", () => {
    expect(sqliteError({ rawCode: 13 }, "x.db").message).toBe("The database x.db cannot grow: the disk is full.");
    const own = new StoreError("MNET_STORE_DRIVER_MISSING", "x");
    expect(sqliteError(own, "x.db")).toBe(own);
  });
});
