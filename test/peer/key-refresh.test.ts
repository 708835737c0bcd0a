import { describe, expect, it } from "vitest";
import type { TransportResponse } from "../../src/transport/transport.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import {
  ALICE,
  aliceCalls,
  insertPeer,
  keyedSite,
  openAnswer,
  OUR_WWWROOT,
  post,
  request,
  summary,
  withBadSignature,
  type KeyedSite,
} from "../support/hosts.ts";
import { rekeyed } from "../support/rekeyed.ts";
import { answer, newKeyFault, scriptedRig, shown, type ScriptedRig } from "../support/scripted-peer.ts";
import { makeSite } from "../support/sites.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const LIST = "system/listServices";
const KEYSWAP = "system/keyswap";
const next = rekeyed(ALICE, 2);
const afterNext = rekeyed(ALICE, 3);
const SIGNED_FAULT = { form: "signed and encrypted", fault: 710 };
const SERVED = { form: "signed and encrypted", value: [] };

/** Alice, whose key is `current`: she shows it to strangers, and her old key brings it. */
const aliceWith = (current: KeyedSite) => (us: ScriptedRig, what: string, sealedFor: KeyedSite | undefined) => {
  if (what === KEYSWAP) return shown(current);
  return sealedFor === current
    ? answer(us, encodeResult([]), { from: current })
    : answer(us, newKeyFault(current), { from: sealedFor! });
};
type Script = (
  us: ScriptedRig,
  what: string,
  sealedFor: KeyedSite | undefined,
) => Uint8Array | TransportResponse | Promise<Uint8Array>;
const peerThat = (script: Script, options: Parameters<typeof scriptedRig>[1] = {}): Promise<ScriptedRig> =>
  scriptedRig(({ what, sealedFor }, us) => script(us, what, sealedFor), { keys: [next, afterNext], ...options });

/** Alice calls us. Her answer is opened with whichever of her keys it is sealed for. */
async function calls(us: ScriptedRig, from: KeyedSite = us.alice, options: Parameters<typeof aliceCalls>[3] = {}) {
  const body = await post(us.host, aliceCalls(us, LIST, [], { from, timestamp: new Date(us.clock.now()), ...options }));
  for (const key of [us.alice, next, afterNext]) {
    try {
      return summary(openAnswer(body, key));
    } catch {
      // Not for this one.
    }
  }
  throw new Error("None of alice's keys opens the answer.");
}
const forged = (us: ScriptedRig) => calls(us, us.alice, { damage: withBadSignature });
const unchanged = (us: ScriptedRig) => ({ pinned: us.alice.certificate.pem, retired: [], held: undefined });

describe("a signature that does not verify", () => {
  it("MNET-084 MNET-091 of a peer that has rotated: it is asked, and its call is served", async () => {
    await using us = await peerThat(aliceWith(next));
    expect(await calls(us, next)).toEqual(SERVED);
    expect(us.asked.map(({ what, sealedFor }) => [what, sealedFor])).toEqual([
      [KEYSWAP, undefined],
      [LIST, us.alice],
      [LIST, next],
    ]);
    expect(await us.stored()).toEqual({
      pinned: next.certificate.pem,
      retired: [us.alice.certificate.fingerprint],
      held: undefined,
    });
    expect(us.told("peer.key-changed")).toHaveLength(1);
    expect(us.told("call.served")).toHaveLength(1);
    expect(us.told("call.refused")).toHaveLength(0);
  });

  it("MNET-084 the answer is sealed for the new key", async () => {
    await using us = await peerThat(aliceWith(next));
    const body = await post(us.host, aliceCalls(us, LIST, [], { from: next, timestamp: new Date(us.clock.now()) }));
    expect(summary(openAnswer(body, next))).toEqual(SERVED);
  });

  it("MNET-090 of a peer that shows the pinned key: one question, 710", async () => {
    await using us = await peerThat((self) => shown(self.alice));
    expect(await forged(us)).toEqual(SIGNED_FAULT);
    expect(us.counts()).toEqual({ [KEYSWAP]: 1 });
    expect(await us.stored()).toEqual(unchanged(us));
  });

  it("MNET-090 a message that is signed properly asks nobody", async () => {
    await using us = await peerThat(aliceWith(next));
    expect(await calls(us)).toEqual(SERVED);
    expect(us.asked).toEqual([]);
  });

  it("MNET-090 SEC-027 nor does one that is not signed at all, or of another sender", async () => {
    await using us = await peerThat(aliceWith(next));
    expect(await calls(us, us.alice, { form: "encrypted" })).toEqual({ form: "encrypted", fault: 711 });
    expect(await calls(us, us.alice, { inner: "https://mallory.example" })).toEqual(SIGNED_FAULT);
    expect(us.asked).toEqual([]);
  });
});

