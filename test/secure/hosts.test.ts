import { describe, expect, test } from "vitest";
import { sealSecure, type SecureSealOptions } from "../../src/secure/seal-secure.ts";
import { secureProfile } from "../../src/secure/secure-profile.ts";
import { decodeResponse } from "../../src/xmlrpc/decode.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import type { Host } from "../../src/host/host.ts";
import { codeOf } from "../support/code-of.ts";
import { keyedSite, openAnswer, rig, summary, type KeyedSite, type Rig } from "../support/hosts.ts";
import { decryptEnvelope, readSecureEnvelope } from "../../src/secure/secure-envelope.ts";
import { watchedNetwork, type WatchedHost, type WatchedNetwork } from "../support/watched-network.ts";

const LIST = encodeCall("system/listServices", []);
const PROVED = { profile: { proved: "secure/1", provedAt: 1 } } as const;

/** A request of alice's, as she makes it or otherwise. */
const request = (us: Rig, options: Partial<SecureSealOptions> = {}, document: Uint8Array = LIST) =>
  sealSecure(document, {
    sender: us.alice.wwwroot,
    key: us.alice.key,
    to: us.ours.wwwroot,
    recipient: us.ours.certificate,
    timestamp: new Date(us.clock.now()),
    ...options,
  });

async function post(us: Rig, body: Uint8Array): Promise<Uint8Array> {
  const path = new URL(`${us.host.wwwroot}/mnet/xmlrpc/server.php`).pathname;
  return (await us.host.handle({ method: "POST", path, headers: {}, body }))!.body;
}

/** What alice finds in an answer to a request of hers: `sealed` only if it is bound to it. */
async function read(us: Rig, body: Uint8Array, inReplyTo: string, signer: KeyedSite = us.ours): Promise<unknown> {
  if (!Buffer.from(body).includes("<secureMessage")) return summary(openAnswer(body, us.alice));
  const { document } = await secureProfile().open(body, {
    keys: [us.alice.key],
    certificateOf: () => signer.certificate,
    self: us.alice.wwwroot,
    inReplyTo,
  });
  const said = decodeResponse(document);
  return said.kind === "fault" ? { sealed: said.faultCode } : { sealed: said.value };
}

const ask = async (us: Rig, options: Partial<SecureSealOptions> = {}, signer?: KeyedSite): Promise<unknown> => {
  const { body, messageId } = request(us, options);
  return read(us, await post(us, body), messageId, signer);
};

