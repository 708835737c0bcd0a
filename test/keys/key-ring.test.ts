import { verify, X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { NewEvent } from "../../src/core/events.ts";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import { generateKeyPair } from "../../src/keys/generate-key-pair.ts";
import { DEFAULT_KEY_POLICY, type KeyPolicy } from "../../src/keys/key-policy.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import type { StoredKey } from "../../src/keys/key-store.ts";
import { peerKey } from "../../src/keys/peer-key.ts";
import { fakeClock, type FakeClock } from "../../src/testing/fake-clock.ts";
import { codeOf } from "../support/code-of.ts";
import { fakeKeyStore, type FakeKeyStore } from "../support/key-store.ts";
import { makeSite } from "../support/sites.ts";

const SITE = { wwwroot: "https://lms.example.edu", name: "Example LMS" };
const DAY = 24 * 60 * 60 * 1000;

interface Ring {
  readonly ring: KeyRing;
  readonly store: FakeKeyStore;
  readonly clock: FakeClock;
  readonly events: NewEvent[];
}
function makeRing(options: { store?: FakeKeyStore; clock?: FakeClock; policy?: Partial<KeyPolicy> } = {}): Ring {
  const { store = fakeKeyStore(), clock = fakeClock(), policy } = options;
  const events: NewEvent[] = [];
  const ring = new KeyRing({
    store,
    site: SITE,
    // Keys of 1024 bits are made ten times as fast.
    policy: { ...DEFAULT_KEY_POLICY, modulusBits: 1024, ...policy },
    clock,
    emit: (event) => events.push(event),
  });
  return { ring, store, clock, events };
}

/** A stored key of 1024 bits. */
function storedKey(state: StoredKey["state"], createdAt: number, wwwroot: string = SITE.wwwroot): StoredKey {
  const { certificate, privateKey } = makeSite(wwwroot);
  return {
    fingerprint: certificate.fingerprint,
    certificate: certificate.pem,
    privateKey: Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
    state,
    createdAt,
  };
}

describe("generateKeyPair", () => {
  it("MNET-009 makes an RSA key of the wanted size with exponent 65537 and its certificate", async () => {
    const validity = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2026-01-29T00:00:00Z") };
    const pair = await generateKeyPair({ ...SITE, ...validity, modulusBits: 2048 });
    const { publicKey } = new X509Certificate(pair.certificate);
    expect(publicKey.asymmetricKeyType).toBe("rsa");
    expect(publicKey.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048, publicExponent: 65_537n });
    expect(pair.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  });
});

describe("the first key", () => {
  it("MNET-009 has 2048 bits, exponent 65537, and works", async () => {
    expect(DEFAULT_KEY_POLICY.modulusBits).toBe(2048);
    const { ring } = makeRing({ policy: DEFAULT_KEY_POLICY });
    const { current, archived } = await ring.active();
    expect(current.certificate.modulusBits).toBe(2048);
    expect(current.certificate.publicKey.asymmetricKeyDetails?.publicExponent).toBe(65_537n);
    expect(archived).toEqual([]);
    const data = Buffer.from("data");
    expect(verify("sha1", data, current.certificate.publicKey, current.sign(data))).toBe(true);
    expect(
      await codeOf(() => {
        current.certificate.requireFor(SITE.wwwroot);
      }),
    ).toBe("accepted");
  });

  it("MNET-009 has as many bits as the policy says", async () => {
    const { ring } = makeRing({ policy: { modulusBits: 3072 } });
    expect((await ring.active()).current.certificate.modulusBits).toBe(3072);
  });

  it("MNET-020 lives for 28 days unless the policy says otherwise", async () => {
    expect(DEFAULT_KEY_POLICY.lifetimeMs).toBe(28 * DAY);
    const clock = fakeClock(new Date("2026-03-01T10:00:00Z"));
    const usual = (await makeRing({ clock }).ring.active()).current.certificate;
    expect(usual.notBefore).toEqual(new Date("2026-03-01T10:00:00Z"));
    expect(usual.notAfter).toEqual(new Date("2026-03-29T10:00:00Z"));
    const long = (await makeRing({ clock, policy: { lifetimeMs: 365 * DAY } }).ring.active()).current.certificate;
    expect(long.notAfter).toEqual(new Date("2027-03-01T10:00:00Z"));
  });

  it("is durable before it is used: prepared, then promoted, then read", async () => {
    const { ring, store, events, clock } = makeRing();
    const { current } = await ring.active();
    expect(store.calls).toEqual(["list", "prepare", "promote", "prune", "list"]);
    expect(store.keys).toMatchObject([
      { fingerprint: current.certificate.fingerprint, state: "current", createdAt: clock.now() },
    ]);
    expect(events).toEqual([{ type: "key.created", level: "info", fingerprint: current.certificate.fingerprint }]);
  });

  it("of concurrent first starts on one store is one key", async () => {
    const store = fakeKeyStore();
    const rings = Array.from({ length: 4 }, () => makeRing({ store }));
    const active = await Promise.all(rings.map(async ({ ring }) => ring.active()));
    expect(new Set(active.map(({ current }) => current.certificate.fingerprint)).size).toBe(1);
    expect(store.keys.filter(({ state }) => state === "current")).toHaveLength(1);
    expect(rings.flatMap(({ events }) => events)).toHaveLength(1);
    // What lost was never shown to anybody.
    for (const { ring } of rings) expect(await ring.all()).toHaveLength(1);
  });

  it("of concurrent calls in one process is made once", async () => {
    const { ring, store } = makeRing();
    const [one, two] = await Promise.all([ring.active(), ring.active()]);
    expect(one).toBe(two);
    expect(store.keys).toHaveLength(1);
  });

  it("is not made where there is a key", async () => {
    const store = fakeKeyStore([storedKey("current", 1)]);
    const { ring, events } = makeRing({ store });
    expect((await ring.active()).current.certificate.fingerprint).toBe(store.keys[0]?.fingerprint);
    expect(store.calls).toEqual(["list"]);
    expect(events).toEqual([]);
  });

  it("is made where others were prepared, archived or revoked only", async () => {
    const store = fakeKeyStore([storedKey("prepared", 1), storedKey("revoked", 2), storedKey("archived", 3)]);
    const { ring } = makeRing({ store });
    const { current, archived } = await ring.active();
    expect(store.keys).toHaveLength(4);
    expect(current.certificate.fingerprint).toBe(store.keys[3]?.fingerprint);
    expect(archived.map(({ certificate }) => certificate.fingerprint)).toEqual([store.keys[2]?.fingerprint]);
  });
});

describe("archived keys", () => {
  const keys = [
    storedKey("archived", 20),
    storedKey("archived", 50),
    storedKey("current", 60),
    storedKey("archived", 10),
    storedKey("revoked", 55),
    storedKey("archived", 40),
    storedKey("archived", 30),
    storedKey("prepared", 70),
  ];
  const fingerprintOf = (createdAt: number): string | undefined =>
    keys.find((key) => key.createdAt === createdAt)?.fingerprint;

  it("MNET-021 MNET-048 are the newest 3, newest first; revoked and prepared ones are none of them", async () => {
    expect(DEFAULT_KEY_POLICY.generations).toBe(3);
    const { current, archived } = await makeRing({ store: fakeKeyStore([...keys]) }).ring.active();
    expect(current.certificate.fingerprint).toBe(fingerprintOf(60));
    expect(archived.map(({ certificate }) => certificate.fingerprint)).toEqual([50, 40, 30].map(fingerprintOf));
  });

  it.each([
    [0, []],
    [1, [50]],
    [4, [50, 40, 30, 20]],
    [10, [50, 40, 30, 20, 10]],
  ])("MNET-021 SEC-006 are %d at most where the policy says so", async (generations, expected) => {
    const { archived } = await makeRing({ store: fakeKeyStore([...keys]), policy: { generations } }).ring.active();
    expect(archived.map(({ certificate }) => certificate.fingerprint)).toEqual(expected.map(fingerprintOf));
  });

  it("SEC-051 all() tells of every key but prepared ones, without the private half", async () => {
    const { ring } = makeRing({ store: fakeKeyStore([...keys]) });
    const all = await ring.all();
    expect(all.map(({ fingerprint, state }) => [fingerprint, state])).toEqual([
      [fingerprintOf(60), "current"],
      [fingerprintOf(55), "revoked"],
      [fingerprintOf(50), "archived"],
      [fingerprintOf(40), "archived"],
      [fingerprintOf(30), "archived"],
      [fingerprintOf(20), "archived"],
      [fingerprintOf(10), "archived"],
    ]);
    const { certificate } = (await ring.active()).current;
    expect(all[0]).toEqual({ ...peerKey(certificate), state: "current" });
    expect(JSON.stringify(all)).not.toContain("PRIVATE KEY");
  });

  it("SEC-050 all() tells of revoked keys whose private half is gone", async () => {
    const store = fakeKeyStore([...keys]);
    const { ring } = makeRing({ store });
    await store.revoke(keys[1]!.fingerprint);
    expect(store.keys[1]?.privateKey).toHaveLength(0);
    const { archived } = await ring.active();
    expect(archived.map(({ certificate }) => certificate.fingerprint)).toEqual([40, 30, 20].map(fingerprintOf));
    expect((await ring.all()).filter(({ state }) => state === "revoked").map(({ fingerprint }) => fingerprint)).toEqual(
      [55, 50].map(fingerprintOf),
    );
  });
});

describe("rotation", () => {
  const fingerprints = (pairs: readonly KeyPair[]): string[] => pairs.map(({ certificate }) => certificate.fingerprint);

  it("MNET-022 MNET-021 archives the old key and makes a new one", async () => {
    const { ring, store, clock, events } = makeRing();
    const first = (await ring.active()).current.certificate.fingerprint;
    await clock.advance(DAY);
    const { from, to } = await ring.rotate();
    expect(from).toBe(first);
    const { current, archived } = await ring.active();
    expect(fingerprints([current])).toEqual([to]);
    expect(fingerprints(archived)).toEqual([first]);
    expect(to).not.toBe(first);
    expect(current.certificate.notBefore.getTime()).toBe(clock.now());
    expect(current.certificate.notAfter.getTime()).toBe(clock.now() + 28 * DAY);
    expect(events.at(-1)).toEqual({ type: "key.rotated", level: "info", from: first, to });
    expect(store.calls.slice(-5)).toEqual(["list", "prepare", "promote", "prune", "list"]);
  });

  it("MNET-021 keeps 3 archived keys, or as many as the policy says", async () => {
    for (const generations of [DEFAULT_KEY_POLICY.generations, 1]) {
      const { ring, store, clock } = makeRing({ policy: { generations } });
      const made: string[] = fingerprints([(await ring.active()).current]);
      for (let n = 0; n < 5; n++) {
        await clock.advance(1000);
        made.unshift((await ring.rotate()).to);
      }
      expect(fingerprints((await ring.active()).archived)).toEqual(made.slice(1, generations + 1));
      expect(store.keys).toHaveLength(generations + 1);
    }
  });

  it("of several processes at once happens once, and all get the same key", async () => {
    const store = fakeKeyStore([storedKey("current", 1)]);
    const rings = Array.from({ length: 3 }, () => makeRing({ store }));
    const results = await Promise.all(rings.map(({ ring }) => ring.rotate()));
    expect(new Set(results.map(({ to }) => to)).size).toBe(1);
    expect(store.keys.filter(({ state }) => state === "archived")).toHaveLength(1);
    expect(rings.flatMap(({ events }) => events)).toHaveLength(1);
  });

  it("SEC-049 is due after 80 % of the lifetime, or the part that the policy says", async () => {
    for (const rotateAt of [DEFAULT_KEY_POLICY.rotateAt, 0.5]) {
      const { ring, clock } = makeRing({ policy: { rotateAt } });
      await ring.active();
      await clock.advance(28 * DAY * rotateAt - 1);
      expect(await ring.rotateIfDue()).toBe(false);
      await clock.advance(1);
      expect(await ring.rotateIfDue()).toBe(true);
      expect(await ring.rotateIfDue()).toBe(false);
    }
    expect(DEFAULT_KEY_POLICY.rotateAt).toBe(0.8);
  });

  it("SEC-049 happens by itself when an expired key is wanted", async () => {
    const { ring, clock, events } = makeRing();
    const first = (await ring.active()).current.certificate.fingerprint;
    await clock.advance(28 * DAY - 5000);
    expect((await ring.active()).current.certificate.fingerprint).toBe(first);
    await clock.advance(5000);
    const { current, archived } = await ring.active();
    expect(current.certificate.notAfter.getTime()).toBe(clock.now() + 28 * DAY);
    expect(fingerprints(archived)).toEqual([first]);
    expect(events.map(({ type }) => type)).toEqual(["key.created", "key.rotated"]);
  });

  it("MNET-109 tells until when a key may still open an answer", async () => {
    const { ring } = makeRing({ policy: { generations: 2 } });
    const { certificate } = (await ring.active()).current;
    expect(ring.forgottenAt(certificate).getTime()).toBe(certificate.notAfter.getTime() + 2 * 28 * DAY);
  });

  it("SEC-050 a revoked key is in use no more: the current one is replaced first", async () => {
    const { ring, store, clock, events } = makeRing();
    const first = (await ring.active()).current.certificate.fingerprint;
    await clock.advance(1000);
    await ring.revoke(first, "stolen");
    const { current, archived } = await ring.active();
    expect(archived).toEqual([]);
    expect(current.certificate.fingerprint).not.toBe(first);
    expect(store.keys.find(({ fingerprint }) => fingerprint === first)).toMatchObject({ state: "revoked" });
    expect((await ring.all()).map(({ state }) => state)).toEqual(["current", "revoked"]);
    expect(events.at(-1)).toEqual({ type: "key.revoked", level: "warn", fingerprint: first, reason: "stolen" });
  });

  it("SEC-050 an archived key can be revoked; the current one stays", async () => {
    const store = fakeKeyStore([storedKey("current", 2), storedKey("archived", 1)]);
    const { ring } = makeRing({ store });
    expect((await ring.active()).archived).toHaveLength(1);
    await ring.revoke(store.keys[1]!.fingerprint, "lost");
    const { current, archived } = await ring.active();
    expect(fingerprints([current])).toEqual([store.keys[0]?.fingerprint]);
    expect(archived).toEqual([]);
  });

  it("SEC-050 what is no key of ours cannot be revoked", async () => {
    const { ring, store } = makeRing({ store: fakeKeyStore([storedKey("current", 1)]) });
    expect(await codeOf(() => ring.revoke("00", "typed wrong"))).toBe("MNET_CONFIG_INVALID");
    expect(store.calls).toEqual(["list"]);
  });
});

describe("a store of another site", () => {
  it.each(["https://other.example.edu", "http://lms.example.edu"])(
    "that of %s is refused, and left as it is",
    async (wwwroot) => {
      const store = fakeKeyStore([storedKey("current", 1, wwwroot)]);
      const { ring } = makeRing({ store });
      const failure = expect.objectContaining({ code: "MNET_CONFIG_INVALID", option: "wwwroot" }) as unknown;
      await expect(ring.active()).rejects.toEqual(failure);
      await expect(ring.rotate()).rejects.toEqual(failure);
      expect(store.keys).toHaveLength(1);
    },
  );
});

describe("reading again", () => {
  it("sees another process's key after half a second, and not before", async () => {
    const { ring, store, clock } = makeRing({ store: fakeKeyStore([storedKey("current", 1)]) });
    const first = (await ring.active()).current.certificate.fingerprint;
    const next = storedKey("prepared", 2);
    await store.prepare(next);
    expect(await store.promote(next.fingerprint, store.keys[0]?.fingerprint, 2)).toBe(true);

    await clock.advance(499);
    expect((await ring.active()).current.certificate.fingerprint).toBe(first);
    await clock.advance(1);
    const { current, archived } = await ring.active();
    expect(current.certificate.fingerprint).toBe(next.fingerprint);
    expect(archived.map(({ certificate }) => certificate.fingerprint)).toEqual([first]);
  });

  it("is done once in half a second, and gives the same pairs", async () => {
    const { ring, store, clock } = makeRing({ store: fakeKeyStore([storedKey("current", 1)]) });
    const { current } = await ring.active();
    await ring.active();
    expect(store.calls).toEqual(["list"]);
    await clock.advance(500);
    expect((await ring.active()).current).toBe(current);
    await ring.active();
    expect(store.calls).toEqual(["list", "list"]);
  });

  it("is done after the clock was set back, too", async () => {
    const store = fakeKeyStore([storedKey("current", 1)]);
    let now = 1_000_000;
    const ring = new KeyRing({
      store,
      site: SITE,
      policy: DEFAULT_KEY_POLICY,
      clock: { now: () => now, after: () => () => undefined },
      emit: () => undefined,
    });
    await ring.active();
    now -= 3_600_000;
    await ring.active();
    expect(store.calls).toEqual(["list", "list"]);
  });

  it("a store that fails rejects, and the next call tries again", async () => {
    const { ring, store, clock } = makeRing({ store: fakeKeyStore([storedKey("current", 1)]) });
    const failure = new Error("The store is away.");
    store.failure = failure;
    await expect(ring.active()).rejects.toBe(failure);
    const { current } = await ring.active();
    await clock.advance(500);
    store.failure = failure;
    await expect(ring.active()).rejects.toBe(failure);
    expect((await ring.active()).current).toBe(current);
  });

  it.each(["prepare", "promote"] as const)("a store that fails in %s leaves nothing half made", async (method) => {
    const { ring, store, events } = makeRing();
    const failure = new Error("The store is away.");
    const real = store[method].bind(store) as (...args: unknown[]) => Promise<never>;
    let failures = 1;
    Object.assign(store, {
      [method]: async (...args: unknown[]) => (failures-- > 0 ? Promise.reject(failure) : real(...args)),
    });
    await expect(ring.active()).rejects.toBe(failure);
    expect(events).toEqual([]);
    const { current } = await ring.active();
    expect(store.keys.filter(({ state }) => state === "current").map(({ fingerprint }) => fingerprint)).toEqual([
      current.certificate.fingerprint,
    ]);
  });

  it("a key that cannot be read is a key error", async () => {
    const damaged = { ...storedKey("current", 1), privateKey: Buffer.from("damaged") };
    expect(await codeOf(() => makeRing({ store: fakeKeyStore([damaged]) }).ring.active())).toBe(
      "MNET_KEY_CERTIFICATE_INVALID",
    );
  });

  it("a store that forgets what it confirmed is noticed", async () => {
    const store = fakeKeyStore();
    Object.assign(store, { list: async () => [] });
    await expect(makeRing({ store }).ring.active()).rejects.toThrow();
  });
});
