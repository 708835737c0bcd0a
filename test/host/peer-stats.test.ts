import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Background } from "../../src/core/background.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { NewEvent } from "../../src/core/events.ts";
import type { PeerId, Wwwroot } from "../../src/core/ids.ts";
import { defineService } from "../../src/host/define-service.ts";
import { EventHub } from "../../src/host/event-hub.ts";
import { Fault } from "../../src/host/fault.ts";
import { PeerStatistics } from "../../src/host/peer-stats.ts";
import type { Store } from "../../src/host/store.ts";
import { t } from "../../src/host/wire-type.ts";
import { bucketOf, quantile } from "../../src/peer/latency-histogram.ts";
import type { PeerDirectory } from "../../src/peer/peer-directory.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { testNetwork } from "../../src/testing/test-network.ts";
import { codeOf } from "../support/code-of.ts";
import { aliceCalls, keyedSite, post, rig, storeWithKeys } from "../support/hosts.ts";

const temporary: string[] = [];
afterEach(() => {
  for (const folder of temporary.splice(0)) rmSync(folder, { recursive: true });
});
function databaseUrl(): string {
  const folder = mkdtempSync(join(tmpdir(), "mnet-stats-"));
  temporary.push(folder);
  return `sqlite:${join(folder, "mnet.db")}`;
}

const work = defineService({
  name: "work",
  methods: {
    take: { params: { ms: t.int() }, returns: t.string() },
    refuse: { params: { code: t.int() }, returns: t.string() },
  },
});

/** Two hosts that know each other; `b` does the work, and takes the time that it is told. */
async function pair() {
  const network = testNetwork();
  const a = await network.host("https://a.example", { services: [work], store: await ready("https://a.example", 1) });
  const b = await network.host("https://b.example", {
    store: await ready("https://b.example", 2),
    services: [
      work.implement({
        async take({ ms }) {
          await network.clock.advance(ms);
          return "done";
        },
        refuse: ({ code }) => Promise.reject(new Fault(code, "No.")),
      }),
    ],
  });
  await network.connect(a, b, { work: "subscribe" });
  const [toB, toA] = [await a.peers.get(b.wwwroot), await b.peers.get(a.wwwroot)];
  return { network, a, b, toB, toA, [Symbol.asyncDispose]: () => network[Symbol.asyncDispose]() };
}

function ready(wwwroot: string, n: number, store?: Store): Promise<Store> {
  const { certificate, privateKeyPem } = keyedSite(wwwroot, n);
  return storeWithKeys([{ certificate: certificate.pem, privateKey: privateKeyPem }], store);
}

describe("the latency histogram", () => {
  it("has a bucket for every half power of two", () => {
    expect([0, 0.4, 1, 1.01, 1.41, 1.42, 2, 4, 5, 1000, 30_000].map(bucketOf)).toEqual([
      0, 0, 0, 1, 1, 2, 2, 4, 5, 20, 30,
    ]);
    expect([NaN, -5, 2 ** 31, Number.MAX_VALUE, Infinity].map(bucketOf)).toEqual([0, 0, 62, 62, 62]);
  });

  it("a quantile is off by a factor of 1.4 at most", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1.01, max: 1e6, noNaN: true }), { minLength: 1 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (durations, q) => {
          const counts: number[] = Array.from({ length: 63 }, () => 0);
          for (const ms of durations) counts[bucketOf(ms)]! += 1;
          const exact = durations.sort((x, y) => x - y)[Math.ceil(q * durations.length) - 1]!;
          const estimated = quantile(counts, q);
          expect(estimated).toBeLessThanOrEqual(exact * Math.SQRT2 + 0.1);
          expect(estimated).toBeGreaterThanOrEqual(exact / Math.SQRT2 - 0.1);
        },
      ),
    );
  });

  it("quantiles go up, and are 0 of nothing", () => {
    expect([0.5, 0.95, 0.99].map((q) => quantile([], q))).toEqual([0, 0, 0]);
    const counts = [0, 90, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const [p50, p95, p99, all] = [0.5, 0.95, 0.99, 1].map((q) => quantile(counts, q));
    expect(p50).toBeGreaterThan(1);
    expect(p50).toBeLessThan(1.5);
    expect(p95).toBeLessThan(32);
    expect(p99).toBe(32);
    expect(all).toBe(1024);
  });
});