describe("a host that is called in the secure profile", () => {
  test.each(["secure/1", "secure/2"] as const)("SEC-029 answers in %s, bound to the request", async (profile) => {
    await using us = await rig();
    expect(await ask(us, { profile })).toEqual({ sealed: [] });
    expect(us.told("call.served")).toMatchObject([{ profile, method: "system/listServices" }]);
    expect(us.told("peer.profile")).toMatchObject([{ profile }]);
    expect((await us.host.peers.get(us.aliceId)).profile).toBe(profile);
  });

  test("SEC-033 takes a request once, in whatever envelope", async () => {
    await using us = await rig();
    const { body, messageId } = request(us);
    expect(await read(us, await post(us, body), messageId)).toEqual({ sealed: [] });
    expect(await read(us, await post(us, body), messageId)).toEqual({ sealed: 7000 });
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_ENVELOPE_REPLAYED" }]);
    expect(us.told("call.served")).toHaveLength(1);
  });

  test("SEC-033 takes a session key once, whatever is signed for it", async () => {
    await using us = await rig();
    const key = Buffer.alloc(32, 7);
    const random = (bytes: number): Buffer => (bytes === 32 ? key : Buffer.alloc(bytes, 9));
    expect(await ask(us, { random })).toEqual({ sealed: [] });
    expect(await ask(us, { random, timestamp: new Date(us.clock.now() + 1000) })).toEqual({ sealed: 7000 });
  });

  test.each([
    ["299 s late", -299_000, { sealed: [] }],
    ["301 s late", -301_000, { sealed: 7000 }],
    ["299 s early", 299_000, { sealed: [] }],
    ["301 s early", 301_000, { sealed: 7000 }],
  ])("SEC-035 refuses what is signed for another time: %s", async (_, offset, expected) => {
    await using us = await rig();
    expect(await ask(us, { timestamp: new Date(us.clock.now() + offset) })).toEqual(expected);
  });

  test("SEC-035 and more, where the peer must be strictly on time", async () => {
    await using us = await rig({ alicePeer: { settings: { clock: "strict", driftToleranceMs: 5000 } } });
    expect(await ask(us, { timestamp: new Date(us.clock.now() - 4000) })).toEqual({ sealed: [] });
    expect(await ask(us, { timestamp: new Date(us.clock.now() - 6000) })).toEqual({ sealed: 7000 });
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_PEER_CLOCK_BEHIND" }]);
  });

  test("SEC-032 refuses what is signed for somebody else, and executes nothing", async () => {
    await using us = await rig();
    expect(await ask(us, { to: "https://somebody.example" })).toEqual({ sealed: 710 });
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_ENVELOPE_WRONG_RECIPIENT" }]);
    expect(us.told("peer.profile")).toEqual([]);
  });

  test("SEC-022 SEC-034 refuses a response where a request belongs", async () => {
    await using us = await rig();
    expect(await ask(us, { inReplyTo: "0".repeat(64) })).toEqual({ sealed: 710 });
    const { body, messageId } = request(us, {}, encodeResult([]));
    expect(await read(us, await post(us, body), messageId)).toEqual({ sealed: 7021 });
  });

  test("SEC-031 SEC-026 refuses another's signature in a peer's name", async () => {
    await using us = await rig();
    expect(await ask(us, { key: keyedSite(us.alice.wwwroot, 5).key })).toEqual({ sealed: 710 });
    expect((await us.host.peers.get(us.aliceId)).profile).toBe("mnet");
  });

  test("SEC-003 SEC-087 answers in clear, alike, whatever keeps it from reading", async () => {
    await using us = await rig();
    const { body } = request(us);
    const text = Buffer.from(body).toString("latin1");
    const answers = [
      request(us, { recipient: keyedSite("https://other.example", 4).certificate }).body,
      Buffer.from(text.slice(0, -200), "latin1"),
      Buffer.from(
        text.replace(
          /(<CipherValue>)(.)(?=[^<]*<\/CipherValue><\/CipherData><\/EncryptedData>)/,
          (_, before: string, first: string) => before + (first === "A" ? "B" : "A"),
        ),
        "latin1",
      ),
      Buffer.from(text.replace("secure:1", "secure:9"), "latin1"),
      Buffer.from(text.replace("aes256-gcm", "aes128-gcm"), "latin1"),
    ];
    const given = await Promise.all(answers.map(async (one) => Buffer.from(await post(us, one)).toString()));
    expect(new Set(given).size).toBe(1);
    expect(summary(openAnswer(Buffer.from(given[0]!)))).toEqual({ form: "plain", fault: 7023 });
  });

  test("SEC-044 remembers nothing of a peer that waits for approval, whose key may be a stranger's", async () => {
    await using us = await rig({ registerStrangers: true, alicePeer: { state: "pending" } });
    expect(await ask(us)).toEqual({ sealed: [] });
    expect(us.told("peer.profile")).toEqual([]);
    expect((await us.store.peers.find(us.aliceId))?.profile).toBeUndefined();
  });

  test("SEC-054 knows no suspended peer, and no stranger", async () => {
    await using us = await rig();
    await us.host.peers.suspend({ id: us.aliceId });
    expect(await ask(us)).toEqual({ form: "plain", fault: 7020 });
  });

  test("SEC-052 MNET-079 tells its new key, signed with the old one and bound to the request", async () => {
    const old = keyedSite("https://host.example/moodle", 2);
    await using us = await rig({ archived: [old] });
    const { body, messageId } = request(us, { recipient: old.certificate });
    const reply = await post(us, body);
    expect(await read(us, reply, messageId, old)).toEqual({ sealed: 7025 });
    expect(await codeOf(() => read(us, reply, "0".repeat(64), old))).toBe("MNET_ENVELOPE_WRONG_REPLY");
    expect(await codeOf(() => read(us, reply, messageId, us.ours))).toBe("MNET_ENVELOPE_SIGNATURE_INVALID");
    expect(us.told("call.served")).toEqual([]);
  });

  test("SEC-083 a flood of what it cannot open is rationed", async () => {
    await using us = await rig();
    const { body } = request(us, { key: keyedSite(us.alice.wwwroot, 5).key });
    const path = new URL(`${us.host.wwwroot}/mnet/xmlrpc/server.php`).pathname;
    const statuses = new Set<number>();
    for (let n = 0; n < 200; n += 1) {
      const response = await us.host.handle({ method: "POST", path, headers: {}, body, remoteAddress: "192.0.2.1" });
      statuses.add(response!.status);
    }
    expect(statuses).toEqual(new Set([200, 503]));
  });
});

