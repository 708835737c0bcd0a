import { describe, expect, it } from "vitest";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { codeOf } from "../support/code-of.ts";
import { ALICE, aliceCalls, insertPeer, openAnswer, post, rig, summary, type Rig } from "../support/hosts.ts";
import { rekeyed } from "../support/rekeyed.ts";
import { answer, scriptedRig } from "../support/scripted-peer.ts";

const DAY_MS = 86_400_000;
/** The clock starts on the 1st of January; so this one has 20 days. */
const dying = rekeyed(ALICE, 1, { notAfter: "2026-01-21T00:00:00Z" });
const warnings = (us: Rig) => us.told("peer.key-expiring").map(({ daysLeft }) => daysLeft);

/** Maintains every six hours, as a host does every minute. */
async function pass(us: Rig, days: number): Promise<void> {
  for (let quarters = 0; quarters < days * 4; quarters += 1) {
    await us.clock.advance(DAY_MS / 4);
    await us.host.maintain();
  }
}

describe("SEC-048 a peer's key expires", () => {
  it("an operator is told 14, 7 and 1 days before, and afterwards, once each", async () => {
    await using us = await rig({ alicePeer: { certificate: dying.certificate.pem } });
    await us.host.maintain();
    expect(warnings(us)).toEqual([]);
    await pass(us, 25);
    expect(us.told("peer.key-expiring")).toMatchObject(
      [14, 7, 1, -1].map((daysLeft) => ({
        level: "warn",
        daysLeft,
        notAfter: dying.certificate.notAfter,
        peer: { id: us.aliceId, wwwroot: ALICE },
      })),
    );
  });

  it("a restart, or another process, tells nothing again", async () => {
    await using us = await rig({ alicePeer: { certificate: dying.certificate.pem } });
    await pass(us, 14);
    expect(warnings(us)).toEqual([14, 7]);
    await us.host.log().page();
    // Whatever is written to the log stands there for all.
    await using again = await rig({ store: us.store, clock: us.clock });
    await again.host.maintain();
    expect(warnings(again)).toEqual([]);
    await pass(us, 6);
    await again.host.maintain();
    expect(warnings(us)).toEqual([14, 7, 1, -1]);
    expect(warnings(again)).toEqual([]);
  });

  it("a key that is seen late is told of once; a new key is another matter", async () => {
    const next = rekeyed(ALICE, 3, { notAfter: "2026-01-26T00:00:00Z" });
    await using us = await rig({ alicePeer: { certificate: dying.certificate.pem } });
    await us.clock.advance(17 * DAY_MS);
    await us.host.maintain();
    expect(warnings(us)).toEqual([3]);
    await us.host.peers.rekey({ id: us.aliceId }, { certificate: next.certificate.pem });
    await us.host.peers.approve({ id: us.aliceId }, next.certificate.fingerprint);
    await us.host.maintain();
    expect(warnings(us)).toEqual([3, 8]);
  });

  it.each(["suspended", "deleted", "pending"] as const)("nobody is told of a peer that is %s", async (state) => {
    await using us = await rig({ alicePeer: { certificate: dying.certificate.pem, state } });
    await pass(us, 21);
    expect(warnings(us)).toEqual([]);
  });

  it("of many peers each has its own", async () => {
    await using us = await rig();
    for (let n = 0; n < 12; n += 1) {
      await insertPeer(us.store, rekeyed(`https://p${n}.example`, n % 12, { notAfter: "2026-01-05T00:00:00Z" }));
    }
    await us.host.maintain();
    await us.host.maintain();
    expect(warnings(us)).toEqual(Array.from({ length: 12 }, () => 4));
  });
});

describe("SEC-048 MNET-018 what becomes of messages after that", () => {
  it.each([
    ["warn", undefined, "accepted", {}],
    ["warn", undefined, "accepted", { peerDefaults: { expiredKey: "refuse" }, own: "warn" }],
    ["refuse", 710, "MNET_KEY_EXPIRED", { own: "refuse" }],
    ["refuse", 710, "MNET_KEY_EXPIRED", { peerDefaults: { expiredKey: "refuse" } }],
  ] as const)("expiredKey %s: fault %s, our call: %s (%j)", async (_policy, fault, code, given) => {
    const { own, peerDefaults } = { own: undefined, peerDefaults: undefined, ...given };
    await using us = await scriptedRig((_asked, them) => answer(them, encodeResult([]), { from: dying }), {
      keys: undefined,
      alicePeer: { certificate: dying.certificate.pem, settings: own ? { expiredKey: own } : {} },
      peerDefaults,
    } as never);
    const both = async () => {
      const timestamp = new Date(us.clock.now());
      const reply = await post(us.host, aliceCalls(us, "system/listServices", [], { from: dying, timestamp }));
      return [summary(openAnswer(reply, dying)).fault, await codeOf(() => us.list())];
    };
    expect(await both()).toEqual([undefined, "accepted"]);
    await us.clock.advance(20 * DAY_MS);
    expect(await both()).toEqual([fault, code]);
  });
});
