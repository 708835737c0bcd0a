import { describe, expect, it } from "vitest";
import { createHost } from "../../src/create-host.ts";
import { rc4 } from "../../src/crypto/rc4.ts";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import type { ReplayStore } from "../../src/peer/replay-store.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { cipherValues } from "../support/envelopes.ts";
import { exchangeNames, recordedMessage, recordedPems, RECORDINGS, type Recording } from "../support/fixtures.ts";
import {
  ALICE,
  aliceCalls,
  insertPeer,
  openAnswer,
  OUR_WWWROOT,
  post,
  rig,
  storeWithKeys,
  summary,
  transportTo,
  withBadSignature,
  type Rig,
} from "../support/hosts.ts";
import { recordedRequest } from "../support/recorded-exchange.ts";
import { rekeyed } from "../support/rekeyed.ts";
import { answer, scriptedRig } from "../support/scripted-peer.ts";

const START = new Date("2026-01-01T00:00:00Z").getTime();
const SERVED = { form: "signed and encrypted", value: "done" };
const REPLAYED = { form: "signed and encrypted", fault: 7000 };

const counter = defineService({
  name: "counter",
  path: "counter",
  methods: { add: { params: { id: t.string() }, returns: t.string() } },
});

interface Counting extends Rig {
  readonly executed: string[];
  readonly add: (options?: Parameters<typeof aliceCalls>[3], id?: string) => Buffer;
  readonly send: (body: Buffer) => Promise<object>;
}
async function counting(options: NonNullable<Parameters<typeof rig>[0]> = {}): Promise<Counting> {
  const executed: string[] = [];
  const us = await rig({
    services: [counter.implement({ add: ({ id }) => (executed.push(id), "done") })],
    ...options,
    alicePeer: { services: { counter: "publish" }, ...options.alicePeer },
  });
  return {
    ...us,
    executed,
    add: (more = {}, id = "1") => aliceCalls(us, "counter/add", [id], { timestamp: new Date(us.clock.now()), ...more }),
    send: async (body) => summary(openAnswer(await post(us.host, body), us.alice)),
  };
}

