import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NewEvent } from "../../src/core/events.ts";
import type { PeerId, Wwwroot } from "../../src/core/ids.ts";
import { Secret } from "../../src/core/secret.ts";
import { encryptMessage, MAXIMUM_KEYS, readEncryptedMessage } from "../../src/envelope/encrypted-message.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import { DEFAULT_KEY_POLICY, type KeyPolicy } from "../../src/keys/key-policy.ts";
import { KeyRing, type ActiveKeys } from "../../src/keys/key-ring.ts";
import type { KeyUser } from "../../src/keys/key-user.ts";
import { KeyWrapping } from "../../src/keys/key-wrapping.ts";
import { fakeClock, type FakeClock } from "../../src/testing/fake-clock.ts";
import { readDocument } from "../../src/xml/read-document.ts";
import { codeOf } from "../support/code-of.ts";
import { fakeKeyStore, type FakeKeyStore } from "../support/key-store.ts";
import { makeSite } from "../support/sites.ts";

const SITE = { wwwroot: "https://lms.example.edu", name: "Example LMS" };
const DAY = 86_400_000;
const alice = makeSite("https://alice.example");

interface Ring {
  readonly ring: KeyRing;
  readonly store: FakeKeyStore;
  readonly clock: FakeClock;
  readonly events: NewEvent[];
}
function makeRing(
  options: { store?: FakeKeyStore; clock?: FakeClock; policy?: Partial<KeyPolicy>; wrapping?: KeyWrapping } = {},
): Ring {
  const { store = fakeKeyStore(), clock = fakeClock(), policy, wrapping } = options;
  const events: NewEvent[] = [];
  const ring = new KeyRing({
    store,
    site: SITE,
    // Keys of 1024 bits are made ten times as fast.
    policy: { ...DEFAULT_KEY_POLICY, modulusBits: 1024, ...policy },
    clock,
    emit: (event) => events.push(event),
    ...(wrapping && { wrapping }),
  });
  return { ring, store, clock, events };
}

const peer = (id: number, keyPair?: "shared" | "own", state: KeyUser["state"] = "active"): KeyUser => ({
  id: id as PeerId,
  wwwroot: `https://peer-${id}.example` as Wwwroot,
  state,
  settings: { ...(keyPair && { keyPair }) },
});
const current = ({ current: { certificate } }: ActiveKeys): string => certificate.fingerprint;
const openers = ({ current: first, archived }: ActiveKeys): string[] =>
  [first, ...archived].map(({ certificate }) => certificate.fingerprint);
/** A message that is sealed for the key that is current now. */
const sealedFor = ({ current: { certificate } }: ActiveKeys) => {
  const signed = signMessage(Buffer.from("<methodCall/>"), {
    sender: alice.wwwroot,
    key: alice.key,
    timestamp: new Date(0),
  });
  return readEncryptedMessage(readDocument(encryptMessage(signed, { sender: alice.wwwroot, recipient: certificate })));
};

