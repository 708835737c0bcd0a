import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { createHost } from "../../src/create-host.ts";
import { Certificate } from "../../src/crypto/certificate.ts";
import type { Host } from "../../src/host/host.ts";
import type { Store } from "../../src/host/store.ts";
import { collect } from "../../src/core/listing.ts";
import {
  importMoodle,
  moodleUsers,
  previewMoodle,
  type MoodleImportOptions,
} from "../../src/moving/moodle/import-moodle.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { isSignedBy, noTransport, openAnswer, post, summary } from "../support/hosts.ts";
import { recordedKeyPair } from "../support/fixtures.ts";
import { recordedRequest } from "../support/recorded-exchange.ts";
import { moodleOf, RECORDED_USERS, recordedTables, rowOf, type MoodleTables } from "../support/recorded-moodle.ts";
import { makeSite } from "../support/sites.ts";

const A = "http://moodle-a.test:8101";
const B = "http://moodle-b.test:8102";
const RECORDING = "moodle-4.5-takeover";

const open: Host[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((host) => host.close()));
});

/** A host in the Moodle's place, at a moment. */
async function hostOn(store: Store, recordedAt: number, keys = {}): Promise<Host> {
  const host = await createHost({
    wwwroot: A,
    name: "The LMS that came after",
    store,
    keys,
    maintenance: "manual",
    clock: fakeClock(new Date(recordedAt * 1000)),
    transport: noTransport,
  });
  open.push(host);
  return host;
}

async function imported(change: (tables: MoodleTables) => void = () => undefined, options?: MoodleImportOptions) {
  const tables = recordedTables();
  change(tables);
  const store = memoryStore();
  const report = await importMoodle(store, moodleOf(tables), options);
  return { store, report };
}

const pluginRow = (tables: MoodleTables, name: string) => rowOf(tables, "config_plugins", { name });

describe("a Moodle's database", () => {
  it("gives its keys, peers with their ids, boxes, field lists and rules", async () => {
    const { store, report } = await imported();
    expect(report).toEqual({
      wwwroot: A,
      release: "4.5.6 (Build: 20250811)",
      imported: { keys: 4, peers: 4, accessRules: 2 },
      host: { wwwroot: A, enabled: true, registerStrangers: false, keys: { generations: 3 } },
      warnings: [],
    });
    const peers = [
      ...(await store.peers.list({}, undefined, 9)).items,
      ...(await store.peers.list({ state: "deleted" }, undefined, 9)).items,
    ];
    const defaults = ["city", "country", "lang", "timezone", "description"];
    const everything = { sso_idp: "both", sso_sp: "both", mnet_enrol: "both", pf: "both" };
    expect(peers.map(({ certificate: _, canonical: __, ...peer }) => peer)).toEqual([
      {
        id: 3,
        version: 1,
        wwwroot: B,
        name: "Home | moodleb",
        application: "moodle",
        state: "active",
        retired: [],
        // Its own list, and the site's.
        settings: { exportFields: ["city", "country"], importFields: defaults },
        services: everything,
        lastContactAt: expect.any(Number),
      },
      expect.objectContaining({
        id: 4,
        wwwroot: "http://mahara.test:8110",
        application: "mahara",
        services: everything,
      }),
      expect.objectContaining({ id: 9, name: "Node peer Zoë", settings: { importFields: defaults } }),
      expect.objectContaining({ id: 10, wwwroot: "http://gone.test", state: "deleted" }),
    ]);
    for (const peer of peers) expect(Certificate.parse(peer.certificate, { wwwroot: peer.wwwroot })).toBeDefined();
    expect(await store.peers.allHostsServices()).toEqual({ sso_idp: "publish" });
    expect(await store.access.get(4 as never, "mauser")).toBe("allow");
    expect(await store.access.get(3 as never, "banned")).toBe("deny");
    const { peer } = await store.peers.insert({
      ...peers[0]!,
      wwwroot: "http://new" as never,
      canonical: "http://new",
    });
    expect(peer.id).toBe(11);
  });

  it("MNET-021 gives the current key and the archive, newest first", async () => {
    const { store } = await imported();
    const { keys } = recordedRequest(RECORDING, "003-after-rotation");
    const stored = await store.keys.list();
    expect(stored.map(({ fingerprint, state }) => [fingerprint.slice(0, 16), state])).toEqual([
      [keys[A]!.current, "current"],
      ...keys[A]!.archived.map((id) => [id, "archived"]),
    ]);
    expect(new Set(stored.map(({ createdAt }) => createdAt)).size).toBe(4);
    const host = await hostOn(store, recordedRequest(RECORDING, "004-methods").recordedAt);
    expect((await host.keys.all()).map(({ state }) => state)).toEqual(["current", "archived", "archived", "archived"]);
  });

  it("SEC-051 can have its keys encrypted on the way", async () => {
    const encryptWith = new Secret("a passphrase of the site");
    const { store } = await imported(undefined, { keys: { encryptWith } });
    for (const { privateKey } of await store.keys.list()) {
      expect(Buffer.from(privateKey).toString("latin1")).not.toContain("PRIVATE KEY");
    }
    const { recordedAt } = recordedRequest(RECORDING, "004-methods");
    expect(await codeOf(() => hostOn(store, recordedAt))).toBe("MNET_STORE_KEY_WRONG");
    expect(await (await hostOn(store, recordedAt, { encryptWith })).keys.all()).toHaveLength(4);
  });

  it("gives the users of other sites, and nobody's password", async () => {
    const database = moodleOf(recordedTables());
    const users: unknown[] = [];
    for await (const user of moodleUsers(database)) users.push(user);
    expect(JSON.parse(JSON.stringify(users))).toEqual(RECORDED_USERS);
    for (const column of ["password", "secret", "lastip"]) expect(database.asked).not.toContain(`user.${column}`);
    const deleted = recordedTables();
    rowOf(deleted, "user", { id: 8 })["deleted"] = 1;
    rowOf(deleted, "user", { id: 9 })["suspended"] = 1;
    rowOf(deleted, "user", { id: 7 })["description"] = "<p>Likes <b>é</b></p><script>x</script>";
    const left: unknown[] = [];
    for await (const user of moodleUsers(moodleOf(deleted))) left.push(user);
    expect(JSON.parse(JSON.stringify(left))).toMatchObject([
      { moodleId: 7, profile: { description: "Likes é" } },
      { moodleId: 9, suspended: true },
    ]);
  });

  it("is not written to the store in a preview", async () => {
    const preview = await previewMoodle(moodleOf(recordedTables()));
    expect(preview).toEqual((await imported()).report);
  });
});

