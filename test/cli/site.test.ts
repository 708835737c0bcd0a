import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import { createHost } from "../../src/create-host.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { Host } from "../../src/host/host.ts";
import { t } from "../../src/host/wire-type.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { generateKeyPair } from "../../src/keys/generate-key-pair.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { runCli as mnet, type CliResult as Run } from "./run-cli.ts";

const greeting = defineService({
  name: "greeting",
  methods: { hello: { params: { to: t.string() }, returns: t.string() } },
});
const LOOPBACK = { allowAddresses: ["127.0.0.0/8"] };

/** Our site with its SQLite file, and another one, both on real sockets: the commands are a second process of ours. */
describe("commands that administer a site", () => {
  let folder: string;
  let store: string;
  let ours: Host;
  let theirs: Host;
  const servers: Server[] = [];

  async function listen(): Promise<{ server: Server; wwwroot: string }> {
    const server = createServer().listen(0, "127.0.0.1");
    servers.push(server);
    await new Promise((resolve) => server.once("listening", resolve));
    return { server, wwwroot: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mnet-cli-"));
    store = `sqlite:${join(folder, "site.db")}`;
    const here = await listen();
    ours = await createHost({
      wwwroot: here.wwwroot,
      name: "Our site",
      store: openStore(store),
      services: [greeting],
      network: LOOPBACK,
      maintenance: "manual",
    });
    here.server.on("request", nodeHandler(ours));
    const there = await listen();
    theirs = await createHost({
      wwwroot: there.wwwroot,
      name: "Their site",
      store: memoryStore(),
      services: [greeting.implement({ hello: ({ to }) => `Hello ${to}` })],
      network: LOOPBACK,
      maintenance: "manual",
    });
    there.server.on("request", nodeHandler(theirs));
    await theirs.peers.setServices(await theirs.peers.add(ours.wwwroot), { greeting: "publish" });
  });
  afterAll(async () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    await Promise.all([ours.close(), theirs.close()]);
    await rm(folder, { recursive: true });
  });

  const site = (...argv: string[]): Promise<Run> => mnet([...argv, "--store", store, "--allow-address", "127.0.0.0/8"]);
  const json = async (...argv: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await site(...argv, "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout);
  };

  it("adds a peer only after its fingerprint was confirmed", async () => {
    expect((await site("peers", "add", theirs.wwwroot)).code).toBe(2);
    expect(await json("peers", "list")).toEqual([]);
    expect((await site("peers", "add", theirs.wwwroot, "--fingerprint", "00".repeat(32))).code).toBe(1);

    const { fingerprint } = await theirs.keys.current();
    const added = await site("peers", "add", theirs.wwwroot, "--fingerprint", fingerprint);
    expect(added.code).toBe(0);
    expect(added.stdout).toContain(fingerprint);
    expect(await json("peers", "list")).toMatchObject([{ id: 1, wwwroot: theirs.wwwroot, name: "Their site" }]);
    expect(await json("peers", "show", "1")).toMatchObject({ state: "active", settings: { clock: "tolerant" } });
    expect((await site("peers", "add", theirs.wwwroot, "--yes")).stderr).toContain("MNET_PEER_EXISTS");
  });

  it("changes settings by name, and back", async () => {
    expect(await json("peers", "set", "1", "timeoutMs=1234", "clock=strict", "legacy.smallKeys=true")).toMatchObject({
      settings: { timeoutMs: 1234, clock: "strict", legacy: { smallKeys: true } },
    });
    expect(await json("peers", "set", theirs.wwwroot, "timeoutMs=", "clock=", "legacy=")).toMatchObject({
      settings: { timeoutMs: 30_000, clock: "tolerant" },
    });
    expect((await site("peers", "set", "1", "nonsense=1")).code).not.toBe(0);
    expect((await site("peers", "set", "1", "nonsense")).code).toBe(2);
  });

  it("shows both sides' boxes and ticks ours", async () => {
    await json("services", "set", "1", "greeting=subscribe");
    expect(await json("services", "show", "1")).toMatchObject([
      { service: "greeting", here: "subscribe", missing: [] },
    ]);
    await json("services", "set", "all-hosts", "greeting=off");
    expect((await site("services", "set", "1", "greeting=maybe")).code).not.toBe(0);
  });

  it("calls any method and prints JSON", async () => {
    const { code, stdout } = await site("call", "1", "greeting/hello", "Ada");
    expect({ code, answer: JSON.parse(stdout) as unknown }).toEqual({ code: 0, answer: "Hello Ada" });
    const refused = await site("call", theirs.wwwroot, "no/such", "[1]");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("MNET_REMOTE_FAULT");
    expect((await site("call", "1", "greeting/hello", "{oops")).code).toBe(2);
  });

  it("suspends, resumes and refreshes", async () => {
    expect(await json("peers", "suspend", "1")).toMatchObject({ state: "suspended" });
    expect((await site("call", "1", "greeting/hello", "Ada")).stderr).toContain("MNET_PEER_NOT_ACTIVE");
    expect(await json("peers", "resume", "1")).toMatchObject({ state: "active" });
    expect((await site("peers", "refresh", "1")).code).toBe(0);
  });

  it("shows, tries and makes a rotation, and revokes", async () => {
    const before = (await json("keys", "show")) as { fingerprint: string; state: string }[];
    expect(before).toMatchObject([{ state: "current" }]);
    expect(await json("keys", "rotate", "--dry-run")).toMatchObject({
      dryRun: true,
      peers: [{ outcome: "will-learn" }],
    });
    expect(await json("keys", "rotate")).toMatchObject({ dryRun: false, peers: [{ outcome: "knows" }] });
    expect(await json("keys", "revoke", before[0]!.fingerprint, "--reason", "a test")).toMatchObject({ peers: [] });
    expect(await json("keys", "show")).toMatchObject([{ state: "current" }, { state: "revoked" }]);
    const exported = await site("keys", "export-certificate");
    expect(exported.stdout).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
    for (const { stdout } of [exported, await site("keys", "show")]) expect(stdout).not.toContain("PRIVATE");
  });

  it("SEC-032 gives a peer a key of its own, and takes it back; the site's own process sees it", async () => {
    const pinned = async (): Promise<string> => (await theirs.peers.get(ours.wwwroot)).key.fingerprint;
    const certificate = async (...argv: string[]): Promise<string> =>
      new X509Certificate((await site("keys", "export-certificate", ...argv)).stdout).fingerprint256
        .replaceAll(":", "")
        .toLowerCase();
    const shared = await certificate();
    expect(await pinned()).toBe(shared);
    expect(await json("peers", "set", "1", "keyPair=own")).toMatchObject({ settings: { keyPair: "own" } });
    expect(await json("maintain")).toMatchObject({ rotated: true, failed: [] });
    const own = await certificate("--peer", theirs.wwwroot);
    expect(own).not.toBe(shared);
    expect(await certificate()).toBe(shared);
    expect(await pinned()).toBe(own);
    expect(await theirs.call(await theirs.peers.get(ours.wwwroot), "system/listServices")).toMatchObject([{}]);
    expect(await json("keys", "show")).toMatchObject([{ state: "current", peer: 1 }, { state: "current" }, {}]);
    const lines = (await site("keys", "show")).stdout.split("\n");
    expect(lines.find((line) => line.startsWith(own))).toContain(theirs.wwwroot);
    expect(lines.find((line) => line.startsWith(shared))).toContain("all others");

    expect(await json("keys", "rotate")).toMatchObject({ peers: [{ outcome: "knows", ownKey: { from: own } }] });
    expect(await pinned()).toBe(await certificate("--peer", "1"));
    await json("peers", "set", "1", "keyPair=");
    expect(await json("keys", "rotate")).toMatchObject({ peers: [{ outcome: "knows" }] });
    expect(await pinned()).toBe(await certificate());
    expect(await pinned()).toBe(await certificate("--peer", "1"));
    expect((await site("peers", "set", "1", "keyPair=theirs")).stderr).toContain("MNET_CONFIG_INVALID");
    expect((await site("keys", "export-certificate", "--peer", "99")).stderr).toContain("MNET_PEER_UNKNOWN");
  });

  it("makes keys that last as long as those of the site", async () => {
    const lifetimeMs = 90 * 24 * 60 * 60 * 1000;
    const other = `sqlite:${join(folder, "other.db")}`;
    const host = await createHost({
      wwwroot: "https://other.example",
      name: "Another site",
      store: openStore(other),
      keys: { lifetimeMs },
      maintenance: "manual",
    });
    await host.close();
    expect((await mnet(["keys", "rotate", "--store", other])).code).toBe(0);
    const { stdout } = await mnet(["keys", "show", "--store", other, "--json"]);
    const keys = JSON.parse(stdout) as { state: string; notBefore: string; notAfter: string }[];
    expect(keys.map(({ state }) => state)).toEqual(["current", "archived"]);
    for (const { notBefore, notAfter } of keys) {
      expect(Date.parse(notAfter) - Date.parse(notBefore)).toBe(lifetimeMs);
    }
  });

  it("shows the log and the figures", async () => {
    const { items } = (await json("log", "--peer", "1", "--type", "peer.changed")) as { items: { type: string }[] };
    expect(items.length).toBeGreaterThan(3);
    expect(new Set(items.map(({ type }) => type))).toEqual(new Set(["peer.changed"]));
    expect((await site("log", "--limit", "2")).stdout).toContain("More: --after ");
    expect(await json("stats")).toMatchObject([{ peer: theirs.wwwroot, faultsByCode: { 7012: 1 } }]);
  });

  it("says and changes who may log in, by rule and by the peer's setting", async () => {
    expect(await json("access", "1")).toEqual({ peer: theirs.wwwroot, signIn: "allow", rules: [] });
    await json("access", "1", "--deny", "mallory", "eve", "--allow", "Ada");
    expect(await json("access", theirs.wwwroot, "--default", "eve")).toMatchObject({
      rules: [
        { username: "Ada", rule: "allow" },
        { username: "mallory", rule: "deny" },
      ],
    });
    await json("peers", "set", "1", "signIn=deny", "exportFields=city,idnumber");
    expect(await json("peers", "show", "1")).toMatchObject({
      settings: { signIn: "deny", exportFields: ["city", "idnumber"] },
    });
    expect((await site("access", "1")).stdout).toMatch(/^\(all others\) +deny$/m);
    const { items } = (await json("log", "--type", "sso.access-changed")) as { items: object[] };
    expect(items).toMatchObject([{ rule: "default" }, { rule: "deny" }, { rule: "deny" }, { rule: "allow" }]);
    expect((await site("access", "1", "--allow", " ada")).stderr).toContain("MNET_CONFIG_INVALID");
    expect((await site("access", "7")).stderr).toContain("MNET_PEER_UNKNOWN");
    expect((await site("peers", "set", "1", "exportFields=password")).stderr).toContain("MNET_CONFIG_INVALID");
  });

  it("lists the sessions that are shared with peers, until they have expired", async () => {
    expect(await json("sessions")).toEqual({ items: [] });
    const second = openStore(store);
    await second.open();
    const peer = (await ours.peers.get(theirs.wwwroot)).id;
    const now = Date.now();
    const shared = { peer, userAgentHash: "0".repeat(40), startedAt: now - 2000 };
    const ada = { ...shared, role: "sp", accountId: "7", username: "ada", sessionId: "secret-a" } as const;
    const bea = { ...shared, role: "idp", accountId: "8", username: "bea", sessionId: "secret-b" } as const;
    await second.sessions.save({ ...ada, expiresAt: now + 600_000 });
    await second.sessions.save({ ...bea, expiresAt: now + 600_000 });
    await second.sessions.save({ ...bea, accountId: "9", username: "eve", expiresAt: now - 1000 });
    await second.close();
    const { items } = (await json("sessions", "--peer", "1")) as { items: { username: string }[] };
    expect(items.map(({ username }) => username).sort()).toEqual(["ada", "bea"]);
    const { stdout } = await site("sessions", "--account", "7");
    expect(stdout).toMatch(/^ada +7 +http:\S+ +here /m);
    expect(stdout).not.toContain("bea");
    expect(stdout + JSON.stringify(items)).not.toContain("secret");
  });

  it("holds a certificate until exactly that one is approved", async () => {
    const subject = { wwwroot: theirs.wwwroot, name: "Their site", notBefore: new Date(), notAfter: new Date(2e12) };
    const { certificate } = await generateKeyPair({ ...subject, modulusBits: 2048 });
    const file = join(folder, "their-new.pem");
    await writeFile(file, certificate);
    const held = (await json("peers", "rekey", "1", "--certificate", file)) as { fingerprint: string };
    expect(await json("peers", "list", "--held")).toMatchObject([{ heldKey: { reason: "operator" } }]);
    expect((await site("peers", "approve", "1", "11".repeat(32))).stderr).toContain("MNET_KEY_NOT_HELD");
    expect(await json("peers", "approve", "1", held.fingerprint)).toMatchObject({
      key: { fingerprint: held.fingerprint },
    });
  });

  it("removes a peer, and says what it does not know", async () => {
    expect((await site("peers", "remove", "1")).code).toBe(0);
    expect((await site("peers", "show", "1")).stderr).toContain("MNET_PEER_UNKNOWN");
    expect((await mnet(["peers", "list", "--store", "postgres://x"])).code).toBe(1);
    expect((await mnet(["peers", "list", "--store", `sqlite:${join(folder, "new.db")}`])).code).toBe(2);
  });
});

