import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import type { PeerSettings } from "../../src/peer/peer-settings.ts";
import type { TransportResponse } from "../../src/transport/transport.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { ALICE, keyedSite, wrap, type KeyedSite } from "../support/hosts.ts";
import { rekeyed } from "../support/rekeyed.ts";
import { answer, newKeyFault, scriptedRig, shown, type ScriptedRig } from "../support/scripted-peer.ts";

const LIST = "system/listServices";
const KEYSWAP = "system/keyswap";
const next = rekeyed(ALICE, 2);
/** Made before the pinned one. */
const older = rekeyed(ALICE, 3, { notBefore: "2025-11-30T23:59:59Z" });
const sameDay = rekeyed(ALICE, 4, { notBefore: "2025-12-01T00:00:00Z", notAfter: "2026-01-29T00:00:00Z" });

/** A peer whose requests for a key are answered with one certificate; everything else as `script` says. */
type Script = (us: ScriptedRig, sealedFor: KeyedSite | undefined) => Uint8Array | TransportResponse;
const peerThat = (
  script: Script,
  { shows, alicePeer, ...options }: Parameters<typeof scriptedRig>[1] & { readonly shows?: Script } = {},
): Promise<ScriptedRig> =>
  scriptedRig(
    ({ what, sealedFor }, us) => (what === KEYSWAP ? (shows ?? (() => shown(next))) : script)(us, sealedFor),
    // A Mahara, unless told: the rules for proved keys are the same for all.
    { keys: [next, older, sameDay], alicePeer: { application: "mahara", ...alicePeer }, ...options },
  );
/** The 7025 of a Moodle: its old key brings the new one. */
const moodle =
  (certificate: KeyedSite): Script =>
  (us, sealedFor) =>
    sealedFor === certificate
      ? answer(us, encodeResult("done"), { from: certificate })
      : answer(us, newKeyFault(certificate));
/** The 7025 of a Mahara: its new key brings itself. */
const mahara =
  (certificate: KeyedSite): Script =>
  (us, sealedFor) =>
    sealedFor === certificate
      ? answer(us, encodeResult("done"), { from: certificate })
      : answer(us, newKeyFault(certificate), { from: certificate });
const overHttps: PeerSettings = { legacy: { adoptKeyOverHttps: true } };
const unchanged = (us: ScriptedRig) => ({ pinned: us.alice.certificate.pem, retired: [], held: undefined });

