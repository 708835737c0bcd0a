import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import type { Fingerprint, PeerId, Wwwroot } from "../../src/core/ids.ts";
import type { Store } from "../../src/host/store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { parseServerAddress } from "../../src/stores/server-address.ts";
import type { SqlEngine } from "../../src/stores/sql/engine.ts";
import { mysqlEngine } from "../../src/stores/sql/mysql-engine.ts";
import { postgresEngine } from "../../src/stores/sql/postgres-engine.ts";
import { sqlStore } from "../../src/stores/sql/sql-store.ts";
import { startServer, type DatabaseServer } from "../support/database-servers.ts";
import { startStallingProxy } from "../support/stalling-proxy.ts";
import { ENGINES, freshName, onEngines, type Engine } from "./engines.ts";

const QUICK = { connectMs: 1000, statementMs: 1000 };

/** A store that does not wait for long, unless told. */
function impatient(engine: Engine, url: string, limits: Partial<typeof QUICK> = {}): Store {
  const address = parseServerAddress(url);
  const make: (...given: Parameters<typeof postgresEngine>) => SqlEngine =
    engine.name === "postgresql" ? postgresEngine : mysqlEngine;
  return sqlStore(make(address, 3, { ...QUICK, ...limits }), "mnet_");
}

async function failure(work: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

const unavailable = (text: string, retryable: boolean): object => ({
  code: "MNET_STORE_UNAVAILABLE",
  message: expect.stringContaining(text) as string,
  retryable,
});

const peer = (wwwroot: string) =>
  ({
    wwwroot: wwwroot as Wwwroot,
    canonical: wwwroot,
    name: "name",
    application: "moodle",
    state: "active",
    certificate: "certificate",
    retired: [],
    settings: {},
    services: {},
  }) as const;

onEngines("a server that fails", ENGINES.servers, (engine) => {
  let server: DatabaseServer;
  let url = "";
  let store: Store;
  beforeAll(async () => {
    server = await startServer(engine.name as "postgresql" | "mariadb");
    url = await server.database("site");
    store = impatient(engine, url);
    await store.migrate();
    await store.peers.insert(peer("http://a.test"));
  });
  afterAll(async () => {
    await store.close();
    await server.remove();
  });

  test("wrong credentials, and a database that is not there, are told and do not show the password", async () => {
    const cases = [
      [url.replace("secret", "hunter2"), "refuses this user or password"],
      [url.replace("mnet:", "nobody:"), "refuses this user or password"],
      // MariaDB does not say whether there is such a database to whoever may not use it.
      [url.replace(/site$/, "other"), engine.name === "postgresql" ? "does not exist" : "does not let this user"],
    ] as const;
    for (const [wrong, text] of cases) {
      const other = openStore(wrong);
      const error = await failure(other.open());
      expect(error).toMatchObject(unavailable(text, false));
      expect(JSON.stringify([error.message, error.cause, String(error.cause)])).not.toContain("hunter2");
      await other.close();
    }
  });

  test("a server that is not there, or whose name nobody knows, is told; TLS where there is none as well", async () => {
    const away = openStore(url.replace(`:${server.port}`, ":1"));
    expect(await failure(away.open())).toMatchObject(unavailable("nobody listens there", true));
    const unknown = openStore(url.replace("127.0.0.1", "nowhere.invalid"));
    expect(await failure(unknown.open())).toMatchObject(unavailable("its host", true));
    const tls = openStore(`${url}?sslmode=verify-full`);
    expect(await failure(tls.open())).toMatchObject({ code: "MNET_STORE_UNAVAILABLE" });
    const noCertificate = openStore(`${url}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem`);
    expect(await failure(noCertificate.open())).toMatchObject(unavailable("is not there", false));
    for (const one of [away, unknown, tls, noCertificate]) await one.close();
  });

  test("a user who may only read is told", async () => {
    await server.administer(
      engine.name === "postgresql" ? "site" : "",
      ...(engine.name === "postgresql"
        ? ["create role reader login password 'secret'", "grant select on all tables in schema public to reader"]
        : ["create user reader@'127.0.0.1' identified by 'secret'", "grant select on site.* to reader@'127.0.0.1'"]),
    );
    const reader = openStore(url.replace("mnet:", "reader:"));
    await reader.open();
    expect(await reader.peers.find(1 as PeerId)).toBeDefined();
    expect(await failure(reader.peers.insert(peer("http://b.test")))).toMatchObject(
      unavailable("does not let this user", false),
    );
    await reader.close();
  });

  test("a server that is read-only is told, and reading goes on", async () => {
    const set =
      engine.name === "postgresql"
        ? (on: boolean) =>
            server.administer("", `alter database site set default_transaction_read_only = ${on ? "on" : "off"}`)
        : (on: boolean) => server.administer("", `set global read_only = ${on ? 1 : 0}`);
    await set(true);
    const reader = impatient(engine, url);
    try {
      expect(await failure(reader.peers.insert(peer("http://b.test")))).toMatchObject(unavailable("read-only", false));
      expect(await reader.peers.find(1 as PeerId)).toBeDefined();
    } finally {
      await set(false);
      await reader.close();
    }
  });

  test("a table that was lost, a schema that is newer and one that is missing have codes of their own", async () => {
    const lost = impatient(engine, await server.database("lost"));
    expect(await failure(lost.open())).toMatchObject({ code: "MNET_STORE_MIGRATION_NEEDED" });
    await lost.migrate();
    await lost.open();
    await server.administer("lost", "drop table mnet_log");
    expect(await failure(lost.log.list({}, undefined, 1))).toMatchObject({ code: "MNET_STORE_INCOMPLETE" });
    expect(await failure(lost.open())).toMatchObject({ code: "MNET_STORE_INCOMPLETE" });
    expect(await failure(lost.migrate())).toMatchObject({ code: "MNET_STORE_INCOMPLETE" });
    await lost.close();
    const newer = impatient(engine, await server.database("newer"));
    await newer.migrate();
    await server.administer("newer", "insert into mnet_migration (name) values ('9999-later')");
    for (const act of ["open", "migrate", "pendingMigrations"] as const) {
      expect(await failure(newer[act]())).toMatchObject({ code: "MNET_STORE_TOO_NEW", retryable: false });
    }
    await newer.close();
  });

  test("somebody who locks a row makes a wait that ends, and the store goes on", async () => {
    const holder = impatient(engine, url);
    const locked = server.administer("site", ...holdLock(engine, 3));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const started = performance.now();
    expect(await failure(holder.peers.insert(peer("http://c.test")))).toMatchObject({
      code: "MNET_STORE_UNAVAILABLE",
      retryable: true,
    });
    expect(performance.now() - started).toBeLessThan(2500);
    await locked;
    expect((await holder.peers.insert(peer("http://c.test"))).inserted).toBe(true);
    await holder.close();
  });

  test("SEC-033 whoever has one peer's messages locked holds up those of no other", async () => {
    const limits = { until: 9, maxEntries: 9 };
    const [busy, other] = [11 as PeerId, 12 as PeerId];
    for (const id of [busy, other]) await store.replay.remember(id, "before", limits, 1);
    const waiting = impatient(engine, url);
    await waiting.open();
    const lock = `select * from mnet_replay_peer where peer = ${busy} for update`;
    const locked = server.administer("site", ...holdLock(engine, 3, lock));
    await new Promise((resolve) => setTimeout(resolve, 500));
    const started = performance.now();
    const ofBusy = failure(waiting.replay.remember(busy, "new", limits, 1));
    const ofOther = await Promise.all(
      ["a", "b", "before"].map((key) => waiting.replay.remember(other, key, limits, 1)),
    );
    expect(ofOther.map(({ seen }) => seen)).toEqual(["first", "first", "again"]);
    expect(performance.now() - started).toBeLessThan(900);
    expect(await ofBusy).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: true });
    await locked;
    expect((await waiting.replay.remember(busy, "new", limits, 1)).seen).toBe("first");
    await waiting.close();
  });

  test("SEC-033 a connection that hangs holds up nobody else's messages for long, and loses none", async () => {
    const limits = { until: 9, maxEntries: 9 };
    const ids = [21, 22, 23].map((id) => id as PeerId);
    for (const id of ids) await store.replay.remember(id, "before", limits, 1);
    const proxy = await startStallingProxy(server.port);
    const through = impatient(engine, url.replace(`:${server.port}`, `:${proxy.port}`), { statementMs: 20_000 });
    const [first, ...others] = ids.map((id) => () => through.replay.remember(id, "new", limits, 1));
    try {
      await through.peers.find(1 as PeerId);
      proxy.stall();
      const hung = first?.();
      const started = performance.now();
      expect(await Promise.all(others.map((remember) => remember()))).toMatchObject([
        { seen: "first" },
        { seen: "first" },
      ]);
      expect(performance.now() - started).toBeLessThan(3000);
      proxy.goOn();
      expect(await hung).toMatchObject({ seen: "first" });
    } finally {
      await through.close();
      await proxy.close();
    }
  });

  test("a server that hangs is told in time, and is used again when it goes on", async () => {
    const one = impatient(engine, url);
    await one.open();
    server.signal("SIGSTOP");
    try {
      // PostgreSQL answers with a process of its own for each connection, which goes on.
      if (engine.name === "mariadb") {
        const started = performance.now();
        expect(await failure(one.peers.find(1 as PeerId))).toMatchObject({ retryable: true });
        expect(performance.now() - started).toBeLessThan(3000);
      }
      const fresh = impatient(engine, url);
      expect(await failure(fresh.open())).toMatchObject(unavailable("answer", true));
      await fresh.close();
    } finally {
      server.signal("SIGCONT");
    }
    expect(await one.peers.find(1 as PeerId)).toBeDefined();
    await one.close();
  });

  test("a connection that is lost in the middle fails once, nothing is half done, and the store goes on", async () => {
    await store.log.append([{ type: "clock.off", offsetMs: 1, at: new Date(1), level: "warn" }]);
    const working = Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => store.peers.insert(peer(`http://${n}.middle.test`))),
    );
    await server.crash();
    const results = await working;
    for (const result of results) {
      if (result.status === "rejected") {
        expect(result.reason).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: true });
      }
    }
    expect(await failure(store.peers.find(1 as PeerId))).toMatchObject({
      code: "MNET_STORE_UNAVAILABLE",
      retryable: true,
    });
    await server.restart();
    expect(await store.peers.find(1 as PeerId)).toBeDefined();
    for (const [n, result] of results.entries()) {
      // What was confirmed is there, and what was not can be done again.
      const again = await store.peers.insert(peer(`http://${n}.middle.test`));
      if (result.status === "fulfilled") expect(again.inserted).toBe(false);
    }
  });
});

