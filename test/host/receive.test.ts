import { describe, expect, it } from "vitest";
import type { MnetErrorCode } from "../../src/core/errors.ts";
import { Certificate } from "../../src/crypto/certificate.ts";
import { encryptMessage } from "../../src/envelope/encrypted-message.ts";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import {
  ALICE,
  aliceCalls,
  insertPeer,
  isSignedBy,
  keyedSite,
  openAnswer,
  OUR_WWWROOT,
  post,
  rig,
  summary,
  withBadSignature,
  withoutSignature,
  wrap,
  type OpenedAnswer,
  type Rig,
} from "../support/hosts.ts";

const LIST = encodeCall("system/listServices", []);
const BOTH = "signed and encrypted";
const oldKey = keyedSite(OUR_WWWROOT, 2);
const mallory = keyedSite("https://mallory.example", 3);
const stranger = keyedSite("https://stranger.example", 4);

/** A service that remembers what was executed. */
function recorder() {
  const executed: string[] = [];
  const service = defineService({
    name: "recorder",
    methods: { note: { params: { text: t.string() }, returns: t.string() } },
  });
  return {
    executed,
    service: service.implement({
      note: ({ text }) => {
        executed.push(text);
        return text;
      },
    }),
  };
}

const ask = async ({ host, alice }: Rig, body: Uint8Array): Promise<OpenedAnswer> =>
  openAnswer(await post(host, body), alice);

/** The one refusal that was told. */
function refusal({ told }: Rig): { code: MnetErrorCode; faultCode: number } {
  const events = told("call.refused");
  expect(events).toHaveLength(1);
  const { code, faultCode } = events[0]!;
  return { code, faultCode };
}

describe("who is answered", () => {
  it("MNET-077 an unknown sender → plain fault 7020, a known one is served", async () => {
    await using us = await rig();
    const answer = await ask(us, wrap(LIST, { from: stranger, to: us.ours }));
    expect(summary(answer)).toEqual({ form: "plain", fault: 7020 });
    expect(refusal(us)).toEqual({ code: "MNET_ENVELOPE_SIGNER_UNKNOWN", faultCode: 7020 });
    const served = await ask(us, aliceCalls(us, "system/listServices"));
    expect(summary(served)).toEqual({ form: BOTH, value: [] });
    expect(isSignedBy(served, us.ours)).toBe(true);
    expect(served.senders).toEqual([OUR_WWWROOT, OUR_WWWROOT]);
  });

  it.each([
    ["http://alice.example", "the scheme"],
    ["https://Alice.example", "the case of the host"],
    ["https://alice.example:443", "a port"],
    ["https://alice.example:8443", "another port"],
    ["https://www.alice.example", "www."],
    ["https://alice.example/moodle", "a path"],
    ["https://alice.example/", "a slash"],
    ["https://alice.example.", "a dot"],
  ])("MNET-002 %s is not alice, because of %s", async (wwwroot) => {
    await using us = await rig();
    const answer = await ask(us, aliceCalls(us, "system/listServices", [], { outer: wwwroot, inner: wwwroot }));
    expect(summary(answer)).toEqual({ form: "plain", fault: 7020 });
  });

  it("MNET-007 SEC-054 a peer that was removed is answered as one that never was, byte for byte", async () => {
    await using us = await rig();
    const call = aliceCalls(us, "system/listServices");
    expect(summary(await ask(us, call))).toEqual({ form: BOTH, value: [] });
    await us.host.peers.remove({ id: us.aliceId });
    const asDeleted = await post(us.host, aliceCalls(us, "system/listServices"));
    const asUnknown = await post(us.host, wrap(LIST, { from: stranger, to: us.ours }));
    expect(summary(openAnswer(asDeleted))).toEqual({ form: "plain", fault: 7020 });
    expect(asDeleted).toEqual(asUnknown);
  });

  it.each(["suspended", "pending", "deleted"] as const)("SEC-054 a %s peer → 7020, nothing executed", async (state) => {
    const { service, executed } = recorder();
    await using us = await rig({ services: [service], alicePeer: { state, services: { recorder: "publish" } } });
    expect(summary(await ask(us, aliceCalls(us, "recorder/note", ["x"])))).toEqual({ form: "plain", fault: 7020 });
    expect(executed).toEqual([]);
  });

  it("MNET-005 All Hosts rights are those of known peers and of nobody else", async () => {
    const { service, executed } = recorder();
    await using us = await rig({ services: [service] });
    await us.host.peers.setServices("all-hosts", { recorder: "publish" });
    expect(summary(await ask(us, aliceCalls(us, "recorder/note", ["known"])))).toEqual({ form: BOTH, value: "known" });
    const call = encodeCall("recorder/note", ["unknown"]);
    expect(summary(await ask(us, wrap(call, { from: stranger, to: us.ours })))).toEqual({ form: "plain", fault: 7020 });
    expect(executed).toEqual(["known"]);
  });

  it("MNET-008 no address is trusted: signed without encryption is refused wherever it comes from", async () => {
    await using us = await rig();
    for (const remoteAddress of ["127.0.0.1", "::1", "10.0.0.1"]) {
      const response = await us.host.handle({
        method: "POST",
        path: "/moodle/mnet/xmlrpc/server.php",
        headers: { "x-forwarded-for": "127.0.0.1" },
        body: wrap(LIST, { form: "signed", from: us.alice, to: us.ours }),
        remoteAddress,
      });
      expect(summary(openAnswer(response!.body))).toEqual({ form: "signed", fault: 7021 });
    }
  });
});

