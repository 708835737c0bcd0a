import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Certificate } from "../../src/crypto/certificate.ts";
import { decryptMessage, encryptMessage } from "../../src/envelope/encrypted-message.ts";
import { readEnvelope } from "../../src/envelope/open.ts";
import type { Host } from "../../src/host/host.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import {
  isSignedBy,
  keyedSite,
  keyedStore,
  openAnswer,
  post,
  request,
  summary,
  wrap,
  type KeyedSite,
} from "../support/hosts.ts";
import {
  keyOf,
  keysOf,
  recordedReceiver,
  recordedRequest,
  type RecordedRequest,
} from "../support/recorded-exchange.ts";
import { watchedNetwork, type WatchedHost, type WatchedNetwork } from "../support/watched-network.ts";

const DAY = 86_400_000;
const MNET_ONLY: Partial<HostOptions> = { peerDefaults: { profile: "mnet" } };
const LIST = "system/listServices";

/** Three hosts with MNet's own profile; a knows the others. Each has the key of its number. */
async function three(
  network: WatchedNetwork,
  options: Partial<HostOptions> = MNET_ONLY,
): Promise<[WatchedHost, WatchedHost, WatchedHost]> {
  const [a, b, c] = [
    await network.host("a", options),
    await network.host("b", options),
    await network.host("c", options),
  ];
  await network.connect(a, b);
  await network.connect(a, c);
  network.forget();
  return [a, b, c];
}
const A = "https://a.test";
const sharedKey = (): KeyedSite => keyedSite(A, 0);
const bobs = (): KeyedSite => keyedSite("https://b.test", 1);
const carols = (): KeyedSite => keyedSite("https://c.test", 2);

const peerOf = (host: Host, other: { readonly wwwroot: string }) => host.peers.get(other.wwwroot);
const call = async (from: Host, to: { readonly wwwroot: string }): Promise<unknown> =>
  from.call(await peerOf(from, to), LIST);
const setKeyPair = async (host: Host, peer: Host, keyPair: "shared" | "own"): Promise<void> => {
  await host.peers.set(await peerOf(host, peer), { keyPair });
};
/** The key of `a` that a peer has pinned, and the one that `a` uses with it. */
const pinnedBy = async (peer: Host, a: Host): Promise<string> => (await peerOf(peer, a)).key.fingerprint;
const usedFor = async (a: Host, peer: Host): Promise<string> =>
  (await a.keys.current(await peerOf(a, peer))).fingerprint;
const shared = async (a: Host): Promise<string> => (await a.keys.current()).fingerprint;
/** Asks for the key in clear, as a stranger can, and with this first parameter. */
async function shownTo(host: Host, ...params: string[]): Promise<string> {
  const answer = openAnswer(await post(host, Buffer.from(encodeCall("system/keyswap", params))));
  return Certificate.parse(summary(answer).value as string).fingerprint;
}