describe("mnet migrate", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mnet-migrate-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("prepares a store, once, and prints the SQL of what is left", async () => {
    const arguments_ = ["--store", `sqlite:${join(folder, "site.db")}`, "--table-prefix", "hub_"];
    const printed = await mnet(["migrate", "--sql", ...arguments_]);
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    expect(printed.stdout).toMatch(/^-- 0001-base\ncreate table "hub_migration" /);
    const applied = await mnet(["migrate", ...arguments_]);
    expect(applied.code).toBe(0);
    expect(applied.stdout).toMatch(/^0001-base\n/);
    expect((await mnet(["migrate", ...arguments_])).stdout).toBe("The store is up to date.\n");
    expect((await mnet(["migrate", "--sql", ...arguments_])).stdout).toBe("");
    expect(JSON.parse((await mnet(["migrate", "--json", ...arguments_])).stdout)).toEqual({ applied: [] });
    const shown = await mnet(["peers", "list", "--json", "--wwwroot", "https://hub.test", ...arguments_]);
    expect(shown).toMatchObject({ code: 0, stderr: "" });
  });

  it("says what is wrong with the URL without showing it", async () => {
    for (const command of [["migrate"], ["peers", "list"]]) {
      const result = await mnet([...command, "--store", "postgres://mnet:hunter2@127.0.0.1:1/mnet?oops=1"]);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain("MNET_CONFIG_INVALID");
      expect(result.stderr).not.toContain("hunter2");
      const away = await mnet([...command, "--store", "postgres://mnet:hunter2@127.0.0.1:1/mnet"]);
      expect(away.code).toBe(1);
      expect(away.stderr).toContain("MNET_STORE_UNAVAILABLE: The database mnet on 127.0.0.1 cannot be reached");
      expect(away.stderr).not.toContain("hunter2");
    }
  });
});