describe("a peer of the Moodle", () => {
  const sealedFor = (name: string) => recordedRequest(RECORDING, name);
  const b = recordedKeyPair(RECORDING, sealedFor("004-methods").keys[B]!.current)!;
  const own = (id: string) => recordedKeyPair(RECORDING, id)!;

  it.each(["003-after-rotation", "004-methods"])(
    "MNET-024 MNET-040 goes on calling, and notices nothing (%s)",
    async (name) => {
      const exchange = sealedFor(name);
      const { store } = await imported();
      const host = await hostOn(store, exchange.recordedAt);
      const answer = openAnswer(await post(host, Buffer.from(exchange.request.bodyBase64!, "base64")), { key: b });
      expect(answer.form).toBe("signed and encrypted");
      expect(isSignedBy(answer, own(exchange.keys[A]!.current))).toBe(true);
      expect(answer.senders).toEqual([A, A]);
      expect(summary(answer).fault).toBeUndefined();
      const [current] = await host.keys.all();
      expect(current?.fingerprint.slice(0, 16)).toBe(exchange.keys[A]!.current);
    },
  );

  it("MNET-090 MNET-092 that knows an older key is told the current one, signed with the older", async () => {
    const exchange = sealedFor("001-current-key-then-archived");
    const recorded = sealedFor("002-after-rotation");
    const { store } = await imported();
    const host = await hostOn(store, recorded.recordedAt);
    const answer = openAnswer(await post(host, Buffer.from(exchange.request.bodyBase64!, "base64")), { key: b });
    expect(summary(answer)).toMatchObject({ fault: 7025 });
    expect(isSignedBy(answer, own(exchange.keys[A]!.current))).toBe(true);
    expect(answer.decoded).toMatchObject({ faultString: (await host.keys.current()).certificate });
    // To the byte what the Moodle had said.
    const said = openAnswer(Buffer.from(recorded.response.bodyBase64!, "base64"), { key: b });
    expect(answer.decoded).toEqual(said.decoded);
  });

  it("MNET-007 that was deleted is no peer, and its id stays its own", async () => {
    const { store } = await imported();
    const host = await hostOn(store, sealedFor("004-methods").recordedAt);
    expect((await collect(host.peers.list({ state: "deleted" }))).map(({ id }) => id)).toEqual([10]);
    expect((await collect(host.peers.list())).map(({ id }) => id)).toEqual([3, 4, 9]);
  });

  it("MNET-020 is not lost when the Moodle's key has expired meanwhile: it is archived, and tells the new one", async () => {
    const exchange = sealedFor("003-after-rotation");
    const { store } = await imported();
    const later = Date.parse("2027-03-01") / 1000;
    const host = await hostOn(store, later);
    expect((await host.keys.all())[1]?.fingerprint.slice(0, 16)).toBe(exchange.keys[A]!.current);
    const answer = openAnswer(await post(host, Buffer.from(exchange.request.bodyBase64!, "base64")), { key: b });
    expect(summary(answer)).toMatchObject({ fault: 7025 });
    expect(isSignedBy(answer, own(exchange.keys[A]!.current))).toBe(true);
  });
});