describe("keys", () => {
  it("MNET-078 a message for another key → plain fault 7023", async () => {
    await using us = await rig();
    const answer = await ask(us, wrap(LIST, { from: us.alice, to: mallory }));
    expect(summary(answer)).toEqual({ form: "plain", fault: 7023 });
    expect(refusal(us)).toEqual({ code: "MNET_ENVELOPE_DECRYPTION_FAILED", faultCode: 7023 });
  });

  it("MNET-079 a message opened with an archived key → 7025 with the current certificate", async () => {
    await using us = await rig({ archived: [oldKey] });
    const answer = await ask(us, wrap(LIST, { from: us.alice, to: oldKey }));
    expect(summary(answer)).toEqual({ form: BOTH, fault: 7025 });
    const { decoded } = answer;
    expect(decoded.kind === "fault" && decoded.faultString).toBe(us.ours.certificate.pem);
    expect(us.ours.certificate.pem).toMatch(
      /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/]{64}\n)+[^\n]*\n-----END CERTIFICATE-----\n$/,
    );
    expect(refusal(us).faultCode).toBe(7025);
  });

  it.each([2, 3, 4])("MNET-080 7025 is signed with the archived key that opened the message (number %i)", async (n) => {
    const archived = [2, 3, 4].map((number) => keyedSite(OUR_WWWROOT, number));
    await using us = await rig({ archived });
    const answer = await ask(us, wrap(LIST, { from: us.alice, to: keyedSite(OUR_WWWROOT, n) }));
    expect(summary(answer)).toEqual({ form: BOTH, fault: 7025 });
    expect(archived.map((key) => isSignedBy(answer, key))).toEqual([n === 2, n === 3, n === 4]);
    expect(isSignedBy(answer, us.ours)).toBe(false);
  });

  it("MNET-080 a fourth archived key opens nothing", async () => {
    await using us = await rig({ archived: [2, 3, 4, 5].map((n) => keyedSite(OUR_WWWROOT, n)) });
    expect(summary(await ask(us, wrap(LIST, { from: us.alice, to: keyedSite(OUR_WWWROOT, 5) })))).toEqual({
      form: "plain",
      fault: 7023,
    });
  });

  it("MNET-081 a call that is answered with 7025 is not executed; the same call to the current key is", async () => {
    const { service, executed } = recorder();
    const alicePeer = { services: { recorder: "publish" } } as const;
    await using us = await rig({ archived: [oldKey], services: [service], alicePeer });
    const call = encodeCall("recorder/note", ["once"]);
    expect(summary(await ask(us, wrap(call, { from: us.alice, to: oldKey }))).fault).toBe(7025);
    expect(executed).toEqual([]);
    expect(summary(await ask(us, wrap(call, { from: us.alice, to: us.ours }))).value).toBe("once");
    expect(executed).toEqual(["once"]);
  });

  it("MNET-079 7025 is sent although the signature is bad, because both sides may have rotated", async () => {
    await using us = await rig({ archived: [oldKey] });
    const answer = await ask(us, wrap(LIST, { from: us.alice, to: oldKey, damage: withBadSignature }));
    expect(summary(answer)).toEqual({ form: BOTH, fault: 7025 });
  });

  it("SEC-052 an old-key envelope of an unknown wwwroot → 7020 as for any unknown sender", async () => {
    await using us = await rig({ archived: [oldKey] });
    const toOld = await post(us.host, wrap(LIST, { from: stranger, to: oldKey }));
    expect(summary(openAnswer(toOld))).toEqual({ form: "plain", fault: 7020 });
    expect(toOld).toEqual(await post(us.host, wrap(LIST, { from: stranger, to: us.ours })));
  });

  it("SEC-052 an unsigned message to an old key is no reason for a 7025", async () => {
    await using us = await rig({ archived: [oldKey] });
    const answer = await ask(us, wrap(LIST, { form: "encrypted", from: us.alice, to: oldKey }));
    expect(summary(answer)).toEqual({ form: "encrypted", fault: 711 });
  });
});

