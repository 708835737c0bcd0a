import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import { createHost } from "../../src/create-host.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import { t } from "../../src/host/wire-type.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { testNetwork } from "../../src/testing/test-network.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import {
  aliceCalls,
  keyedSite,
  noTransport,
  openAnswer,
  post,
  request,
  rig,
  summary,
  transportTo,
} from "../support/hosts.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const temporary: string[] = [];
afterEach(() => {
  for (const folder of temporary.splice(0)) rmSync(folder, { recursive: true });
});
const databaseUrl = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "mnet-host-"));
  temporary.push(folder);
  return `sqlite:${join(folder, "mnet.db")}`;
};

const base = () => ({ wwwroot: "https://a.example", name: "A", store: memoryStore(), transport: noTransport });

describe("options", () => {
  const wrong: readonly (readonly [option: string | undefined, given: object, code?: string])[] = [
    ["wwwroot", { wwwroot: undefined }, "MNET_CONFIG_MISSING"],
    ["wwwroot", { wwwroot: 5 }],
    ["wwwroot", { wwwroot: "" }],
    ["wwwroot", { wwwroot: "a.example" }],
    ["wwwroot", { wwwroot: "ftp://a.example" }],
    ["wwwroot", { wwwroot: "https://user@a.example" }],
    ["wwwroot", { wwwroot: "https://a.example?x" }],
    ["name", { name: undefined }, "MNET_CONFIG_MISSING"],
    ["name", { name: "" }],
    ["name", { name: "123" }],
    ["name", { name: "日本" }],
    ["name", { name: "a".repeat(81) }],
    ["name", { name: "A\nB" }],
    ["store", { store: undefined }, "MNET_CONFIG_MISSING"],
    ["store", { store: null }],
    ["store", { store: {} }],
    ["store", { store: "sqlite:mnet.db" }],
    ["services", { services: {} }],
    ["services.0", { services: [undefined] }, "MNET_CONFIG_MISSING"],
    ["services.0", { services: [7] }],
    ["services", { services: [{}] }],
    ["keys", { keys: 1 }],
    ["keys.lifetimeMs", { keys: { lifetimeMs: NaN } }],
    ["keys.lifetimeMs", { keys: { lifetimeMs: -1 } }],
    ["keys.lifetimeMs", { keys: { lifetimeMs: Number.MAX_SAFE_INTEGER } }],
    ["keys.generations", { keys: { generations: -1 } }],
    ["keys.generations", { keys: { generations: 1.5 } }],
    ["keys.generations", { keys: { generations: 8 } }],
    ["keys.modulusBits", { keys: { modulusBits: 1024 } }],
    ["keys.modulusBits", { keys: { modulusBits: "2048" } }],
    ["keys.bits", { keys: { bits: 2048 } }],
    ["network.timeoutMs", { network: { timeoutMs: 0 } }],
    ["network.timeoutMs", { network: { timeoutMs: Infinity } }],
    ["network.timeoutMs", { network: { timeoutMs: 2 ** 31 } }],
    ["network.allowAddresses", { network: { allowAddresses: "10.0.0.0/8" } }],
    ["network.allowAddresses", { network: { allowAddresses: ["10.0.0.0/33"] }, transport: undefined }],
    ["network.allowAddresses", { network: { allowAddresses: ["localhost"] }, transport: undefined }],
    ["network.allowAddresses.0", { network: { allowAddresses: [1] } }],
    ["network.timeout", { network: { timeout: 1 } }],
    ["limits.requestBytes", { limits: { requestBytes: 1 } }],
    ["limits.depth", { limits: { depth: 0 } }],
    ["limits.nodes", { limits: { nodes: NaN } }],
    ["limits.members", { limits: { members: -5 } }],
    ["limits.size", { limits: { size: 1 } }],
    ["enabled", { enabled: "yes" }],
    ["hidePeers", { hidePeers: 1 }],
    ["homePage", { homePage: null }],
    ["observer", { observer: {} }],
    ["clock", { clock: {} }],
    ["random", { random: 4 }],
    ["transport", { transport: {} }],
    ["registerStrangrs", { registerStrangrs: true }],
  ];

  it.each(wrong)("%s is named when it is wrong: %j", async (option, given, code = "MNET_CONFIG_INVALID") => {
    const error = await errorOf(() => createHost(Object.assign(base(), given) as HostOptions));
    expect(error).toMatchObject({ code, option });
  });

  it("options that are none are refused", async () => {
    for (const given of [undefined, null, 5, "https://a.example"]) {
      expect(await codeOf(() => createHost(given as unknown as HostOptions))).toMatch(/^MNET_CONFIG_/);
    }
  });

  it("undefined means absent", async () => {
    const keys = { lifetimeMs: undefined };
    const store = await ready("https://a.example");
    await using host = await createHost({ ...base(), store, keys, services: undefined });
    expect(host.name).toBe("A");
  });

  it("two services with one method are refused, and so is a wrong store", async () => {
    const service = () => defineService({ name: "a", methods: { bc: { returns: t.string() } } });
    expect(await errorOf(() => createHost({ ...base(), services: [service(), service()] }))).toMatchObject({
      code: "MNET_CONFIG_INVALID",
      option: "services",
    });
  });

  it("MNET-001 a trailing slash of our wwwroot is dropped", async () => {
    await using host = await createHost({
      ...base(),
      store: await ready("https://a.example"),
      wwwroot: "https://a.example/",
    });
    expect(host.wwwroot).toBe("https://a.example");
    expect((await host.keys.current()).certificate).toContain("BEGIN CERTIFICATE");
  });

  it("MNET-074 a call takes 30 seconds at most, unless told", async () => {
    for (const [network, limit] of [
      [undefined, 30_000],
      [{ timeoutMs: 5000 }, 5000],
    ] as const) {
      await using us = await rig({
        transport: {
          exchange: ({ signal }) =>
            new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
        },
        ...(network && { network }),
      });
      const outcome = errorOf(() => us.host.call({ id: us.aliceId }, "system/listServices"));
      let isOver = false;
      void outcome.then(() => (isOver = true));
      await us.clock.advance(limit - 1);
      expect(isOver).toBe(false);
      await us.clock.advance(1);
      expect(await outcome).toMatchObject({ code: "MNET_TRANSPORT_TIMEOUT", retryable: true });
    }
  });

  it("a host that cannot start closes what it opened", async () => {
    const closed: string[] = [];
    const store = { ...memoryStore(), close: async () => void closed.push("store") };
    store.keys.list = () => Promise.reject(new Error("no keys today"));
    const transport = { ...noTransport, close: async () => void closed.push("transport") };
    await expect(createHost({ ...base(), store, transport })).rejects.toThrow("no keys today");
    expect(closed.sort()).toEqual(["store", "transport"]);
  });
});

