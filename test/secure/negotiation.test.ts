import { describe, expect, test } from "vitest";
import type { Host } from "../../src/host/host.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { codeOf } from "../support/code-of.ts";
import {
  insertPeer,
  isSignedBy,
  keyedSite,
  openAnswer,
  rig,
  summary,
  transportTo,
  wrap,
  type KeyedSite,
} from "../support/hosts.ts";
import { recordedRequest } from "../support/recorded-exchange.ts";
import { answer, scriptedRig } from "../support/scripted-peer.ts";
import { watchedNetwork, type WatchedHost, type WatchedNetwork } from "../support/watched-network.ts";

const profileOf = async (host: Host, peer: { readonly wwwroot: string }): Promise<string> =>
  (await host.peers.get(peer.wwwroot)).profile;
const call = async (from: Host, to: { readonly wwwroot: string }): Promise<unknown> =>
  from.call(await from.peers.get(to.wwwroot), "system/listServices");
/** Which envelopes went over the wire, in order. */
const roots = (network: WatchedNetwork): string[] =>
  network.exchanges.map(
    ({ request: { body } }) => /<([a-z]+Message)/.exec(Buffer.from(body ?? "").toString())?.[1] ?? "",
  );
const MNET_ONLY: Partial<HostOptions> = { peerDefaults: { profile: "mnet" } };

async function two(network: WatchedNetwork, options: Partial<HostOptions> = {}): Promise<[WatchedHost, WatchedHost]> {
  const [a, b] = [await network.host("a"), await network.host("b", options)];
  await network.connect(a, b);
  network.forget();
  return [a, b];
}

