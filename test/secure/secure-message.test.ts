import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import type { Bindings } from "../../src/secure/secure-message.ts";
import { secureProfile } from "../../src/secure/secure-profile.ts";
import { mnetProfile } from "../../src/envelope/mnet-profile.ts";
import { codeOf } from "../support/code-of.ts";
import { alice, bob, DOCUMENT, edit, mallory, textOf, TIMESTAMP } from "../support/envelopes.ts";
import {
  encryptedSecurely,
  openSecurelyAsBob,
  plaintextOf,
  resigned,
  sealedSecurely,
  signedSecurely,
} from "../support/secure.ts";
import { makeSite } from "../support/sites.ts";

const ID = "0123456789abcdef".repeat(4);

describe("a message in the secure profile", () => {
  test.each(["secure/1", "secure/2"] as const)("SEC-013 of version %s says who said what to whom", (profile) => {
    const { body, messageId } = sealedSecurely(DOCUMENT, { profile, inReplyTo: ID });
    const message = openSecurelyAsBob(body, { inReplyTo: ID });
    expect(Buffer.from(message.document)).toEqual(DOCUMENT);
    expect(message).toMatchObject({
      profile,
      sender: alice.wwwroot,
      timestamp: TIMESTAMP,
      inReplyTo: ID,
      openedWith: bob.certificate.fingerprint,
      signedBy: alice.certificate.fingerprint,
      replayKey: messageId,
      remarks: [],
    });
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["bytes of any kind", Buffer.from(Array.from({ length: 1000 }, (_, n) => n % 256))],
    ["much", Buffer.alloc(1_000_000, "x")],
  ])("carries %s", (_, document) => {
    expect(Buffer.from(openSecurelyAsBob(sealedSecurely(document).body).document)).toEqual(document);
  });

  test("carries addresses with characters that XML escapes", () => {
    const odd = makeSite("https://odd.example/a&b'<c>\"");
    const { body } = sealedSecurely(DOCUMENT, { sender: odd.wwwroot, key: odd.key });
    const opened = secureProfile().open(body, {
      keys: [bob.key],
      certificateOf: (sender) => (sender === odd.wwwroot ? odd.certificate : undefined),
      self: bob.wwwroot,
    });
    return expect(opened).resolves.toMatchObject({ sender: odd.wwwroot });
  });

  test("SEC-008 SEC-033 every message has a session key and an id of its own", () => {
    const sealed = Array.from({ length: 50 }, () => sealedSecurely());
    expect(new Set(sealed.map(({ messageId }) => messageId)).size).toBe(50);
    expect(new Set(sealed.map(({ body }) => textOf(plaintextOf(body), "messageId"))).size).toBe(50);
  });

  test("SEC-006 is opened by the key that it names, at the price of one operation", () => {
    const others = [mallory.key, alice.key];
    const unwrapped: KeyPair[] = [];
    const { body } = sealedSecurely();
    for (const key of [...others, bob.key]) {
      const unwrap = key.unwrapOaep.bind(key);
      key.unwrapOaep = (wrapped) => (unwrapped.push(key), unwrap(wrapped));
    }
    try {
      expect(openSecurelyAsBob(body, { keys: [...others, bob.key] }).openedWith).toBe(bob.certificate.fingerprint);
    } finally {
      for (const key of [...others, bob.key]) delete (key as { unwrapOaep?: unknown }).unwrapOaep;
    }
    expect(unwrapped).toEqual([bob.key]);
  });

  test.each([
    ["sender", "https://böse.example"],
    ["sender", ""],
    ["to", "https://a b.example"],
    ["timestamp", new Date(Number.NaN)],
    ["timestamp", new Date("+010000-01-01T00:00:00Z")],
  ])("is not made with a %s of %s", (option, value) => {
    expect(() => sealedSecurely(DOCUMENT, { [option]: value })).toThrow(ConfigError);
    expect(() => sealedSecurely(DOCUMENT, { [option]: value })).toThrow(expect.objectContaining({ option }));
  });
});