describe("SEC-039 a key that only vouches for itself, as Mahara sends it", () => {
  it("is held by default, with an event of the highest level", async () => {
    await using us = await peerThat(mahara(next));
    const error = await errorOf(us.list);
    expect(error).toMatchObject({ code: "MNET_KEY_HELD", fingerprint: next.certificate.fingerprint, peer: ALICE });
    expect(us.counts()).toEqual({ [LIST]: 1 });
    expect(await us.stored()).toEqual({ ...unchanged(us), held: next.certificate.pem });
    expect(us.told("peer.key-held")).toMatchObject([
      {
        level: "error",
        peer: { wwwroot: ALICE },
        fingerprint: next.certificate.fingerprint,
        reason: "signed-by-new-key",
      },
    ]);
    const peer = await us.host.peers.get(ALICE);
    expect(peer.key.fingerprint).toBe(us.alice.certificate.fingerprint);
    expect(peer.heldKey).toMatchObject({ fingerprint: next.certificate.fingerprint, reason: "signed-by-new-key" });
  });

  it("is held once, however often it is shown", async () => {
    await using us = await peerThat(mahara(next));
    const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(us.list)));
    expect(codes).toEqual(Array.from({ length: 5 }, () => "MNET_KEY_HELD"));
    expect(us.told("peer.key-held")).toHaveLength(1);
    const since = (await us.host.peers.get(ALICE)).heldKey!.since;
    await us.clock.advance(1000);
    expect(await codeOf(us.list)).toBe("MNET_KEY_HELD");
    expect((await us.host.peers.get(ALICE)).heldKey!.since).toEqual(since);
  });

  it("goes when a proved one comes", async () => {
    let isMahara = true;
    await using us = await peerThat((self, key) => (isMahara ? mahara(next) : moodle(next))(self, key));
    expect(await codeOf(us.list)).toBe("MNET_KEY_HELD");
    isMahara = false;
    expect(await us.list()).toBe("done");
    expect(await us.stored()).toMatchObject({ pinned: next.certificate.pem, held: undefined });
  });

  it("is adopted where the peer is so configured and its https site shows the same one", async () => {
    await using us = await peerThat(mahara(next), { alicePeer: { settings: overHttps } });
    expect(await us.list()).toBe("done");
    expect(us.counts()).toEqual({ [LIST]: 2, [KEYSWAP]: 1 });
    const swap = us.asked.find(({ what }) => what === KEYSWAP)!.request;
    expect(swap).toMatchObject({ tls: "verify", url: new URL(`${ALICE}/api/xmlrpc/server.php`) });
    expect(await us.stored()).toMatchObject({ pinned: next.certificate.pem, held: undefined });
    expect(us.told("legacy.used")).toMatchObject([{ level: "warn", setting: "adoptKeyOverHttps" }]);
    expect(us.told("peer.key-changed")).toHaveLength(1);
    expect(us.told("peer.key-held")).toEqual([]);
  });

  const notConfirmed: [title: string, shows: Script][] = [
    ["shows the old one", (us) => shown(us.alice)],
    ["shows another one", () => shown(sameDay)],
    ["shows another site's", () => shown(keyedSite("https://mallory.example", 5))],
    ["refuses", () => encodeFault(7020, "mnet/wrong-wwwroot")],
    ["shows a page", () => Buffer.from("<html>")],
    ["is broken", () => ({ status: 503, headers: {}, body: Buffer.from("Later.") })],
  ];
  it.each(notConfirmed)("is held where that site %s", async (_, shows) => {
    await using us = await peerThat(mahara(next), { shows, alicePeer: { settings: overHttps } });
    expect(await codeOf(us.list)).toBe("MNET_KEY_HELD");
    expect(us.counts()).toEqual({ [LIST]: 1, [KEYSWAP]: 1 });
    expect(await us.stored()).toEqual({ ...unchanged(us), held: next.certificate.pem });
    expect(us.told("peer.key-held")).toMatchObject([{ level: "error" }]);
    expect(us.told("legacy.used")).toEqual([]);
  });

  it.each(["host-name", "none"] as const)("is held where TLS is not verified (%s): nobody is asked", async (tls) => {
    await using us = await peerThat(mahara(next), {
      alicePeer: { settings: { legacy: { adoptKeyOverHttps: true, tls } } },
    });
    expect(await codeOf(us.list)).toBe("MNET_KEY_HELD");
    expect(us.counts()).toEqual({ [LIST]: 1 });
  });

  it("is held of an http peer, whatever is configured: nobody is asked", async () => {
    const wwwroot = "http://alice.example";
    const [pinned, renewed] = [keyedSite(wwwroot, 1), rekeyed(wwwroot, 2)];
    await using us = await scriptedRig(
      (_, self) => wrap(newKeyFault(renewed), { from: renewed, to: self.ours, timestamp: new Date(self.clock.now()) }),
      {
        keys: [pinned],
        alicePeer: {
          wwwroot: pinned.wwwroot,
          canonical: wwwroot,
          application: "mahara",
          certificate: pinned.certificate.pem,
          settings: overHttps,
        },
      },
    );
    expect(await codeOf(us.list)).toBe("MNET_KEY_HELD");
    expect(us.counts()).toEqual({ [LIST]: 1 });
    expect(await us.stored()).toMatchObject({ pinned: pinned.certificate.pem, held: renewed.certificate.pem });
  });

  it("that is another site's, or weak, is not even held", async () => {
    const stranger = rekeyed("https://mallory.example", 2);
    await using us = await peerThat((self) =>
      answer(self, newKeyFault(stranger), { from: stranger, outer: ALICE, inner: ALICE }),
    );
    expect(await codeOf(us.list)).toBe("MNET_ENVELOPE_SIGNATURE_INVALID");
    expect(await us.stored()).toEqual(unchanged(us));
  });

  it("SEC-038 of a Moodle it is nothing at all: its old key would have vouched for it", async () => {
    await using us = await peerThat(mahara(next), { alicePeer: { application: "moodle", settings: overHttps } });
    expect(await codeOf(us.list)).toBe("MNET_ENVELOPE_SIGNATURE_INVALID");
    expect(us.counts()).toEqual({ [LIST]: 1 });
    expect(await us.stored()).toEqual(unchanged(us));
    expect(us.told("peer.key-held")).toEqual([]);
  });

  it("must have signed the message that brings it", async () => {
    await using us = await peerThat((self) => answer(self, newKeyFault(next), { from: sameDay }));
    expect(await codeOf(us.list)).toBe("MNET_ENVELOPE_SIGNATURE_INVALID");
    expect(await us.stored()).toEqual(unchanged(us));
  });
});