describe("signatures", () => {
  it("MNET-083 encrypted and unsigned → 711, encrypted only", async () => {
    await using us = await rig();
    const answer = await ask(us, aliceCalls(us, "system/listServices", [], { form: "encrypted" }));
    expect(summary(answer)).toEqual({ form: "encrypted", fault: 711 });
    expect(refusal(us)).toEqual({ code: "MNET_ENVELOPE_NOT_SIGNED", faultCode: 711 });
  });

  it("MNET-083 a signed envelope without a signature is unsigned", async () => {
    await using us = await rig();
    const answer = await ask(us, aliceCalls(us, "system/listServices", [], { damage: withoutSignature }));
    expect(summary(answer)).toEqual({ form: "encrypted", fault: 711 });
  });

  it.each([
    ["a changed signature", { damage: withBadSignature }],
    ["another wwwroot inside", { inner: "https://stranger.example" }],
  ])("MNET-084 %s → 710, signed and encrypted", async (_, options) => {
    const { service, executed } = recorder();
    await using us = await rig({ services: [service], alicePeer: { services: { recorder: "publish" } } });
    const answer = await ask(us, aliceCalls(us, "recorder/note", ["x"], options));
    expect(summary(answer)).toEqual({ form: BOTH, fault: 710 });
    expect(isSignedBy(answer, us.ours)).toBe(true);
    expect(executed).toEqual([]);
  });

  it("MNET-084 signed by somebody else → 710, also if that is another peer", async () => {
    await using us = await rig();
    await insertPeer(us.store, mallory);
    const call = wrap(LIST, { from: mallory, to: us.ours, outer: ALICE, inner: ALICE });
    expect(summary(await ask(us, call))).toEqual({ form: BOTH, fault: 710 });
    const asMallory = wrap(LIST, { from: mallory, to: us.ours, outer: ALICE });
    expect(summary(await ask(us, asMallory))).toEqual({ form: BOTH, fault: 710 });
    expect(us.told("call.refused").map(({ code }) => code)).toEqual([
      "MNET_ENVELOPE_SIGNATURE_INVALID",
      "MNET_ENVELOPE_SENDER_MISMATCH",
    ]);
  });

  it("SEC-022 a signed response posted as a request is refused", async () => {
    await using us = await rig();
    for (const document of [encodeResult("x"), encodeFault(1, "x")]) {
      expect(summary(await ask(us, wrap(document, { from: us.alice, to: us.ours })))).toEqual({
        form: BOTH,
        fault: 7021,
      });
    }
    expect(us.told("call.refused").map(({ code }) => code)).toEqual([
      "MNET_XMLRPC_UNEXPECTED_ROOT",
      "MNET_XMLRPC_UNEXPECTED_ROOT",
    ]);
  });

  it("SEC-013 what runs is the signed document, whatever stands around it", async () => {
    const { service, executed } = recorder();
    await using us = await rig({ services: [service], alicePeer: { services: { recorder: "publish" } } });
    const decoy = encodeCall("recorder/note", ["decoy"]).toString();
    const damage = (signed: Buffer) =>
      Buffer.from(
        signed.toString("latin1").replace("<object ", `<X1>${Buffer.from(decoy).toString("base64")}</X1><object `),
      );
    expect(summary(await ask(us, aliceCalls(us, "recorder/note", ["real"], { damage })))).toEqual({
      form: BOTH,
      value: "real",
    });
    expect(executed).toEqual(["real"]);
  });
});

