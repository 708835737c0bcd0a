import { generateKeyPairSync } from "node:crypto";
import { domainToASCII } from "node:url";
import { describe, expect, it } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import type { Wwwroot } from "../../src/core/ids.ts";
import { createHost } from "../../src/create-host.ts";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import { likenessOf } from "../../src/peer/confusable.ts";
import { completeSettings, DEFAULT_DRIFT_TOLERANCE_MS, type PeerSettingsChange } from "../../src/peer/peer-settings.ts";
import type { AddPeerOptions } from "../../src/peer/peers.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { testNetwork } from "../../src/testing/test-network.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import {
  ALICE,
  aliceCalls,
  keyedSite,
  noTransport,
  openAnswer,
  OUR_WWWROOT,
  post,
  rig,
  storeWithKeys,
  summary,
  type Rig,
} from "../support/hosts.ts";
import { rekeyed } from "../support/rekeyed.ts";
import { answer, scriptedRig, shown, type ScriptedRig } from "../support/scripted-peer.ts";
import { scriptedSite } from "../support/scripted-site.ts";
import { certificatePemFor, rsaPublicKey } from "../support/sites.ts";

const bob = keyedSite("https://bob.example", 2);
const next = rekeyed(ALICE, 3);
const other = rekeyed(ALICE, 4);
const alicesKey = ({ aliceId }: Rig) => ({ id: aliceId });

/** Events that administrators cause; those of exchanges are others. */
const ADMINISTRATIVE = new Set(["peer.added", "peer.changed", "peer.key-held", "peer.key-changed"]);
const administrative = ({ events }: { readonly events: readonly MnetEvent[] }) =>
  events.filter(({ type }) => ADMINISTRATIVE.has(type));

/** Alice answers everything with the same, and shows a certificate to strangers. */
const aliceWho = (
  shows = next,
  options: Omit<NonNullable<Parameters<typeof rig>[0]>, "keys"> = {},
): Promise<ScriptedRig> =>
  scriptedRig(
    ({ what }, us) => {
      if (what === "GET") return "<title>Alice's school</title>";
      return what === "system/keyswap" ? shown(shows) : answer(us, encodeResult([]));
    },
    { keys: [next, other], ...options },
  );