/** A store with a key for that site in it, so that none has to be made. */
async function ready(wwwroot: string) {
  const { storeWithKeys } = await import("../support/hosts.ts");
  const { certificate, privateKeyPem } = keyedSite(wwwroot);
  return storeWithKeys([{ certificate: certificate.pem, privateKey: privateKeyPem }]);
}

describe("keys", () => {
  it("a host makes its first key and has the same after a restart", async () => {
    const url = databaseUrl();
    const events: MnetEvent[] = [];
    const start = () => createHost({ ...base(), store: openStore(url), observer: (event) => void events.push(event) });
    const first = await start();
    const key = await first.keys.current();
    expect(key).toMatchObject({ state: "current", modulusBits: 2048 });
    await first.close();
    await using second = await start();
    expect(await second.keys.current()).toEqual(key);
    expect(await second.keys.all()).toEqual([key]);
    expect(events.filter(({ type }) => type === "key.created")).toHaveLength(1);
    expect(JSON.stringify(key)).not.toContain("PRIVATE");
  });

  it("archived keys are shown as such, newest first", async () => {
    const archived = [2, 3].map((n) => keyedSite("https://host.example/moodle", n));
    await using us = await rig({ archived });
    expect((await us.host.keys.all()).map(({ state, fingerprint }) => [state, fingerprint])).toEqual([
      ["current", us.ours.certificate.fingerprint],
      ...archived.map(({ certificate }) => ["archived", certificate.fingerprint]),
    ]);
  });
});