describe("stats", () => {
  it("of two hosts fit together", async () => {
    await using net = await pair();
    const { a, b, toA, toB } = net;
    for (let n = 0; n < 5; n += 1) await a.call(toB, work.methods.take, { ms: 100 });
    for (const code of [1001, 1001, 1002]) await codeOf(() => a.call(toB, work.methods.refuse, { code }));
    await codeOf(() => a.call(toB, "no/such", [], { unchecked: true }));

    const [ours, theirs] = [await a.stats(toB), await b.stats(toA)];
    expect(ours).toMatchObject({ callsOut: 9, callsIn: 0, faultsByCode: { 1001: 2, 1002: 1, 7012: 1 } });
    // What was refused reached no method; it stands among the faults.
    expect(theirs).toMatchObject({ callsOut: 0, callsIn: 8, faultsByCode: { 1001: 2, 1002: 1, 7012: 1 } });
    expect(ours.bytesOut).toBeGreaterThan(5 * 1000);
    expect(theirs.bytesIn).toBeGreaterThan(ours.bytesOut);
    expect(theirs.bytesOut).toBeGreaterThan(ours.bytesIn);
    expect(ours.latencyMs.p99).toBeGreaterThan(70);
    expect(ours.latencyMs.p99).toBeLessThan(142);
    expect(theirs.latencyMs).toEqual({ p50: 0, p95: 0, p99: 0 });
    expect(ours.lastContactAt!.getTime()).toBeGreaterThan(net.network.clock.now() - 60_000);
    expect(ours).not.toHaveProperty("clockOffsetMs");
  });

  it("percentiles are of our calls, the slow and the failed among them", async () => {
    await using net = await pair();
    const { a, b, toB, network } = net;
    for (let n = 0; n < 18; n += 1) await a.call(toB, work.methods.take, { ms: 10 });
    await a.call(toB, work.methods.take, { ms: 2000 });
    network.fail(b.wwwroot, "timeout");
    const call = codeOf(() => a.call(toB, work.methods.take, { ms: 10 }));
    await network.clock.advance(30_000);
    expect(await call).toBe("MNET_TRANSPORT_TIMEOUT");
    const { latencyMs, callsOut } = await a.stats(toB);
    expect(callsOut).toBe(20);
    expect(latencyMs.p50).toBeGreaterThan(7);
    expect(latencyMs.p50).toBeLessThan(15);
    expect(latencyMs.p95).toBeGreaterThan(1400);
    expect(latencyMs.p95).toBeLessThan(2900);
    expect(latencyMs.p99).toBeGreaterThan(21_000);
    expect(latencyMs.p99).toBeLessThan(33_000);
  });

  it("of a new peer are all zero, and of none there are none", async () => {
    await using us = await rig();
    expect(await us.host.stats({ id: us.aliceId })).toEqual({
      callsIn: 0,
      callsOut: 0,
      secureCalls: 0,
      bytesIn: 0,
      bytesOut: 0,
      faultsByCode: {},
      latencyMs: { p50: 0, p95: 0, p99: 0 },
    });
    expect(await codeOf(() => us.host.stats({ id: 999 as PeerId }))).toBe("MNET_PEER_UNKNOWN");
  });

  it("are those of all processes, before and after a restart", async () => {
    const url = databaseUrl();
    const one = await rig({ store: openStore(url) });
    await post(one.host, aliceCalls(one, "system/listMethods"));
    const two = await rig({ store: openStore(url) });
    await post(two.host, aliceCalls(two, "system/listMethods"));
    expect((await two.host.stats({ id: two.aliceId })).callsIn).toBe(1);
    await one.host.close();
    expect((await two.host.stats({ id: two.aliceId })).callsIn).toBe(2);
    await two.host.close();
    await using three = await rig({ store: openStore(url) });
    expect((await three.host.stats({ id: three.aliceId })).callsIn).toBe(2);
    expect((await three.host.stats({ id: three.aliceId })).lastContactAt).toBeInstanceOf(Date);
  });

  it("are in the store after five seconds, and in one piece", async () => {
    await using us = await rig();
    let additions = 0;
    const add = us.store.stats.add.bind(us.store.stats);
    us.store.stats.add = (peer, counters) => {
      additions += 1;
      return add(peer, counters);
    };
    for (let n = 0; n < 3; n += 1) await post(us.host, aliceCalls(us, "system/listMethods"));
    expect((await us.store.stats.get(us.aliceId)).callsIn).toBe(0);
    await us.clock.advance(5000);
    expect((await us.store.stats.get(us.aliceId)).callsIn).toBe(3);
    await us.clock.advance(60_000);
    expect(additions).toBe(1);
  });

  it("outlast a store that is away for a while", async () => {
    await using us = await rig();
    const add = us.store.stats.add.bind(us.store.stats);
    us.store.stats.add = () => Promise.reject(new StoreError("MNET_STORE_UNAVAILABLE", "The database is away."));
    await post(us.host, aliceCalls(us, "system/listMethods"));
    await post(us.host, aliceCalls(us, "no/such"));
    await us.clock.advance(20_000);
    expect(await codeOf(() => us.host.stats({ id: us.aliceId }))).toBe("MNET_STORE_UNAVAILABLE");
    await post(us.host, aliceCalls(us, "system/listMethods"));
    us.store.stats.add = add;
    expect(await us.host.stats({ id: us.aliceId })).toMatchObject({ callsIn: 2, faultsByCode: { 7012: 1 } });
  });

  it("say how far the clock of the peer is off, until it is right again", async () => {
    await using us = await rig();
    const call = (offsetMs: number) =>
      post(us.host, aliceCalls(us, "system/listMethods", [], { timestamp: new Date(us.clock.now() + offsetMs) }));
    const offset = async () => (await us.host.stats({ id: us.aliceId })).clockOffsetMs;
    await call(0);
    expect(await offset()).toBeUndefined();
    await us.clock.advance(120_000);
    await call(-90_000);
    expect(await offset()).toBe(-90_000);
    await us.clock.advance(120_000);
    await call(3_600_000);
    expect(await offset()).toBe(3_600_000);
    await us.clock.advance(120_000);
    await call(0);
    expect(await offset()).toBeUndefined();
  });
});