onEngines("migrations on a server", ENGINES.servers, (engine) => {
  test("two at once, and many: one does it, nobody fails", async () => {
    const url = await engine.database();
    const stores = Array.from({ length: 6 }, () => openStore(url, { maxConnections: 2 }));
    const results = await Promise.all(stores.map((store) => store.migrate()));
    expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
    for (const store of stores) {
      await store.open();
      expect(await store.pendingMigrations()).toEqual([]);
      await store.close();
    }
  });

  test("the SQL that is printed makes by hand what migrate makes", async () => {
    const name = freshName();
    const url = (await engine.server?.database(name)) ?? "";
    const store = openStore(url, { tablePrefix: "Own_2_" });
    for (const { sql } of await store.pendingMigrations()) {
      expect(sql).not.toMatch(/\?|\$1/);
      await engine.server?.administer(name, ...sql.split(";\n").filter((statement) => statement !== ""));
    }
    if (engine.name === "postgresql") {
      await engine.server?.administer(
        name,
        "do $$ declare t text; begin for t in select tablename from pg_tables where schemaname = 'public' loop execute format('alter table %I owner to mnet', t); end loop; end $$",
      );
    }
    await store.open();
    expect(await store.pendingMigrations()).toEqual([]);
    expect((await store.peers.insert(peer("http://a.test"))).inserted).toBe(true);
    await store.close();
  });

  test("several sites in one database are kept apart by their prefixes", async () => {
    const url = await engine.database();
    const [one, other] = [openStore(url), openStore(url, { tablePrefix: "hub_" })];
    await one.migrate();
    expect(await failure(other.open())).toMatchObject({ code: "MNET_STORE_MIGRATION_NEEDED" });
    await other.migrate();
    await one.peers.insert(peer("http://a.test"));
    expect(await other.peers.find("http://a.test" as Wwwroot)).toBeUndefined();
    await one.close();
    await other.close();
  });

  if (engine.name === "postgresql") {
    test("a schema of the URL keeps sites apart as well", async () => {
      const name = freshName();
      const url = (await engine.server?.database(name)) ?? "";
      await engine.server?.administer(name, "create schema one authorization mnet");
      const [inSchema, outside] = [openStore(`${url}?schema=one`), openStore(url)];
      await inSchema.migrate();
      await inSchema.open();
      expect(await failure(outside.open())).toMatchObject({ code: "MNET_STORE_MIGRATION_NEEDED" });
      const nowhere = openStore(`${url}?schema=two`);
      expect(await failure(nowhere.migrate())).toMatchObject(unavailable("has no such schema", false));
      for (const store of [inSchema, outside, nowhere]) await store.close();
    });

    test("a database that cannot hold every character is refused", async () => {
      const name = freshName();
      await engine.server?.administer(
        "",
        `create database "${name}" owner mnet encoding 'LATIN1' locale 'C' template template0`,
      );
      const store = openStore(((await engine.server?.database(freshName())) ?? "").replace(/[^/]+$/, name));
      expect(await failure(store.migrate())).toMatchObject(unavailable("UTF8", false));
      await store.close();
    });
  }
});