describe("SEC-040 a key that goes backwards", () => {
  const retired = { retired: [next.certificate.fingerprint] };

  it("is refused if it was given up before, properly signed though it is", async () => {
    await using us = await peerThat(moodle(next), { alicePeer: retired });
    expect(await codeOf(us.list)).toBe("MNET_KEY_ROLLBACK");
    expect(us.counts()).toEqual({ [LIST]: 1 });
    expect(await us.stored()).toEqual({ ...unchanged(us), ...retired });
    expect(us.told("peer.key-held")).toEqual([]);
  });

  it("is refused also where only it vouches for itself, and where https shows it", async () => {
    await using us = await peerThat(mahara(next), { alicePeer: { ...retired, settings: overHttps } });
    expect(await codeOf(us.list)).toBe("MNET_KEY_ROLLBACK");
    expect(us.counts()).toEqual({ [LIST]: 1 });
    expect(await us.stored()).toEqual({ ...unchanged(us), ...retired });
  });

  it("a recorded 7025 of long ago is refused when it comes again", async () => {
    // Alice goes from her first key to `next` and on to `sameDay`; then somebody sends the first news again.
    let turn: Script = moodle(next);
    await using us = await peerThat((self, key) => turn(self, key));
    await us.list();
    turn = (self, key) =>
      key === sameDay
        ? answer(self, encodeResult("done"), { from: sameDay })
        : answer(self, newKeyFault(sameDay), { from: next });
    // A day older than `next` by its dates, so an operator has to look (below).
    expect(await codeOf(us.list)).toBe("MNET_KEY_HELD");
    turn = (self) => answer(self, newKeyFault(self.alice), { from: next });
    expect(await codeOf(us.list)).toBe("MNET_KEY_ROLLBACK");
    expect((await us.stored()).pinned).toBe(next.certificate.pem);
  });

  it.each([
    ["by the old key", moodle(older), {}],
    ["by itself", mahara(older), {}],
    ["by itself, and shown over https", mahara(older), overHttps],
  ])("is held if it was made before the pinned one: proved %s", async (_, script, settings) => {
    await using us = await peerThat(script, { shows: () => shown(older), alicePeer: { settings } });
    expect(await codeOf(us.list)).toBe("MNET_KEY_HELD");
    expect(us.counts()).toEqual({ [LIST]: 1 });
    expect(await us.stored()).toEqual({ ...unchanged(us), held: older.certificate.pem });
    expect(us.told("peer.key-held")).toMatchObject([{ level: "error", reason: "older-than-pinned" }]);
  });

  it("a shorter life alone is no step back: administrators change it", async () => {
    await using us = await peerThat(moodle(sameDay));
    expect(await us.list()).toBe("done");
    expect((await us.stored()).pinned).toBe(sameDay.certificate.pem);
  });
});

describe("SEC-041 one change for many", () => {
  it("20 calls at once: one stored change, and every call succeeds", async () => {
    await using us = await peerThat(moodle(next));
    const results = await Promise.all(Array.from({ length: 20 }, () => us.list()));
    expect(results).toEqual(Array.from({ length: 20 }, () => "done"));
    expect(us.told("peer.key-changed")).toHaveLength(1);
    expect(await us.stored()).toMatchObject({
      pinned: next.certificate.pem,
      retired: [us.alice.certificate.fingerprint],
    });
    expect(us.asked.length).toBeLessThanOrEqual(40);
  });

  it("a peer that shows each of 20 calls another key has one of them pinned", async () => {
    const keys = Array.from({ length: 6 }, (_, n) => rekeyed(ALICE, n + 2));
    let turn = 0;
    await using us = await scriptedRig(
      ({ sealedFor }, self) =>
        sealedFor === self.alice
          ? answer(self, newKeyFault(keys[turn++ % keys.length]!))
          : answer(self, encodeResult("done"), { from: sealedFor! }),
      { keys },
    );
    await Promise.all(Array.from({ length: 20 }, () => us.list()));
    expect(us.told("peer.key-changed")).toHaveLength(1);
    expect((await us.stored()).retired).toEqual([us.alice.certificate.fingerprint]);
  });

  it("what an operator changes at the same moment is not undone", async () => {
    await using us = await peerThat(moodle(next));
    const listing = us.list();
    await us.host.peers.setServices({ id: us.aliceId }, {});
    await us.store.peers.update({ ...(await us.store.peers.find(us.aliceId))!, name: "By hand" });
    expect(await listing).toBe("done");
    expect(await us.store.peers.find(us.aliceId)).toMatchObject({ name: "By hand", certificate: next.certificate.pem });
  });

  it("SEC-054 a peer that is removed meanwhile stays as it was", async () => {
    await using us = await scriptedRig(async (_, self) => {
      await self.host.peers.remove({ id: self.aliceId });
      return answer(self, newKeyFault(next));
    });
    expect(await codeOf(us.list)).toBe("MNET_PEER_UNKNOWN");
    expect(await us.stored()).toMatchObject({ pinned: us.alice.certificate.pem });
    expect(us.counts()).toEqual({ [LIST]: 1 });
  });
});

it("SEC-051 no error and no event of all this shows a private key or a certificate's text", async () => {
  await using us = await peerThat(mahara(next));
  const error = await errorOf(us.list);
  const text = inspect([error, us.events], { depth: 20, showHidden: true }) + JSON.stringify([error, us.events]);
  expect(text).not.toContain("PRIVATE KEY");
});