describe("a message that was signed for one peer", () => {
  /** What carol makes of a call of a's to bob that bob passes on to her. */
  async function passedOn(
    keyPair: "shared" | "own",
  ): Promise<{ fault?: number; network: string[]; events: unknown[] }> {
    await using network = watchedNetwork();
    const [a, b, c] = await three(network);
    await setKeyPair(a, b, keyPair);
    await call(a, b);
    await call(a, c);
    const signed = network.exchanges
      .filter(({ from, to, what }) => from === "a" && to === "b" && what === "envelope")
      .map(({ request: { body } }) => {
        const envelope = readEnvelope(body!);
        if (envelope.kind !== "encrypted") throw new Error("It is not encrypted.");
        return decryptMessage(envelope.message, [bobs().key]).plaintext;
      });
    expect(signed).toHaveLength(1);
    network.forget();
    c.events.splice(0);
    const sealed = encryptMessage(signed[0]!, { sender: a.wwwroot, recipient: carols().certificate });
    const { fault } = summary(openAnswer(await post(c, sealed), sharedKey()));
    return { ...(fault !== undefined && { fault }), network: network.seen(), events: c.events };
  }

  test("SEC-032 is accepted by another where the key is shared, as among Moodles", async () => {
    expect(await passedOn("shared")).toMatchObject({ network: [], events: [{ type: "call.served", method: LIST }] });
  });

  test("SEC-032 is refused by another where the peer has its own: it sees a signature that it cannot verify", async () => {
    const { fault, network, events } = await passedOn("own");
    expect(fault).toBe(710);
    // It has asked, and was shown the key that it has.
    expect(network).toEqual(["c → a keyswap"]);
    expect(events).toMatchObject([{ type: "call.refused", code: "MNET_ENVELOPE_SIGNATURE_INVALID" }]);
  });

  test("SEC-032 and a message to the shared key means nothing to the peer that has its own", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network);
    await setKeyPair(a, b, "own");
    await call(a, b);
    const signed = wrap(encodeCall(LIST, []), { form: "signed", from: sharedKey(), to: bobs() });
    const sealed = encryptMessage(signed, { sender: a.wwwroot, recipient: bobs().certificate });
    const answer = await post(b, sealed);
    // The answer is for the key that bob has pinned by now.
    expect(() => openAnswer(answer, sharedKey())).toThrow();
    expect(b.events.at(-1)).toMatchObject({ type: "call.refused", code: "MNET_ENVELOPE_SIGNATURE_INVALID" });
  });
});