describe("a peer's own key", () => {
  it("SEC-032 is made when it is wanted, for active peers that are so configured, and for no others", async () => {
    const { ring, store, events } = makeRing();
    const shared = current(await ring.active());
    for (const other of [
      peer(1),
      peer(2, "shared"),
      peer(3, "own", "pending"),
      peer(4, "own", "suspended"),
      peer(5, "own", "deleted"),
    ]) {
      expect(current(await ring.active(other))).toBe(shared);
    }
    expect(store.keys).toHaveLength(1);
    const own = current(await ring.active(peer(7, "own")));
    expect(own).not.toBe(shared);
    expect(current(await ring.active())).toBe(shared);
    expect(current(await ring.active(peer(8, "own")))).not.toBe(own);
    expect(store.keys.map(({ peer: owner, state }) => [owner, state])).toEqual([
      [undefined, "current"],
      [7, "current"],
      [8, "current"],
    ]);
    expect(events.map(({ type, peer: reference }) => [type, reference?.id])).toEqual([
      ["key.created", undefined],
      ["key.created", 7],
      ["key.created", 8],
    ]);
    expect((await ring.all()).map(({ peer: owner }) => owner ?? 0).sort()).toEqual([0, 7, 8]);
    expect(await ring.ownerOf(own)).toBe(7);
    expect(await ring.ownerOf(shared)).toBeUndefined();
  });

  it("SEC-032 of several processes at once is made once", async () => {
    const store = fakeKeyStore();
    const rings = Array.from({ length: 4 }, () => makeRing({ store }));
    const active = await Promise.all([...rings, ...rings].map(async ({ ring }) => ring.active(peer(7, "own"))));
    expect(new Set(active.map(current)).size).toBe(1);
    expect(store.keys.filter(({ state }) => state === "current")).toHaveLength(2);
  });

  it("SEC-032 costs those who share nothing: the store is asked for one thing more in half a second", async () => {
    const { ring, store, clock } = makeRing();
    await ring.active(peer(1));
    store.calls.splice(0);
    await clock.advance(500);
    for (let n = 0; n < 50; n += 1) await Promise.all([ring.active(peer(n)), ring.active()]);
    expect(store.calls).toEqual(["list", "owners"]);
  });

  it("SEC-032 opens what is sealed for it by that peer only, and the shared ones open it as late", async () => {
    const { ring } = makeRing();
    const [bob, carol] = [peer(1, "own"), peer(2, "own")];
    const [forAll, forBob, forCarol] = [await ring.active(), await ring.active(bob), await ring.active(carol)];
    const opened = async (sealed: ActiveKeys, by: KeyUser | undefined): Promise<string> => {
      const { keys, decrypted } = await ring.decrypt(sealedFor(sealed), by);
      return decrypted.openedWith === keys.current ? "current" : "late";
    };
    expect(await opened(forBob, bob)).toBe("current");
    expect(await opened(forAll, bob)).toBe("late");
    expect(await opened(forAll, peer(3))).toBe("current");
    for (const [sealed, by] of [
      [forBob, carol],
      [forCarol, bob],
      [forBob, peer(3)],
      [forBob, undefined],
    ] as const) {
      expect(await codeOf(() => ring.decrypt(sealedFor(sealed), by))).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
    }
  });

  it("SEC-032 SEC-006 few are tried, and each kind has its share", async () => {
    const { ring, clock } = makeRing();
    const bob = peer(1, "own");
    const [own, shared] = [[current(await ring.active(bob))], [current(await ring.active())]];
    for (let n = 0; n < 5; n += 1) {
      await clock.advance(DAY);
      shared.unshift((await ring.rotate()).to);
      own.unshift((await ring.rotateOwn(bob))!.to);
    }
    const tried = openers(await ring.active(bob));
    expect(tried).toEqual([own[0], own[1], shared[0], own[2], shared[1], own[3], shared[2], shared[3]]);
    expect(tried.length).toBeLessThanOrEqual(MAXIMUM_KEYS);
    expect(openers(await ring.active(peer(2)))).toEqual(shared.slice(0, 4));
  });

  it("SEC-032 SEC-051 is stored encrypted as the others, and again with what encrypts now", async () => {
    const [one, two] = [new Secret("the first passphrase"), new Secret("the second passphrase")];
    const { ring, store, clock } = makeRing({ wrapping: new KeyWrapping({ encryptWith: one }) });
    const own = current(await ring.active(peer(1, "own")));
    for (const { privateKey } of store.keys)
      expect(Buffer.from(privateKey).toString("latin1")).not.toContain("PRIVATE");
    const next = makeRing({ store, clock, wrapping: new KeyWrapping({ encryptWith: two, decryptAlsoWith: [one] }) });
    expect(await next.ring.rewrap()).toBe(2);
    const last = makeRing({ store, clock, wrapping: new KeyWrapping({ encryptWith: two }) });
    expect(current(await last.ring.active(peer(1, "own")))).toBe(own);
    await clock.advance(1000);
    expect(await codeOf(() => makeRing({ store, clock }).ring.active(peer(1, "own")))).toBe("MNET_STORE_KEY_WRONG");
  });

  it("SEC-032 that is another site's is refused, and those that are shared go on", async () => {
    const { ring, store } = makeRing();
    await ring.active();
    const { certificate, privateKey } = makeSite("https://other.example");
    store.keys.push({
      fingerprint: certificate.fingerprint,
      certificate: certificate.pem,
      privateKey: Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
      state: "current",
      createdAt: 1,
      peer: 1 as PeerId,
    });
    expect(await codeOf(() => ring.active(peer(1, "own")))).toBe("MNET_CONFIG_INVALID");
    expect(await codeOf(() => ring.active())).toBe("accepted");
  });
});

