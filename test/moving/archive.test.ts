import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../src/core/ids.ts";
import { Secret } from "../../src/core/secret.ts";
import { createHost } from "../../src/create-host.ts";
import type { KeyOptions } from "../../src/host/host-options.ts";
import type { StoreRecord } from "../../src/host/store-record.ts";
import type { Store } from "../../src/host/store.ts";
import { exportSite, writeArchive } from "../../src/moving/archive/export-site.ts";
import { importSite } from "../../src/moving/archive/import-site.ts";
import { siteRecords } from "../../src/moving/archive/site-records.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { insertPeer, noTransport } from "../support/hosts.ts";
import { makeSite } from "../support/sites.ts";
import { usedHeap } from "../support/used-heap.ts";

const PASSPHRASE = new Secret("a passphrase of the archive");
/** Of the hundreds of archives here, each would cost a third of a second. */
const CHEAP = { log2N: 7, r: 8, p: 1 };
const NOW = new Date("2026-06-01T00:00:00Z");
const HOSTILE = "Zoë's “Ångström” \\ \u{1f600}\r\n日本\u2028";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mnet-archive-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});
const sqlite = (name: string): Store => openStore(`sqlite:${join(folder, name)}`);

/** A site with something of everything. */
async function fill(store: Store, keys: KeyOptions = {}): Promise<void> {
  const host = await createHost({
    wwwroot: "https://lms.example.edu",
    name: "Example LMS",
    store,
    keys,
    maintenance: "manual",
    transport: noTransport,
  });
  await host.keys.rotate();
  const { to } = await host.keys.rotate();
  await host.keys.revoke((await host.keys.all())[1]!.fingerprint, { reason: "a test" });
  expect(to).toBeDefined();
  for (const [index, state] of (["active", "suspended", "pending", "deleted"] as const).entries()) {
    const wwwroot = `https://peer-${index}.example`;
    const { id } = await insertPeer(store, { wwwroot, certificate: makeSite(wwwroot).certificate });
    const record = await store.peers.find(id);
    const proof = state === "active" ? { profile: { proved: "secure/1", provedAt: 17 } as const } : {};
    await store.peers.update({ ...record!, name: HOSTILE, state, services: { sso_idp: "both" }, ...proof });
  }
  const peer = 1 as PeerId;
  await host.peers.set({ id: peer }, { keyPair: "own" });
  expect(await host.keys.current({ id: peer })).toMatchObject({ peer });
  await store.peers.changeAllHostsServices({ sso_sp: "publish" });
  await store.access.set(peer, HOSTILE, "deny");
  await store.stats.add(peer, {
    callsIn: 5,
    callsOut: 1,
    secureCalls: 2,
    bytesIn: 7,
    bytesOut: 8,
    faultsByCode: { 7012: 1, [-1]: 2 },
    latencies: [0, 0, 1],
  });
  await store.sessions.save({
    role: "sp",
    peer,
    accountId: HOSTILE,
    username: HOSTILE,
    userAgentHash: "0".repeat(40),
    sessionId: "s",
    startedAt: 1,
    expiresAt: 2,
  });
  await store.remoteCourses.replaceCourses(peer, [{ id: 5, fields: { fullname: HOSTILE } }], 9);
  const row = { username: HOSTILE, roleName: "", method: "mnet" };
  await store.remoteCourses.replaceEnrolments(peer, 5, [row, { ...row, method: "manual", changedAt: 3 }], 10);
  await host.close();
}

async function contentOf(store: Store): Promise<StoreRecord[]> {
  const records: StoreRecord[] = [];
  for await (const record of siteRecords(store)) records.push(record);
  return records;
}

async function archiveOf(store: Store, keys: KeyOptions = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeArchive(store, { passphrase: PASSPHRASE, keys, now: NOW }, CHEAP)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* pieces(archive: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size);
}

