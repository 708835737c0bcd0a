import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { pinoObserver } from "../../src/adapters/pino-observer.ts";
import { Background } from "../../src/core/background.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { MnetEvent } from "../../src/core/events.ts";
import type { Fingerprint, PeerId } from "../../src/core/ids.ts";
import { neutralText } from "../../src/core/neutral-text.ts";
import { encryptMessage } from "../../src/envelope/encrypted-message.ts";
import { seal } from "../../src/envelope/seal.ts";
import { defineService } from "../../src/host/define-service.ts";
import { EventHub } from "../../src/host/event-hub.ts";
import { Fault } from "../../src/host/fault.ts";
import type { Host } from "../../src/host/host.ts";
import type { LogEntry, LogFilter } from "../../src/host/log-store.ts";
import { t } from "../../src/host/wire-type.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import {
  ALICE,
  aliceCalls,
  insertPeer,
  keyedSite,
  OUR_WWWROOT,
  post,
  request,
  rig,
  transportTo,
  withBadSignature,
  withoutSignature,
  wrap,
  type Rig,
} from "../support/hosts.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const temporary: string[] = [];
afterEach(() => {
  for (const folder of temporary.splice(0)) rmSync(folder, { recursive: true });
});
function databaseUrl(): string {
  const folder = mkdtempSync(join(tmpdir(), "mnet-log-"));
  temporary.push(folder);
  return `sqlite:${join(folder, "mnet.db")}`;
}

const DAY_MS = 86_400_000;
const bob = keyedSite("https://bob.example", 2);
const oldKey = keyedSite(OUR_WWWROOT, 5);
const GARBAGE = Buffer.from("no XML at all");

async function entriesOf(host: Host, filter?: LogFilter): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of host.log(filter)) entries.push(entry);
  return entries;
}