describe("peers.preview", () => {
  it("shows what the site shows and stores nothing", async () => {
    const { transport, asked } = scriptedSite(bob);
    await using us = await rig({ transport });
    const seen = await us.host.peers.preview("https://bob.example/");
    expect(seen).toEqual({
      wwwroot: bob.wwwroot,
      name: "A scripted site",
      application: "moodle",
      key: {
        fingerprint: bob.certificate.fingerprint,
        certificate: bob.certificate.pem,
        notBefore: bob.certificate.notBefore,
        notAfter: bob.certificate.notAfter,
        modulusBits: 2048,
      },
      warnings: [],
    });
    expect(asked).toHaveLength(2);
    expect(await us.host.peers.find(bob.wwwroot)).toBeUndefined();
    expect(administrative(us)).toEqual([]);
  });

  it("add pins exactly what was shown, without a second key swap, also after a journey as JSON", async () => {
    const { transport, asked } = scriptedSite(bob);
    await using us = await rig({ transport });
    const seen = JSON.parse(JSON.stringify(await us.host.peers.preview(bob.wwwroot))) as never;
    const before = asked.length;
    const peer = await us.host.peers.add(seen, { settings: { timeoutMs: 5 } });
    expect(asked).toHaveLength(before);
    expect(peer).toMatchObject({ name: "A scripted site", key: { certificate: bob.certificate.pem }, state: "active" });
    expect(await us.host.peers.settings(peer)).toMatchObject({ timeoutMs: 5 });
  });

  it("a preview that was tampered with, or is none, is refused", async () => {
    await using us = await rig({ transport: scriptedSite(bob).transport });
    const seen = await us.host.peers.preview(bob.wwwroot);
    const pem = rekeyed(bob.wwwroot, 5).certificate.pem;
    const wrong: readonly (readonly [object | null, string, AddPeerOptions?])[] = [
      [{ ...seen, key: { ...seen.key, certificate: pem } }, "MNET_KEY_FINGERPRINT_MISMATCH"],
      [{ ...seen, wwwroot: "https://eve.example" }, "MNET_KEY_NOT_FOR_WWWROOT"],
      [{ ...seen, key: { ...seen.key, certificate: "x" } }, "MNET_KEY_CERTIFICATE_INVALID"],
      [seen, "MNET_KEY_FINGERPRINT_MISMATCH", { fingerprint: "00" }],
      [seen, "MNET_KEY_FINGERPRINT_MISMATCH", { certificate: pem }],
      [{ ...seen, application: "drupal" }, "MNET_CONFIG_INVALID"],
      [{ wwwroot: bob.wwwroot }, "MNET_CONFIG_INVALID"],
      [null, "MNET_CONFIG_INVALID"],
    ];
    for (const [given, code, options] of wrong) {
      expect(await codeOf(() => us.host.peers.add(given as never, options))).toBe(code);
    }
    expect(await us.host.peers.find(bob.wwwroot)).toBeUndefined();
  });

  const warned: readonly (readonly [string, string, RegExp, AddPeerOptions])[] = [
    ["plain http", "http://carol.example", /no https/, {}],
    [
      "an expired key",
      "https://carol.example",
      /expired on 2025-12-31/,
      { certificate: rekeyed("https://carol.example", 2, { notAfter: "2025-12-31T00:00:00Z" }).certificate.pem },
    ],
    [
      "a key about to expire",
      "https://carol.example",
      /expires on 2026-01-03, in 2 days/,
      { certificate: rekeyed("https://carol.example", 2, { notAfter: "2026-01-03T00:00:00Z" }).certificate.pem },
    ],
    [
      "a key of tomorrow",
      "https://carol.example",
      /valid from 2026-01-02 on/,
      { certificate: rekeyed("https://carol.example", 2, { notBefore: "2026-01-02T00:00:00Z" }).certificate.pem },
    ],
    [
      "our own key",
      "https://carol.example",
      /same key as this host/,
      { certificate: keyedSite("https://carol.example", 0).certificate.pem },
    ],
    ["TLS that was not checked", "https://carol.example", /was not checked/, { settings: { legacy: { tls: "none" } } }],
    ["an address like ours", "http://www.host.example/moodle", /looks like ours/, {}],
    ["an address like a peer's", "http://alice.example", /looks like that of the peer https:\/\/alice\.example/, {}],
    [
      "letters of another alphabet",
      `https://${domainToASCII("аlice.example")}`,
      /looks like that of the peer https:\/\/alice\.example/,
      {},
    ],
    ["an internationalised domain", "https://xn--mller-kva.example", /"müller\.example"/, {}],
    ["a peer that is there", "https://alice.example", /is a peer already \(active\)/, {}],
    [
      "another spelling of a peer",
      "https://ALICE.example:443",
      /active\), as https:\/\/alice\.example: two spellings/,
      { certificate: keyedSite("https://ALICE.example:443", 2).certificate.pem },
    ],
  ];
  it.each(warned)("MNET-018 SEC-085 warns of %s (%s)", async (_what, wwwroot, expected, options) => {
    await using us = await rig({ transport: scriptedSite(keyedSite(wwwroot, 2)).transport });
    const { warnings } = await us.host.peers.preview(wwwroot, options);
    expect(warnings.filter((warning) => expected.test(warning))).toHaveLength(1);
  });

  it("SEC-047 warns of a small key, which is an error unless it is allowed", async () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
    const certificate = certificatePemFor(publicKey, bob.wwwroot);
    await using us = await rig();
    expect(await codeOf(() => us.host.peers.preview(bob.wwwroot, { certificate }))).toBe("MNET_KEY_WEAK");
    const settings = { legacy: { smallKeys: true } };
    const seen = await us.host.peers.preview(bob.wwwroot, { certificate, settings });
    expect(seen.warnings.join()).toContain("1024 bits only");
    expect(await codeOf(() => us.host.peers.add(seen))).toBe("MNET_KEY_WEAK");
    await us.host.peers.add(seen, { settings });
    expect(us.told("legacy.used")).toMatchObject([{ setting: "smallKeys", peer: { wwwroot: bob.wwwroot } }]);
  });

  it("tells of a peer that was removed, and names the peer that is there", async () => {
    await using us = await rig({ transport: scriptedSite(keyedSite(ALICE, 1)).transport });
    expect((await us.host.peers.preview(ALICE)).existing).toMatchObject({ id: us.aliceId });
    await us.host.peers.remove(alicesKey(us));
    const { warnings, existing } = await us.host.peers.preview(ALICE);
    expect(existing).toBeUndefined();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("under its old id");
  });
});