describe("a network of old and new", () => {
  test("two hosts use the secure profile from the next maintenance of one of them on", async () => {
    await using network = watchedNetwork();
    const [a, b] = await two(network);
    await call(a, b);
    expect([await profileOf(a, b), await profileOf(b, a)]).toEqual(["mnet", "mnet"]);
    expect((await a.maintain()).failed).toEqual([]);
    expect([await profileOf(a, b), await profileOf(b, a)]).toEqual(["secure/1", "secure/1"]);
    await call(a, b);
    await call(b, a);
    expect(roots(network)).toEqual([
      "encryptedMessage",
      "encryptedMessage",
      "secureMessage",
      "secureMessage",
      "secureMessage",
    ]);
    for (const host of [a, b]) {
      expect(host.events.filter(({ type }) => type === "peer.profile")).toMatchObject([
        { profile: "secure/1", level: "info" },
      ]);
    }
    const { secureCalls, callsIn, callsOut } = await a.stats(await a.peers.get(b.wwwroot));
    expect({ secureCalls, callsIn, callsOut }).toEqual({ secureCalls: 3, callsIn: 1, callsOut: 4 });
    // And nobody is asked any more.
    network.forget();
    await a.maintain();
    await b.maintain();
    expect(network.seen()).toEqual([]);
  });

  test("or at once, when an operator refreshes the peer", async () => {
    await using network = watchedNetwork();
    const [a, b] = await two(network);
    expect((await a.peers.refresh(await a.peers.get(b.wwwroot))).profile).toBe("secure/1");
    expect(await profileOf(b, a)).toBe("secure/1");
  });

  test("with a host that has MNet's own only, that is used, and it is asked once a day", async () => {
    await using network = watchedNetwork();
    const [a, old] = await two(network, MNET_ONLY);
    for (let hour = 0; hour < 30; hour += 1) {
      await a.maintain();
      await old.maintain();
      await network.clock.advance(3_600_000);
    }
    expect(network.seen()).toEqual(["a → b envelope", "a → b envelope"]);
    await call(a, old);
    await call(old, a);
    expect(new Set(roots(network))).toEqual(new Set(["encryptedMessage"]));
    expect([await profileOf(a, old), await profileOf(old, a)]).toEqual(["mnet", "mnet"]);
  });

  test("a Moodle answers the question as it answers any system method that it does not have", async () => {
    const moodles = recordedRequest("moodle-4.5", "116-fault-7018-unknown-system-method");
    const said = openAnswer(Buffer.from(moodles.response.xmlrpc!, "utf8"));
    expect(summary(said)).toMatchObject({ fault: 7018 });
    await using us = await scriptedRig(({ what }, all) =>
      what === "system/profiles"
        ? answer(all, Buffer.from(moodles.response.xmlrpc!, "utf8"))
        : answer(all, encodeResult([])),
    );
    expect((await us.host.maintain()).failed).toEqual([]);
    await us.list();
    await us.host.maintain();
    expect(us.counts()).toEqual({ "system/profiles": 1, "system/listServices": 1 });
    expect((await us.host.peers.get(us.aliceId)).profile).toBe("mnet");
    // It is nothing that an operator must hear of.
    expect(us.told("call.failed")).toMatchObject([{ level: "debug", faultCode: 7018 }]);
    await us.clock.advance(86_400_000);
    await us.host.maintain();
    expect(us.counts()).toMatchObject({ "system/profiles": 2 });
  });

  test("a Mahara is not asked", async () => {
    await using us = await rig({ alicePeer: { application: "mahara" } });
    await us.host.maintain();
    expect(us.told("call.failed")).toEqual([]);
  });

  test("who does not answer is asked less and less often", async () => {
    await using us = await rig();
    for (let minute = 0; minute < 120; minute += 1) {
      await us.host.maintain();
      await us.clock.advance(60_000);
    }
    // After 10, 20, 40 minutes and so on.
    expect(us.told("call.failed").length).toBeGreaterThan(2);
    expect(us.told("call.failed").length).toBeLessThan(6);
  });

  test("a site that lists a profile and does not have it is called in the one that it has", async () => {
    await using us = await scriptedRig(({ what, sealedFor }, all) =>
      sealedFor ? answer(all, encodeResult(what === "system/profiles" ? ["secure/1"] : [])) : "",
    );
    // The script cannot read the secure profile, and breaks off.
    await us.host.maintain().catch(() => undefined);
    expect((await us.host.peers.get(us.aliceId)).profile).toBe("mnet");
    expect(await us.list()).toEqual([]);
  });

  test("SEC-029 of a Moodle, a host with MNet's own only and two with both, every pair uses the best that both have", async () => {
    await using network = watchedNetwork();
    const moodle = keyedSite("https://moodle.test", 5);
    const recordedAnswers: Readonly<Record<string, string>> = {
      "system/profiles": recordedRequest("moodle-4.5", "116-fault-7018-unknown-system-method").response.xmlrpc!,
      "system/listServices": recordedRequest("moodle-4.5", "161-rotation-2-a-rotated-b-calls-with-old-key").response
        .xmlrpc!,
    };
    const wire: string[] = [];
    const through = (name: string, key: KeyedSite): Transport => ({
      async exchange(request) {
        const body = Buffer.from(request.body ?? "");
        const to = request.url.hostname.replace(/\.test$/, "");
        const root = /<([a-z]+Message)/.exec(body.toString("latin1"))?.[1];
        if (root) wire.push(`${name} → ${to} ${root}`);
        if (to !== "moodle") return network.transport.exchange(request);
        // What a Moodle cannot read, it answers in clear.
        if (root !== "encryptedMessage") return { status: 200, headers: {}, body: encodeFault(7021, "no") };
        const { decoded } = openAnswer(body, moodle);
        const document = Buffer.from(recordedAnswers[decoded.kind === "call" ? decoded.method : ""] ?? "");
        const timestamp = new Date(network.clock.now());
        return { status: 200, headers: {}, body: wrap(document, { from: moodle, to: key, timestamp }) };
      },
    });
    const hosts: WatchedHost[] = [];
    for (const [n, [name, options]] of Object.entries({ a: {}, b: {}, old: MNET_ONLY }).entries()) {
      const key = keyedSite(`https://${name}.test`, n);
      const host = await network.host(name, { transport: through(name, key), ...options });
      await insertPeer(host.store, moodle);
      for (const other of hosts) await network.connect(other, host);
      hosts.push(host);
    }
    const maintainAll = async (): Promise<void> => {
      for (const host of hosts) expect((await host.maintain()).failed).toEqual([]);
    };
    await maintainAll();
    await maintainAll();
    wire.splice(0);
    for (const from of hosts) {
      for (const to of [...hosts, moodle]) if (to !== from) await call(from, to);
      const body = wrap(encodeCall("system/listServices", []), {
        from: moodle,
        to: keyedSite(from.wwwroot, hosts.indexOf(from)),
        timestamp: new Date(network.clock.now()),
      });
      const path = "/mnet/xmlrpc/server.php";
      const response = await from.handle({ method: "POST", path, headers: {}, body });
      expect(summary(openAnswer(response!.body, moodle))).toMatchObject({ form: "signed and encrypted", value: [] });
    }
    expect(wire).toEqual([
      "a → b secureMessage",
      "a → old encryptedMessage",
      "a → moodle encryptedMessage",
      "b → a secureMessage",
      "b → old encryptedMessage",
      "b → moodle encryptedMessage",
      "old → a encryptedMessage",
      "old → b encryptedMessage",
      "old → moodle encryptedMessage",
    ]);
  });

  test("only versions that both have are tried", async () => {
    await using us = await scriptedRig((_, all) => answer(all, encodeResult(["secure/99", 5, "mnet"])));
    await us.host.maintain();
    expect(us.counts()).toEqual({ "system/profiles": 1 });
    expect((await us.store.peers.find(us.aliceId))?.profile).toEqual({ askedAt: us.clock.now() });
  });
});

