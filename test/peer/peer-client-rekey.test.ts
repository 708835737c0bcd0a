import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { RemoteFault } from "../../src/core/errors.ts";
import { Certificate } from "../../src/crypto/certificate.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { ALICE, isSignedBy, keyedSite, openAnswer, OUR_WWWROOT, post, summary, wrap } from "../support/hosts.ts";
import { rekeyed } from "../support/rekeyed.ts";
import { answer, newKeyFault, scriptedRig, shown, type ScriptedRig } from "../support/scripted-peer.ts";
import { makeSite } from "../support/sites.ts";

const LIST = "system/listServices";
/** Alice's key after her rotation, one more, and somebody else's. */
const next = rekeyed(ALICE, 2);
const afterNext = rekeyed(ALICE, 3);
const mallory = keyedSite("https://mallory.example", 4);
/** Our key before the present one. */
const ourOld = rekeyed(OUR_WWWROOT, 5, { notBefore: "2025-11-01T00:00:00Z" });

/** Alice after a rotation: her old key brings the new one, her new one works. */
const rotatedAlice = (options: Parameters<typeof scriptedRig>[1] = {}): Promise<ScriptedRig> =>
  scriptedRig(
    ({ sealedFor }, us) =>
      sealedFor === next
        ? answer(us, encodeResult("done"), { from: next })
        : answer(us, newKeyFault(next), { from: us.alice }),
    { keys: [next], ...options },
  );

async function faultOf(run: () => unknown): Promise<{ faultCode: number; authenticated: boolean }> {
  const error = await errorOf(run);
  if (!(error instanceof RemoteFault)) throw error;
  const { faultCode, authenticated } = error;
  return { faultCode, authenticated };
}

describe("a peer that has rotated", () => {
  it("MNET-105 a 7025 signed by the pinned key replaces it, and the call is repeated once", async () => {
    await using us = await rotatedAlice();
    expect(await us.list()).toBe("done");
    expect(us.asked.map(({ what, sealedFor }) => [what, sealedFor])).toEqual([
      [LIST, us.alice],
      [LIST, next],
    ]);
    expect(await us.stored()).toEqual({
      pinned: next.certificate.pem,
      retired: [us.alice.certificate.fingerprint],
      held: undefined,
    });
    expect(us.told("peer.key-changed")).toMatchObject([
      { from: us.alice.certificate.fingerprint, to: next.certificate.fingerprint, how: "rekey", level: "warn" },
    ]);
    expect(us.told("call.retried")).toMatchObject([{ method: LIST, reason: "rekeyed" }]);
    expect(us.told("call.sent")).toHaveLength(1);
    expect(us.told("call.failed")).toHaveLength(0);
  });

  it("MNET-105 the next call goes to the new key at once", async () => {
    await using us = await rotatedAlice();
    await us.list();
    us.asked.length = 0;
    expect(await us.list()).toBe("done");
    expect(us.asked.map(({ sealedFor }) => sealedFor)).toEqual([next]);
  });

  it("MNET-105 a fault of the repeated call is the call's", async () => {
    await using us = await scriptedRig(
      ({ sealedFor }, self) =>
        sealedFor === next ? answer(self, encodeFault(5012, "no"), { from: next }) : answer(self, newKeyFault(next)),
      { keys: [next] },
    );
    expect(await faultOf(us.list)).toEqual({ faultCode: 5012, authenticated: true });
    expect((await us.stored()).pinned).toBe(next.certificate.pem);
  });

  it("MNET-105 SEC-035 a peer that must be on time is believed nothing that comes late", async () => {
    const late = new Date("2025-12-31T22:00:00Z");
    await using us = await scriptedRig((_, self) => answer(self, newKeyFault(next), { timestamp: late }), {
      alicePeer: { settings: { clock: "strict" } },
    });
    expect(await codeOf(us.list)).toBe("MNET_PEER_CLOCK_BEHIND");
    expect((await us.stored()).pinned).toBe(us.alice.certificate.pem);
  });
});