describe("changing over to a key of one's own is a rotation for the peer", () => {
  test("SEC-032 at the next maintenance, by a call that the peer cannot verify at first", async () => {
    await using network = watchedNetwork();
    const [a, b, c] = await three(network);
    await setKeyPair(a, b, "own");
    expect(network.seen()).toEqual([]);
    const report = await a.maintain();
    expect(report).toMatchObject({ failed: [], rotated: true });
    // Bob asks for the key, calls with the old one, is told, and calls with the new one; all within our call.
    expect(network.seen()).toEqual(["a → b envelope", "b → a keyswap", "b → a envelope", "b → a envelope"]);
    const own = await usedFor(a, b);
    expect(own).not.toBe(await shared(a));
    expect(await pinnedBy(b, a)).toBe(own);
    expect(await pinnedBy(c, a)).toBe(await shared(a));
    expect(await usedFor(a, c)).toBe(await shared(a));
    const peer = { id: (await peerOf(a, b)).id, wwwroot: b.wwwroot };
    expect(a.events.filter(({ type }) => type.startsWith("key."))).toMatchObject([
      { type: "key.created", fingerprint: own, peer },
    ]);
    expect(b.events.filter(({ type }) => type.startsWith("peer.key"))).toMatchObject([
      { type: "peer.key-changed", from: await shared(a), to: own, how: "rekey" },
    ]);
    // And that was that.
    network.forget();
    expect(await a.maintain()).toMatchObject({ failed: [], rotated: false });
    await call(a, b);
    await call(b, a);
    await call(a, c);
    await call(c, a);
    expect(network.seen()).toEqual(["a → b envelope", "b → a envelope", "a → c envelope", "c → a envelope"]);
  });

  test("SEC-032 MNET-079 or by 7025, signed with the shared key that the peer still has, if it calls first", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network);
    await setKeyPair(a, b, "own");
    const body = wrap(encodeCall(LIST, []), {
      from: bobs(),
      to: sharedKey(),
      timestamp: new Date(network.clock.now()),
    });
    const answer = openAnswer(await post(a, body), bobs());
    expect(summary(answer)).toMatchObject({ fault: 7025 });
    expect(isSignedBy(answer, sharedKey())).toBe(true);
    const { decoded } = answer;
    expect(decoded.kind === "fault" && Certificate.parse(decoded.faultString).fingerprint).toBe(await usedFor(a, b));
    expect(a.events.filter(({ type }) => type === "call.served")).toEqual([]);

    await call(b, a);
    expect(network.seen()).toEqual(["b → a envelope", "b → a envelope"]);
    expect(await pinnedBy(b, a)).toBe(await usedFor(a, b));
  });

  test("SEC-032 SEC-040 and back, when there is a newer key to share, because the old one was given up", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network);
    await setKeyPair(a, b, "own");
    await a.maintain();
    const [first, own] = [await shared(a), await usedFor(a, b)];

    await setKeyPair(a, b, "shared");
    network.forget();
    expect(await a.maintain()).toMatchObject({ failed: [], rotated: false });
    await call(a, b);
    await call(b, a);
    expect(network.seen()).toEqual(["a → b envelope", "b → a envelope"]);
    expect(await pinnedBy(b, a)).toBe(own);

    await network.clock.advance(DAY);
    const { to, peers } = await a.keys.rotate();
    expect(peers).toMatchObject([{ outcome: "knows" }, { outcome: "knows" }]);
    expect(peers.every(({ ownKey }) => ownKey === undefined)).toBe(true);
    expect([await pinnedBy(b, a), await usedFor(a, b)]).toEqual([to, to]);
    expect(new Set([first, own, to]).size).toBe(3);
    expect(b.events.filter(({ type }) => type === "peer.key-held")).toEqual([]);

    // Own again is another own: bob has retired the first.
    await network.clock.advance(DAY);
    await setKeyPair(a, b, "own");
    await a.maintain();
    const second = await usedFor(a, b);
    expect([first, own, to]).not.toContain(second);
    expect(await pinnedBy(b, a)).toBe(second);
    expect((await b.log({ type: "peer.key-changed" }).page()).items).toHaveLength(3);
  });

  test("SEC-032 SEC-049 with the maintenance, where the shared key was replaced while nobody looked", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network);
    await setKeyPair(a, b, "own");
    await a.maintain();
    network.fail(b.wwwroot, "unreachable");
    await setKeyPair(a, b, "shared");
    await network.clock.advance(DAY);
    await a.keys.rotate();
    network.heal(b.wwwroot);
    await network.clock.advance(DAY);
    // Bob has the old own one: it opens his call, and vouches for the shared one.
    await call(b, a);
    expect(await pinnedBy(b, a)).toBe(await shared(a));
    expect(await a.maintain()).toMatchObject({ rotated: false });
  });

  test("SEC-032 a message that is sealed for another peer's key is not opened", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network);
    await setKeyPair(a, b, "own");
    await a.maintain();
    const forBob = Certificate.parse((await a.keys.current(await peerOf(a, b))).certificate);
    const seal = (from: KeyedSite): Buffer =>
      wrap(encodeCall(LIST, []), { from, to: { certificate: forBob }, timestamp: new Date(network.clock.now()) });
    expect(summary(openAnswer(await post(a, seal(carols())), carols()))).toEqual({ form: "plain", fault: 7023 });
    expect(summary(openAnswer(await post(a, seal(bobs())), bobs()))).toMatchObject({ value: [] });
  });

  test("SEC-032 goes on in the secure profile, with nothing else on the wire", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network, {});
    await a.maintain();
    expect((await peerOf(b, a)).profile).toBe("secure/1");
    network.forget();
    await setKeyPair(a, b, "own");
    await a.maintain();
    await call(b, a);
    await call(a, b);
    expect(await pinnedBy(b, a)).toBe(await usedFor(a, b));
    expect(await pinnedBy(b, a)).not.toBe(await shared(a));
    const bodies = network.exchanges
      .filter(({ what }) => what === "envelope")
      .map(({ request: { body } }) => Buffer.from(body!).toString("latin1"));
    expect(bodies.length).toBeGreaterThan(3);
    for (const body of bodies) expect(body).toContain("<secureMessage");
  });

  test("SEC-032 SEC-044 a peer that waits for approval makes us generate no keys", async () => {
    await using network = watchedNetwork();
    const a = await network.host("a", { registerStrangers: true, peerDefaults: { profile: "mnet", keyPair: "own" } });
    const b = await network.host("b", MNET_ONLY);
    const bob = await b.peers.add(a.wwwroot);
    expect(bob.key.fingerprint).toBe(await shared(a));
    const { id, state } = await vi.waitFor(() => peerOf(a, b));
    expect(state).toBe("pending");
    await call(b, a).catch(() => undefined);
    expect(await a.store.keys.list(id)).toEqual([]);
    // When it is active, it gets its own.
    for (let minute = 0; minute < 5; minute += 1) {
      await a.maintain();
      await network.clock.advance(120_000);
    }
    expect((await peerOf(a, b)).state).toBe("active");
    expect(await pinnedBy(b, a)).toBe(await usedFor(a, b));
    expect((await a.store.keys.list(id)).map((key) => key.state)).toEqual(["current"]);
  });
});