/** Leads all that is sent through somebody. */
function middleman(
  network: WatchedNetwork,
  change: (body: Buffer, response: Buffer | undefined) => Uint8Array,
): Transport {
  return {
    async exchange(request) {
      const body = request.body && change(Buffer.from(request.body), undefined);
      const response = await network.transport.exchange({ ...request, ...(body && { body }) });
      const sent = Buffer.from(request.body ?? "");
      return { ...response, body: change(sent, Buffer.from(response.body)) };
    },
  };
}

describe("a man in the middle", () => {
  /** Lets nothing through that is not MNet's own. */
  const strip = (body: Buffer, response?: Buffer): Uint8Array => {
    const isSecure = body.includes("<secureMessage");
    if (response === undefined) return isSecure ? Buffer.from("") : body;
    return isSecure ? encodeFault(7018, "Unable to locate function") : response;
  };

  test("can keep two from finding out, and no more: after the first proof he changes nothing", async () => {
    await using network = watchedNetwork();
    let active = true;
    const through = middleman(network, (body, response) => (active ? strip(body, response) : (response ?? body)));
    const [a, b] = [await network.host("a", { transport: through }), await network.host("b")];
    await network.connect(a, b);
    await a.maintain();
    expect(await profileOf(a, b)).toBe("mnet");
    await call(a, b);

    active = false;
    await network.clock.advance(3_600_000);
    await a.maintain();
    expect([await profileOf(a, b), await profileOf(b, a)]).toEqual(["secure/1", "secure/1"]);

    active = true;
    expect(await codeOf(() => call(a, b))).toBe("MNET_REMOTE_FAULT");
    await a.maintain();
    expect([await profileOf(a, b), await profileOf(b, a)]).toEqual(["secure/1", "secure/1"]);
    active = false;
    await call(a, b);
  });

  test("MNET-101 is not believed that the peer wants less, or more", async () => {
    for (const faultCode of [7026, 7018, 7025]) {
      await using us = await scriptedRig(() => Buffer.from(encodeFault(faultCode, "secure/1")));
      expect(await codeOf(us.list)).toBe("MNET_REMOTE_FAULT");
      expect(us.counts()).toEqual({ "system/listServices": 1 });
      expect((await us.host.peers.get(us.aliceId)).profile).toBe("mnet");
    }
  });

  test("SEC-034 a recorded answer proves nothing", async () => {
    let recordedAnswer: Uint8Array | undefined;
    await using us = await scriptedRig(({ what }, all) => {
      if (what !== "system/profiles") return answer(all, encodeResult([]));
      recordedAnswer ??= answer(all, encodeResult(["mnet"]));
      return recordedAnswer;
    });
    await us.host.maintain();
    const { askedAt } = (await us.store.peers.find(us.aliceId))!.profile!;
    await us.clock.advance(86_400_000);
    await us.host.maintain();
    expect(us.told("call.failed")).toMatchObject([{ code: "MNET_ENVELOPE_REPLAYED" }]);
    expect((await us.store.peers.find(us.aliceId))!.profile).toEqual({ askedAt });
  });

  test("SEC-033 SEC-034 what was said or proved before is no proof after an operator has taken it back", async () => {
    await using network = watchedNetwork();
    const [a, b] = await two(network);
    await b.maintain();
    const proofs = network.exchanges.map(({ request }) => request).filter(({ body }) => body);
    expect(proofs).toHaveLength(2);
    // An operator of a, after b went back to software without the profile.
    const toB = await a.peers.get(b.wwwroot);
    expect((await a.peers.set(toB, { profile: "automatic" })).profile).toBe("mnet");
    a.events.splice(0);
    for (const wait of [0, 10_000, 600_000]) {
      await network.clock.advance(wait);
      for (const { method, url, headers, body } of proofs) {
        const response = await a.handle({ method, path: url.pathname, headers, body: body! });
        expect(response?.status).toBe(200);
      }
      expect(await profileOf(a, b)).toBe("mnet");
    }
    const refusals = a.events.flatMap((event) => (event.type === "call.refused" ? [event.code] : []));
    expect(refusals).toEqual([
      ...["MNET_ENVELOPE_REPLAYED", "MNET_ENVELOPE_REPLAYED"],
      ...["MNET_ENVELOPE_REPLAYED", "MNET_ENVELOPE_REPLAYED"],
      // Ten minutes later, the signed time alone is enough.
      ...["MNET_ENVELOPE_REPLAYED", "MNET_PEER_CLOCK_BEHIND"],
    ]);
    expect(a.events.filter(({ type }) => type === "peer.profile" || type === "call.served")).toEqual([]);
  });

  test("SEC-034 a recorded offer makes us try no second time", async () => {
    let recordedOffer: Uint8Array | undefined;
    let tries = 0;
    await using us = await rig({
      transport: transportTo((request) => {
        if (Buffer.from(request.body ?? "").includes("<secureMessage")) {
          tries += 1;
          return Buffer.from(encodeFault(7021, "no"));
        }
        recordedOffer ??= answer(us, encodeResult(["secure/1", "mnet"]));
        return recordedOffer;
      }),
    });
    await us.host.maintain();
    expect(tries).toBe(1);
    await us.clock.advance(86_400_000);
    await us.host.maintain();
    expect(tries).toBe(1);
    expect(us.told("call.failed").map(({ code }) => code)).toEqual(["MNET_REMOTE_FAULT", "MNET_ENVELOPE_REPLAYED"]);
    expect((await us.host.peers.get(us.aliceId)).profile).toBe("mnet");
  });
});