describe("MNET-099 SEC-033 a request that comes a second time", () => {
  it("is refused with 7000, signed and encrypted, and not executed", async () => {
    await using us = await counting();
    const body = us.add();
    expect(await us.send(body)).toEqual(SERVED);
    expect(await us.send(body)).toEqual(REPLAYED);
    expect(us.executed).toEqual(["1"]);
    expect(us.told("replay.refused")).toHaveLength(1);
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_ENVELOPE_REPLAYED", faultCode: 7000 }]);
  });

  it("is accepted in a fresh envelope: identical calls have identical signatures", async () => {
    await using us = await counting();
    expect(await us.send(us.add())).toEqual(SERVED);
    expect(await us.send(us.add())).toEqual(SERVED);
    expect(us.executed).toEqual(["1", "1"]);
  });

  it("is refused with another envelope around the same encryption", async () => {
    await using us = await counting();
    const body = us.add();
    await us.send(body);
    const respaced = Buffer.from(
      body.toString("latin1").replaceAll("\n", "\r\n").replace("</wwwroot>", "</wwwroot><X1/>"),
      "latin1",
    );
    expect(await us.send(respaced)).toEqual(REPLAYED);
    expect(us.executed).toEqual(["1"]);
  });

  it("SEC-009 is refused with its timestamp flipped: RC4 lets anybody do that", async () => {
    await using us = await counting();
    const body = us.add();
    await us.send(body);
    const signed = openedText(body, us);
    const at = signed.indexOf("<timestamp>") + "<timestamp>".length;
    const [data] = cipherValues(body);
    const flipped = Buffer.from(data);
    // The last digit of the seconds, to another digit.
    flipped[at + 9]! ^= 1;
    const forged = Buffer.from(
      body.toString("latin1").replace(data.toString("base64"), flipped.toString("base64")),
      "latin1",
    );
    expect(forged.equals(body)).toBe(false);
    expect(await us.send(forged)).toEqual(REPLAYED);
    expect(us.executed).toEqual(["1"]);
  });

  it("is refused after the peer has rotated, too", async () => {
    await using us = await counting();
    const body = us.add();
    await us.send(body);
    await us.clock.advance(3_600_000);
    expect(await us.send(body)).toEqual(REPLAYED);
  });

  it("of many at once one is executed", async () => {
    await using us = await counting();
    const body = us.add();
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => us.send(body)));
    expect(outcomes.filter((outcome) => "value" in outcome)).toHaveLength(1);
    expect(us.executed).toHaveLength(1);
  });

  it("by another process of the host is refused as well", async () => {
    const store = memoryStore();
    await using us = await counting({ store });
    const body = us.add();
    await us.send(body);
    await using other = await createHost({
      wwwroot: OUR_WWWROOT,
      name: "Our host",
      store,
      clock: us.clock,
      transport: transportTo(() => ""),
    });
    expect(summary(openAnswer(await post(other, body), us.alice))).toEqual(REPLAYED);
  });

  it("is remembered where the option says, and forgotten there by the maintenance", async () => {
    const [shared, store] = [memoryStore().replay, memoryStore()];
    const asked: string[] = [];
    const replay: ReplayStore = {
      remember: (...given) => (asked.push("remember"), shared.remember(...given)),
      prune: (...given) => (asked.push("prune"), shared.prune(...given)),
    };
    await using us = await counting({ replay, store });
    const body = us.add();
    expect(await us.send(body)).toEqual(SERVED);
    expect(await us.send(body)).toEqual(REPLAYED);
    expect(asked).toEqual(["remember", "remember"]);
    await us.host.maintain();
    expect(asked).toContain("prune");
    expect(await store.replay.prune(Infinity, 9)).toBe(0);
  });

  it("to a key that is archived by now brings the new key, as often as it comes, and is never executed", async () => {
    const old = rekeyed(OUR_WWWROOT, 5, { notBefore: "2025-11-01T00:00:00Z" });
    await using us = await counting({ archived: [old] });
    const body = us.add({ to: old });
    for (let n = 0; n < 2; n += 1) expect(await us.send(body)).toEqual({ form: "signed and encrypted", fault: 7025 });
    expect(us.executed).toEqual([]);
  });

  it("a call that failed is not to be tried with the same bytes either", async () => {
    await using us = await counting({ alicePeer: { services: {} } });
    const body = us.add();
    expect(await us.send(body)).toMatchObject({ fault: 7012 });
    expect(await us.send(body)).toEqual(REPLAYED);
  });
});