describe("the log", () => {
  it.each(["memory:", "sqlite:"])("is newest first, and what has just happened is in it (%s)", async (engine) => {
    await using us = await rig({ store: openStore(engine === "sqlite:" ? databaseUrl() : engine) });
    await us.clock.advance(1000);
    await us.host.peers.setServices({ id: us.aliceId }, { nothing: "off" });
    await us.clock.advance(1000);
    await request(us.host, { body: GARBAGE });
    const entries = await entriesOf(us.host);
    expect(entries.map(({ type }) => type)).toEqual(["call.refused", "peer.changed"]);
    expect(entries.map(({ at }) => at.getTime() - entries[1]!.at.getTime())).toEqual([1000, 0]);
    const [refused, changed] = entries;
    expect(refused!.sequence).toBeGreaterThan(changed!.sequence);
    expect(refused).toMatchObject({ level: "warn", remoteAddress: "192.0.2.7", faultCode: 7021 });
  });

  it("waits for a slow store", async () => {
    const store = memoryStore();
    const append = store.log.append.bind(store.log);
    store.log.append = async (events) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return append(events);
    };
    await using us = await rig({ store });
    await request(us.host, { body: GARBAGE });
    await request(us.host, { body: GARBAGE });
    expect(await entriesOf(us.host)).toHaveLength(2);
  });

  it("holds no calls that went well, which are counted instead", async () => {
    await using us = await rig();
    await post(us.host, aliceCalls(us, "system/listMethods"));
    await post(us.host, encodeCall("system/keyswap", []));
    expect(us.events.map(({ type }) => type)).toEqual(["call.served", "keyswap.answered"]);
    expect(await entriesOf(us.host)).toEqual([]);
  });

  it("is filtered by peer, type, code and time, and by all of them", async () => {
    await using us = await rig();
    const start = us.clock.now();
    const { id: bobId } = await insertPeer(us.store, bob);
    const ids = new Map<string, PeerId>([
      ["alice", us.aliceId],
      ["bob", bobId],
    ]);
    for (const name of ["alice", "bob", "alice"]) {
      await us.host.peers.setServices({ id: ids.get(name)! }, { nothing: "off" });
      await us.clock.advance(1000);
    }
    await post(us.host, aliceCalls(us, "no/such"));
    await post(us.host, GARBAGE);

    const found = async (filter: LogFilter) => (await entriesOf(us.host, filter)).length;
    expect(await found({})).toBe(5);
    expect(await found({ peer: { id: us.aliceId } })).toBe(3);
    expect(await found({ peer: { id: bobId } })).toBe(1);
    expect(await found({ type: "peer.changed" })).toBe(3);
    expect(await found({ code: "MNET_CALL_METHOD_UNKNOWN" })).toBe(1);
    expect(await found({ code: "MNET_STORE_TOO_NEW" })).toBe(0);
    expect(await found({ since: new Date(start + 1000) })).toBe(4);
    expect(await found({ until: new Date(start + 1000) })).toBe(1);
    expect(await found({ since: new Date(start + 1000), until: new Date(start + 2000) })).toBe(1);
    expect(await found({ peer: { id: us.aliceId }, type: "peer.changed", since: new Date(start + 1) })).toBe(1);
    // A peer as it comes from `peers.get` will do, and what is undefined does not restrict.
    const alice = await us.host.peers.get(us.aliceId);
    expect(await found({ peer: alice, type: undefined, code: undefined })).toBe(3);
  });

  it("is read by pages without gap or double, while more happens", async () => {
    await using us = await rig();
    for (let n = 0; n < 25; n += 1) await post(us.host, GARBAGE);
    const log = us.host.log({ type: "call.refused" });
    const sequences: number[] = [];
    let after: Awaited<ReturnType<typeof log.page>>["next"];
    do {
      const page = await log.page({ after, limit: 10 });
      sequences.push(...page.items.map(({ sequence }) => sequence));
      after = page.next;
      await post(us.host, GARBAGE);
    } while (after !== undefined);
    expect(sequences).toHaveLength(25);
    expect(sequences).toEqual([...sequences].sort((a, b) => b - a));
    expect(await entriesOf(us.host)).toHaveLength(28);
    expect((await us.host.log().page()).items).toHaveLength(28);
    expect(await codeOf(() => log.page({ limit: 0 }))).toBe("MNET_CONFIG_INVALID");
  });

  it.each([
    ["filter.peer", { peer: 7 }],
    ["filter.peer.id", { peer: { id: "7" } }],
    ["filter.since", { since: "2026-01-01" }],
    ["filter.until", { until: new Date(NaN) }],
    ["filter.type", { type: 5 }],
    ["filter.tpye", { tpye: "call.refused" }],
    ["filter", null],
  ])("a wrong %s is named", async (option, filter) => {
    await using us = await rig();
    const error = await errorOf(() => us.host.log(filter as unknown as LogFilter));
    expect(error).toMatchObject({ code: "MNET_CONFIG_INVALID", option });
  });

  it("of a closed host throws", async () => {
    const us = await rig();
    const log = us.host.log();
    await us.host.close();
    expect(await codeOf(() => log.page())).toBe("MNET_HOST_CLOSED");
    expect(await codeOf(() => us.host.stats({ id: us.aliceId }))).toBe("MNET_HOST_CLOSED");
    expect(await codeOf(() => us.host.maintain())).toBe("MNET_HOST_CLOSED");
  });

  it("has what a host told before it was closed", async () => {
    const url = databaseUrl();
    const us = await rig({ store: openStore(url) });
    await post(us.host, GARBAGE);
    await us.host.close();
    const again = openStore(url);
    await again.open();
    expect((await again.log.list({}, undefined, 10)).items).toHaveLength(1);
    await again.close();
  });
});