describe("rotation with keys of peers", () => {
  test("SEC-032 SEC-049 replaces those, too, and says so", async () => {
    await using network = watchedNetwork();
    const [a, b, c] = await three(network);
    await setKeyPair(a, b, "own");
    await a.maintain();
    const before = await usedFor(a, b);
    await network.clock.advance(DAY);
    const dry = await a.keys.rotate({ dryRun: true });
    expect(dry.peers.map(({ outcome }) => outcome)).toEqual(["will-learn", "will-learn"]);
    expect(await usedFor(a, b)).toBe(before);
    const { from, to, peers } = await a.keys.rotate();
    const own = await usedFor(a, b);
    expect(new Set([before, own, from, to]).size).toBe(4);
    expect(peers).toMatchObject([
      { peer: { wwwroot: b.wwwroot }, outcome: "knows", ownKey: { from: before, to: own } },
      { peer: { wwwroot: c.wwwroot }, outcome: "knows" },
    ]);
    expect(peers[1]).not.toHaveProperty("ownKey");
    expect([await pinnedBy(b, a), await pinnedBy(c, a)]).toEqual([own, to]);
  });

  test("SEC-032 SEC-049 the maintenance replaces each when it is due, and tells whom it concerns", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network);
    await setKeyPair(a, b, "own");
    await a.maintain();
    const before = [await shared(a), await usedFor(a, b)];
    // 80 % of 28 days; the shared key of the test lives longer.
    await network.clock.advance(22 * DAY);
    network.forget();
    expect(await a.maintain()).toMatchObject({ rotated: false });
    expect(network.seen()).toEqual([]);
    await network.clock.advance(DAY);
    expect(await a.maintain()).toMatchObject({ rotated: true, failed: [] });
    expect(new Set(network.exchanges.flatMap(({ from, to }) => [from, to]))).toEqual(new Set(["a", "b"]));
    expect(await shared(a)).toBe(before[0]);
    expect(await usedFor(a, b)).not.toBe(before[1]);
    expect(await pinnedBy(b, a)).toBe(await usedFor(a, b));
  });

  test("SEC-032 SEC-050 a revoked one opens nothing, and another takes its place", async () => {
    await using network = watchedNetwork();
    const [a, b, c] = await three(network);
    await setKeyPair(a, b, "own");
    await a.maintain();
    const stolen = await usedFor(a, b);
    await network.clock.advance(DAY);
    network.forget();
    const report = await a.keys.revoke(stolen, { reason: "a test" });
    const next = await usedFor(a, b);
    expect(report).toMatchObject({ from: stolen, to: next, peers: [{ peer: { wwwroot: b.wwwroot } }] });
    // Nothing vouches for the new one: bob's administrator has to compare it.
    expect(report.peers).toMatchObject([{ outcome: "must-act" }]);
    expect(network.seen().filter((line) => line.includes("c"))).toEqual([]);
    expect(await pinnedBy(b, a)).toBe(stolen);
    const { fingerprint } = await b.peers.rekey(await peerOf(b, a));
    expect(fingerprint).toBe(next);
    await b.peers.approve(await peerOf(b, a), next);
    await call(a, b);
    await call(b, a);
    await call(a, c);
    expect((await a.keys.all()).map(({ state, peer }) => [state, peer])).toEqual([
      ["current", (await peerOf(a, b)).id],
      ["revoked", (await peerOf(a, b)).id],
      ["current", undefined],
    ]);
    expect(a.events.filter(({ type }) => type === "key.revoked")).toMatchObject([{ peer: { wwwroot: b.wwwroot } }]);
  });

  test("SEC-032 SEC-054 the keys of a peer that was removed end when they have expired", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network);
    await setKeyPair(a, b, "own");
    await a.maintain();
    const { id } = await peerOf(a, b);
    await a.peers.remove({ id });
    await network.clock.advance(27 * DAY);
    await a.maintain();
    expect((await a.store.keys.list(id)).map(({ state }) => state)).toEqual(["current"]);
    await network.clock.advance(2 * DAY);
    await a.maintain();
    expect((await a.store.keys.list(id)).map(({ state }) => state)).toEqual(["archived"]);
    await network.clock.advance(4 * 28 * DAY);
    await a.maintain();
    expect(await a.store.keys.list(id)).toEqual([]);
    expect(await a.store.keys.owners()).toEqual([]);
  });
});