describe("SEC-085 what an eye reads over", () => {
  it.each([
    ["https://moodle.example", "http://moodle.example"],
    ["https://moodle.example", "https://www.moodle.example"],
    ["https://moodle.example", "https://m00dle.example"],
    ["https://moodle.example", "https://rnoodle.example"],
    ["https://moodle.example/lms", "https://moodle.example/LMS"],
    ["https://moodle.example", "https://moodle.example:80"],
    ["https://apple.example", `https://${domainToASCII("аpple.example")}`],
    ["https://uni.example", `https://${domainToASCII("υnі.example")}`],
  ])("%s and %s are alike", (a, b) => {
    expect(likenessOf(a as Wwwroot)).toBe(likenessOf(b as Wwwroot));
  });

  it.each([
    ["https://moodle.example", "https://moodle.example/a"],
    ["https://moodle.example", "https://moodle.example:8443"],
    ["https://a.example", "https://b.example"],
    ["https://lms.a.example", "https://a.example"],
    ["https://[2001:db8::1]", "https://[2001:db8::2]"],
  ])("%s and %s are not", (a, b) => {
    expect(likenessOf(a as Wwwroot)).not.toBe(likenessOf(b as Wwwroot));
  });
});

describe("bad certificates", () => {
  const rsa = (bits: number) =>
    certificatePemFor(generateKeyPairSync("rsa", { modulusLength: bits }).publicKey, bob.wwwroot);
  /** Nobody needs the private half, and making a real one of this size takes minutes. */
  const huge = () => {
    const modulus = Buffer.alloc(2048, 0xa5);
    modulus[2047] = 0xff;
    return certificatePemFor(rsaPublicKey(modulus, 65_537n), bob.wwwroot);
  };
  const ec = () => certificatePemFor(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey, bob.wwwroot);
  const cases: readonly (readonly [string, () => string, string])[] = [
    ["another site's", () => keyedSite("https://eve.example", 2).certificate.pem, "MNET_KEY_NOT_FOR_WWWROOT"],
    ["a 512-bit key", () => rsa(512), "MNET_KEY_WEAK"],
    ["a 1024-bit key", () => rsa(1024), "MNET_KEY_WEAK"],
    ["a 16,384-bit key", huge, "MNET_KEY_WEAK"],
    ["an EC key", ec, "MNET_KEY_CERTIFICATE_INVALID"],
    ["no certificate", () => "hello", "MNET_KEY_CERTIFICATE_INVALID"],
  ];

  it.each(cases)("SEC-047 %s is refused by preview, add and rekey, pasted or shown", async (_what, make, code) => {
    const pem = make();
    const { transport } = scriptedSite(bob, { moodle: encodeResult(pem) });
    await using us = await rig({ transport });
    const { peers } = us.host;
    expect(await codeOf(() => peers.preview(bob.wwwroot))).toBe(code);
    expect(await codeOf(() => peers.add(bob.wwwroot))).toBe(code);
    expect(await codeOf(() => peers.preview(bob.wwwroot, { certificate: pem }))).toBe(code);
    expect(await codeOf(() => peers.add(bob.wwwroot, { certificate: pem }))).toBe(code);
    const peer = await peers.add(bob.wwwroot, { certificate: bob.certificate.pem });
    expect(await codeOf(() => peers.rekey(peer))).toBe(code);
    expect(await codeOf(() => peers.rekey(peer, { certificate: pem }))).toBe(code);
    expect(await peers.get(peer.id)).toEqual(peer);
  });

  it("SEC-047 a 512-bit key is refused even where small keys are allowed", async () => {
    await using us = await rig();
    const settings = { legacy: { smallKeys: true } };
    expect(await codeOf(() => us.host.peers.add(bob.wwwroot, { certificate: rsa(512), settings }))).toBe(
      "MNET_KEY_WEAK",
    );
  });
});