describe("SEC-084 statistics are bounded", () => {
  function statistics(store: Store) {
    const clock = fakeClock();
    const background = new Background();
    const events = new EventHub({ clock, log: store.log, background });
    const directory = { get: async () => ({}) } as unknown as PeerDirectory;
    const stats = new PeerStatistics({ store: store.stats, log: store.log, events, directory, clock, background });
    const fail = (peer: number, faultCode: number): void => {
      const reference = { id: peer as PeerId, wwwroot: `https://p${peer}.example` as Wwwroot };
      const event = {
        type: "call.failed",
        method: "a/b",
        durationMs: 5,
        code: "MNET_REMOTE_FAULT",
        faultCode,
      } as const;
      events.emit({ ...event, level: "debug", peer: reference } satisfies NewEvent);
    };
    return { stats, fail, background };
  }

  it("SEC-084 a peer that answers with ever new fault codes has 64 of its own; the others are one", async () => {
    const store = memoryStore();
    const { stats, fail } = statistics(store);
    for (let code = 1; code <= 500; code += 1) fail(7, code);
    await stats.flush();
    for (let code = 501; code <= 900; code += 1) {
      fail(7, code);
      if (code % 50 === 0) await stats.flush();
    }
    // So it is for another process, which knows nothing of the first.
    const other = statistics(store);
    for (const code of [1, ...Array.from({ length: 100 }, (_, n) => 2000 + n)]) other.fail(7, code);
    const { faultsByCode } = await other.stats.of({ id: 7 as PeerId });
    await stats.flush();
    expect(Object.keys(faultsByCode).length).toBeLessThanOrEqual(65);
    const total = Object.values((await store.stats.get(7 as PeerId)).faultsByCode).reduce((sum, n) => sum + n, 0);
    expect(total).toBe(1001);
    expect(faultsByCode[1]).toBe(2);
    expect(faultsByCode[0]).toBeGreaterThan(900);
  });

  it("SEC-084 ten thousand peers do not wait in memory for the next five seconds", async () => {
    const store = memoryStore();
    let added = 0;
    const add = store.stats.add.bind(store.stats);
    store.stats.add = (peer, counters) => {
      added += 1;
      return add(peer, counters);
    };
    const { fail, background } = statistics(store);
    for (let peer = 1; peer <= 10_000; peer += 1) {
      fail(peer, 5);
      if (peer % 100 === 0) await background.drain();
    }
    expect(added).toBeGreaterThan(8500);
  });
});
