import { mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { memoryStore, openStore } from "../../src/stores.ts";

function refusal(url: unknown, options?: object): ConfigError {
  try {
    openStore(url as string, options);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error as ConfigError;
  }
  throw new Error(`${JSON.stringify(url)} was taken.`);
}

describe("openStore", () => {
  test.each([
    "",
    "mnet.db",
    "/var/lib/mnet.db",
    "sqlite",
    "sqlite:",
    "sqlite::memory:",
    "sqlite://data/mnet.db",
    "sqlite:data/",
    "sqlite:mnet.db?mode=ro",
    "sqlite:mnet\0.db",
    "sqlite:mnet\n.db",
    "memory",
    "memory:shared",
    "memory://",
    "file:mnet.db",
    "http://user:hunter2@db.test/mnet",
    "C:\\mnet.db",
    "node-sqlite:",
    "node-sqlite::memory:",
    ...["postgres", "postgresql", "mysql", "mariadb", "MySQL"].flatMap((scheme) => [
      `${scheme}:`,
      `${scheme}:mnet:hunter2`,
      `${scheme}://mnet:hunter2@db.test`,
      `${scheme}://mnet:hunter2@db.test/`,
      `${scheme}://mnet:hunter2@db.test/mnet/other`,
      `${scheme}://mnet:hunter2@db.test/mnet#hunter2`,
      `${scheme}://mnet:hunter2%@db.test/mnet`,
      `${scheme}://mnet:hunter2@db.test:port/mnet`,
      `${scheme}://mnet:hunter2@db.test/mnet?password=hunter2`,
      `${scheme}://mnet:hunter2@db.test/mnet?sslmode=hunter2`,
      `${scheme}://mnet:hunter2@db.test/mnet?sslmode=require&sslrootcert=ca.pem`,
      `${scheme}://mnet:hunter2@db.test/mnet?sslmode=require&sslmode=disable`,
      `${scheme}:///mnet`,
    ]),
    "postgres://mnet:hunter2@db.test/mnet?schema=a;b",
    "mysql://mnet:hunter2@db.test/mnet?schema=other",
    "hunter2://x",
    5,
    null,
    {},
  ])("refuses %j without showing it", (url) => {
    for (const given of typeof url === "string" ? [url, new Secret(url)] : []) {
      const error = refusal(given);
      expect(error).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "url" });
      expect(inspect(error, { depth: 9 })).not.toContain("hunter2");
      expect(JSON.stringify(error)).not.toContain("hunter2");
    }
    if (typeof url !== "string") expect(refusal(url)).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "url" });
  });

  test("takes a server's URL and connects to nobody", async () => {
    const urls = [
      "postgres://mnet:hunter2@db.test/mnet",
      "PostgreSQL://mnet:hunter2@[::1]:5433/mnet?sslmode=verify-full&sslrootcert=ca.pem&schema=site_1",
      "postgres:///mnet?socket=/run/postgresql&user=mnet",
      "mysql://mnet:p%40ss%2Fw%25@db.test:3307/mnet?sslmode=require",
      "mariadb:///mnet?socket=/run/mysqld/mysqld.sock",
    ];
    for (const url of urls) await openStore(url).close();
  });

  test.each([
    [{ maxConnections: 0 }, "maxConnections"],
    [{ maxConnections: -1 }, "maxConnections"],
    [{ maxConnections: NaN }, "maxConnections"],
    [{ maxConnections: 1.5 }, "maxConnections"],
    [{ maxConnections: "9" }, "maxConnections"],
    [{ tablePrefix: "a-" }, "tablePrefix"],
    [{ prefix: "a_" }, "prefix"],
    [{ toString: "a_" }, "toString"],
  ])("refuses the options %j", (options, option) => {
    for (const url of ["memory:", "sqlite:mnet.db"]) {
      expect(refusal(url, options)).toMatchObject({ code: "MNET_CONFIG_INVALID", option });
    }
  });

  test("takes undefined as left out", async () => {
    await openStore("memory:", { tablePrefix: undefined, maxConnections: undefined }).open();
  });

  test("opens nothing before it is needed, and a relative file where the process was then", async () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), "mnet-open-")));
    const before = process.cwd();
    try {
      process.chdir(directory);
      const stores = [
        openStore("sqlite:mnet.db"),
        openStore(new Secret('sqlite:./it\'s "odd" #1 ü%20.db')),
        openStore(`SQLITE:${directory}/absolute.db`),
        openStore(`sqlite://${directory}/three-slashes.db`),
      ];
      process.chdir(before);
      expect(readdirSync(directory)).toEqual([]);
      for (const store of stores) {
        await store.open();
        await store.close();
      }
      const made = readdirSync(directory).filter((name) => name.endsWith(".db"));
      expect(made.sort()).toEqual(["absolute.db", 'it\'s "odd" #1 ü%20.db', "mnet.db", "three-slashes.db"].sort());
    } finally {
      process.chdir(before);
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("every store in memory is a new one", async () => {
    const [one, other, third] = [openStore("memory:"), openStore("memory:"), memoryStore()];
    await one.peers.changeAllHostsServices({ sso_idp: "both" });
    expect(await other.peers.allHostsServices()).toEqual({});
    expect(await third.peers.allHostsServices()).toEqual({});
  });
});