describe("MNET-091 what is not proved is not stored", () => {
  const attacker = rekeyed(ALICE, 4);
  const cases: [title: string, script: Script, counts: Record<string, number>][] = [
    [
      "a stranger's key at its address, and it still has its old one",
      (us, what) => (what === KEYSWAP ? shown(attacker) : answer(us, encodeResult([]))),
      { [KEYSWAP]: 1, [LIST]: 1 },
    ],
    [
      "a 7025 that the stranger signed",
      (us, what) => (what === KEYSWAP ? shown(attacker) : answer(us, newKeyFault(attacker), { from: attacker })),
      { [KEYSWAP]: 1, [LIST]: 1 },
    ],
    [
      "a 7025 in clear",
      (us, what) => (what === KEYSWAP ? shown(attacker) : answer(us, newKeyFault(attacker), { form: "plain" })),
      { [KEYSWAP]: 1, [LIST]: 1 },
    ],
    ["another site's certificate", () => shown(keyedSite("https://mallory.example", 5)), { [KEYSWAP]: 1 }],
    ["a weak key", () => shown(makeSite(ALICE)), { [KEYSWAP]: 1 }],
    ["a fault", () => encodeFault(7020, "mnet/wrong-wwwroot"), { [KEYSWAP]: 1 }],
    ["a page", () => Buffer.from("<!doctype html><title>Maintenance</title>"), { [KEYSWAP]: 1 }],
  ];
  it.each(cases)("%s", async (_, script, counts) => {
    await using us = await peerThat(script);
    expect(await calls(us, attacker)).toEqual(SIGNED_FAULT);
    expect(us.counts()).toEqual(counts);
    expect(await us.stored()).toMatchObject({ pinned: us.alice.certificate.pem, retired: [] });
    expect(us.told("peer.key-changed")).toEqual([]);
  });

  it("a key that was adopted, but is not the sender's: 710, and it stays adopted", async () => {
    await using us = await peerThat(aliceWith(next));
    expect(await calls(us, attacker)).toEqual(SIGNED_FAULT);
    expect((await us.stored()).pinned).toBe(next.certificate.pem);
    expect(us.told("call.served")).toEqual([]);
  });
});