describe("a host that calls in the secure profile", () => {
  /** Alice answers as told; `options` change how she seals it. */
  const calling = (
    reply: (us: Rig, inReplyTo: string, body: Uint8Array) => Uint8Array,
    options: Parameters<typeof rig>[0] = {},
  ): Promise<Rig> => {
    const made: Promise<Rig> = rig({
      alicePeer: PROVED,
      transport: {
        async exchange({ body = new Uint8Array() }) {
          const us = await made;
          const { messageId } = decryptEnvelope(readSecureEnvelope(body), [us.alice.key]);
          return { status: 200, headers: {}, body: reply(us, messageId, body) };
        },
      },
      ...options,
    });
    return made;
  };
  const answered = (us: Rig, options: Partial<SecureSealOptions>, document: Uint8Array = encodeResult([])) =>
    sealSecure(document, {
      sender: us.alice.wwwroot,
      key: us.alice.key,
      to: us.ours.wwwroot,
      recipient: us.ours.certificate,
      timestamp: new Date(us.clock.now()),
      ...options,
    }).body;
  const outcome = (us: Rig): Promise<string> => codeOf(() => us.host.call({ id: us.aliceId }, "system/listServices"));

  test("takes the answer to its request", async () => {
    await using us = await calling((all, inReplyTo) => answered(all, { inReplyTo }));
    expect(await us.host.call({ id: us.aliceId }, "system/listServices")).toEqual([]);
    expect(us.told("call.sent")).toMatchObject([{ profile: "secure/1" }]);
  });

  test.each<[string, string, (us: Rig, inReplyTo: string) => Partial<SecureSealOptions>]>([
    ["to another request", "WRONG_REPLY", () => ({ inReplyTo: "0".repeat(64) })],
    ["to no request", "WRONG_REPLY", () => ({})],
    ["for somebody else", "WRONG_RECIPIENT", (_, inReplyTo) => ({ inReplyTo, to: "https://somebody.example" })],
    ["of somebody else", "SENDER_MISMATCH", (_, inReplyTo) => ({ inReplyTo, sender: "https://somebody.example" })],
    [
      "with another key",
      "SIGNATURE_INVALID",
      (us, inReplyTo) => ({ inReplyTo, key: keyedSite(us.alice.wwwroot, 5).key }),
    ],
    [
      "for a key that is not ours",
      "DECRYPTION_FAILED",
      (_, inReplyTo) => ({ inReplyTo, recipient: keyedSite("https://x.example", 6).certificate }),
    ],
  ])("SEC-034 takes no answer %s", async (_, code, options) => {
    await using us = await calling((all, inReplyTo) => answered(all, options(all, inReplyTo)));
    expect(await outcome(us)).toBe(`MNET_ENVELOPE_${code}`);
  });

  test("takes no request of its own for an answer", async () => {
    await using us = await calling((_all, _id, body) => body);
    expect(await outcome(us)).toBe("MNET_ENVELOPE_SENDER_MISMATCH");
  });

  test.each([
    [16_000, "MNET_PEER_CLOCK_AHEAD"],
    [14_000, "accepted"],
    [-299_000, "accepted"],
    [-301_000, "MNET_PEER_CLOCK_BEHIND"],
  ])("SEC-035 MNET-104 with a clock that is off by %i ms", async (offset, expected) => {
    await using us = await calling((all, inReplyTo) =>
      answered(all, { inReplyTo, timestamp: new Date(all.clock.now() + offset) }),
    );
    expect(await outcome(us)).toBe(expected);
  });

  test("SEC-038 pins a new key only if the pinned one has signed the news, for this request", async () => {
    const next = keyedSite("https://alice.example", 7);
    const news = encodeFault(7025, next.certificate.pem);
    const forged: ((us: Rig, inReplyTo: string) => Uint8Array)[] = [
      (all, inReplyTo) => answered(all, { inReplyTo, key: next.key }, news),
      (all) => answered(all, { inReplyTo: "0".repeat(64) }, news),
      () => news,
    ];
    for (const forge of forged) {
      await using us = await calling(forge);
      expect(await outcome(us)).not.toBe("accepted");
      expect((await us.host.peers.get(us.aliceId)).key.fingerprint).toBe(us.alice.certificate.fingerprint);
    }
    await using us = await calling((all, inReplyTo) => answered(all, { inReplyTo }, news));
    // She goes on with her old key, which is refused by then; the news counts.
    expect(await outcome(us)).not.toBe("accepted");
    expect((await us.host.peers.get(us.aliceId)).key.fingerprint).toBe(next.certificate.fingerprint);
  });

  test("SEC-040 takes no key back that was given up", async () => {
    const given = keyedSite("https://alice.example", 7);
    const retired = [given.certificate.fingerprint];
    await using us = await calling(
      (all, inReplyTo) => answered(all, { inReplyTo }, encodeFault(7025, given.certificate.pem)),
      { alicePeer: { ...PROVED, retired } },
    );
    expect(await outcome(us)).toBe("MNET_KEY_ROLLBACK");
    expect((await us.host.peers.get(us.aliceId)).key.fingerprint).toBe(us.alice.certificate.fingerprint);
  });
});