describe("MNET-106 SEC-038 a 7025 that proves nothing changes nothing", () => {
  const forSomebodyElse = rekeyed("https://alice.example.evil.example", 2);
  const weak = makeSite(ALICE);
  const cases: [title: string, code: string, answer: (us: ScriptedRig) => Uint8Array][] = [
    [
      "signed by an attacker, who shows his own key",
      "MNET_ENVELOPE_SENDER_MISMATCH",
      (us) => answer(us, newKeyFault(mallory), { from: mallory }),
    ],
    [
      "signed by an attacker in the peer's name",
      "MNET_ENVELOPE_SIGNATURE_INVALID",
      (us) => answer(us, newKeyFault(next), { from: mallory, outer: ALICE, inner: ALICE }),
    ],
    [
      "with the certificate of another site, properly signed",
      "MNET_KEY_NOT_FOR_WWWROOT",
      (us) => answer(us, newKeyFault(forSomebodyElse)),
    ],
    [
      "with an attacker's certificate, properly signed",
      "MNET_KEY_NOT_FOR_WWWROOT",
      (us) => answer(us, newKeyFault(mallory)),
    ],
    ["with a weak key, properly signed", "MNET_KEY_WEAK", (us) => answer(us, newKeyFault(weak))],
    [
      "with a damaged certificate, properly signed",
      "MNET_KEY_CERTIFICATE_INVALID",
      (us) => answer(us, encodeFault(7025, next.certificate.pem.replace("MII", "AAA"))),
    ],
    [
      "with two certificates, properly signed",
      "MNET_KEY_CERTIFICATE_INVALID",
      (us) => answer(us, encodeFault(7025, next.certificate.pem + afterNext.certificate.pem)),
    ],
    ["encrypted and not signed", "MNET_REMOTE_FAULT", (us) => answer(us, newKeyFault(next), { form: "encrypted" })],
    [
      "signed and not encrypted",
      "MNET_ENVELOPE_NOT_ENCRYPTED",
      (us) => answer(us, newKeyFault(next), { form: "signed" }),
    ],
    ["in clear", "MNET_REMOTE_FAULT", (us) => answer(us, newKeyFault(next), { form: "plain" })],
  ];
  it.each(cases)("%s: %s, one request", async (_, code, make) => {
    await using us = await scriptedRig((_asked, self) => make(self), { keys: [next] });
    expect(await codeOf(us.list)).toBe(code);
    expect(us.asked).toHaveLength(1);
    expect(await us.stored()).toEqual({ pinned: us.alice.certificate.pem, retired: [], held: undefined });
    expect(us.told("peer.key-changed")).toEqual([]);
    expect(us.told("call.failed")).toMatchObject([{ code }]);
  });

  it("SEC-047 the weak key is taken of a peer that is so configured", async () => {
    await using us = await scriptedRig(
      ({ sealedFor }, self) =>
        sealedFor === self.alice
          ? answer(self, newKeyFault(weak))
          : wrap(encodeResult("done"), { from: { ...self.alice, key: weak.key }, to: self.ours }),
      { keys: [{ ...next, key: weak.key }], alicePeer: { settings: { legacy: { smallKeys: true } } } },
    );
    expect(await us.list()).toBe("done");
    expect((await us.stored()).pinned).toBe(weak.certificate.pem);
  });
});