describe("peers.rekey and peers.approve", () => {
  it("a new certificate is fetched, held, and pinned when it is approved", async () => {
    await using us = await aliceWho();
    const alice = alicesKey(us);
    const held = await us.host.peers.rekey(alice);
    expect(held).toMatchObject({
      fingerprint: next.certificate.fingerprint,
      reason: "operator",
      since: new Date(us.clock.now()),
    });
    expect(await us.host.peers.get(us.aliceId)).toMatchObject({
      key: { fingerprint: us.alice.certificate.fingerprint },
      heldKey: held,
    });
    expect((await us.host.peers.list({ held: true }).page()).items.map(({ id }) => id)).toEqual([us.aliceId]);

    const spelled = next.certificate.fingerprint.toUpperCase().replace(/..(?!$)/g, "$&:");
    const approved = await us.host.peers.approve(alice, spelled);
    expect(approved).toMatchObject({ state: "active", key: { fingerprint: next.certificate.fingerprint } });
    expect(approved).not.toHaveProperty("heldKey");
    expect((await us.store.peers.find(us.aliceId))!.retired).toEqual([us.alice.certificate.fingerprint]);
    expect(us.told("peer.key-changed")).toMatchObject([{ how: "approved", to: next.certificate.fingerprint }]);
    // Once more, by an administrator who is late.
    expect(await us.host.peers.approve(alice, spelled)).toEqual(approved);
    expect(administrative(us)).toHaveLength(2);
  });

  it("a given certificate is held without asking anybody", async () => {
    await using us = await rig();
    const { certificate } = next;
    expect(await us.host.peers.rekey(alicesKey(us), { certificate: certificate.pem })).toMatchObject({
      fingerprint: certificate.fingerprint,
    });
  });

  it("the pinned certificate is nothing new", async () => {
    await using us = await aliceWho(keyedSite(ALICE, 1));
    expect(await codeOf(() => us.host.peers.rekey(alicesKey(us)))).toBe("MNET_KEY_NOT_HELD");
    expect(await us.stored()).toMatchObject({ held: undefined });
    expect(administrative(us)).toEqual([]);
  });

  it("MNET_KEY_NOT_HELD if another waits by now, and it is said which", async () => {
    await using us = await rig();
    const { peers } = us.host;
    const alice = alicesKey(us);
    const approve = (site: typeof next) => errorOf(() => peers.approve(alice, site.certificate.fingerprint));
    expect(await approve(next)).toMatchObject({ code: "MNET_KEY_NOT_HELD", peer: ALICE });
    await peers.rekey(alice, { certificate: next.certificate.pem });
    await peers.rekey(alice, { certificate: other.certificate.pem });
    const { fingerprint } = other.certificate;
    expect(await approve(next)).toMatchObject({ code: "MNET_KEY_NOT_HELD", fingerprint });
    expect(await errorOf(() => peers.approve(alice, us.alice.certificate.fingerprint))).toMatchObject({
      code: "MNET_KEY_NOT_HELD",
      fingerprint,
    });
    expect(await codeOf(() => peers.approve(alice, ""))).toBe("MNET_KEY_NOT_HELD");
    expect((await us.store.peers.find(us.aliceId))!.certificate).toBe(us.alice.certificate.pem);
  });

  it("an operator may go back to a certificate that was given up", async () => {
    await using us = await rig();
    const { peers } = us.host;
    const alice = alicesKey(us);
    for (const site of [next, us.alice]) {
      await peers.rekey(alice, { certificate: site.certificate.pem });
      await peers.approve(alice, site.certificate.fingerprint);
    }
    expect(await us.store.peers.find(us.aliceId)).toMatchObject({
      certificate: us.alice.certificate.pem,
      retired: [next.certificate.fingerprint],
    });
  });

  it("of many approvals at once one happens; a suspended peer stays suspended", async () => {
    await using us = await rig({ alicePeer: { state: "suspended" } });
    const alice = alicesKey(us);
    await us.host.peers.rekey(alice, { certificate: next.certificate.pem });
    const approvals = Array.from({ length: 20 }, () => us.host.peers.approve(alice, next.certificate.fingerprint));
    for (const peer of await Promise.all(approvals)) {
      expect(peer).toMatchObject({ state: "suspended", key: { fingerprint: next.certificate.fingerprint } });
    }
    expect(us.told("peer.key-changed")).toHaveLength(1);
  });
});

describe("peers.refresh", () => {
  it("makes one signed round trip and takes the title", async () => {
    await using us = await aliceWho();
    expect(await us.host.peers.refresh(alicesKey(us))).toMatchObject({ name: "Alice's school" });
    expect(us.counts()).toEqual({ "system/listServices": 1, "system/profiles": 1, GET: 1 });
    expect(us.told("peer.changed")).toMatchObject([{ changed: ["name"] }]);
    await us.host.peers.refresh(alicesKey(us));
    expect(us.told("peer.changed")).toMatchObject([{ changed: ["name"] }, { changed: [] }]);
  });

  it("fails as a call does, and changes nothing then", async () => {
    await using us = await rig();
    expect(await codeOf(() => us.host.peers.refresh(alicesKey(us)))).toBe("MNET_TRANSPORT_UNREACHABLE");
    expect((await us.host.peers.get(us.aliceId)).name).toBe("A peer");
    expect(administrative(us)).toEqual([]);
  });

  it("an aborted one rejects with the reason", async () => {
    await using us = await aliceWho();
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(us.host.peers.refresh(alicesKey(us), { signal })).rejects.toBe(reason);
    await expect(us.host.peers.rekey(alicesKey(us), { signal })).rejects.toBe(reason);
    await expect(us.host.peers.services(alicesKey(us), { signal })).rejects.toBe(reason);
    await expect(us.host.peers.preview(bob.wwwroot, { signal })).rejects.toBe(reason);
  });
});