describe("an archive", { timeout: 120_000 }, () => {
  it("brings a site from one engine to another, and back, as it was", async () => {
    await fill(sqlite("first.db"));
    const first = sqlite("first.db");
    const content = await contentOf(first);
    expect(new Set(content.map(({ kind }) => kind)).size).toBe(8);
    const memory = memoryStore();
    const report = await importSite(memory, pieces(await archiveOf(first)), { passphrase: PASSPHRASE });
    expect(report).toEqual({
      createdAt: NOW,
      records: { key: 4, "all-hosts": 1, session: 1, peer: 4, stats: 1, access: 1, courses: 1, enrolments: 1 },
    });
    expect(await contentOf(memory)).toEqual(content);
    const second = sqlite("second.db");
    await importSite(second, pieces(await archiveOf(memory), 1), { passphrase: PASSPHRASE });
    expect(await contentOf(second)).toEqual(content);
    await first.close();
    const host = await createHost({
      maintenance: "manual",
      wwwroot: "https://lms.example.edu",
      name: "A",
      store: second,
      transport: noTransport,
    });
    expect((await host.keys.all()).map(({ state, peer }) => [state, peer])).toEqual([
      ["current", 1],
      ["current", undefined],
      ["revoked", undefined],
      ["archived", undefined],
    ]);
    await host.close();
  });

  it("SEC-051 holds no private key that can be read, and none is plain on the way", async () => {
    const [here, there] = [new Secret("passphrase of the old store"), new Secret("passphrase of the new store")];
    const store = memoryStore();
    await fill(store, { encryptWith: here });
    expect(await codeOf(() => archiveOf(store))).toBe("MNET_STORE_KEY_WRONG");
    const archive = await archiveOf(store, { encryptWith: here });
    expect(archive.toString("latin1")).not.toContain("PRIVATE KEY");
    expect(archive.toString("latin1")).not.toContain(Buffer.from("-----BEGIN PRIVATE").toString("base64").slice(0, 20));
    const target = sqlite("target.db");
    await importSite(target, pieces(archive), { passphrase: PASSPHRASE, keys: { encryptWith: there } });
    const options = {
      wwwroot: "https://lms.example.edu",
      name: "A",
      maintenance: "manual",
      transport: noTransport,
    } as const;
    await target.close();
    for (const file of ["target.db"]) expect(readFileSync(join(folder, file), "latin1")).not.toContain("PRIVATE KEY");
    const store2 = sqlite("target.db");
    const host = await createHost({ ...options, store: store2, keys: { encryptWith: there } });
    expect(await host.keys.all()).toHaveLength(4);
    await host.close();
  });

  it("is JSON, a line a record, with a version", async () => {
    const store = memoryStore();
    await fill(store);
    const lines = (await archiveOf(store)).toString("utf8").split("\n");
    expect(lines.pop()).toBe("");
    const values = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(values[0]).toMatchObject({ format: "mnet-archive", version: 1, createdAt: NOW.toISOString() });
    expect(values.at(-1)).toMatchObject({ kind: "end", records: values.length - 2 });
  });

  it("of an empty store is an empty site", async () => {
    const store = memoryStore();
    const { records } = await importSite(store, pieces(await archiveOf(memoryStore())), { passphrase: PASSPHRASE });
    expect(records).toEqual({});
  });

  it("leaves out keys that were only prepared", async () => {
    const store = memoryStore();
    await fill(store);
    const [key] = await store.keys.list();
    await store.keys.prepare({ ...key!, fingerprint: "f".repeat(64) as never });
    const target = memoryStore();
    await importSite(target, pieces(await archiveOf(store)), { passphrase: PASSPHRASE });
    expect(await target.keys.list()).toHaveLength(4);
  });
});