describe("SEC-042 it cannot be used against a peer", () => {
  it("MNET-090 1,000 bad requests within a minute cause one refresh", async () => {
    await using us = await peerThat((self) => shown(self.alice));
    for (let turn = 0; turn < 100; turn += 1) {
      const body = aliceCalls(us, LIST, [], { damage: withBadSignature, timestamp: new Date(us.clock.now()) });
      // Those above the budget for strangers are turned away before that (SEC-083).
      const replies = await Promise.all(Array.from({ length: 10 }, () => request(us.host, { body })));
      for (const { status } of replies) expect([200, 503]).toContain(status);
      await us.clock.advance(599);
    }
    expect(us.counts()).toEqual({ [KEYSWAP]: 1 });
    expect(us.told("call.served")).toEqual([]);
  }, 60_000);

  it("one at a time: many at once cause one, also where the peer has rotated", async () => {
    await using us = await peerThat(aliceWith(next));
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => calls(us, next)));
    expect(outcomes).toEqual(Array.from({ length: 20 }, () => SERVED));
    expect(us.counts()).toEqual({ [KEYSWAP]: 1, [LIST]: 2 });
    expect(us.told("peer.key-changed")).toHaveLength(1);
  });

  it("after one that changed nothing none for 60 s, then one again", async () => {
    await using us = await peerThat((self) => shown(self.alice));
    await forged(us);
    await us.clock.advance(59_999);
    await forged(us);
    expect(us.counts()).toEqual({ [KEYSWAP]: 1 });
    await us.clock.advance(1);
    await forged(us);
    expect(us.counts()).toEqual({ [KEYSWAP]: 2 });
  });

  it("one that failed counts, too", async () => {
    await using us = await peerThat(() => ({ status: 503, headers: {}, body: Buffer.alloc(0) }));
    await forged(us);
    await forged(us);
    expect(us.counts()).toEqual({ [KEYSWAP]: 1 });
  });

  it("after a change there is no waiting: a peer may rotate twice in a minute", async () => {
    let current = next;
    await using us = await peerThat((self, what, key) => aliceWith(current)(self, what, key));
    expect(await calls(us, next)).toEqual(SERVED);
    current = afterNext;
    expect(await calls(us, afterNext)).toMatchObject({ form: "signed and encrypted" });
    expect(us.told("peer.key-changed").length + us.told("peer.key-held").length).toBe(2);
    expect(us.counts()).toEqual({ [KEYSWAP]: 2, [LIST]: 4 });
  });

  it("waiting for one peer keeps no other one waiting", async () => {
    const bob = keyedSite("https://bob.example", 5);
    await using us = await peerThat((self) => shown(self.alice));
    await insertPeer(us.store, bob);
    await forged(us);
    const known = us.asked.length;
    const body = aliceCalls(us, LIST, [], { from: bob, damage: withBadSignature, timestamp: new Date(us.clock.now()) });
    await post(us.host, body);
    expect(us.asked.length).toBe(known + 1);
    expect(us.asked.at(-1)!.request.url.origin).toBe(bob.wwwroot);
  });

  it("what was learnt otherwise meanwhile is used, also while it waits", async () => {
    let hasRotated = false;
    await using us = await peerThat((self, what, key) =>
      hasRotated ? aliceWith(next)(self, what, key) : shown(self.alice),
    );
    await forged(us);
    hasRotated = true;
    expect(await calls(us, next)).toEqual(SIGNED_FAULT);
    // A call of ours brings the key.
    await us.list();
    expect(await calls(us, next)).toEqual(SERVED);
    expect(us.counts()[KEYSWAP]).toBe(1);
  });

  it("SEC-053 verifies TLS", async () => {
    await using us = await peerThat(aliceWith(next));
    await calls(us, next);
    expect(new Set(us.asked.map(({ request }) => request.tls))).toEqual(new Set(["verify"]));
  });
});

describe("a peer that keeps us waiting", () => {
  it("is given up after 20 seconds, in time for the sender of the message", async () => {
    const never = withResolvers<Uint8Array>();
    await using us = await peerThat(() => never.promise, {
      transport: {
        exchange: ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              reject(signal.reason as Error);
            });
          }),
      },
    });
    const outcome = forged(us);
    let isOver = false;
    void outcome.then(() => (isOver = true));
    await us.clock.advance(19_999);
    expect(isOver).toBe(false);
    await us.clock.advance(1);
    expect(await outcome).toEqual(SIGNED_FAULT);
  });
});

describe("MNET-092 a sender that uses our old key", () => {
  it("is told the new one, and nobody is asked, whatever its signature", async () => {
    const ourOld = rekeyed(OUR_WWWROOT, 6, { notBefore: "2025-11-01T00:00:00Z" });
    await using us = await peerThat(aliceWith(next), { archived: [ourOld] });
    for (const options of [{}, { from: next }, { damage: withBadSignature }]) {
      expect(await calls(us, us.alice, { to: ourOld, ...options })).toEqual({
        form: "signed and encrypted",
        fault: 7025,
      });
    }
    expect(us.asked).toEqual([]);
  });
});