describe("SEC-054 suspended and deleted peers", () => {
  const faultFor = async (us: Rig) =>
    summary(openAnswer(await post(us.host, aliceCalls(us, "system/listServices")), us.alice));
  const unknown = { form: "plain", fault: 7020 };

  it("are answered as unknown, cannot be called, and come back with resume or add", async () => {
    await using us = await aliceWho();
    const { peers } = us.host;
    const alice = alicesKey(us);
    expect(await faultFor(us)).toMatchObject({ value: [] });

    expect(await peers.suspend(alice)).toMatchObject({ state: "suspended" });
    expect(await faultFor(us)).toEqual(unknown);
    expect(await codeOf(() => us.list())).toBe("MNET_PEER_NOT_ACTIVE");
    expect(await codeOf(() => peers.refresh(alice))).toBe("MNET_PEER_NOT_ACTIVE");
    expect(us.counts()).toEqual({});

    expect(await peers.resume(alice)).toMatchObject({ state: "active" });
    expect(await faultFor(us)).toMatchObject({ value: [] });

    await peers.remove(alice);
    expect(await faultFor(us)).toEqual(unknown);
    for (const operation of [
      () => us.list(),
      () => peers.get(us.aliceId),
      () => peers.suspend(alice),
      () => peers.resume(alice),
      () => peers.refresh(alice),
      () => peers.rekey(alice),
      () => peers.approve(alice, "00"),
      () => peers.settings(alice),
      () => peers.set(alice, { timeoutMs: 1 }),
      () => peers.services(alice),
      () => peers.remove(alice),
    ]) {
      expect(await codeOf(operation)).toBe("MNET_PEER_UNKNOWN");
    }

    const again = await peers.add(ALICE, { certificate: us.alice.certificate.pem });
    expect(again).toMatchObject({ id: us.aliceId, state: "active" });
    expect(await faultFor(us)).toMatchObject({ value: [] });
  });

  it("suspending twice is once; a pending peer is neither suspended nor resumed", async () => {
    await using us = await rig();
    await us.host.peers.suspend(alicesKey(us));
    await us.host.peers.suspend(alicesKey(us));
    await us.host.peers.resume(alicesKey(us));
    await us.host.peers.resume(alicesKey(us));
    expect(us.told("peer.changed")).toHaveLength(2);

    await using them = await rig({ alicePeer: { state: "pending" } });
    expect(await codeOf(() => them.host.peers.suspend(alicesKey(them)))).toBe("MNET_PEER_NOT_ACTIVE");
    expect(await codeOf(() => them.host.peers.resume(alicesKey(them)))).toBe("MNET_PEER_NOT_ACTIVE");
    await them.host.peers.remove(alicesKey(them));
  });

  it("a removed peer that changed the spelling of its address comes back under the new one", async () => {
    const old = keyedSite("https://Bob.example", 2);
    await using us = await rig();
    const first = await us.host.peers.add(old.wwwroot, { certificate: old.certificate.pem });
    await us.host.peers.remove(first);
    const again = await us.host.peers.add(bob.wwwroot, { certificate: bob.certificate.pem });
    expect(again).toMatchObject({ id: first.id, wwwroot: bob.wwwroot });
  });

  it("SEC-085 a confusable wwwroot is refused with the peer that is there, in any state but deleted", async () => {
    const confusable = keyedSite("https://ALICE.example:443", 2);
    for (const state of ["pending", "active", "suspended"] as const) {
      await using us = await rig({ alicePeer: { state } });
      const error = await errorOf(() =>
        us.host.peers.add(confusable.wwwroot, { certificate: confusable.certificate.pem }),
      );
      expect(error).toMatchObject({ code: "MNET_PEER_EXISTS", peer: ALICE, existing: { id: us.aliceId, state } });
      expect(error.message).toContain(ALICE);
    }
  });
});