onEngines("values", ENGINES.sql, (engine) => {
  let store: Store;
  beforeAll(async () => {
    store = openStore(await engine.database());
    await store.migrate();
  });
  afterAll(() => store.close());

  test("SEC-057 a NUL is refused, never cut off; what a log entry says may have one", async () => {
    for (const text of ["\0", "a\0", "a\0b"]) {
      for (const field of ["wwwroot", "canonical", "name", "certificate"] as const) {
        await expect(store.peers.insert({ ...peer("http://nul.test"), [field]: text })).rejects.toMatchObject({
          code: "MNET_CONFIG_INVALID",
        });
      }
      expect(await store.peers.find(text as Wwwroot)).toBeUndefined();
      await expect(store.keys.revoke(text as Fingerprint)).rejects.toMatchObject({ code: "MNET_CONFIG_INVALID" });
    }
    expect((await store.peers.list({}, undefined, 9)).items).toEqual([]);
    const remark = "nul \0 in it";
    await store.log.append([{ type: "envelope.remark", remark, at: new Date(1), level: "info" }]);
    expect((await store.log.list({}, undefined, 1)).items).toMatchObject([{ remark }]);
  });

  test("SEC-057 what looks like SQL is a value, in every place that takes one", async () => {
    const hostile = `'; drop table mnet_peer; -- "; \\'; $$; \`; \u{1f600}`;
    await store.peers.insert({ ...peer("http://hostile.test"), name: hostile, services: { [hostile]: "both" } });
    await store.log.append([{ type: "envelope.remark", remark: hostile, at: new Date(2), level: "info" }]);
    await store.peers.changeAllHostsServices({ [hostile]: "both" });
    await store.replay.remember(1 as PeerId, "'; --", { until: 9, maxEntries: 9 }, 1);
    expect((await store.peers.find("http://hostile.test" as Wwwroot))?.name).toBe(hostile);
    expect(await store.peers.find(hostile as Wwwroot)).toBeUndefined();
    expect(await store.log.list({ type: hostile as never, code: hostile as never }, undefined, 9)).toEqual({
      items: [],
    });
    await expect(store.peers.list({}, hostile as never, 9)).rejects.toMatchObject({ code: "MNET_CONFIG_INVALID" });
    expect((await store.replay.remember(1 as PeerId, "'; --", { until: 9, maxEntries: 9 }, 1)).seen).toBe("again");
  });

  test("a value that no column takes is an error that does not show it", async () => {
    const secret = randomBytes(20_000).toString("hex");
    const error = await store.keys
      .prepare({
        fingerprint: secret as Fingerprint,
        certificate: "",
        privateKey: Uint8Array.of(1),
        state: "prepared",
        createdAt: 1,
      })
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    // PostgreSQL cannot put it into an index, MariaDB into the column; SQLite has room for anything.
    if (engine.server) {
      expect(error).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable: false });
      const { message, cause } = error as StoreError;
      expect(`${message} ${String(cause)} ${JSON.stringify(cause)}`).not.toContain(secret.slice(0, 20));
    } else expect(error).toBeUndefined();
  });
});

/** Statements of one connection that hold rows for a while. Default: the one that every change of a peer wants. */
function holdLock(engine: Engine, seconds: number, lock = "select * from mnet_site for update"): readonly string[] {
  const sleep = engine.name === "postgresql" ? `select pg_sleep(${seconds})` : `select sleep(${seconds})`;
  return ["begin", lock, sleep, "commit"];
}