describe("SEC-090 the audit trail", () => {
  it("SEC-090 each rejection is exactly one event that is logged", async () => {
    const mallory = keyedSite("https://mallory.example", 3);
    const list = encodeCall("system/listServices", []);
    const bodies: readonly (readonly [code: string, body: (us: Rig) => Uint8Array | Promise<Uint8Array>])[] = [
      ["MNET_ENVELOPE_NOT_ENCRYPTED", () => GARBAGE],
      ["MNET_ENVELOPE_MALFORMED", () => Buffer.from("<encryptedMessage>")],
      ["MNET_ENVELOPE_TOO_LARGE", () => Buffer.alloc(20_000, "<")],
      ["MNET_ENVELOPE_NOT_ENCRYPTED", () => Buffer.from(list)],
      ["MNET_ENVELOPE_NOT_ENCRYPTED", ({ alice, ours }) => wrap(list, { from: alice, to: ours, form: "signed" })],
      ["MNET_ENVELOPE_NOT_SIGNED", ({ alice, ours }) => wrap(list, { from: alice, to: ours, form: "encrypted" })],
      ["MNET_ENVELOPE_NOT_SIGNED", (us) => aliceCalls(us, "a/b", [], { damage: withoutSignature })],
      ["MNET_ENVELOPE_SIGNATURE_INVALID", (us) => aliceCalls(us, "a/b", [], { damage: withBadSignature })],
      ["MNET_ENVELOPE_SENDER_MISMATCH", (us) => aliceCalls(us, "a/b", [], { inner: "https://bob.example" })],
      ["MNET_ENVELOPE_SIGNER_UNKNOWN", ({ ours }) => wrap(list, { from: mallory, to: ours })],
      ["MNET_ENVELOPE_DECRYPTION_FAILED", ({ alice }) => wrap(list, { from: alice, to: mallory })],
      ["MNET_ENVELOPE_DECRYPTION_FAILED", ({ alice }) => wrap(list, { from: alice, to: oldKey })],
      ["MNET_XMLRPC_UNEXPECTED_ROOT", ({ alice, ours }) => wrap("<nonsense>", { from: alice, to: ours })],
      ["MNET_CALL_METHOD_UNKNOWN", (us) => aliceCalls(us, "no/such")],
      ["MNET_CALL_METHOD_UNKNOWN", (us) => aliceCalls(us, "system/nosuch")],
    ];
    await using us = await rig({ limits: { requestBytes: 16_384 }, archived: [oldKey] });
    for (const [code, body] of bodies) {
      us.events.length = 0;
      const before = (await entriesOf(us.host)).length;
      await post(us.host, await body(us));
      expect(us.events).toMatchObject([{ type: "call.refused", code }]);
      const logged = await entriesOf(us.host);
      expect(logged).toHaveLength(before + 1);
      expect(logged[0]).toMatchObject({ type: "call.refused", code });
    }
  });

  it("SEC-090 a message that comes again is one entry, too", async () => {
    await using us = await rig();
    const body = aliceCalls(us, "system/listMethods");
    await post(us.host, body);
    await post(us.host, body);
    expect(us.told("replay.refused")).toHaveLength(1);
    expect(await entriesOf(us.host)).toMatchObject([{ type: "call.refused", code: "MNET_ENVELOPE_REPLAYED" }]);
  });

  it("SEC-090 there is nothing to change an entry with, and what a reader does to its copy stays with it", async () => {
    await using us = await rig();
    await post(us.host, GARBAGE);
    const [entry] = await entriesOf(us.host);
    Object.assign(entry!, { detail: "nothing happened" });
    expect(await entriesOf(us.host)).not.toMatchObject([{ detail: "nothing happened" }]);
    expect(Object.keys(us.store.log).sort()).toEqual(["append", "list", "prune"]);
  });
});

describe("SEC-084 the log is bounded", () => {
  it("SEC-084 of a flood of refusals it takes a thousand and then one a second, and says how many more there were", async () => {
    await using us = await rig();
    for (let n = 0; n < 3000; n += 1) await request(us.host, { body: GARBAGE });
    expect(us.told("call.refused")).toHaveLength(3000);
    const [skipped, ...entries] = await entriesOf(us.host);
    expect(entries).toHaveLength(1000);
    expect(skipped).toMatchObject({ type: "log.skipped", of: "call.refused", entries: 2000, level: "warn" });

    // What the administrator does, and what others do, is logged all the same.
    await us.host.peers.setServices({ id: us.aliceId }, { nothing: "off" });
    await post(us.host, aliceCalls(us, "no/such"));
    expect((await entriesOf(us.host)).slice(0, 2).map(({ type }) => type)).toEqual(["call.refused", "peer.changed"]);

    await us.clock.advance(10_000);
    for (let n = 0; n < 20; n += 1) await request(us.host, { body: GARBAGE });
    expect(await entriesOf(us.host, { type: "call.refused" })).toHaveLength(1000 + 1 + 10);
    expect(await entriesOf(us.host, { type: "log.skipped" })).toMatchObject([{ entries: 10 }, { entries: 2000 }]);
  });

  function hub(append: (events: readonly MnetEvent[]) => Promise<void>) {
    const background = new Background();
    const clock = fakeClock();
    const events = new EventHub({ clock, log: { ...memoryStore().log, append }, background });
    const emit = (n: number) =>
      events.emit({ type: "key.created", level: "info", fingerprint: String(n) as Fingerprint });
    return { events, emit, background };
  }

  it("SEC-084 what waits for a store that hangs is bounded, and what is lost is counted", async () => {
    const { promise, resolve } = withResolvers<undefined>();
    const written: MnetEvent[] = [];
    const { events, emit } = hub(async (batch) => {
      await promise;
      written.push(...batch);
    });
    for (let n = 0; n < 25_000; n += 1) emit(n);
    resolve(undefined);
    await events.flush();
    const last = written.at(-1)!;
    expect(last).toMatchObject({ type: "log.skipped" });
    expect(written.length).toBeLessThan(12_000);
    expect(last.type === "log.skipped" && last.entries + written.length - 1).toBe(25_000);
  });

  it("a store that is away loses no event while there is room, and keeps their order", async () => {
    let isAway = true;
    const written: MnetEvent[] = [];
    const { events, emit, background } = hub(async (batch) => {
      if (isAway) throw new StoreError("MNET_STORE_UNAVAILABLE", "The database is away.");
      written.push(...batch);
    });
    for (let n = 0; n < 2500; n += 1) emit(n);
    await events.flush();
    await background.drain();
    expect(written).toEqual([]);
    isAway = false;
    emit(2500);
    await events.flush();
    expect(written.map((event) => event.type === "key.created" && event.fingerprint)).toEqual(
      Array.from({ length: 2501 }, (_, n) => String(n)),
    );
  });

  it("what a store cannot take at all is dropped and counted, and does not keep the rest out", async () => {
    const written: MnetEvent[] = [];
    const { events, emit } = hub(async (batch) => {
      if (batch.some((event) => event.type === "key.created" && event.fingerprint === "13")) throw new TypeError("13!");
      written.push(...batch);
    });
    emit(13);
    await events.flush();
    emit(14);
    await events.flush();
    expect(written).toMatchObject([{ type: "log.skipped", entries: 1 }, { fingerprint: "14" }]);
  });
});

