import { describe, expect, it } from "vitest";
import { createHost } from "../../src/create-host.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { Host } from "../../src/host/host.ts";
import { t } from "../../src/host/wire-type.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import {
  aliceCalls,
  isSignedBy,
  keyedSite,
  noTransport,
  openAnswer,
  OUR_WWWROOT,
  post,
  rig,
  summary,
  type OpenedAnswer,
} from "../support/hosts.ts";
import { rekeyed } from "../support/rekeyed.ts";
import { watchedNetwork, type WatchedHost, type WatchedNetwork } from "../support/watched-network.ts";

const LIST = "system/listServices";
const counter = defineService({
  name: "counter",
  methods: { add: { params: { id: t.string() }, returns: t.string() } },
});

interface Pair extends AsyncDisposable {
  readonly network: WatchedNetwork;
  readonly a: WatchedHost;
  readonly b: WatchedHost;
  /** Calls the other one with an id that it has not had before. */
  readonly call: (from: Host, to: Host) => Promise<unknown>;
  /** How often each id was executed. */
  readonly executed: Map<string, number>;
}

/** Two sites that may call each other. */
async function pair(): Promise<Pair> {
  const network = watchedNetwork();
  const executed = new Map<string, number>();
  const services = [
    counter.implement({
      add({ id }) {
        executed.set(id, (executed.get(id) ?? 0) + 1);
        return id;
      },
    }),
  ];
  const a = await network.host("a", { services });
  const b = await network.host("b", { services });
  await network.connect(a, b, { counter: "both" });
  network.forget();
  let last = 0;
  return {
    network,
    a,
    b,
    executed,
    async call(from, to) {
      last += 1;
      const id = String(last);
      expect(await from.call(await from.peers.get(to.wwwroot), counter.methods.add, { id })).toBe(id);
      expect(executed.get(id)).toBe(1);
      return id;
    },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

/** Rotates as a Moodle does, without telling anybody: as another process of the site that dies before it can. */
async function rotateSilently({ wwwroot, store }: WatchedHost, { clock }: WatchedNetwork): Promise<void> {
  const [current, ...archived] = await store.keys.list();
  const n = (wwwroot === "https://a.test" ? 2 : 7) + archived.length;
  const { certificate, privateKeyPem } = rekeyed(wwwroot, n);
  const { fingerprint, pem } = certificate;
  const createdAt = clock.now();
  const privateKey = Buffer.from(privateKeyPem);
  await store.keys.prepare({ fingerprint, certificate: pem, privateKey, state: "prepared", createdAt });
  expect(await store.keys.promote(fingerprint, current!.fingerprint, createdAt)).toBe(true);
  await store.keys.prune(3, createdAt);
  await clock.advance(5000);
}
const pinnedBy = async (host: Host, peer: Host): Promise<string> =>
  (await host.peers.get(peer.wwwroot)).key.fingerprint;
const keyOf = async (host: Host): Promise<string> => (await host.keys.current()).fingerprint;

describe("one side rotates and says nothing", () => {
  it("MNET-105 and is called: two requests", async () => {
    await using site = await pair();
    await rotateSilently(site.b, site.network);
    await site.call(site.a, site.b);
    expect(site.network.seen()).toEqual(["a → b envelope", "a → b envelope"]);
    expect(await pinnedBy(site.a, site.b)).toBe(await keyOf(site.b));
    site.network.forget();
    await site.call(site.a, site.b);
    expect(site.network.seen()).toHaveLength(1);
  });

  it("MNET-084 MNET-091 and calls: one request, during which it is asked three times", async () => {
    await using site = await pair();
    await rotateSilently(site.b, site.network);
    await site.call(site.b, site.a);
    expect(site.network.seen()).toEqual(["b → a envelope", "a → b keyswap", "a → b envelope", "a → b envelope"]);
    expect(await pinnedBy(site.a, site.b)).toBe(await keyOf(site.b));
    site.network.forget();
    await site.call(site.b, site.a);
    expect(site.network.seen()).toHaveLength(1);
  });
});

describe("MNET-092 both sides have rotated", () => {
  it("one calls: two requests of its own, no loop, and both know the new keys", async () => {
    await using site = await pair();
    await rotateSilently(site.a, site.network);
    await rotateSilently(site.b, site.network);
    await site.call(site.a, site.b);
    expect(site.network.seen()).toEqual([
      // 7025, which brings a the key of b.
      "a → b envelope",
      // The same call with that key; b does not know a's yet, and asks.
      "a → b envelope",
      "b → a keyswap",
      "b → a envelope",
      "b → a envelope",
    ]);
    expect(await pinnedBy(site.a, site.b)).toBe(await keyOf(site.b));
    expect(await pinnedBy(site.b, site.a)).toBe(await keyOf(site.a));
  });

  it("both call at once: both calls succeed, in ten exchanges at most and two of them key swaps", async () => {
    await using site = await pair();
    await rotateSilently(site.a, site.network);
    await rotateSilently(site.b, site.network);
    await Promise.all([site.call(site.a, site.b), site.call(site.b, site.a)]);
    const seen = site.network.seen();
    expect(seen.length).toBeLessThanOrEqual(10);
    expect(seen.filter((exchange) => exchange.endsWith("keyswap")).length).toBeLessThanOrEqual(2);
    expect(await pinnedBy(site.a, site.b)).toBe(await keyOf(site.b));
    expect(await pinnedBy(site.b, site.a)).toBe(await keyOf(site.a));
  });

  it("ten calls each way at once: none is lost and none executed twice", async () => {
    await using site = await pair();
    await rotateSilently(site.a, site.network);
    await rotateSilently(site.b, site.network);
    const both = Array.from({ length: 10 }, () => [site.call(site.a, site.b), site.call(site.b, site.a)]);
    await Promise.all(both.flat());
    expect([...site.executed.values()]).toEqual(Array.from({ length: 20 }, () => 1));
    expect(site.network.seen().filter((exchange) => exchange.endsWith("keyswap")).length).toBeLessThanOrEqual(2);
    site.network.forget();
    await site.call(site.a, site.b);
    await site.call(site.b, site.a);
    expect(site.network.seen()).toHaveLength(2);
  });

  it("several times: up to as many as are archived", async () => {
    await using site = await pair();
    for (let n = 0; n < 3; n += 1) {
      await rotateSilently(site.a, site.network);
      await rotateSilently(site.b, site.network);
    }
    await site.call(site.b, site.a);
    await site.call(site.a, site.b);
  });

  it("MNET-021 once more, and only a new key swap helps: 7023, and nothing is stored", async () => {
    await using site = await pair();
    const known = await pinnedBy(site.b, site.a);
    for (let n = 0; n < 4; n += 1) await rotateSilently(site.a, site.network);
    const peer = await site.b.peers.get(site.a.wwwroot);
    expect(await errorOf(() => site.b.call(peer, LIST))).toMatchObject({ faultCode: 7023, authenticated: false });
    expect(await pinnedBy(site.b, site.a)).toBe(known);
    expect(site.network.seen()).toEqual(["b → a envelope"]);
  });
});

describe("a rotation that announces itself", () => {
  it("tells every active peer, and says what each made of it", async () => {
    await using network = watchedNetwork();
    const a = await network.host("a");
    const [knows, away, forgot, broken] = [
      await network.host("b"),
      await network.host("c"),
      await network.host("d"),
      await network.host("e"),
    ];
    for (const host of [knows, away, forgot, broken]) await network.connect(a, host);
    const suspended = await network.host("f");
    await network.connect(a, suspended);
    await a.peers.remove(await a.peers.get(suspended.wwwroot));
    await forgot.peers.remove(await forgot.peers.get(a.wwwroot));
    network.fail(away.wwwroot, "unreachable");
    network.fail(broken.wwwroot, "html");

    network.forget();
    const { dryRun, from, to, peers } = await a.keys.rotate();
    expect(dryRun).toBe(false);
    expect(await keyOf(a)).toBe(to);
    expect((await a.keys.all()).map(({ fingerprint, state }) => [fingerprint, state])).toEqual([
      [to, "current"],
      [from, "archived"],
    ]);
    expect(peers.map(({ peer, outcome, error }) => [peer.wwwroot, outcome, error?.code])).toEqual([
      [knows.wwwroot, "knows", undefined],
      [away.wwwroot, "unreachable", "MNET_TRANSPORT_UNREACHABLE"],
      [forgot.wwwroot, "must-act", "MNET_REMOTE_FAULT"],
      [broken.wwwroot, "must-act", "MNET_TRANSPORT_NOT_MNET"],
    ]);
    expect(await pinnedBy(knows, a)).toBe(to);
    expect(await pinnedBy(away, a)).toBe(from);
    expect(network.exchanges.filter(({ to: site }) => site === "f")).toEqual([]);

    // Who was away is told with its next call.
    network.heal(away.wwwroot);
    await away.call(await away.peers.get(a.wwwroot), LIST);
    expect(await pinnedBy(away, a)).toBe(to);
  });

  it("in a dry run changes nothing and makes the same calls", async () => {
    await using site = await pair();
    const before = await keyOf(site.a);
    const report = await site.a.keys.rotate({ dryRun: true });
    expect(report).toMatchObject({ dryRun: true, from: before, peers: [{ outcome: "will-learn" }] });
    expect(report).not.toHaveProperty("to");
    expect(await keyOf(site.a)).toBe(before);
    expect(await site.a.keys.all()).toHaveLength(1);
    expect(site.network.seen()).toEqual(["a → b envelope"]);
  });

  it("calls that are under way meanwhile are not lost", async () => {
    await using site = await pair();
    for (let turn = 0; turn < 3; turn += 1) {
      const calls = Array.from({ length: 3 }, () => [site.call(site.a, site.b), site.call(site.b, site.a)]);
      await Promise.all([...calls.flat(), site.a.keys.rotate(), site.b.keys.rotate()]);
      await site.network.clock.advance(61_000);
    }
    expect([...site.executed.values()]).toEqual(Array.from({ length: 18 }, () => 1));
  });
});

describe("SEC-049 the overlap", () => {
  it("a message for the old key gets 7025, and then succeeds, until that key leaves the archive", async () => {
    await using site = await pair();
    const old = await keyOf(site.a);
    await rotateSilently(site.a, site.network);
    expect(await pinnedBy(site.b, site.a)).toBe(old);
    await site.call(site.b, site.a);
    expect(site.network.seen()).toEqual(["b → a envelope", "b → a envelope"]);
    expect(await pinnedBy(site.b, site.a)).toBe(await keyOf(site.a));
  });
});

describe("what our old keys still do", () => {
  const old = rekeyed(OUR_WWWROOT, 5, { notBefore: "2025-11-01T00:00:00Z" });
  const now = new Date("2026-01-01T00:00:00Z");

  it("MNET-079 SEC-052 they bring the new one: for the peer's pinned key, signed by the key that opened the message", async () => {
    await using us = await rig({ archived: [old] });
    const reply = openAnswer(await post(us.host, aliceCalls(us, LIST, [], { to: old })), us.alice);
    expect(summary(reply)).toEqual({ form: "signed and encrypted", fault: 7025 });
    expect(isSignedBy(reply, old)).toBe(true);
    expect(isSignedBy(reply, us.ours)).toBe(false);
    expect(reply.decoded).toMatchObject({ faultString: us.ours.certificate.pem });
    expect(us.told("call.served")).toEqual([]);
  });

  it("MNET-079 SEC-049 they bring one that another process made a moment ago, to a peer that asks whether there is one", async () => {
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    const services = [service.implement({ run: () => "done" })];
    await using us = await rig({ services, alicePeer: { services: { work: "publish" } } });
    const call = async (method: string): Promise<OpenedAnswer> =>
      openAnswer(await post(us.host, aliceCalls(us, method, [], { to: us.ours })), us.alice);
    expect(summary(await call("work/run"))).toMatchObject({ value: "done" });
    const { wwwroot } = us.host;
    const options = { wwwroot, name: "Our host", store: us.store, clock: us.clock, transport: noTransport };
    await using other = await createHost({ ...options, maintenance: "manual" });
    await other.keys.rotate();
    const { certificate } = await other.keys.current();
    // This process has not noticed, and goes on with what it knows; but whoever asks that has seen the new key elsewhere.
    expect(summary(await call("work/run"))).toMatchObject({ value: "done" });
    const reply = await call(LIST);
    expect(summary(reply)).toEqual({ form: "signed and encrypted", fault: 7025 });
    expect(reply.decoded).toMatchObject({ faultString: certificate });
    expect(isSignedBy(reply, us.ours)).toBe(true);
  });

  it("SEC-052 SEC-054 but not to a stranger, nor to a peer that was removed: 7020 in clear", async () => {
    await using us = await rig({ archived: [old] });
    const stranger = keyedSite("https://stranger.example", 6);
    const asked = aliceCalls(us, LIST, [], { from: stranger, to: old });
    expect(summary(openAnswer(await post(us.host, asked)))).toEqual({ form: "plain", fault: 7020 });
    await us.host.peers.remove({ id: us.aliceId });
    const removed = aliceCalls(us, LIST, [], { to: old });
    expect(summary(openAnswer(await post(us.host, removed)))).toEqual({ form: "plain", fault: 7020 });
  });

  it("SEC-052 nor for what is no signed message", async () => {
    await using us = await rig({ archived: [old] });
    const unsigned = aliceCalls(us, LIST, [], { to: old, form: "encrypted" });
    expect(summary(openAnswer(await post(us.host, unsigned), us.alice))).toEqual({ form: "encrypted", fault: 711 });
    const noise = aliceCalls(us, LIST, [], { to: old, damage: () => Buffer.from("<html/>") });
    expect(summary(openAnswer(await post(us.host, noise)))).toEqual({ form: "plain", fault: 7023 });
    const other = aliceCalls(us, LIST, [], { to: old, inner: "https://mallory.example" });
    expect(summary(openAnswer(await post(us.host, other), us.alice))).toMatchObject({ fault: 710 });
  });

  it("SEC-050 a revoked one does nothing: 7023, where 7025 was before", async () => {
    await using us = await rig({ archived: [old] });
    const body = () => aliceCalls(us, LIST, [], { to: old, timestamp: now });
    expect(summary(openAnswer(await post(us.host, body()), us.alice))).toMatchObject({ fault: 7025 });
    const { from, to, peers } = await us.host.keys.revoke(old.certificate.fingerprint, { reason: "stolen" });
    expect({ to, peers }).toEqual({ to: from, peers: [] });
    expect(summary(openAnswer(await post(us.host, body())))).toEqual({ form: "plain", fault: 7023 });
    expect(us.told("key.revoked")).toMatchObject([{ level: "warn", fingerprint: old.certificate.fingerprint }]);
  });

  it("SEC-050 revoking the current one replaces it first; 7023 from then on", async () => {
    await using us = await rig();
    const body = () => aliceCalls(us, LIST, [], { timestamp: now });
    const { from, to, peers } = await us.host.keys.revoke(us.ours.certificate.fingerprint, { reason: "stolen" });
    expect(from).toBe(us.ours.certificate.fingerprint);
    expect(to).not.toBe(from);
    expect(peers).toMatchObject([{ outcome: "unreachable" }]);
    expect(summary(openAnswer(await post(us.host, body())))).toEqual({ form: "plain", fault: 7023 });
    expect(await us.host.keys.all()).toMatchObject([
      { fingerprint: to, state: "current" },
      { fingerprint: from, state: "revoked" },
    ]);
    expect(await codeOf(() => us.host.keys.revoke("00", { reason: "typed wrong" }))).toBe("MNET_CONFIG_INVALID");
  });
});