describe("in clear", () => {
  it.each(["system/listServices", "system/listMethods", "auth/mnet/auth.php/user_authorise", "system/keyswapp"])(
    "MNET-082 %s in clear → plain 7021",
    async (method) => {
      await using us = await rig();
      expect(summary(await ask(us, Buffer.from(encodeCall(method, []))))).toEqual({ form: "plain", fault: 7021 });
      expect(refusal(us)).toEqual({ code: "MNET_ENVELOPE_NOT_ENCRYPTED", faultCode: 7021 });
    },
  );

  it("MNET-082 signed and not encrypted → 7021, signed if the sender is who it says, else in clear", async () => {
    await using us = await rig();
    const genuine = await ask(us, aliceCalls(us, "system/listServices", [], { form: "signed" }));
    expect(summary(genuine)).toEqual({ form: "signed", fault: 7021 });
    expect(isSignedBy(genuine, us.ours)).toBe(true);
    const forged = aliceCalls(us, "system/listServices", [], { form: "signed", damage: withBadSignature });
    expect(summary(await ask(us, forged))).toEqual({ form: "plain", fault: 7021 });
    const unknown = wrap(LIST, { form: "signed", from: stranger, to: us.ours });
    expect(summary(await ask(us, unknown))).toEqual({ form: "plain", fault: 7021 });
  });

  it("MNET-093 a plain fault has Moodle's layout to the byte", async () => {
    await using us = await rig();
    expect((await post(us.host, Buffer.from("hello"))).toString()).toBe(`<?xml version="1.0"?>
<methodResponse>
   <fault>
      <value>
         <struct>
            <member>
               <name>faultCode</name>
               <value><int>7021</int></value>
            </member>
            <member>
               <name>faultString</name>
               <value><string>The transport method you are trying to use is not permitted.</string></value>
            </member>
         </struct>
      </value>
   </fault>
</methodResponse>`);
  });

  describe("keyswap", () => {
    const params = [stranger.wwwroot, stranger.certificate.pem, "moodle"];

    it.each([
      ["2 parameters", params.slice(0, 2)],
      ["3 parameters", params],
      ["no parameters", []],
      ["parameters of wrong types", [1, { x: [] }, null]],
    ])("MNET-095 in clear with %s → our certificate as a string", async (_, given) => {
      await using us = await rig();
      const answer = await ask(us, Buffer.from(encodeCall("system/keyswap", given)));
      expect(summary(answer)).toEqual({ form: "plain", value: us.ours.certificate.pem });
      expect(Certificate.parse(us.ours.certificate.pem, { wwwroot: OUR_WWWROOT }).fingerprint).toBe(
        us.ours.certificate.fingerprint,
      );
    });

    it.each([
      ["signed", "signed", undefined],
      ["signed and encrypted", BOTH, undefined],
      ["encrypted", "encrypted", undefined],
      ["signed with a bad signature", "signed", withBadSignature],
      ["encrypted with a bad signature", BOTH, withBadSignature],
    ] as const)("MNET-095 %s → answered in kind", async (_, form, damage) => {
      await using us = await rig();
      const call = aliceCalls(us, "system/keyswap", params, { form, ...(damage && { damage }) });
      const answer = await ask(us, call);
      expect(summary(answer)).toEqual({ form, value: us.ours.certificate.pem });
      expect(isSignedBy(answer, us.ours)).toBe(form !== "encrypted");
    });

    it("MNET-095 an encrypted one of an unknown sender cannot be answered in kind → 7020", async () => {
      await using us = await rig();
      const call = wrap(encodeCall("system/keyswap", params), { from: stranger, to: us.ours });
      expect(summary(await ask(us, call))).toEqual({ form: "plain", fault: 7020 });
    });

    it("MNET-095 nothing is stored of who asked", async () => {
      await using us = await rig();
      const before = (await us.host.peers.list().page()).items.map(({ wwwroot }) => wwwroot);
      await ask(us, Buffer.from(encodeCall("system/keyswap", params)));
      expect((await us.host.peers.list().page()).items.map(({ wwwroot }) => wwwroot)).toEqual(before);
      expect(await us.host.peers.find(stranger.wwwroot)).toBeUndefined();
    });
  });
});