describe("what is shown to whom", () => {
  test("SEC-032 MNET-095 a key swap selects the key by the caller's wwwroot, in whatever form", async () => {
    await using network = watchedNetwork();
    const [a, b, c] = await three(network);
    await setKeyPair(a, b, "own");
    await call(a, b);
    const [own, all] = [await usedFor(a, b), await shared(a)];
    expect(own).not.toBe(all);
    expect(await shownTo(a, b.wwwroot, bobs().certificate.pem, "moodle")).toBe(own);
    // Anybody can ask: a certificate is public.
    expect(await shownTo(a, b.wwwroot)).toBe(own);
    expect(await shownTo(a, `${b.wwwroot}/`)).toBe(own);
    for (const wwwroot of [c.wwwroot, "https://stranger.example", "", `${b.wwwroot}//`, b.wwwroot.toUpperCase()]) {
      expect(await shownTo(a, wwwroot)).toBe(all);
    }
    expect(await shownTo(a)).toBe(all);
    const page = await request(a, { method: "GET", path: "/mnet/publickey.php" });
    expect(Certificate.parse(page.body.toString()).fingerprint).toBe(all);

    const forms = { encrypted: own, signed: own, "signed and encrypted": own } as const;
    for (const [form, expected] of Object.entries(forms)) {
      const body = wrap(encodeCall("system/keyswap", [b.wwwroot]), {
        form: form as keyof typeof forms,
        from: bobs(),
        to: { certificate: Certificate.parse((await a.keys.current(await peerOf(a, b))).certificate) },
        timestamp: new Date(network.clock.now()),
      });
      const answer = openAnswer(await post(a, body), bobs());
      expect([form, Certificate.parse(summary(answer).value as string).fingerprint]).toEqual([form, expected]);
      expect(answer.form).toBe(form);
    }
  });

  test("SEC-032 SEC-087 where peers are hidden, all see the shared one, and the peer learns its own when it calls", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network, { ...MNET_ONLY, hidePeers: true });
    await setKeyPair(a, b, "own");
    await a.maintain();
    expect(await shownTo(a, b.wwwroot)).toBe(await shared(a));
    expect(await pinnedBy(b, a)).toBe(await shared(a));
    await call(b, a);
    expect(await pinnedBy(b, a)).toBe(await usedFor(a, b));
    expect(await pinnedBy(b, a)).not.toBe(await shared(a));
    await call(a, b);
  });

  test("SEC-045 SEC-054 a suspended peer and one that was removed are strangers", async () => {
    await using network = watchedNetwork();
    const [a, b] = await three(network);
    await setKeyPair(a, b, "own");
    await call(a, b);
    expect(await shownTo(a, b.wwwroot)).not.toBe(await shared(a));
    await a.peers.suspend(await peerOf(a, b));
    expect(await shownTo(a, b.wwwroot)).toBe(await shared(a));
    await a.peers.resume(await peerOf(a, b));
    expect(await shownTo(a, b.wwwroot)).toBe(await pinnedBy(b, a));
    await a.peers.remove(await peerOf(a, b));
    expect(await shownTo(a, b.wwwroot)).toBe(await shared(a));
  });
});