describe("after a peer has proved the secure profile", () => {
  const PROVED = { profile: { proved: "secure/1", provedAt: 1 } } as const;
  const post = async (us: Awaited<ReturnType<typeof rig>>, body: Uint8Array) => {
    const path = new URL(`${us.host.wwwroot}/mnet/xmlrpc/server.php`).pathname;
    const response = await us.host.handle({ method: "POST", path, headers: {}, body });
    return response!.body;
  };

  test("a call of it in MNet's own is refused, not executed, and it is told why by the key that it knows", async () => {
    await using us = await rig({ alicePeer: PROVED });
    const reply = await post(us, wrap(encodeCall("system/listServices", []), { from: us.alice, to: us.ours }));
    const opened = openAnswer(reply, us.alice);
    expect(summary(opened)).toEqual({ form: "signed and encrypted", fault: 7026 });
    expect(isSignedBy(opened, us.ours)).toBe(true);
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_ENVELOPE_PROFILE_REFUSED", faultCode: 7026 }]);
    expect(us.told("call.served")).toEqual([]);
  });

  test("what somebody else sends in its name is refused as always", async () => {
    await using us = await rig({ alicePeer: PROVED });
    const other = { ...us.ours, wwwroot: us.alice.wwwroot };
    const reply = await post(us, wrap(encodeCall("system/listServices", []), { from: other, to: us.ours }));
    expect(summary(openAnswer(reply, us.alice))).toMatchObject({ fault: 710 });
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_ENVELOPE_SIGNATURE_INVALID" }]);
  });

  test("its answer in MNet's own is none", async () => {
    await using us = await rig({
      alicePeer: PROVED,
      transport: { exchange: async () => ({ status: 200, headers: {}, body: answer(us, encodeResult([])) }) },
    });
    expect(await codeOf(() => us.host.call({ id: us.aliceId }, "system/listServices"))).toBe(
      "MNET_ENVELOPE_PROFILE_REFUSED",
    );
  });

  test("one that has forgotten it all learns it again with its next call, which is made once", async () => {
    await using network = watchedNetwork();
    const [a, b] = await two(network);
    await a.maintain();
    // As after a backup was restored.
    const { profile: _forgotten, ...record } = (await a.store.peers.find(b.wwwroot))!;
    await a.store.peers.update(record);
    network.forget();
    expect(await call(a, b)).toEqual([]);
    expect(roots(network)).toEqual(["encryptedMessage", "secureMessage"]);
    expect(await profileOf(a, b)).toBe("secure/1");
    expect(a.events.filter(({ type }) => type === "call.retried")).toMatchObject([{ reason: "secure-profile" }]);
    const served = b.events.filter((event) => event.type === "call.served" && event.method === "system/listServices");
    expect(served).toHaveLength(1);
  });

  test("only an operator takes it back, by naming the setting; then it is found out anew", async () => {
    await using network = watchedNetwork();
    const [a, b] = await two(network);
    await a.maintain();
    const toB = await a.peers.get(b.wwwroot);
    expect((await a.peers.set(toB, { timeoutMs: 5000 })).profile).toBe("secure/1");
    expect((await a.peers.set(toB, { profile: "mnet" })).profile).toBe("mnet");
    expect(a.events.at(-1)).toMatchObject({ type: "peer.changed", changed: ["settings.profile", "profile"] });
    // b still remembers, until its operator, too, says so.
    expect(await codeOf(() => call(a, b))).toBe("MNET_REMOTE_FAULT");
    await b.peers.set(await b.peers.get(a.wwwroot), { profile: "automatic" });
    await call(a, b);
    // While a is so fixed, b finds nothing better.
    await network.clock.advance(86_400_000);
    await b.maintain();
    expect([await profileOf(a, b), await profileOf(b, a)]).toEqual(["mnet", "mnet"]);
    await a.peers.set(toB, { profile: null });
    await a.maintain();
    expect([await profileOf(a, b), await profileOf(b, a)]).toEqual(["secure/1", "secure/1"]);
  });

  test("removing a peer and adding it again forgets it, too", async () => {
    await using network = watchedNetwork();
    const [a, b] = await two(network);
    await a.maintain();
    await a.peers.remove(await a.peers.get(b.wwwroot));
    expect((await a.peers.add(b.wwwroot)).profile).toBe("mnet");
  });
});

describe("a peer for which only the secure profile will do", () => {
  test("is called in it from the first call on, and its calls in MNet's own are refused", async () => {
    await using network = watchedNetwork();
    const [a, b] = await two(network);
    await a.peers.set(await a.peers.get(b.wwwroot), { profile: "secure" });
    await expect(call(b, a)).resolves.toEqual([]);
    expect(b.events.filter(({ type }) => type === "call.retried")).toMatchObject([{ reason: "secure-profile" }]);
    await call(a, b);
    expect(roots(network)).toEqual(["encryptedMessage", "secureMessage", "secureMessage"]);
  });

  test("cannot be a Moodle", async () => {
    await using us = await rig({
      alicePeer: { settings: { profile: "secure" } },
      transport: { exchange: async () => ({ status: 200, headers: {}, body: encodeFault(7023, "no") }) },
    });
    expect(await codeOf(() => us.host.call({ id: us.aliceId }, "system/listServices"))).toBe("MNET_REMOTE_FAULT");
  });
});