describe("from one key to the other", () => {
  it("SEC-032 SEC-040 whatever is set and rotated: no key comes back, and each vouches for the next", async () => {
    const step = fc.constantFrom("own", "shared", "rotate", "maintain", "use", "wait", "long wait", "restart" as const);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
        const store = fakeKeyStore();
        const clock = fakeClock();
        let { ring } = makeRing({ store, clock });
        let bob = peer(1);
        await ring.active();
        // What bob has pinned, and what he gave up.
        let pinned = current(await ring.active(bob));
        const retired = new Set<string>();
        const meet = async (): Promise<void> => {
          const keys = await ring.active(bob);
          if (current(keys) === pinned) return;
          expect(retired, steps.join()).not.toContain(current(keys));
          expect(openers(keys), steps.join()).toContain(pinned);
          retired.add(pinned);
          pinned = current(keys);
        };
        for (const next of steps) {
          if (next === "own" || next === "shared") bob = peer(1, next);
          else if (next === "rotate") {
            await ring.rotate();
            await ring.rotateOwn(bob);
          } else if (next === "maintain") {
            await ring.rotateIfDue();
            const isNews = await ring.rotateOwnIfDue(bob);
            if (isNews) await meet();
          } else if (next === "restart") ({ ring } = makeRing({ store, clock }));
          await clock.advance(next === "long wait" ? 23 * DAY : next === "wait" ? DAY : 1000);
          await meet();
          // At most one of each is current, whatever happened.
          const owners = store.keys.filter(({ state }) => state === "current").map(({ peer: owner }) => owner);
          expect(new Set(owners).size).toBe(owners.length);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("SEC-032 a clock that was set back does not make the shared key the newer", async () => {
    const clock = fakeClock(new Date("2026-06-01T00:00:00Z"));
    const { ring, store } = makeRing({ clock });
    const shared = current(await ring.active());
    const back = makeRing({ store, clock: fakeClock(new Date("2026-05-31T00:00:00Z")) });
    const own = current(await back.ring.active(peer(1, "own")));
    expect(current(await back.ring.active(peer(1, "shared")))).toBe(own);
    expect(current(await back.ring.active())).toBe(shared);
  });

  it("SEC-032 SEC-033 an own key that waits for a newer shared one is not used when it has expired", async () => {
    const store = fakeKeyStore();
    const clock = fakeClock();
    // The shared one lives longer: the policy was another when it was made.
    const shared = current(await makeRing({ store, clock, policy: { lifetimeMs: 365 * DAY } }).ring.active());
    const { ring } = makeRing({ store, clock });
    const first = current(await ring.active(peer(1, "own")));
    await clock.advance(28 * DAY - 5000);
    expect(current(await ring.active(peer(1, "shared")))).toBe(first);
    await clock.advance(5000);
    const keys = await ring.active(peer(1, "shared"));
    expect([shared, first]).not.toContain(current(keys));
    expect(openers(keys)).toContain(first);
    expect(current(await ring.active())).toBe(shared);
  });

  it("SEC-032 keys that were given up long ago open nothing", async () => {
    const { ring, clock } = makeRing();
    await ring.active(peer(1, "own"));
    const sealed = sealedFor(await ring.active(peer(1, "own")));
    await clock.advance(DAY);
    await ring.rotate();
    const late = async (): Promise<string> =>
      // Opening uses up the ciphertext.
      codeOf(() => ring.decrypt({ ...sealed, ciphertext: Buffer.from(sealed.ciphertext) }, peer(1)));
    expect(await late()).toBe("accepted");
    // 28 days of its own, and three generations.
    await clock.advance(110 * DAY);
    expect(await late()).toBe("accepted");
    await clock.advance(DAY);
    expect(await late()).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
  });
});