describe("two hosts that use the secure profile", () => {
  const connected = async (network: WatchedNetwork): Promise<[WatchedHost, WatchedHost]> => {
    const [a, b] = [await network.host("a"), await network.host("b")];
    await network.connect(a, b);
    await a.maintain();
    return [a, b];
  };
  const call = async (from: Host, to: Host): Promise<unknown> =>
    from.call(await from.peers.get(to.wwwroot), "system/listServices");
  const onlySecure = (network: WatchedNetwork): boolean =>
    network.exchanges.every(
      ({ request, what }) => what === "keyswap" || Buffer.from(request.body ?? "").includes("<secureM"),
    );

  test("SEC-049 go on when one has a new key, or both have, and nothing else goes over the wire", async () => {
    await using network = watchedNetwork();
    const [a, b] = await connected(network);
    network.forget();
    for (const rotating of [[a], [b], [a, b]]) {
      for (const host of rotating) await host.keys.rotate();
      await call(a, b);
      await call(b, a);
      for (const [one, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const { fingerprint } = await other.keys.current();
        expect((await one.peers.get(other.wwwroot)).key.fingerprint).toBe(fingerprint);
        expect((await one.peers.get(other.wwwroot)).profile).toBe("secure/1");
      }
    }
    expect(network.exchanges.length).toBeGreaterThan(8);
    expect(onlySecure(network)).toBe(true);
  });
});