describe("what is signed", () => {
  const refusal = async (given: Partial<Bindings>, expected = {}): Promise<unknown> => {
    const { signed, sessionKey } = signedSecurely(given);
    return codeOf(async () => openSecurelyAsBob(encryptedSecurely(signed, { sessionKey }), expected));
  };

  test("is accepted as it should be", async () => {
    expect(await refusal({})).toBe("accepted");
    expect(await refusal({ inReplyTo: ID }, { inReplyTo: ID })).toBe("accepted");
  });

  test("SEC-031 names the sender that the envelope names", async () => {
    expect(await refusal({ sender: mallory.wwwroot })).toBe("MNET_ENVELOPE_SENDER_MISMATCH");
    expect(await refusal({ sender: `${alice.wwwroot}/` })).toBe("MNET_ENVELOPE_SENDER_MISMATCH");
    const { signed, sessionKey } = signedSecurely({ sender: mallory.wwwroot }, { signer: mallory });
    expect(await codeOf(async () => openSecurelyAsBob(encryptedSecurely(signed, { sessionKey })))).toBe(
      "MNET_ENVELOPE_SIGNATURE_INVALID",
    );
  });

  test("SEC-032 names the recipient, so that nobody can pass it on", async () => {
    expect(await refusal({ recipient: mallory.wwwroot })).toBe("MNET_ENVELOPE_WRONG_RECIPIENT");
    // As bob does who got it, and seals it for mallory, with the very same session key.
    const { signed, sessionKey } = signedSecurely();
    const passedOn = encryptedSecurely(signed, { sessionKey, to: mallory });
    const opened = secureProfile().open(passedOn, {
      keys: [mallory.key],
      certificateOf: () => alice.certificate,
      self: mallory.wwwroot,
    });
    await expect(opened).rejects.toMatchObject({ code: "MNET_ENVELOPE_WRONG_RECIPIENT" });
  });

  test("SEC-032 names the recipient's key, so that it is worth nothing under another", async () => {
    expect(await refusal({ recipientKey: ID })).toBe("MNET_ENVELOPE_WRONG_RECIPIENT");
  });

  test("SEC-032 SEC-033 names the encryption, so that it cannot be sealed anew", async () => {
    const { signed } = signedSecurely();
    expect(await codeOf(async () => openSecurelyAsBob(encryptedSecurely(signed)))).toBe(
      "MNET_ENVELOPE_WRONG_RECIPIENT",
    );
    expect(await refusal({ messageId: ID })).toBe("MNET_ENVELOPE_WRONG_RECIPIENT");
  });

  test("SEC-034 names the request that it answers", async () => {
    expect(await refusal({ inReplyTo: ID })).toBe("MNET_ENVELOPE_WRONG_REPLY");
    expect(await refusal({}, { inReplyTo: ID })).toBe("MNET_ENVELOPE_WRONG_REPLY");
    expect(await refusal({ inReplyTo: ID }, { inReplyTo: ID.replace("0", "1") })).toBe("MNET_ENVELOPE_WRONG_REPLY");
  });

  test("is not the sender's own message come back", async () => {
    const { body } = sealedSecurely(DOCUMENT, { to: alice.wwwroot, recipient: alice.certificate });
    const reflected = secureProfile().open(body, {
      keys: [bob.key, alice.key],
      certificateOf: () => alice.certificate,
      self: bob.wwwroot,
    });
    await expect(reflected).rejects.toMatchObject({ code: "MNET_ENVELOPE_WRONG_RECIPIENT" });
  });

  test.each([
    ["timestamp", "2026-11-21T12:00:00Z"],
    ["timestamp", "2026-11-21T12:00:00.000+00:00"],
    ["timestamp", "2026-13-21T12:00:00.000Z"],
    ["timestamp", " 2026-11-21T12:00:00.000Z"],
    ["timestamp", "1795262400"],
    ["messageId", "0123"],
    ["messageId", ID.toUpperCase()],
    ["recipientKey", "x".repeat(64)],
    ["inReplyTo", ""],
    ["document", "PD94bWw"],
    ["document", "PD94bWw=="],
    ["document", "*"],
  ])("has a %s in one form only: %j", async (field, text) => {
    // Signed by alice all the same: her software would be at fault.
    const { sessionKey, ...parts } = signedSecurely({ inReplyTo: ID });
    const damaged = resigned(parts, (message) =>
      edit(message, new RegExp(`(?<=<${field}>)[^<]*(?=</${field}>)`), text).toString("latin1"),
    );
    const refused = encryptedSecurely(damaged, { sessionKey });
    expect(await codeOf(async () => openSecurelyAsBob(refused, { inReplyTo: ID }))).toBe("MNET_ENVELOPE_MALFORMED");
    const intact = encryptedSecurely(resigned(parts, String), { sessionKey });
    expect(openSecurelyAsBob(intact, { inReplyTo: ID }).inReplyTo).toBe(ID);
  });
});

describe("the two profiles", () => {
  const secure = secureProfile();
  const mnet = mnetProfile;

  test("have one interface, and each takes its own messages only", async () => {
    const options = { sender: alice.wwwroot, key: alice.key, recipient: bob.certificate, to: bob.wwwroot };
    const opening = { keys: [bob.key], certificateOf: () => alice.certificate, self: bob.wwwroot };
    for (const [one, other] of [
      [mnet, secure],
      [secure, mnet],
    ] as const) {
      const { body } = await one.seal(DOCUMENT, options);
      expect([one.owns(body), other.owns(body)]).toEqual([true, false]);
      expect(Buffer.from((await one.open(body, opening)).document)).toEqual(DOCUMENT);
      expect(await codeOf(() => other.open(body, opening))).toMatch(/^MNET_ENVELOPE_/);
    }
    expect([mnet.name, secure.name, secureProfile("secure/2").name]).toEqual(["mnet", "secure/1", "secure/2"]);
  });

  test("SEC-029 sign with SHA-1 where a Moodle must read it, and with SHA-256 where none does", () => {
    const of = ({ algorithms }: { readonly algorithms: object }): string => JSON.stringify(algorithms);
    expect(of(mnet)).toContain("rsa-sha1");
    for (const name of ["secure/1", "secure/2"] as const) {
      expect(of(secureProfile(name))).not.toMatch(/sha1\b|md5|rsa-1_5|arcfour|cbc/i);
      const signed = plaintextOf(sealedSecurely(DOCUMENT, { profile: name }).body);
      expect(signed).toContain("xmlenc#sha256");
      expect(signed).not.toMatch(/sha1\b/);
    }
  });
});