describe("SEC-033 only what was verified is remembered", () => {
  it("forged messages leave no trace, and do not use up a message that is genuine", async () => {
    const remembered: string[] = [];
    const store = memoryStore();
    const replay: ReplayStore = {
      ...store.replay,
      remember(peer, key, limits, now) {
        remembered.push(key);
        return store.replay.remember(peer, key, limits, now);
      },
    };
    await using us = await counting({ store: { ...store, replay } });
    for (const options of [
      { damage: withBadSignature },
      { form: "encrypted" },
      { inner: "https://mallory.example" },
    ] as const) {
      await us.send(us.add(options));
    }
    expect(remembered).toEqual([]);
    expect(await us.send(us.add())).toEqual(SERVED);
    expect(remembered).toHaveLength(1);
    expect(remembered[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it("until our key is out of use, and a minute more", async () => {
    const limits: number[] = [];
    const store = memoryStore();
    const replay: ReplayStore = {
      ...store.replay,
      remember(peer, key, { until, maxEntries }, now) {
        limits.push(until, maxEntries);
        return store.replay.remember(peer, key, { until, maxEntries }, now);
      },
    };
    await using us = await counting({ store: { ...store, replay } });
    await us.send(us.add());
    expect(limits).toEqual([us.ours.certificate.notAfter.getTime() + 60_000, 1_000_000]);
  });
});

/** The signed envelope inside, as text. */
function openedText(body: Buffer, { ours }: Rig): string {
  const [data, wrapped] = cipherValues(body);
  return rc4(ours.key.unwrapSessionKey(wrapped), data).toString("latin1");
}

describe("SEC-034 a response that was one before", () => {
  it("is refused as the answer to another call, properly signed though it is", async () => {
    const recorded: Buffer[] = [];
    let isReplaying = false;
    await using us = await scriptedRig((_, self) => {
      const fresh = answer(self, encodeResult("done"));
      recorded.push(fresh);
      return isReplaying ? recorded[0]! : fresh;
    });
    expect(await us.list()).toBe("done");
    isReplaying = true;
    expect(await codeOf(us.list)).toBe("MNET_ENVELOPE_REPLAYED");
    expect(await codeOf(() => us.host.call({ id: us.aliceId }, "system/listMethods"))).toBe("MNET_ENVELOPE_REPLAYED");
    expect(us.told("replay.refused")).toHaveLength(2);
    // One request for each: nothing is tried again.
    expect(us.asked).toHaveLength(3);
    isReplaying = false;
    expect(await us.list()).toBe("done");
  });

  it("of two calls that get it at once, one takes it", async () => {
    let same: Buffer | undefined;
    await using us = await scriptedRig((_, self) => (same ??= answer(self, encodeResult("done"))));
    const outcomes = await Promise.all([codeOf(us.list), codeOf(us.list)]);
    expect(outcomes.sort()).toEqual(["MNET_ENVELOPE_REPLAYED", "accepted"]);
  });

  it("is refused if it was a fault", async () => {
    let same: Buffer | undefined;
    await using us = await scriptedRig((_, self) => (same ??= answer(self, encodeFault(5012, "no"))));
    expect(await codeOf(us.list)).toBe("MNET_REMOTE_FAULT");
    expect(await codeOf(us.list)).toBe("MNET_ENVELOPE_REPLAYED");
  });

  it("one of our own requests is no response, and a response no request", async () => {
    await using us = await scriptedRig(({ request }) => Buffer.from(request.body!));
    expect(await codeOf(us.list)).not.toBe("accepted");
    const response = answer(us, encodeResult("done"));
    expect(summary(openAnswer(await post(us.host, response), us.alice))).toMatchObject({
      form: "signed and encrypted",
    });
    expect(us.told("call.served")).toEqual([]);
  });

  const authorised = RECORDINGS.flatMap((recording: Recording) =>
    exchangeNames(recording)
      .map((name) => recordedRequest(recording, name))
      .filter(({ method, faultCode }) => method?.endsWith("/user_authorise") && faultCode === null),
  );

  it.each(authorised.map((exchange) => [`${exchange.recording}/${exchange.name}`, exchange] as const))(
    "%s: the answer to user_authorise, injected into another call",
    async (_, { recording, name, from, to, recordedAt, keys }) => {
      const response = recordedMessage(recording, name, "response");
      const { current, archived } = keys[from!]!;
      const store = await storeWithKeys([current, ...archived].map((id) => recordedPems(recording)[id]!));
      const certificate = response.certificateOf(to)!;
      const peer = await insertPeer(store, { wwwroot: to, certificate });
      await using host = await createHost({
        wwwroot: from!,
        name: "Recorded caller",
        store,
        clock: fakeClock(new Date(recordedAt * 1000)),
        transport: transportTo(() => response.body),
      });
      const call = (username: string) =>
        host.call(peer, "auth/mnet/auth.php/user_authorise", [username, ""], { unchecked: true });
      expect(await call("the token it was the answer to")).toMatchObject({ username: expect.any(String) as string });
      expect(await codeOf(() => call("another token"))).toBe("MNET_ENVELOPE_REPLAYED");
    },
  );

  it("there are such recordings of Moodle and of Mahara", () => {
    expect(new Set(authorised.map(({ recording }) => recording.split("-")[0]))).toEqual(new Set(["moodle", "mahara"]));
  });
});

describe("SEC-010 what RC4 cannot keep secret", () => {
  it("a peer without https is added with a warning, one with https without", async () => {
    await using us = await rig();
    for (const wwwroot of ["http://plain.example", "https://tls.example"]) {
      const { certificate } = rekeyed(wwwroot, 6);
      await us.host.peers.add(wwwroot, { certificate: certificate.pem, settings: { timeoutMs: 1 } });
    }
    expect(us.told("peer.added").map(({ wwwroot, level }) => [wwwroot, level])).toEqual([
      ["http://plain.example", "warn"],
      ["https://tls.example", "info"],
    ]);
  });

  it("one call is sent twice at most, never under the same key, and not again by itself", async () => {
    const next = rekeyed(ALICE, 2);
    await using us = await scriptedRig(
      ({ sealedFor }, self) =>
        sealedFor === next ? encodeFault(17, "broken") : answer(self, encodeFault(7025, next.certificate.pem)),
      { keys: [next] },
    );
    expect(await codeOf(us.list)).toBe("MNET_REMOTE_FAULT");
    await us.clock.advance(3_600_000);
    expect(us.asked).toHaveLength(2);
    for (let n = 0; n < 20; n += 1) await codeOf(us.list);
    const encrypted = us.asked.map(({ request }) => cipherValues(request.body!)[0].toString("base64"));
    expect(new Set(encrypted).size).toBe(us.asked.length);
  });
});

describe("SEC-035 clocks that differ", () => {
  const answering = (offsetMs: number, settings = {}) =>
    scriptedRig((_, self) => answer(self, encodeResult("done"), { timestamp: new Date(self.clock.now() + offsetMs) }), {
      alicePeer: { settings },
    });
  const strict = { clock: "strict" } as const;

  it.each([
    ["+14 s", 14_000, "accepted", {}],
    ["+16 s", 16_000, "MNET_PEER_CLOCK_AHEAD", {}],
    ["−7,200 s", -7_200_000, "accepted", {}],
    ["−14 s, strict", -14_000, "accepted", strict],
    ["−16 s, strict", -16_000, "MNET_PEER_CLOCK_BEHIND", strict],
    ["+16 s, strict", 16_000, "MNET_PEER_CLOCK_AHEAD", strict],
    ["+16 s where 20 are tolerated", 16_000, "accepted", { driftToleranceMs: 20_000 }],
    ["+2 s where 1 is tolerated", 2000, "MNET_PEER_CLOCK_AHEAD", { driftToleranceMs: 1000 }],
  ])("MNET-104 a response of %s: %#", async (_, offsetMs, code, settings) => {
    await using us = await answering(offsetMs, settings);
    if (code === "accepted") expect(await us.list()).toBe("done");
    else expect(await errorOf(us.list)).toMatchObject({ code, offsetMs });
    const isOff = Math.abs(offsetMs) > ((settings as { driftToleranceMs?: number }).driftToleranceMs ?? 15_000);
    expect(us.told("clock.off")).toMatchObject(isOff ? [{ level: "warn", offsetMs }] : []);
  });

  it("half the time that the exchange took is the peer's", async () => {
    await using us = await scriptedRig(async (_, self) => {
      const timestamp = new Date(self.clock.now() + 19_000);
      await self.clock.advance(10_000);
      return answer(self, encodeResult("done"), { timestamp });
    });
    expect(await us.list()).toBe("done");
  });

  it.each([
    ["+14 s", 14_000, SERVED, {}],
    ["+16 s", 16_000, SERVED, {}],
    ["−7,200 s", -7_200_000, SERVED, {}],
    ["+14 s, strict", 14_000, SERVED, strict],
    ["+16 s, strict", 16_000, REPLAYED, strict],
    ["−14 s, strict", -14_000, SERVED, strict],
    ["−7,200 s, strict", -7_200_000, REPLAYED, strict],
  ])("a request of %s: %#", async (_, offsetMs, outcome, settings) => {
    await using us = await counting({ alicePeer: { settings } });
    expect(await us.send(us.add({ timestamp: new Date(START + offsetMs) }))).toEqual(outcome);
    expect(us.executed).toHaveLength(outcome === SERVED ? 1 : 0);
    if (outcome === SERVED) expect(us.told("clock.off")).toHaveLength(Math.abs(offsetMs) > 15_000 ? 1 : 0);
    else {
      const code = offsetMs > 0 ? "MNET_PEER_CLOCK_AHEAD" : "MNET_PEER_CLOCK_BEHIND";
      expect(us.told("call.refused")).toMatchObject([{ code, faultCode: 7000 }]);
    }
  });

  it("one that was refused for its time may come again in time", async () => {
    await using us = await counting({ alicePeer: { settings: strict } });
    const body = us.add({ timestamp: new Date(START + 20_000) });
    expect(await us.send(body)).toEqual(REPLAYED);
    await us.clock.advance(20_000);
    expect(await us.send(body)).toEqual(SERVED);
  });
});