describe("MNET-107 a second 7025 in one call", () => {
  it("SEC-041 with yet another key: an error after exactly two requests, and the first new key stays", async () => {
    await using us = await scriptedRig(
      ({ sealedFor }, self) =>
        sealedFor === next ? answer(self, newKeyFault(afterNext), { from: next }) : answer(self, newKeyFault(next)),
      { keys: [next] },
    );
    expect(await faultOf(us.list)).toEqual({ faultCode: 7025, authenticated: true });
    expect(us.counts()).toEqual({ [LIST]: 2 });
    expect(await us.stored()).toMatchObject({ pinned: next.certificate.pem, held: undefined });
    expect(us.told("call.failed")).toMatchObject([{ code: "MNET_REMOTE_FAULT", faultCode: 7025 }]);
  });

  it("SEC-041 that its own new key signed: the same, and nothing is held", async () => {
    await using us = await scriptedRig(
      ({ sealedFor }, self) =>
        sealedFor === next
          ? answer(self, newKeyFault(afterNext), { from: afterNext })
          : answer(self, newKeyFault(next)),
      { keys: [next], alicePeer: { application: "mahara" } },
    );
    expect(await faultOf(us.list)).toEqual({ faultCode: 7025, authenticated: false });
    expect(us.counts()).toEqual({ [LIST]: 2 });
    expect((await us.stored()).held).toBeUndefined();
  });

  it("with the key that is pinned: an error at once", async () => {
    await using us = await scriptedRig((_, self) => answer(self, newKeyFault(self.alice)));
    expect(await faultOf(us.list)).toEqual({ faultCode: 7025, authenticated: true });
    expect(us.counts()).toEqual({ [LIST]: 1 });
    expect(us.told("peer.key-changed")).toEqual([]);
  });
});

describe("MNET-108 SEC-039 a 7025 without a certificate", () => {
  const PROSE = "We know nothing about the key used to encrypt this message";
  it.each([PROSE, "", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])(
    "signed by the pinned key, saying %j, is a 7023",
    async (text) => {
      await using us = await scriptedRig((_, self) => answer(self, encodeFault(7025, text)));
      expect(await faultOf(us.list)).toEqual({ faultCode: 7023, authenticated: true });
      expect(us.counts()).toEqual({ [LIST]: 1 });
      expect(await us.stored()).toEqual({ pinned: us.alice.certificate.pem, retired: [], held: undefined });
    },
  );

  it("signed by a key that is not pinned is nobody's word", async () => {
    await using us = await scriptedRig((_, self) => answer(self, encodeFault(7025, PROSE), { from: next }));
    expect(await codeOf(us.list)).toBe("MNET_ENVELOPE_SIGNATURE_INVALID");
    expect(await us.stored()).toEqual({ pinned: us.alice.certificate.pem, retired: [], held: undefined });
  });
});