describe("closing", () => {
  const work = defineService({ name: "work", methods: { run: { params: { text: t.string() }, returns: t.string() } } });
  const alicePeer = { services: { work: "both" } } as const;

  it("everything is refused with MNET_HOST_CLOSED afterwards", async () => {
    await using us = await rig({ services: [work], alicePeer });
    const { host } = us;
    const peer = { id: us.aliceId };
    await host.close();
    const attempts: Record<string, () => unknown> = {
      call: () => host.call(peer, "system/listServices"),
      "call of a method": () => host.call(peer, work.methods.run, { text: "" }),
      handle: () => request(host),
      fetch: () => host.fetch(new Request("https://host.example/moodle/mnet/xmlrpc/server.php", { method: "POST" })),
      "peers.add": () => host.peers.add("https://b.example"),
      "peers.get": () => host.peers.get(us.aliceId),
      "peers.find": () => host.peers.find(us.aliceId),
      "peers.list": () => host.peers.list().page(),
      "peers.remove": () => host.peers.remove(peer),
      "peers.setServices": () => host.peers.setServices(peer, {}),
      "keys.current": () => host.keys.current(),
      "keys.all": () => host.keys.all(),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      expect([name, await codeOf(attempt)]).toEqual([name, "MNET_HOST_CLOSED"]);
    }
    // What is not MNet's is still not MNet's, so that the application goes on alone.
    expect(await host.handle({ method: "GET", path: "/other", headers: {}, body: new Uint8Array() })).toBeUndefined();
  });

  it("calls in flight are waited for, in both directions, new ones refused", async () => {
    const gates = [withResolvers<string>(), withResolvers<Uint8Array>()] as const;
    const served = work.implement({ run: () => gates[0].promise });
    await using us = await rig({ services: [served], alicePeer, transport: transportTo(() => gates[1].promise) });
    const incoming = post(us.host, aliceCalls(us, "work/run", ["x"]));
    const outgoing = codeOf(() => us.host.call({ id: us.aliceId }, "work/run", ["x"]));
    await us.clock.advance(1);
    let isClosed = false;
    const closed = us.host.close().then(() => (isClosed = true));
    await us.clock.advance(9000);
    expect(isClosed).toBe(false);
    expect(await codeOf(() => post(us.host, aliceCalls(us, "work/run", ["x"])))).toBe("MNET_HOST_CLOSED");
    // What is in flight may still look at peers.
    expect((await us.host.peers.get(us.aliceId)).wwwroot).toBe(us.alice.wwwroot);
    gates[0].resolve("done");
    gates[1].resolve(Buffer.from("<html>"));
    expect(summary(openAnswer(await incoming, us.alice)).value).toBe("done");
    expect(await outgoing).toBe("MNET_TRANSPORT_NOT_MNET");
    await closed;
  });

  it("what is too slow is aborted, and what ignores that is left behind", async () => {
    const deaf = work.implement({ run: () => new Promise<string>(() => undefined) });
    let isStoreClosed = false;
    await using us = await rig({
      services: [deaf],
      alicePeer,
      transport: {
        exchange: ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
      },
    });
    const { store } = us;
    store.close = async () => void (isStoreClosed = true);
    void post(us.host, aliceCalls(us, "work/run", ["x"])).catch(() => undefined);
    const outgoing = codeOf(() => us.host.call({ id: us.aliceId }, "system/listServices"));
    await us.clock.advance(1);
    const closed = us.host.close({ timeoutMs: 100 });
    await us.clock.advance(99);
    expect(isStoreClosed).toBe(false);
    await us.clock.advance(1);
    expect(await outgoing).toBe("MNET_HOST_CLOSED");
    await us.clock.advance(1000);
    await closed;
    expect(isStoreClosed).toBe(true);
  });

  it("closing twice is closing once; a wrong timeoutMs closes nothing", async () => {
    let closings = 0;
    await using us = await rig({ transport: { ...noTransport, close: async () => void (closings += 1) } });
    for (const timeoutMs of [NaN, -1, Infinity, "5" as unknown as number]) {
      const error = await errorOf(() => us.host.close({ timeoutMs }));
      expect(error).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "timeoutMs" });
    }
    expect(await us.host.peers.get(us.aliceId)).toBeDefined();
    await Promise.all([us.host.close(), us.host.close({ timeoutMs: 5 }), us.host[Symbol.asyncDispose]()]);
    await us.host.close();
    expect(closings).toBe(1);
  });

  it("await using closes", async () => {
    let escaped;
    {
      await using us = await rig();
      escaped = us.host;
      expect(await codeOf(() => escaped.keys.current())).toBe("accepted");
    }
    expect(await codeOf(() => escaped.keys.current())).toBe("MNET_HOST_CLOSED");
  });

  it("a long life leaves no listeners on signals", async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...given: Parameters<typeof add>) => {
      listeners += 1;
      add(...given);
    };
    signal.removeEventListener = (...given: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...given);
    };
    await using us = await rig({ transport: transportTo(() => "<html>") });
    for (let n = 0; n < 5; n += 1) {
      await codeOf(() => us.host.call({ id: us.aliceId }, "system/listServices", [], { signal }));
      await request(us.host, { signal, body: Buffer.from("x") });
      await codeOf(() => us.host.peers.add("https://b.example", { signal }));
    }
    expect(listeners).toBe(0);
  });
});