describe("SEC-089 neutral text", () => {
  it("SEC-089 is on one line, without what a terminal obeys, and not too long", () => {
    expect(neutralText("a\x1b[2Jb\r\nc\u202ed\u009be\u2028f")).toBe(
      "a\\u001b[2Jb\\u000d\\u000ac\\u202ed\\u009be\\u2028f",
    );
    expect(neutralText("Zoë 日本 😀 \\n")).toBe("Zoë 日本 😀 \\n");
    expect(neutralText("x".repeat(2001))).toBe(`${"x".repeat(2000)}…`);
    expect(neutralText("ab😀c", 3)).toBe("ab…");
  });

  it("SEC-089 stands in every event and entry, wherever the text comes from", async () => {
    const evil = "a\u001b[2J\u009b31m\r\nFAKE ENTRY\u202e\u2028\u200b\ufeff";
    const service = defineService({ name: "work", methods: { fail: { returns: t.string() } } });
    const logged: string[] = [];
    const log = (fields: object, message: string): void => void logged.push(message, JSON.stringify(fields));
    await using us = await rig({
      services: [
        service.implement({
          fail: () => {
            throw Object.assign(new RangeError(evil), { name: evil });
          },
        }),
      ],
      alicePeer: { services: { work: "both" } },
      transport: transportTo(() => encodeFault(5, evil)),
      random: undefined,
    });
    us.host.observe(pinoObserver({ debug: log, info: log, warn: log, error: log }));

    // Method names, wwwroots on both envelopes, a broken document, what a handler throws, what a peer answers.
    await post(us.host, aliceCalls(us, `no/such${evil}`));
    await post(
      us.host,
      encryptMessage(Buffer.from("x"), { sender: `https://a.example/${evil}`, recipient: us.ours.certificate }),
    );
    await post(us.host, aliceCalls(us, "a/b", [], { inner: `https://b.example/${evil}` }));
    await post(us.host, Buffer.from(`<${evil}>`));
    await post(us.host, wrap(`<${evil}>`, { from: us.alice, to: us.ours }));
    await post(us.host, aliceCalls(us, "work/fail.php/fail"));
    await post(us.host, aliceCalls(us, "work/fail"));
    await request(us.host, { body: GARBAGE, remoteAddress: evil });
    await codeOf(() => us.host.call({ id: us.aliceId }, `evil/${evil}`, [], { unchecked: true }));
    await codeOf(() => us.host.call({ id: us.aliceId }, "work/fail"));

    const obeyed = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
    const texts = (value: unknown): string[] =>
      typeof value === "string"
        ? [value]
        : typeof value === "object" && value !== null && !(value instanceof Error)
          ? Object.values(value).flatMap(texts)
          : [];
    const entries = await entriesOf(us.host);
    const all = [...us.events.flatMap(texts), ...entries.flatMap(texts), ...logged];
    expect(all.filter((text) => obeyed.test(text))).toEqual([]);
    expect(us.events.length).toBeGreaterThanOrEqual(10);
    expect(all.filter((text) => text.includes("FAKE ENTRY")).length).toBeGreaterThan(5);
    // What the application threw, it may look at.
    const [failed] = us.told("handler.failed");
    expect(failed?.error).toBeInstanceOf(RangeError);
    expect(entries.find(({ type }) => type === "handler.failed")).toMatchObject({
      error: { message: neutralText(evil), name: neutralText(evil) },
    });
  });

  it("SEC-089 no secret gets into events, log or logger, whatever happens", async () => {
    const canary = "CANARY-5e3d";
    const service = defineService({
      name: "work",
      methods: {
        take: { params: { text: t.string(), count: t.int() }, returns: t.string() },
        refuse: { params: { text: t.string() }, returns: t.string() },
        fail: { params: { text: t.string() }, returns: t.string() },
        mangle: { params: { text: t.string() }, returns: t.int() },
      },
    });
    const logged: string[] = [];
    const log = (fields: object, message: string): void => void logged.push(message, inspect(fields, { depth: 9 }));
    await using us = await rig({
      archived: [oldKey],
      services: [
        service.implement({
          take: ({ text }) => text,
          refuse: ({ text }) => {
            throw new Fault(1001, text);
          },
          fail: ({ text }) => {
            throw Object.assign(new Error("no luck"), { request: { headers: { authorization: text } } });
          },
          mangle: ({ text }) => text as unknown as number,
        }),
      ],
      alicePeer: { services: { work: "both" } },
      transport: transportTo(async ({ body }) => {
        if (!body) return Buffer.from(`<title>${canary}</title>`);
        answers += 1;
        if (answers === 1) return encodeFault(1001, canary);
        if (answers === 2) return Buffer.from(`<html>${canary}</html>`);
        const document = answers === 3 ? encodeFault(1001, canary) : encodeResult(canary);
        const options = {
          sender: answers === 5 ? ALICE : us.alice.wwwroot,
          key: us.alice.key,
          recipient: us.ours.certificate,
        };
        return seal(answers === 6 ? Buffer.from(`<${canary}`) : document, {
          ...options,
          timestamp: new Date(us.clock.now()),
          random: undefined,
        });
      }),
    });
    let answers = 0;
    us.host.observe(pinoObserver({ debug: log, info: log, warn: log, error: log }));

    const { alice, ours } = us;
    const call = encodeCall("work/take", [canary, 1]);
    for (const body of [
      aliceCalls(us, "work/take", [canary, 1]),
      aliceCalls(us, "work/take", [canary, canary]),
      aliceCalls(us, "work/take", [{ [canary]: canary }]),
      aliceCalls(us, "work/refuse", [canary]),
      aliceCalls(us, "work/fail", [canary]),
      aliceCalls(us, "work/mangle", [canary]),
      aliceCalls(us, "no/such", [canary]),
      aliceCalls(us, "system/methodHelp", [canary]),
      aliceCalls(us, "work/take", [canary, 1], { damage: withBadSignature }),
      aliceCalls(us, "work/take", [canary, 1], { damage: withoutSignature }),
      wrap(call, { from: alice, to: ours, form: "signed" }),
      wrap(call, { from: alice, to: ours, form: "encrypted" }),
      wrap(call, { from: alice, to: oldKey }),
      wrap(Buffer.from(call).subarray(0, -30), { from: alice, to: ours }),
      wrap(`<methodCall>${canary}`, { from: alice, to: ours }),
      Buffer.from(call),
      Buffer.from(`<encryptedMessage>${canary}`),
      Buffer.from(canary),
    ]) {
      await post(us.host, body);
      await post(us.host, body);
    }
    for (let n = 0; n < 7; n += 1) {
      await codeOf(() => us.host.call({ id: us.aliceId }, service.methods.take, { text: canary, count: 1 }));
    }
    await codeOf(() =>
      us.host.call({ id: us.aliceId }, service.methods.take, { text: canary, count: canary as unknown as number }),
    );
    const entries = await entriesOf(us.host);
    await us.clock.advance(300 * DAY_MS);
    await us.host.maintain();
    entries.push(...(await entriesOf(us.host)));
    expect(entries.length).toBeGreaterThan(20);
    const told = us.events.map((event) => (event.type === "handler.failed" ? { ...event, error: "" } : event));
    const everything = [inspect(told, { depth: 9 }), inspect(entries, { depth: 9 }), ...logged].join("\n");
    expect(everything).not.toContain(canary);
    expect(everything).not.toMatch(/PRIVATE KEY|BEGIN /);
    for (const { privateKey } of await us.store.keys.list()) {
      const lines = Buffer.from(privateKey)
        .toString()
        .split("\n")
        .slice(1, -1)
        .filter((line) => line.length > 20);
      expect(lines.filter((line) => everything.includes(line))).toEqual([]);
    }
  });
});