describe("when we have rotated", () => {
  it("MNET-109 answers that are sealed for our archived key are accepted", async () => {
    await using us = await scriptedRig((_, self) => answer(self, encodeResult("late"), { to: ourOld }), {
      archived: [ourOld],
    });
    expect(await us.list()).toBe("late");
  });

  it("MNET-109 and those for a key that we have no longer are not", async () => {
    await using us = await scriptedRig((_, self) => answer(self, encodeResult("late"), { to: ourOld }));
    expect(await codeOf(us.list)).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
  });

  it("MNET-109 nor those for a key that was revoked", async () => {
    await using us = await scriptedRig(
      ({ what }, self) => (what === LIST ? answer(self, encodeResult("late"), { to: ourOld }) : shown(self.alice)),
      { archived: [ourOld] },
    );
    await us.host.keys.revoke(ourOld.certificate.fingerprint, { reason: "stolen" });
    expect(await codeOf(us.list)).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
  });

  it("MNET-092 a 7025 that is sealed for our archived key is believed: both have rotated", async () => {
    await using us = await scriptedRig(
      ({ sealedFor }, self) =>
        sealedFor === next
          ? answer(self, encodeResult("done"), { from: next })
          : answer(self, newKeyFault(next), { to: ourOld }),
      { keys: [next], archived: [ourOld] },
    );
    expect(await us.list()).toBe("done");
    expect(us.counts()).toEqual({ [LIST]: 2 });
  });

  it("a call that was signed with the key before, when the peer knows the new one, is repeated once", async () => {
    await using us = await scriptedRig(async ({ request }, self) => {
      // We rotate while the call is under way, and a call of somebody else brings alice the new key first.
      if (self.asked.length === 1) void self.host.keys.rotate();
      while (self.told("key.rotated").length === 0) await setTimeout(10);
      const to = { certificate: Certificate.parse((await self.host.keys.current()).certificate) };
      const isCurrent = isSignedBy(openAnswer(request.body!, self.alice), to);
      return answer(self, isCurrent ? encodeResult("done") : encodeFault(710, "not signed by you"), { to });
    });
    expect(await us.host.call({ id: us.aliceId }, "system/listMethods")).toBe("done");
    expect(us.counts()["system/listMethods"]).toBe(2);
    expect(us.told("call.retried")).toMatchObject([{ method: "system/listMethods", reason: "rekeyed" }]);
  });

  it("MNET-092 and once more if the peer has rotated just then, too; a second time neither", async () => {
    let isEndless = false;
    await using us = await scriptedRig(
      async ({ request, sealedFor }, self) => {
        if (self.asked.length === 1) await self.host.keys.rotate();
        const to = { certificate: Certificate.parse((await self.host.keys.current()).certificate) };
        const isCurrent = isSignedBy(openAnswer(request.body!, sealedFor), to);
        if (isEndless || !isCurrent)
          return answer(self, encodeFault(710, "not signed by you"), { from: sealedFor!, to });
        if (sealedFor !== next) return answer(self, newKeyFault(next), { to });
        return answer(self, encodeResult("done"), { from: next, to });
      },
      // The announcement of our key is not what is looked at.
      { keys: [next] },
    );
    expect(await us.host.call({ id: us.aliceId }, "system/listMethods")).toBe("done");
    expect(us.counts()["system/listMethods"]).toBe(3);
    isEndless = true;
    expect(await faultOf(us.list)).toEqual({ faultCode: 710, authenticated: true });
  });

  it("but a 710 is final where our key is the one that signed", async () => {
    await using us = await scriptedRig((_, self) => answer(self, encodeFault(710, "not signed by you")));
    expect(await faultOf(us.list)).toEqual({ faultCode: 710, authenticated: true });
    expect(us.counts()).toEqual({ [LIST]: 1 });
  });

  it("a peer may know the key that another process of ours made a moment ago", async () => {
    const newest = rekeyed(OUR_WWWROOT, 6, { notBefore: "2025-12-03T00:00:00Z" });
    await using us = await scriptedRig(async (_, self) => {
      const { fingerprint, pem: certificate } = newest.certificate;
      const createdAt = self.clock.now();
      const privateKey = Buffer.from(newest.privateKeyPem);
      await self.store.keys.prepare({ fingerprint, certificate, privateKey, state: "prepared", createdAt });
      await self.store.keys.promote(fingerprint, self.ours.certificate.fingerprint, createdAt);
      await self.clock.advance(100);
      return answer(self, encodeResult("done"), { to: newest });
    });
    expect(await us.list()).toBe("done");
  });
});