describe("aborting", () => {
  const slow = {
    exchange: ({ signal }: { signal: AbortSignal }) =>
      new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  };

  it("an aborted call rejects with the reason itself", async () => {
    await using us = await rig({ transport: slow });
    const reason = new Error("enough");
    const caller = new AbortController();
    const outcome = us.host.call({ id: us.aliceId }, "system/listServices", [], { signal: caller.signal });
    await us.clock.advance(1);
    caller.abort(reason);
    await expect(outcome).rejects.toBe(reason);
    await expect(us.host.call({ id: us.aliceId }, "system/listServices", [], { signal: caller.signal })).rejects.toBe(
      reason,
    );
    await expect(us.host.peers.add("https://b.example", { signal: caller.signal })).rejects.toBe(reason);
    const fresh = us.host.call({ id: us.aliceId }, "system/listServices", [], { signal: AbortSignal.abort() });
    await expect(fresh).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("switched off", () => {
  it("MNET-006 a host that is off executes nothing, shows no key and calls nobody", async () => {
    const executed: string[] = [];
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    const run = (): string => {
      executed.push("ran");
      return "ran";
    };
    await using us = await rig({
      enabled: false,
      services: [service.implement({ run })],
      alicePeer: { services: { work: "both" } },
    });
    const pages = [
      await request(us.host, { body: aliceCalls(us, "work/run") }),
      await request(us.host, { body: aliceCalls(us, "system/keyswap") }),
      await request(us.host, { body: Buffer.from("<methodCall><methodName>system/keyswap</methodName></methodCall>") }),
      await request(us.host, { method: "GET", path: "/moodle/mnet/publickey.php" }),
    ];
    for (const { status, headers, body } of pages) {
      expect(status).toBe(404);
      expect(headers["content-type"]).toBe("text/html; charset=utf-8");
      expect(body.toString()).not.toContain("CERTIFICATE");
    }
    expect(executed).toEqual([]);
    for (const attempt of [
      () => us.host.call({ id: us.aliceId }, "work/run"),
      () => us.host.call({ id: us.aliceId }, service.methods.run, {}),
      () => us.host.peers.add("https://b.example"),
    ]) {
      expect(await errorOf(attempt)).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "enabled" });
    }
    expect((await us.host.peers.list().page()).items).toHaveLength(1);
  });
});

describe("events", () => {
  it("observers are told until they stop, and one that throws harms nobody", async () => {
    await using us = await rig({
      observer: () => {
        throw new Error("observer");
      },
    });
    const told: string[] = [];
    const stop = us.host.observe(({ type }) => void told.push(type));
    const stopTwin = us.host.observe(({ type }) => void told.push(`twin ${type}`));
    await request(us.host, { body: Buffer.from("x") });
    stop();
    stop();
    await request(us.host, { body: Buffer.from("x") });
    stopTwin();
    await request(us.host, { body: Buffer.from("x") });
    expect(told).toEqual(["call.refused", "twin call.refused", "twin call.refused"]);
  });

  it("events are dated by the host's clock", async () => {
    await using us = await rig();
    await us.clock.advance(5000);
    await request(us.host, { body: Buffer.from("x") });
    expect(us.events.map(({ at }) => at)).toEqual([new Date("2026-01-01T00:00:05Z")]);
  });

  it("SEC-090 each operation of an administrator is exactly one event, and stands in the log", async () => {
    const url = databaseUrl();
    await using network = testNetwork();
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    const beta = keyedSite("https://beta.example", 1);
    const b = await network.host("https://beta.example", { store: await ready(beta.wwwroot) });
    const store = openStore(url);
    const told: MnetEvent[] = [];
    const a = await network.host("https://alpha.example", {
      store,
      services: [service.implement({ run: () => "" })],
      observer: (event) => void told.push(event),
    });
    const during = async <T>(operation: () => Promise<T>): Promise<string[]> => {
      told.length = 0;
      await operation();
      return told.map(({ type }) => type);
    };
    expect(told.map(({ type }) => type)).toEqual(["key.created"]);
    expect(await during(() => a.peers.add(b.wwwroot))).toEqual(["peer.added"]);
    const peer = await a.peers.get(b.wwwroot);
    expect(await during(() => a.peers.setServices(peer, { work: "both" }))).toEqual(["peer.changed"]);
    expect(await during(() => a.peers.setServices("all-hosts", { work: "publish" }))).toEqual(["peer.changed"]);
    expect(await during(() => a.peers.remove(peer))).toEqual(["peer.changed"]);
    expect(await during(() => a.peers.add(b.wwwroot))).toEqual(["peer.added"]);
    // What fails changes nothing and is no event.
    expect(await during(() => codeOf(() => a.peers.add(b.wwwroot)))).toEqual([]);
    expect(await during(() => codeOf(() => a.peers.setServices(peer, { nosuch: "publish" })))).toEqual([]);
    await a.close();

    const again = openStore(url);
    await again.open();
    const { items } = await again.log.list({}, undefined, 50);
    await again.close();
    expect(items.map(({ type }) => type).reverse()).toEqual([
      "key.created",
      "peer.added",
      "peer.changed",
      "peer.changed",
      "peer.changed",
      "peer.added",
    ]);
    expect(items.map((entry) => entry.peer?.wwwroot).reverse()).toEqual([
      undefined,
      b.wwwroot,
      b.wwwroot,
      undefined,
      b.wwwroot,
      b.wwwroot,
    ]);
    expect(new Set(items.map(({ sequence }) => sequence)).size).toBe(6);
  });

  it("a log that fails stops nothing", async () => {
    const store = await ready("https://host.example/moodle");
    store.log.append = () => Promise.reject(new Error("disk full"));
    await using us = await rig({ store });
    await request(us.host, { body: Buffer.from("x") });
    await request(us.host, { body: Buffer.from("x") });
    expect(us.told("call.refused")).toHaveLength(2);
  });
});

describe("two processes on one store", () => {
  it("start with one key, whoever was first", async () => {
    const store = memoryStore();
    const clock = fakeClock();
    const [one, two] = await Promise.all([
      createHost({ ...base(), store, clock }),
      createHost({ ...base(), store, clock }),
    ]);
    expect((await one.keys.current()).fingerprint).toBe((await two.keys.current()).fingerprint);
    await Promise.all([one.close(), two.close()]);
  });
});