describe("SEC-045 MNET-096 a key swap changes nobody who is there", () => {
  const states = ["pending", "active", "suspended", "deleted"] as const;
  it.each(states.flatMap((state) => [false, true].map((registerStrangers) => [state, registerStrangers] as const)))(
    "%s, hub mode %s",
    async (state, registerStrangers) => {
      await using us = await rig({ registerStrangers, alicePeer: { state } });
      const before = await us.store.peers.find(us.aliceId);
      for (const wwwroot of [ALICE, `${ALICE}/`, "https://ALICE.example", "https://alice.example:443"]) {
        const { pem } = keyedSite(wwwroot.replace(/\/$/, ""), 5).certificate;
        const reply = await post(us.host, encodeCall("system/keyswap", [wwwroot, pem, "moodle"]));
        expect(summary(openAnswer(reply))).toEqual({ form: "plain", value: us.ours.certificate.pem });
      }
      await us.clock.advance(1000);
      await us.host.maintain();
      expect(await us.store.peers.find(us.aliceId)).toEqual(before);
      expect(await us.store.peers.find(2 as never)).toBeUndefined();
    },
  );
});

describe("settings", () => {
  it("SEC-098 every relaxation is off by default", async () => {
    await using us = await rig();
    expect(await us.host.peers.settings(alicesKey(us))).toEqual({
      timeoutMs: 30_000,
      driftToleranceMs: DEFAULT_DRIFT_TOLERANCE_MS,
      clock: "tolerant",
      expiredKey: "warn",
      profile: "automatic",
      keyPair: "shared",
      strictAlgorithms: false,
      exportFields: ["city", "country", "lang", "timezone", "description", "picture"],
      importFields: ["city", "country", "lang", "timezone", "description", "picture"],
      signIn: "allow",
      maxEnrolments: 10_000,
      allowAddresses: [],
      legacy: { tls: "verify", smallKeys: false, adoptKeyOverHttps: false },
    });
    expect(DEFAULT_DRIFT_TOLERANCE_MS).toBe(15_000);
    expect(us.told("legacy.used")).toEqual([]);
  });

  it("are built-in, then peerDefaults, then the peer's own; null goes back", async () => {
    const peerDefaults = { timeoutMs: 10_000, clock: "strict", legacy: { smallKeys: true } } as const;
    await using us = await rig({ peerDefaults, network: { timeoutMs: 20_000 } });
    const alice = alicesKey(us);
    const { peers } = us.host;
    const expectSettings = async (change: PeerSettingsChange, expected: object) => {
      await peers.set(alice, change);
      expect(await peers.settings(alice)).toMatchObject(expected);
    };
    await expectSettings({}, { timeoutMs: 10_000, clock: "strict", legacy: { smallKeys: true, tls: "verify" } });
    await expectSettings(
      { timeoutMs: 1000, legacy: { tls: "host-name" } },
      {
        timeoutMs: 1000,
        legacy: { smallKeys: true, tls: "host-name" },
      },
    );
    await expectSettings({ legacy: { smallKeys: false } }, { legacy: { smallKeys: false, tls: "host-name" } });
    await expectSettings({ legacy: { tls: null } }, { legacy: { smallKeys: false, tls: "verify" } });
    // Only what is the peer's own is stored, or the defaults of today would be its for ever.
    expect((await us.store.peers.find(us.aliceId))!.settings).toEqual({
      timeoutMs: 1000,
      legacy: { smallKeys: false },
    });
    await expectSettings(
      { legacy: null, timeoutMs: null, clock: undefined },
      {
        timeoutMs: 10_000,
        legacy: { smallKeys: true },
      },
    );
    expect((await us.store.peers.find(us.aliceId))!.settings).toEqual({});
    expect(us.told("peer.changed").map(({ changed }) => changed)).toEqual([
      ["settings.timeoutMs", "settings.legacy.tls"],
      ["settings.legacy.smallKeys"],
      ["settings.legacy.tls"],
      ["settings.timeoutMs", "settings.legacy"],
    ]);
  });

  it("peerDefaults are in effect everywhere and written nowhere", async () => {
    await using us = await aliceWho(next, {
      peerDefaults: { timeoutMs: 1234, allowAddresses: ["10.0.0.0/8"], legacy: { tls: "none" } },
    });
    const { peers } = us.host;
    await us.list();
    const sent = us.asked.at(-1)!.request;
    expect(sent).toMatchObject({ tls: "none", allowAddresses: ["10.0.0.0/8"] });
    await peers.suspend(alicesKey(us));
    await peers.resume(alicesKey(us));
    await peers.rekey(alicesKey(us));
    await peers.approve(alicesKey(us), next.certificate.fingerprint);
    await peers.setServices(alicesKey(us), {});
    const added = await peers.add(bob.wwwroot, { certificate: bob.certificate.pem, settings: { clock: "strict" } });
    await peers.remove(added);
    await us.clock.advance(120_000);
    expect((await us.store.peers.find(us.aliceId))!.settings).toEqual({});
    expect((await us.store.peers.find(added.id))!.settings).toEqual({ clock: "strict" });
  });

  it.each([
    [{ timeoutMs: NaN }, "timeoutMs"],
    [{ timeoutMs: -1 }, "timeoutMs"],
    [{ timeOutMs: 1 }, "timeOutMs"],
    [{ legacy: { tls: "sometimes" } }, "legacy.tls"],
    [{ legacy: { cipher: "none" } }, "legacy.cipher"],
    [{ legacy: "none" }, "legacy"],
    [{ clock: "" }, "clock"],
    [{ expiredKey: false }, "expiredKey"],
    [{ exportFields: ["city", "PASSWORD;"] }, "exportFields.1"],
    [{ importFields: "city" }, "importFields"],
    [{ allowAddresses: ["example.org"] }, "allowAddresses"],
    [null, undefined],
  ])("%j is refused, naming it", async (change, option) => {
    await using us = await rig();
    const error = await errorOf(() => us.host.peers.set(alicesKey(us), change as never));
    expect(error).toMatchObject({ code: "MNET_CONFIG_INVALID" });
    expect((error as { option?: string }).option).toBe(option);
    const wrong = await errorOf(() =>
      createHost({ wwwroot: OUR_WWWROOT, name: "A", store: memoryStore(), peerDefaults: change as never }),
    );
    expect(wrong).toMatchObject({
      code: "MNET_CONFIG_INVALID",
      option: ["peerDefaults", option ?? []].flat().join("."),
    });
    expect(administrative(us)).toEqual([]);
  });

  it("a filter that is none is refused", async () => {
    await using us = await rig();
    expect(await errorOf(() => us.host.peers.list({ state: "gone" as never }))).toMatchObject({
      option: "filter.state",
    });
    expect(await errorOf(() => us.host.peers.list({ hold: true } as never))).toMatchObject({ option: "filter.hold" });
  });

  it("changes by many at once all happen", async () => {
    await using us = await rig({ services: [served] });
    const alice = alicesKey(us);
    const { peers } = us.host;
    await peers.rekey(alice, { certificate: next.certificate.pem });
    await Promise.all([
      peers.set(alice, { timeoutMs: 1000 }),
      peers.set(alice, { clock: "strict" }),
      peers.set(alice, { legacy: { tls: "host-name" } }),
      peers.set(alice, { legacy: { smallKeys: true } }),
      peers.setServices(alice, { served: "both" }),
      peers.approve(alice, next.certificate.fingerprint),
      peers.suspend(alice),
      post(us.host, aliceCalls(us, "system/listServices")),
    ]);
    expect(await us.store.peers.find(us.aliceId)).toMatchObject({
      state: "suspended",
      certificate: next.certificate.pem,
      settings: { timeoutMs: 1000, clock: "strict", legacy: { tls: "host-name", smallKeys: true } },
      services: { served: "both" },
    });
    expect(administrative(us)).toHaveLength(8);
  });

  it("SEC-098 weak peerDefaults are one event at start; strong ones none", async () => {
    const legacy = { tls: "none", smallKeys: true } as const;
    await using weak = await rig({ peerDefaults: { legacy } });
    expect(weak.told("legacy.used")).toMatchObject([
      { level: "warn", setting: "peerDefaults.legacy.tls, peerDefaults.legacy.smallKeys" },
    ]);
    await using strong = await rig({ peerDefaults: { clock: "strict", legacy: { tls: "verify", smallKeys: false } } });
    expect(strong.told("legacy.used")).toEqual([]);
  });

  it("each use of a small key is an event", async () => {
    const small = rekeyed(ALICE, 3);
    const pem = certificatePemFor(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey, ALICE);
    await using us = await scriptedRig(() => "", {
      keys: [small],
      alicePeer: { certificate: pem },
      transport: noTransport,
    });
    await codeOf(() => us.list());
    await codeOf(() => us.list());
    expect(us.told("legacy.used")).toMatchObject([
      { setting: "smallKeys", peer: { wwwroot: ALICE } },
      { setting: "smallKeys", peer: { wwwroot: ALICE } },
    ]);
  });

  it("complete settings ignore what is undefined", () => {
    const given = { timeoutMs: undefined, legacy: { tls: undefined } } as never;
    expect(completeSettings(given, 7)).toMatchObject({ timeoutMs: 7, legacy: { tls: "verify" } });
  });
});