/** As Mahara 23.04 does it: on a bad signature it asks us, learns our key, and drops the call all the same. */
describe("MNET-129 a Mahara that learns our key during our call", () => {
  /** The fault that it sends then, in clear; a code that we never send. */
  const DROPPED = Buffer.from(encodeFault(1, "Sorry, we could not log you into Mahara."))
    .toString()
    .replace("<int>1</int>", "<int>0</int>");

  interface Mahara {
    /** Our key, as it knows it. */
    knows: { readonly certificate: { readonly pem: string; readonly publicKey: object } };
    executed: number;
    probes: number;
  }
  const mahara = (): Mahara => ({ knows: ourOld, executed: 0, probes: 0 });

  /** One request to Mahara. `probing`: whether it asks us when it cannot verify. */
  const served = async (
    peer: Mahara,
    self: ScriptedRig,
    body: Uint8Array,
    probe: (self: ScriptedRig) => Promise<"learnt" | "not">,
  ): Promise<Uint8Array | string> => {
    if (isSignedBy(openAnswer(body, self.alice), peer.knows as typeof ourOld)) {
      peer.executed += 1;
      return answer(self, encodeResult("done"));
    }
    peer.probes += 1;
    if ((await probe(self)) === "learnt") peer.knows = self.ours;
    return DROPPED;
  };

  /** Its probe: signed by its key, sealed for ours that it knows. */
  const probeWith =
    (from = keyedSite(ALICE, 1)) =>
    async (self: ScriptedRig): Promise<"learnt" | "not"> => {
      const reply = openAnswer(await post(self.host, wrap(encodeCall(LIST, []), { from, to: ourOld })), self.alice);
      expect(summary(reply)).toEqual({ form: "signed and encrypted", fault: 7025 });
      // Mahara believes what the key that it knows has signed, and nothing else.
      return isSignedBy(reply, ourOld) ? "learnt" : "not";
    };

  const asMahara = { archived: [ourOld], alicePeer: { application: "mahara" } } as const;

  it("the call is repeated once and executed once; Mahara asks once", async () => {
    const peer = mahara();
    await using us = await scriptedRig(({ request }, self) => served(peer, self, request.body!, probeWith()), asMahara);
    expect(await us.list()).toBe("done");
    expect(peer).toMatchObject({ executed: 1, probes: 1 });
    expect(us.counts()).toEqual({ [LIST]: 2 });
    expect(us.told("call.retried")).toMatchObject([{ reason: "mahara-learned-our-key" }]);
    // And from then on it is as if nothing had been.
    expect(await us.list()).toBe("done");
    expect(peer).toMatchObject({ executed: 2, probes: 1 });
    expect(us.counts()).toEqual({ [LIST]: 3 });
  });

  it("ten calls at once after the rotation: each executed once, at most twenty requests", async () => {
    const peer = mahara();
    await using us = await scriptedRig(({ request }, self) => served(peer, self, request.body!, probeWith()), asMahara);
    const results = await Promise.all(Array.from({ length: 10 }, () => us.list()));
    expect(results).toEqual(Array.from({ length: 10 }, () => "done"));
    expect(peer.executed).toBe(10);
    expect(us.asked.length).toBeLessThanOrEqual(20);
  });

  it("without a 7025 of ours the fault is final", async () => {
    const peer = mahara();
    await using us = await scriptedRig(
      ({ request }, self) => served(peer, self, request.body!, async () => "not"),
      asMahara,
    );
    expect(await faultOf(us.list)).toEqual({ faultCode: 0, authenticated: false });
    expect(us.counts()).toEqual({ [LIST]: 1 });
    expect(peer).toMatchObject({ executed: 0, probes: 1 });
  });

  it("nor is it repeated for a 7025 that somebody else asked for in its name", async () => {
    const peer = mahara();
    const forged = async (self: ScriptedRig): Promise<"not"> => {
      await probeWith({ ...mallory, wwwroot: self.alice.wwwroot })(self);
      return "not";
    };
    await using us = await scriptedRig(({ request }, self) => served(peer, self, request.body!, forged), asMahara);
    expect(await faultOf(us.list)).toEqual({ faultCode: 0, authenticated: false });
    expect(us.counts()).toEqual({ [LIST]: 1 });
  });

  it.each([6003, 6004, 404])("nor for a plain fault %i, which is no dropped call", async (faultCode) => {
    await using us = await scriptedRig(async (_, self) => {
      await probeWith()(self);
      return encodeFault(faultCode, "No.");
    }, asMahara);
    expect(await faultOf(us.list)).toEqual({ faultCode, authenticated: false });
    expect(us.counts()).toEqual({ [LIST]: 1 });
  });

  it("nor for a fault that it signed", async () => {
    await using us = await scriptedRig(async (_, self) => {
      await probeWith()(self);
      return answer(self, Buffer.from(DROPPED));
    }, asMahara);
    expect(await faultOf(us.list)).toEqual({ faultCode: 0, authenticated: true });
    expect(us.counts()).toEqual({ [LIST]: 1 });
  });

  it("and a Mahara that never learns is not asked for ever", async () => {
    const peer = mahara();
    const deaf = async (self: ScriptedRig): Promise<"not"> => {
      await probeWith()(self);
      return "not";
    };
    await using us = await scriptedRig(({ request }, self) => served(peer, self, request.body!, deaf), asMahara);
    expect(await faultOf(us.list)).toEqual({ faultCode: 0, authenticated: false });
    expect(us.counts()).toEqual({ [LIST]: 2 });
    expect(peer).toMatchObject({ executed: 0, probes: 2 });
  });
});