describe("a stock Moodle", () => {
  const opened = ({ request: { bodyBase64 } }: RecordedRequest): Buffer => Buffer.from(bodyBase64 ?? "", "base64");

  test("SEC-032 names itself in its key swap, so it is shown its own key", async () => {
    const swap = recordedRequest("moodle-4.5", "001-keyswap-a-to-b");
    const { host } = await recordedReceiver(swap);
    await using _ = host;
    const moodle = await host.peers.get(swap.from!);
    const shows = async (): Promise<string> => {
      const answer = openAnswer(await post(host, opened(swap)));
      return Certificate.parse(summary(answer).value as string).fingerprint;
    };
    expect(await shows()).toBe(await shared(host));
    await host.peers.set(moodle, { keyPair: "own" });
    const shown = await shows();
    expect(shown).not.toBe(await shared(host));
    expect(shown).toBe((await host.keys.current(moodle)).fingerprint);
    // That is what it compares with the key that it has, and why it asks further (spec 7.5).
    expect((await host.keys.current(moodle)).peer).toBe(moodle.id);
  });

  test.each(["063-refresh_log", "161-rotation-2-a-rotated-b-calls-with-old-key"])(
    "SEC-032 MNET-080 that calls with the shared key is told its own, which that key has signed: %s",
    async (name) => {
      const call = recordedRequest("moodle-4.5", name);
      const { host, events } = await recordedReceiver(call);
      await using _ = host;
      const moodle = await host.peers.get(call.from!);
      await host.peers.set(moodle, { keyPair: "own" });
      const openedWith = keysOf(call, call.to).find((key) => {
        const envelope = readEnvelope(opened(call));
        if (envelope.kind !== "encrypted") return false;
        try {
          return decryptMessage(envelope.message, [key]).openedWith === key;
        } catch {
          return false;
        }
      })!;
      const theirs = keyOf(call, call.from!);
      const answer = openAnswer(await post(host, opened(call)), { key: theirs });
      expect(summary(answer)).toMatchObject({ fault: 7025 });
      expect(isSignedBy(answer, openedWith)).toBe(true);
      const own = Certificate.parse((await host.keys.current(moodle)).certificate);
      expect(answer.decoded).toMatchObject({ faultString: own.pem });
      expect(events.filter(({ type }) => type === "call.served")).toEqual([]);
      // And repeats it with the new one.
      const from = { wwwroot: moodle.wwwroot, key: theirs, certificate: theirs.certificate, privateKeyPem: "" };
      const again = wrap(encodeCall(LIST, []), { from, to: { certificate: own } });
      const reply = openAnswer(await post(host, again), from);
      expect(summary(reply)).toEqual({ form: "signed and encrypted", value: [] });
      expect(isSignedBy(reply, { certificate: own })).toBe(true);
    },
  );
});

describe("several processes of one site", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mnet-own-keys-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test("SEC-032 all see that a peer changed over, and make one key for it", async () => {
    await using network = watchedNetwork();
    const open = () => openStore(`sqlite:${join(folder, "a.db")}`);
    const first = await network.host("a", { ...MNET_ONLY, store: await keyedStore(A, 0, open()) });
    const b = await network.host("b", MNET_ONLY);
    await network.connect(first, b);
    // From here on, this one is called; both call.
    const second = await network.host("a", { ...MNET_ONLY, store: open() });
    await call(first, b);
    await call(second, b);
    await call(b, second);

    await setKeyPair(first, b, "own");
    const used = await Promise.all([first, second].map((host) => usedFor(host, b)));
    expect(new Set(used).size).toBe(1);
    expect(used).not.toContain(await shared(second));
    network.forget();
    await call(second, b);
    expect(await pinnedBy(b, first)).toBe(used[0]);
    await call(b, second);
    await call(first, b);
    expect(network.seen()).toEqual([
      "a → b envelope",
      "b → a keyswap",
      "b → a envelope",
      "b → a envelope",
      "b → a envelope",
      "a → b envelope",
    ]);
    for (const rotating of [first, second]) {
      const before = await pinnedBy(b, first);
      await network.clock.advance(1000);
      const { peers } = await rotating.keys.rotate();
      expect(peers).toMatchObject([{ outcome: "knows", ownKey: { from: before } }]);
      await network.clock.advance(1000);
      for (const host of [first, second]) await call(host, b);
      await call(b, second);
      expect(await pinnedBy(b, first)).toBe(peers[0]?.ownKey?.to);
    }
  });
});