const served = defineService({ name: "served", methods: { run: { returns: t.string() } } }).implement({
  run: () => "",
});

describe("SEC-090 each administrative operation is one event", () => {
  type Operation = (us: ScriptedRig) => Promise<unknown>;
  const nothing: Operation = () => Promise.resolve();
  const operations: readonly (readonly [string, Operation, MnetEvent["type"], Operation])[] = [
    ["add", ({ host }) => host.peers.add(bob.wwwroot, { certificate: bob.certificate.pem }), "peer.added", nothing],
    [
      "set",
      (us) => us.host.peers.set(alicesKey(us), { timeoutMs: 1, legacy: { tls: "none" } }),
      "peer.changed",
      nothing,
    ],
    ["setServices", (us) => us.host.peers.setServices(alicesKey(us), { served: "both" }), "peer.changed", nothing],
    [
      "setServices for all hosts",
      ({ host }) => host.peers.setServices("all-hosts", { served: "both" }),
      "peer.changed",
      nothing,
    ],
    ["suspend", (us) => us.host.peers.suspend(alicesKey(us)), "peer.changed", nothing],
    [
      "resume",
      (us) => us.host.peers.resume(alicesKey(us)),
      "peer.changed",
      (us) => us.host.peers.suspend(alicesKey(us)),
    ],
    ["remove", (us) => us.host.peers.remove(alicesKey(us)), "peer.changed", nothing],
    ["refresh", (us) => us.host.peers.refresh(alicesKey(us)), "peer.changed", nothing],
    ["rekey", (us) => us.host.peers.rekey(alicesKey(us)), "peer.key-held", nothing],
    [
      "approve",
      (us) => us.host.peers.approve(alicesKey(us), next.certificate.fingerprint),
      "peer.key-changed",
      (us) => us.host.peers.rekey(alicesKey(us)),
    ],
  ];
  it.each(operations)("%s", async (_name, run, type, prepare) => {
    await using us = await aliceWho(next, { services: [served] });
    await prepare(us);
    us.events.length = 0;
    await run(us);
    expect(administrative(us).map((event) => event.type)).toEqual([type]);
    const { items } = await us.host.log({ type }).page();
    expect(items.length).toBeGreaterThan(0);
  });

  it("what fails or changes nothing is none", async () => {
    await using us = await rig();
    const { peers } = us.host;
    await codeOf(() => peers.add(ALICE));
    await codeOf(() => peers.approve(alicesKey(us), "00"));
    await peers.resume(alicesKey(us));
    await peers.set(alicesKey(us), {});
    await peers.settings(alicesKey(us));
    await codeOf(() => peers.preview(bob.wwwroot));
    expect(administrative(us)).toEqual([]);
  });
});