describe("an archive that is not as it should be", { timeout: 120_000 }, () => {
  let archive: Buffer;
  let target: Store;
  beforeEach(async () => {
    const store = memoryStore();
    await fill(store);
    archive = await archiveOf(store);
    target = sqlite("target.db");
    return () => target.close();
  });
  const refusal = async (source: AsyncIterable<Uint8Array>, passphrase = PASSPHRASE): Promise<unknown> => {
    const error = await errorOf(() => importSite(target, source, { passphrase }));
    expect(await contentOf(target)).toEqual([]);
    return error;
  };
  const lines = (): string[] => archive.toString("utf8").split(/(?<=\n)/);
  const changed = (change: (all: string[]) => void): AsyncIterable<Uint8Array> => {
    const all = lines();
    change(all);
    return pieces(Buffer.from(all.join("")));
  };

  it("cut anywhere is refused as incomplete, and nothing is imported", async () => {
    const starts = lines().map((_, index, all) => Buffer.byteLength(all.slice(0, index).join("")));
    const lengths = starts.flatMap((start) => [start, start + 1, start + 40]);
    for (const length of [...lengths, archive.length - 1]) {
      expect(await refusal(pieces(archive.subarray(0, length)))).toMatchObject({ code: "MNET_ARCHIVE_INCOMPLETE" });
    }
  });

  it("with any line changed, dropped, doubled or moved is refused, and nothing is imported", async () => {
    const codes = new Set<unknown>();
    const last = lines().length - 1;
    for (let at = 1; at < last; at += 1) {
      for (const change of [
        (all: string[]) => all.splice(at, 1),
        (all: string[]) => all.splice(at, 0, all[at]!),
        (all: string[]) => all.splice(1, 0, ...all.splice(at === 1 ? 2 : at, 1)),
        (all: string[]) => (all[at] = all[at]!.replace("}\n", " }\n")),
      ]) {
        const error = await refusal(changed(change));
        codes.add((error as { code?: unknown }).code);
      }
    }
    // A doubled record is refused by the database, before the end is reached; a changed base64 by the cipher.
    expect([...codes].map(String).sort()).toEqual(expect.arrayContaining(["MNET_ARCHIVE_TAMPERED"]));
    for (const code of codes) expect(String(code)).toMatch(/^MNET_/);
  });

  it.each<[what: string, code: string, change: (all: string[]) => void]>([
    ["no archive at all", "MNET_ARCHIVE_MALFORMED", (all) => all.splice(0, 99, "<html>\n")],
    ["another JSON", "MNET_ARCHIVE_MALFORMED", (all) => all.splice(0, 99, '{"version":1}\n')],
    ["null", "MNET_ARCHIVE_MALFORMED", (all) => all.splice(0, 99, "null\n")],
    ["a newer version", "MNET_ARCHIVE_VERSION", (all) => (all[0] = all[0]!.replace('"version":1', '"version":2'))],
    ["a header without salt", "MNET_ARCHIVE_MALFORMED", (all) => (all[0] = all[0]!.replace(/"salt":"[^"]*"/, '"x":1'))],
    ["a cost of 64 GiB", "MNET_ARCHIVE_MALFORMED", (all) => (all[0] = all[0]!.replace('"log2N":7', '"log2N":26'))],
    [
      "another salt",
      "MNET_ARCHIVE_PASSPHRASE_WRONG",
      (all) => (all[0] = all[0]!.replace(/"salt":"..../, '"salt":"AAAA')),
    ],
    ["another date", "MNET_ARCHIVE_TAMPERED", (all) => (all[0] = all[0]!.replace("2026", "2025"))],
    ["a line that is no JSON", "MNET_ARCHIVE_MALFORMED", (all) => (all[2] = "{oops\n")],
    ["a record of no kind", "MNET_ARCHIVE_MALFORMED", (all) => (all[2] = '{"kind":"else"}\n')],
    ["a record with a field more", "MNET_ARCHIVE_MALFORMED", (all) => (all[2] = all[2]!.replace("{", '{"x":1,'))],
    ["a line after the end", "MNET_ARCHIVE_MALFORMED", (all) => all.push("{}\n")],
    [
      "another number of records",
      "MNET_ARCHIVE_TAMPERED",
      (all) => all.push(all.pop()!.replace(/"records":\d+/, '"records":1')),
    ],
    ["another digest", "MNET_ARCHIVE_TAMPERED", (all) => all.push(all.pop()!.replace(/"hmac":"..../, '"hmac":"AAAA'))],
  ])("%s is %s", async (_, code, change) => {
    expect(await refusal(changed(change))).toMatchObject({ code });
  });

  it("made with another passphrase says so", async () => {
    const error = await refusal(pieces(archive), new Secret("of somebody else"));
    expect(error).toMatchObject({ code: "MNET_ARCHIVE_PASSPHRASE_WRONG" });
    expect(String(error)).not.toContain("of somebody else");
  });

  it("cannot be made with a short passphrase", async () => {
    const error = await errorOf(() => exportSite(memoryStore(), { passphrase: new Secret("short") }).next());
    expect(error).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "passphrase" });
  });

  it("whose file goes away in the middle leaves nothing", async () => {
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield archive.subarray(0, archive.length / 2);
      throw new Error("the disk is gone");
    };
    await expect(importSite(target, source(), { passphrase: PASSPHRASE })).rejects.toThrow("the disk is gone");
    expect(await contentOf(target)).toEqual([]);
  });

  it("is not taken into a store that is in use", async () => {
    await target.open();
    await target.peers.changeAllHostsServices({ sso_idp: "publish" });
    const before = await contentOf(target);
    const error = await errorOf(() => importSite(target, pieces(archive), { passphrase: PASSPHRASE }));
    expect(error).toMatchObject({ code: "MNET_STORE_NOT_EMPTY" });
    expect(await contentOf(target)).toEqual(before);
  });
});

describe("SEC-084 a site of any size", () => {
  it("SEC-084 needs no more memory than a small one", { timeout: 120_000 }, async () => {
    const PEERS = 20_000;
    const { certificate } = makeSite("https://peer.example");
    const store = sqlite("large.db");
    await store.open();
    await store.restore(
      (async function* (): AsyncGenerator<StoreRecord> {
        for (let id = 1; id <= PEERS; id += 1) {
          const wwwroot = `https://peer-${id}.example` as never;
          const peer = {
            ...{ id: id as PeerId, version: 1, wwwroot, canonical: wwwroot, name: "x", application: "moodle" as const },
            ...{ state: "active" as const, certificate: certificate.pem, retired: [], settings: {}, services: {} },
          };
          yield { kind: "peer", peer };
        }
      })(),
    );
    const file = join(folder, "large.mnet");
    let highest = 0;
    const watched = async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      let chunks = 0;
      for await (const chunk of source) {
        if ((chunks += 1) % 100 === 0) highest = Math.max(highest, usedHeap());
        yield chunk;
      }
    };
    const before = usedHeap();
    await pipeline(exportSite(store, { passphrase: PASSPHRASE }), watched, createWriteStream(file, { mode: 0o600 }));
    const target = sqlite("target.db");
    await importSite(target, watched(createReadStream(file)), { passphrase: PASSPHRASE });
    // The archive has 25 MB, and what it says of the peers is more in memory.
    expect(readFileSync(file).length).toBeGreaterThan(20_000_000);
    expect(highest - before).toBeLessThan(15_000_000);
    expect((await target.peers.find(PEERS as PeerId))?.wwwroot).toBe(`https://peer-${PEERS}.example`);
    await store.close();
    await target.close();
  });
});