describe("what a stranger learns", () => {
  const noise = (length: number): Buffer => Buffer.alloc(length, 0x5a);
  const envelope = (wrappedKey: Buffer, ciphertext = noise(64)): Buffer =>
    Buffer.from(
      `<encryptedMessage><EncryptedData><CipherData><CipherValue>${ciphertext.toString("base64")}</CipherValue></CipherData></EncryptedData><EncryptedKey><CipherData><CipherValue>${wrappedKey.toString("base64")}</CipherValue></CipherData></EncryptedKey><wwwroot>${ALICE}</wwwroot></encryptedMessage>`,
    );
  /** Everything that can be wrong with the key or the plaintext. */
  const keyFailures = ({ ours, alice }: Rig): Record<string, Buffer> => {
    const encrypted = (plaintext: string): Buffer =>
      encryptMessage(Buffer.from(plaintext), { sender: ALICE, recipient: ours.certificate });
    return {
      "another key": wrap(LIST, { from: alice, to: mallory }),
      "a key too short": envelope(noise(255)),
      "a key too long": envelope(noise(257)),
      "no key": envelope(Buffer.alloc(0)),
      "a key above the modulus": envelope(Buffer.alloc(256, 0xff)),
      "bad padding": envelope(noise(256)),
      "no ciphertext": envelope(noise(256), Buffer.alloc(0)),
      "plaintext that is no XML": encrypted("hello"),
      "an empty plaintext": encrypted(""),
      "plaintext of another root": encrypted("<html></html>"),
      "a broken signed envelope": encrypted("<signedMessage><object>"),
      "a signed envelope without fields": encrypted("<signedMessage></signedMessage>"),
      "a broken methodCall": encrypted("<methodCall><methodName>"),
      "a bare methodResponse": encrypted(encodeResult("x").toString()),
      "a broken envelope": Buffer.from("<encryptedMessage><EncryptedData>"),
      "an envelope without fields": Buffer.from("<encryptedMessage></encryptedMessage>"),
    };
  };

  it("SEC-003 every failure of the key has the same answer, byte for byte", async () => {
    await using us = await rig();
    const bodies = Object.entries(keyFailures(us));
    const answers = new Set<string>();
    for (const [, body] of bodies) answers.add((await post(us.host, body)).toString("hex"));
    expect(answers.size).toBe(1);
    expect(summary(openAnswer(Buffer.from([...answers][0]!, "hex")))).toEqual({ form: "plain", fault: 7023 });
    // The operator is told more than the sender.
    expect(us.told("call.refused")).toHaveLength(bodies.length);
    expect(new Set(us.told("call.refused").map(({ detail }) => detail)).size).toBeGreaterThan(4);
  });

  it("SEC-003 SEC-087 in hiding, every failure before authentication has the same answer, byte for byte", async () => {
    await using us = await rig({ hidePeers: true, archived: [oldKey], limits: { requestBytes: 100_000 } });
    await insertPeer(us.store, mallory, { state: "suspended" });
    const bodies: Record<string, Buffer> = {
      ...keyFailures(us),
      "an unknown sender": wrap(LIST, { from: stranger, to: us.ours }),
      "a suspended sender": wrap(LIST, { from: mallory, to: us.ours }),
      "a bad signature": aliceCalls(us, "system/listServices", [], { damage: withBadSignature }),
      "no signature": aliceCalls(us, "system/listServices", [], { damage: withoutSignature }),
      "another sender inside": aliceCalls(us, "system/listServices", [], { inner: mallory.wwwroot }),
      "encrypted only": aliceCalls(us, "system/listServices", [], { form: "encrypted" }),
      "keyswap, encrypted only": aliceCalls(us, "system/keyswap", [], { form: "encrypted" }),
      "keyswap with a bad signature": aliceCalls(us, "system/keyswap", [], { damage: withBadSignature }),
      "an old key and a bad signature": wrap(LIST, { from: us.alice, to: oldKey, damage: withBadSignature }),
      "an old key of a stranger": wrap(LIST, { from: stranger, to: oldKey }),
      "signed only, by a stranger": wrap(LIST, { form: "signed", from: stranger, to: us.ours }),
      "signed only, forged": aliceCalls(us, "system/listServices", [], { form: "signed", damage: withBadSignature }),
      "in clear": Buffer.from(LIST),
      "dotted keyswap": Buffer.from(encodeCall("system.keyswap", [])),
      "no XML": Buffer.from("hello"),
      nothing: Buffer.alloc(0),
      "too large": Buffer.alloc(100_001, 0x20),
      "a broken signed envelope": Buffer.from("<signedMessage>"),
    };
    const answers = new Map<string, string[]>();
    for (const [name, body] of Object.entries(bodies)) {
      const answer = (await post(us.host, body)).toString();
      answers.set(answer, [...(answers.get(answer) ?? []), name]);
    }
    expect([...answers.values()]).toEqual([Object.keys(bodies)]);
    // Whoever has proved who it is gets real answers, and our certificate is public all the same.
    expect(summary(await ask(us, aliceCalls(us, "system/listServices")))).toEqual({ form: BOTH, value: [] });
    expect(summary(await ask(us, wrap(LIST, { from: us.alice, to: oldKey })))).toEqual({ form: BOTH, fault: 7025 });
    expect(summary(await ask(us, Buffer.from(encodeCall("system/keyswap", []))))).toMatchObject({ form: "plain" });
  });

  it("SEC-087 in the open, an unknown root is told apart, in hiding not", async () => {
    for (const hidePeers of [false, true]) {
      await using us = await rig({ hidePeers });
      const known = await post(us.host, wrap(LIST, { from: us.alice, to: mallory }));
      const unknown = await post(us.host, wrap(LIST, { from: stranger, to: mallory }));
      expect(known.equals(unknown)).toBe(hidePeers);
    }
  });

  it("SEC-029 SEC-023 a fault holds nothing of the request", async () => {
    const { service } = recorder();
    await using us = await rig({ services: [service], alicePeer: { services: { recorder: "publish" } } });
    const canary = "canary]]></string><fault>4711";
    const bodies = [
      Buffer.from(encodeCall(canary, [canary])),
      wrap(LIST, { from: stranger, to: us.ours, outer: "https://canary.example", inner: "https://canary.example" }),
      aliceCalls(us, canary, [canary]),
      aliceCalls(us, "system/canary", [canary]),
      aliceCalls(us, "canary/canary.php/canary", [canary]),
      aliceCalls(us, "recorder/note", [[canary]]),
      aliceCalls(us, "system/listServices", [], { inner: "https://canary.example" }),
    ];
    for (const body of bodies) {
      const answer = await ask(us, body);
      expect(answer.decoded.kind).toBe("fault");
      expect(answer.document.toString()).not.toContain("canary");
    }
  });
});

describe("timestamps", () => {
  it.each([
    [-7200, [-7_200_000]],
    [-16, [-16_000]],
    [-15, []],
    [0, []],
    [15, []],
    [16, [16_000]],
    [86_400, [86_400_000]],
  ])("SEC-035 a request of %i s is served; what is odd about it is told", async (seconds, offsets) => {
    await using us = await rig();
    const timestamp = new Date(us.clock.now() + seconds * 1000);
    const answer = await ask(us, aliceCalls(us, "system/listServices", [], { timestamp }));
    expect(summary(answer)).toEqual({ form: BOTH, value: [] });
    expect(us.told("clock.off").map(({ offsetMs }) => offsetMs)).toEqual(offsets);
  });
});