describe("between two hosts", () => {
  it("MNET-018 an expired certificate works, with a warning", async () => {
    await using network = testNetwork();
    const old = rekeyed("https://b.test", 2, { notAfter: "2025-12-31T00:00:00Z" });
    const a = await network.host("https://a.test");
    const b = await network.host("https://b.test", {
      store: await storeWithKeys([
        { certificate: rekeyed("https://b.test", 2).certificate.pem, privateKey: old.privateKeyPem },
      ]),
    });
    const seen = await a.peers.preview(b.wwwroot, { certificate: old.certificate.pem });
    expect(seen.warnings.join()).toContain("expired on 2025-12-31");
    const peer = await a.peers.add(seen);
    await b.peers.add(a.wwwroot);
    expect(await a.call(peer, "system/listMethods")).toBeInstanceOf(Array);
  });

  it("a whole life: preview, add, suspend, resume, remove, add again", async () => {
    await using network = testNetwork();
    const [a, b] = await Promise.all([network.host("https://a.test"), network.host("https://b.test")]);
    const peer = await a.peers.add(await a.peers.preview(b.wwwroot));
    const us = await b.peers.add(a.wwwroot);
    const call = () => codeOf(() => b.call(us, "system/listMethods"));
    expect(await call()).toBe("accepted");
    await a.peers.suspend(peer);
    expect(await call()).toBe("MNET_REMOTE_FAULT");
    await a.peers.resume(peer);
    expect(await call()).toBe("accepted");
    await a.peers.remove(peer);
    expect(await call()).toBe("MNET_REMOTE_FAULT");
    expect(await a.peers.add(b.wwwroot)).toMatchObject({ id: peer.id });
    expect(await call()).toBe("accepted");
    expect(await a.peers.refresh(peer)).toMatchObject({ name: "b.test" });
  });
});