describe("a Moodle that is not as it should be", () => {
  const refused = async (change: (tables: MoodleTables) => void, options?: MoodleImportOptions) => {
    const tables = recordedTables();
    change(tables);
    const store = memoryStore();
    const error = await errorOf(() => importMoodle(store, moodleOf(tables), options));
    expect(await store.keys.list()).toEqual([]);
    expect((await store.peers.list({}, undefined, 9)).items).toEqual([]);
    expect(String(error)).not.toContain("PRIVATE");
    return error;
  };

  it.each(Object.keys(recordedTables()))("without the table %s is refused", async (table) => {
    const error = await refused((tables) => {
      delete tables[table];
    });
    expect(error).toMatchObject({ code: "MNET_MOODLE_TABLES_MISSING", message: expect.stringContaining(table) });
  });

  it("without any table says that the prefix may be wrong", async () => {
    const error = await refused((tables) => {
      for (const table of Object.keys(tables)) delete tables[table];
    });
    expect(error).toMatchObject({ code: "MNET_MOODLE_TABLES_MISSING", message: expect.stringContaining("--prefix") });
  });

  it("of another version, with a column less, is refused by its name", async () => {
    const error = await refused((tables) => {
      tables["mnet_host"]!.columns = tables["mnet_host"]!.columns.filter((name) => name !== "public_key");
    });
    expect(error).toMatchObject({
      code: "MNET_MOODLE_TABLES_MISSING",
      message: expect.stringContaining("mnet_host.public_key"),
    });
  });

  it("of 1.9, which lacks what came later, is taken over", async () => {
    const later = { mnet_host: ["sslverification"], user: ["suspended", "calendartype", "alternatename"] };
    const { report, store } = await imported((tables) => {
      for (const [table, names] of Object.entries(later)) {
        tables[table]!.columns = tables[table]!.columns.filter((name) => !names.includes(name));
      }
      // As its drivers give numbers, and PostgreSQL's.
      for (const { rows } of Object.values(tables)) {
        for (const row of rows) {
          for (const [name, value] of Object.entries(row)) if (typeof value === "number") row[name] = String(value);
        }
      }
    });
    expect(report.imported).toEqual({ keys: 4, peers: 4, accessRules: 2 });
    expect((await store.peers.find(3 as never))?.lastContactAt).toEqual(expect.any(Number));
  });

  it.each<[what: string, change: (tables: MoodleTables) => void]>([
    ["a localhost", (tables) => (rowOf(tables, "config", { name: "mnet_localhost_id" })["value"] = "")],
    ["a key", (tables) => (pluginRow(tables, "openssl")["value"] = "")],
  ])("that never had %s was in no network", async (_, change) => {
    expect(await refused(change)).toMatchObject({ code: "MNET_MOODLE_NETWORKING_UNUSED" });
  });

  const text = (tables: MoodleTables, name: string) => String(pluginRow(tables, name)["value"]);
  it.each<[what: string, change: (tables: MoodleTables) => void]>([
    ["half a key", (tables) => (pluginRow(tables, "openssl")["value"] = text(tables, "openssl").slice(0, 2000))],
    ["no private key", (tables) => (pluginRow(tables, "openssl")["value"] = text(tables, "openssl").split("@")[0]!)],
    ["rubbish for a key", (tables) => (pluginRow(tables, "openssl")["value"] = "x@@@@@@@@y")],
    [
      "another key's private half",
      (tables) => {
        const [certificate] = text(tables, "openssl").split("@@@@@@@@");
        const { privateKey } = makeSite(A);
        const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
        pluginRow(tables, "openssl")["value"] = `${certificate}@@@@@@@@${pem}`;
      },
    ],
    [
      "a history that was cut",
      (tables) => (pluginRow(tables, "openssl_history")["value"] = text(tables, "openssl_history").slice(0, -9)),
    ],
    [
      "a history with other line ends",
      (tables) =>
        (pluginRow(tables, "openssl_history")["value"] = text(tables, "openssl_history").replaceAll("\n", "\r\n")),
    ],
    [
      "a history that is an object",
      (tables) => (pluginRow(tables, "openssl_history")["value"] = 'O:8:"stdClass":0:{}'),
    ],
    ["a history of numbers", (tables) => (pluginRow(tables, "openssl_history")["value"] = "a:1:{i:0;i:5;}")],
    [
      "a wwwroot that its key is not of",
      (tables) => (rowOf(tables, "mnet_host", { id: 1 })["wwwroot"] = "https://moved.example"),
    ],
  ])("with %s is refused, and nothing is imported", async (_, change) => {
    expect(await refused(change)).toMatchObject({ code: "MNET_MOODLE_KEYS_UNREADABLE" });
  });

  it("without a history has one key", async () => {
    const { report } = await imported((tables) => {
      pluginRow(tables, "openssl_history")["value"] = "a:0:{}";
    });
    expect(report.imported.keys).toBe(1);
  });

  it("with another wwwroot than expected is refused", async () => {
    const error = await refused(() => undefined, { wwwroot: "https://lms.example.edu" });
    expect(error).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "wwwroot" });
    expect((await imported(undefined, { wwwroot: `${A}/` })).report.wwwroot).toBe(A);
  });

  it("with peers that can be none leaves those out, and says so", async () => {
    const { store, report } = await imported((tables) => {
      const { rows } = tables["mnet_host"]!;
      const template = rowOf(tables, "mnet_host", { id: 3 });
      rowOf(tables, "mnet_host", { id: 4 })["public_key"] = "";
      rows.push({ ...template, id: 20, wwwroot: "http://MOODLE-B.test:8102" });
      rows.push({ ...template, id: 21, wwwroot: "ftp://else.test" });
      rows.push({ ...template, id: 22, wwwroot: "" });
      rows.push({ ...template, id: 23, wwwroot: "http://other.test" });
      const small = makeSite("https://small.test");
      rows.push({
        ...template,
        id: 24,
        name: "",
        wwwroot: "https://small.test",
        public_key: small.certificate.pem,
        applicationid: 99,
        last_connect_time: 0,
      });
      rowOf(tables, "mnet_sso_access_control", { username: "mauser" })["mnet_host_id"] = 4;
    });
    expect(report.warnings.map(({ host }) => host)).toEqual([
      "http://mahara.test:8110",
      "http://MOODLE-B.test:8102",
      "ftp://else.test",
      "host 22",
      "http://other.test",
      "https://small.test",
      "https://small.test",
      "https://small.test",
    ]);
    const messages = report.warnings.map(({ message }) => message).join("\n");
    expect(messages).toContain("mnet peers set 24 legacy.tls=none");
    expect(messages).toContain("legacy.smallKeys");
    expect(await store.peers.find(24 as never)).toMatchObject({
      name: "small.test",
      application: "moodle",
      settings: { legacy: { smallKeys: true } },
    });
    expect(await store.peers.find(24 as never)).not.toHaveProperty("lastContactAt");
    // The rule of a peer that did not come over is nobody's.
    expect(report.imported).toMatchObject({ peers: 4, accessRules: 1 });
  });

  it("into a store that is in use is refused", async () => {
    const { store } = await imported();
    const before = await store.keys.list();
    expect(await codeOf(() => importMoodle(store, moodleOf(recordedTables())))).toBe("MNET_STORE_NOT_EMPTY");
    expect(await store.keys.list()).toEqual(before);
  });

  it("that fails while it is read leaves nothing", async () => {
    const store = memoryStore();
    const database = moodleOf(recordedTables());
    const failing = {
      ...database,
      rows: (...all: Parameters<typeof database.rows>) =>
        all[0] === "mnet_sso_access_control" ? Promise.reject(new Error("gone away")) : database.rows(...all),
    };
    await expect(importMoodle(store, failing)).rejects.toThrow("gone away");
    expect(await store.keys.list()).toEqual([]);
  });

  it("says what its settings were", async () => {
    const { report } = await imported((tables) => {
      rowOf(tables, "config", { name: "mnet_dispatcher_mode" })["value"] = "off";
      rowOf(tables, "config", { name: "mnet_register_allhosts" })["value"] = "1";
      pluginRow(tables, "openssl_generations")["value"] = "99";
      tables["config"]!.rows.push({ id: 999, name: "mnetkeylifetime", value: "365" });
    });
    expect(report.host).toEqual({
      wwwroot: A,
      enabled: false,
      registerStrangers: true,
      keys: { generations: 7, lifetimeMs: 365 * 86_400_000 },
    });
  });
});

describe("the recorded Moodle", () => {
  it("is the same as SQL and as rows", () => {
    const sql = readFileSync(new URL("../../fixtures/moodle-4.5-database.sql", import.meta.url), "utf8");
    for (const [table, { rows }] of Object.entries(recordedTables())) {
      expect(sql.split(`INSERT INTO \`mdl_${table}\``).length - 1, table).toBe(rows.length);
    }
    expect(sql).not.toContain("$6$");
  });
});