describe("exchange", () => {
  it("joins the events of one request, and differs between requests", async () => {
    const service = defineService({ name: "work", methods: { fail: { returns: t.string() } } });
    await using us = await rig({
      services: [service.implement({ fail: () => Promise.reject(new Error("no")) })],
      alicePeer: { services: { work: "publish" } },
    });
    await Promise.all(Array.from({ length: 20 }, async () => post(us.host, aliceCalls(us, "work/fail"))));
    const failed = us.told("handler.failed").map(({ exchange }) => exchange);
    const served = us.told("call.served").map(({ exchange }) => exchange);
    expect(new Set(failed).size).toBe(20);
    expect([...failed].sort()).toEqual([...served].sort());
    expect(failed[0]).toMatch(/^[0-9a-f]{8}-[0-9a-z]+$/);
    const [entry] = await entriesOf(us.host);
    expect(failed).toContain(entry?.exchange);
  });

  it("joins what is found deep inside with how it ends", async () => {
    await using us = await rig();
    const body = aliceCalls(us, "system/listServices");
    for (let time = 0; time < 2; time += 1) await post(us.host, body);
    expect(us.events.map(({ type }) => type)).toEqual(["call.served", "replay.refused", "call.refused"]);
    const [served, found, refused] = us.events.map(({ exchange }) => exchange);
    expect(found).toBe(refused);
    expect(new Set([served, found, undefined]).size).toBe(3);
  });

  it("joins a call of ours with the circuit that it opens", async () => {
    await using us = await rig();
    const peer = await us.host.peers.get(us.aliceId);
    for (let time = 0; time < 5; time += 1) await codeOf(() => us.host.call(peer, "system/listServices"));
    const circuit = us.told("peer.circuit")[0]?.exchange;
    expect(circuit).toBeDefined();
    expect(circuit).toBe(us.told("call.failed").at(-1)?.exchange);
  });

  it("a call that a handler makes is an exchange of its own; what happens besides has none", async () => {
    const service = defineService({ name: "work", methods: { ask: { returns: t.string() } } });
    await using us = await rig({
      services: [
        service.implement({
          async ask(_params, { peer }) {
            await codeOf(() => us.host.call(peer, "some/method", [], { unchecked: true }));
            return "";
          },
        }),
      ],
      alicePeer: { services: { work: "publish" } },
    });
    await post(us.host, aliceCalls(us, "work/ask"));
    await us.host.peers.setServices({ id: us.aliceId }, { nothing: "off" });
    const [unchecked, failed, served, changed] = us.events;
    expect(us.events.map(({ type }) => type)).toEqual(["call.unchecked", "call.failed", "call.served", "peer.changed"]);
    expect(unchecked?.exchange).toBe(failed?.exchange);
    expect(served?.exchange).toBeDefined();
    expect(served?.exchange).not.toBe(failed?.exchange);
    expect(changed).not.toHaveProperty("exchange");
  });

  it("each call that the host makes by itself is an exchange, too", async () => {
    await using us = await rig();
    await insertPeer(us.store, bob);
    await us.host.keys.rotate();
    const failed = us.told("call.failed").map(({ exchange }) => exchange);
    expect(failed).toHaveLength(2);
    expect(new Set([...failed, undefined]).size).toBe(3);
  });

  it("two hosts in one process do not take each other's", async () => {
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    await using other = await rig({ wwwroot: "https://other.example" });
    await using us = await rig({
      services: [
        service.implement({
          async run() {
            await other.host.peers.setServices({ id: other.aliceId }, { nothing: "off" });
            return "";
          },
        }),
      ],
      alicePeer: { services: { work: "publish" } },
    });
    await post(us.host, aliceCalls(us, "work/run"));
    expect(other.told("peer.changed")).toHaveLength(1);
    expect(other.told("peer.changed")[0]).not.toHaveProperty("exchange");
  });
});
