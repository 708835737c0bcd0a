import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import { rc4 } from "../../src/crypto/rc4.ts";
import { modulusOf, wrapKey } from "../../src/crypto/rsa.ts";
import type { Work } from "../../src/crypto/work.ts";
import { decryptMessage, readEncryptedMessage, type EncryptedMessage } from "../../src/envelope/encrypted-message.ts";
import { readDocument } from "../../src/xml/read-document.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import {
  alice,
  bob,
  cipherValues,
  DOCUMENT,
  edit,
  encryptedToBob,
  mallory,
  openAsBob,
  sealedByAlice,
  signedByAlice,
} from "../support/envelopes.ts";
import { makeSite } from "../support/sites.ts";

const FAILED = "MNET_ENVELOPE_DECRYPTION_FAILED";
const sealed = await sealedByAlice();
const readFrom = (body: Uint8Array): EncryptedMessage => readEncryptedMessage(readDocument(body));

/** The sealed message with another wrapped key. */
const withWrappedKey = (wrapped: Uint8Array): Buffer =>
  edit(sealed, cipherValues(sealed)[1].toString("base64"), Buffer.from(wrapped).toString("base64"));

/** A message whose session key has any length, encrypted with it all the same. */
function withSessionKey(sessionKey: Uint8Array, plaintext: Uint8Array = signedByAlice()): Buffer {
  const [data, wrapped] = cipherValues(sealed);
  const body = edit(sealed, data.toString("base64"), rc4(sessionKey, plaintext).toString("base64"));
  return edit(body, wrapped.toString("base64"), wrapKey(bob.publicKey, sessionKey).toString("base64"));
}

/** A key that answers what it is told, and counts. */
function stubKey(pair: KeyPair, unwrap: (wrapped: Uint8Array) => Buffer): KeyPair & { unwrapped: number } {
  const stub = {
    certificate: pair.certificate,
    unwrapped: 0,
    fits: (wrapped: Uint8Array) => pair.fits(wrapped),

    *unwrapping(wrapped: Uint8Array): Work<Buffer> {
      stub.unwrapped += 1;
      return unwrap(wrapped);
    },
  };
  return stub as unknown as KeyPair & { unwrapped: number };
}
const counting = (pair: KeyPair): KeyPair & { unwrapped: number } =>
  stubKey(pair, (wrapped) => pair.unwrapSessionKey(wrapped));
const wrong = (): KeyPair & { unwrapped: number } => stubKey(bob.key, () => randomBytes(16));

describe("readEncryptedMessage", () => {
  it("MNET-045 takes the data and the key by their paths", () => {
    const [data, wrappedKey] = cipherValues(sealed);
    expect(readFrom(sealed)).toEqual({
      sender: alice.wwwroot,
      ciphertext: data,
      wrappedKey,
      remarks: [],
      hasUnknownAlgorithm: false,
    });
  });

  it("MNET-045 also where EncryptedKey comes first, which confuses a Moodle", () => {
    const text = sealed.toString("latin1");
    const [key = ""] = /<EncryptedKey .*<\/EncryptedKey>/s.exec(text) ?? [];
    const swapped = edit(edit(sealed, key, ""), "<EncryptedData ", `${key}<EncryptedData `);
    expect(readFrom(swapped)).toEqual(readFrom(sealed));
  });

  const [data, wrapped] = cipherValues(sealed).map((value) => `<CipherValue>${value.toString("base64")}</CipherValue>`);
  it.each<[string, string, string]>([
    ["no data", data!, ""],
    ["no wrapped key", wrapped!, ""],
    ["data that is no base64", data!, "<CipherValue>?</CipherValue>"],
    ["a wrapped key that is no base64", wrapped!, "<CipherValue>?</CipherValue>"],
    ["a third CipherValue beside the data", data!, data! + data!],
    ["a third CipherValue at the end", "</encryptedMessage>", `${wrapped!}</encryptedMessage>`],
    ["a third CipherValue in an unknown element", "</encryptedMessage>", `<X1>${wrapped!}</X1></encryptedMessage>`],
    ["no sender", `<wwwroot>${alice.wwwroot}</wwwroot>`, ""],
    ["two senders", "<wwwroot>", "<wwwroot></wwwroot><wwwroot>"],
    ["another root", "<encryptedMessage>", "<encryptedMessage2>"],
  ])("MNET-045 SEC-014 refuses %s", async (_, search, replacement) => {
    let body = edit(sealed, search, replacement);
    if (replacement === "<encryptedMessage2>") body = edit(body, "</encryptedMessage>", "</encryptedMessage2>");
    expect(await codeOf(() => readFrom(body))).toBe("MNET_ENVELOPE_MALFORMED");
  });

  it("takes empty data and an empty key, which fail later as all others do", async () => {
    const body = edit(edit(sealed, data!, "<CipherValue/>"), wrapped!, "<CipherValue></CipherValue>");
    expect(readFrom(body).ciphertext).toHaveLength(0);
    expect(await codeOf(() => openAsBob(body))).toBe(FAILED);
  });
});

describe("decryptMessage", () => {
  it("gives the plaintext, the signed message in it, the key and the replay key", () => {
    const plaintext = signedByAlice();
    const sessionKey = Buffer.alloc(16, 7);
    const decrypted = decryptMessage(readFrom(withSessionKey(sessionKey, plaintext)), [bob.key]);
    expect(decrypted.plaintext.equals(plaintext)).toBe(true);
    expect(decrypted.openedWith).toBe(bob.key);
    // SHA-256 of sixteen bytes 07.
    expect(decrypted.replayKey).toBe("d761d406af2a4a5a15f67c924378ed88d1f85c13f1a37fc7366f59789b3bcd65");
    expect(decrypted.content).toMatchObject({ kind: "signed", message: { sender: alice.wwwroot } });
  });

  it.each(["methodCall", "methodResponse"])("MNET-083 gives a bare %s as unsigned", (root) => {
    const document = Buffer.from(`<?xml version="1.0"?>\n<${root}></${root}>`);
    const { content } = decryptMessage(readFrom(encryptedToBob(document)), [bob.key]);
    expect(content.kind).toBe("unsigned");
    expect(content.kind === "unsigned" && content.document.equals(document)).toBe(true);
  });

  it.each<[string, string | Buffer]>([
    ["nothing", ""],
    ["text", "hello"],
    ["noise", randomBytes(3000)],
    ["HTML", "<html><body>Error</body></html>"],
    ["an encrypted message", sealed],
    ["a signed message of another name", edit(signedByAlice(), "<signedMessage>", "<SignedMessage>")],
    ["a cut signed message", signedByAlice().subarray(0, -1)],
    ["a signed message and more", Buffer.concat([signedByAlice(), Buffer.from("x")])],
    ["a signed message with a DOCTYPE", edit(signedByAlice(), "<signedMessage>", "<!DOCTYPE x><signedMessage>")],
    ["a signed message without object", edit(signedByAlice(), /<object .*<\/object>/, "")],
    ["a signed message without sender", edit(signedByAlice(), /<wwwroot>.*<\/wwwroot>/, "")],
    ["a signed message without time", edit(signedByAlice(), /<timestamp>.*<\/timestamp>/, "")],
    ["a signed message with a bad time", edit(signedByAlice(), /(?<=<timestamp>)[0-9]+/, "soon")],
    ["a signed message with a bad object", edit(signedByAlice(), /(?<=<object ID="XMLRPC-MSG">)/, "*")],
    ["a signed message with a bad signature text", edit(signedByAlice(), /(?<=<SignatureValue>)/, "*")],
  ])("SEC-003 MNET-050 refuses %s", async (_, plaintext) => {
    expect(await codeOf(() => openAsBob(encryptedToBob(plaintext)))).toBe(FAILED);
  });

  it("SEC-003 MNET-050 all failures have one code and one message", async () => {
    const modulus = modulusOf(bob.publicKey);
    const bodies: Record<string, Buffer> = {
      "a wrong key": Buffer.from(
        edit(sealed, cipherValues(sealed)[1].toString("base64"), wrappedFor(mallory.publicKey)),
      ),
      "a bad padding": withWrappedKey(Buffer.alloc(128, 1)),
      "a short wrapped key": withWrappedKey(randomBytes(127)),
      "a long wrapped key": withWrappedKey(Buffer.alloc(129)),
      "no wrapped key": withWrappedKey(Buffer.alloc(0)),
      "the modulus": withWrappedKey(modulus),
      "more than the modulus": withWrappedKey(Buffer.alloc(128, 255)),
      "a session key of 5 bytes": withSessionKey(randomBytes(5)),
      "a session key of 24 bytes": withSessionKey(randomBytes(24)),
      "a plaintext that is no XML": encryptedToBob("hello"),
      "a plaintext that is another document": encryptedToBob("<html/>"),
      "a signed message that is malformed": encryptedToBob("<signedMessage/>"),
      "a signed message that is cut": encryptedToBob(signedByAlice().subarray(0, 900)),
      "an empty plaintext": encryptedToBob(""),
    };
    const errors = await Promise.all(Object.values(bodies).map((body) => errorOf(() => openAsBob(body))));
    const seen = new Set(
      errors.map(({ name, code, message, retryable, peer }) =>
        JSON.stringify({ name, code, message, retryable, peer }),
      ),
    );
    expect(seen.size).toBe(1);
    expect(errors[0]?.code).toBe(FAILED);
    // The operator is told more.
    expect(errors.every(({ cause }) => cause !== undefined)).toBe(true);
  });

  it("SEC-003 the cause tells the operator whether a key fitted at all, and what came out", async () => {
    const unfit = await errorOf(() => openAsBob(withWrappedKey(Buffer.alloc(127))));
    expect(unfit.cause).toMatch(/127 bytes/);
    const wrongKey = await errorOf(() => openAsBob(sealed, { keys: [wrong()] }));
    expect(wrongKey.cause).toMatchObject({ code: "MNET_ENVELOPE_MALFORMED" });
  });

  it("MNET-050 without keys, too", async () => {
    expect(await codeOf(() => openAsBob(sealed, { keys: [] }))).toBe(FAILED);
  });

  const lengths = Array.from({ length: 33 }, (_, length) => length);
  it.each(lengths)("MNET-049 a session key of %d bytes", async (length) => {
    // Keys that begin alike: a receiver that cuts or repeats would open the message.
    const code = await codeOf(() =>
      openAsBob(withSessionKey(Buffer.alloc(Math.max(length, 1), 0x41).subarray(0, length))),
    );
    expect(code).toBe(length === 16 ? "accepted" : FAILED);
  });

  it("MNET-047 SEC-005 a key that answers with random bytes is not taken for the right one", () => {
    const current = wrong();
    const decrypted = decryptMessage(readFrom(sealed), [current, wrong(), bob.key]);
    expect(decrypted.openedWith).toBe(bob.key);
    expect(current.unwrapped).toBe(1);
  });

  it("SEC-005 a plaintext that begins right and is malformed is no success, and leaves the message for other keys", () => {
    const halfRight = stubKey(mallory.key, () => Buffer.alloc(16, 1));
    const message = readFrom(withSessionKey(Buffer.alloc(16, 1), Buffer.from(`<signedMessage>${"x".repeat(5000)}`)));
    const before = Buffer.from(message.ciphertext);
    expect(() => decryptMessage(message, [halfRight])).toThrow(expect.objectContaining({ code: FAILED }));
    expect(message.ciphertext.equals(before)).toBe(true);
  });

  it("MNET-048 the keys are tried in their order, and none after the right one", () => {
    const order: string[] = [];
    const named = (name: string, unwrap: (wrapped: Uint8Array) => Buffer): KeyPair =>
      stubKey(bob.key, (wrapped) => {
        order.push(name);
        return unwrap(wrapped);
      });
    const right = (wrapped: Uint8Array): Buffer => bob.key.unwrapSessionKey(wrapped);
    const keys = [
      named("current", () => randomBytes(16)),
      named("newest", () => randomBytes(16)),
      named("older", right),
      named("oldest", right),
    ];
    expect(decryptMessage(readFrom(sealed), keys).openedWith).toBe(keys[2]);
    expect(order).toEqual(["current", "newest", "older"]);
  });

  it("MNET-048 an archived key opens after a real current one failed", async () => {
    const current = makeSite(bob.wwwroot).key;
    const { openedWith } = await openAsBob(sealed, { keys: [current, bob.key] });
    expect(openedWith).toBe(bob.certificate.fingerprint);
  });

  it("SEC-006 one unwrapping for each key, and 8 at most", async () => {
    for (const [generations, unwrappings] of [
      [1, 1],
      [4, 4],
      [8, 8],
      [9, 8],
      [50, 8],
    ] as const) {
      const keys = Array.from({ length: generations }, wrong);
      expect(await codeOf(() => openAsBob(sealed, { keys }))).toBe(FAILED);
      expect(keys.reduce((sum, { unwrapped }) => sum + unwrapped, 0)).toBe(unwrappings);
    }
    const [current, archived] = [counting(bob.key), wrong()];
    await openAsBob(sealed, { keys: [current, archived] });
    expect([current.unwrapped, archived.unwrapped]).toEqual([1, 0]);
  });

  it.each<[string, (wrapped: Buffer) => Buffer]>([
    ["shorter", (wrapped) => wrapped.subarray(1)],
    ["longer", (wrapped) => Buffer.concat([wrapped, Buffer.alloc(1)])],
    ["with a zero in front", (wrapped) => Buffer.concat([Buffer.alloc(1), wrapped])],
    ["empty", () => Buffer.alloc(0)],
    ["the modulus", () => modulusOf(bob.publicKey)],
    ["above the modulus", () => Buffer.alloc(128, 255)],
  ])("SEC-007 a wrapped key that is %s costs no unwrapping", async (_, change) => {
    const key = counting(bob.key);
    const body = withWrappedKey(change(cipherValues(sealed)[1]));
    expect(await codeOf(() => openAsBob(body, { keys: [key] }))).toBe(FAILED);
    expect(key.unwrapped).toBe(0);
  });

  it("SEC-007 keys of other sizes than the wrapped key's are passed over", async () => {
    const big = counting(makeSite(bob.wwwroot, { bits: 2048 }).key);
    const verified = await openAsBob(sealed, { keys: [big, bob.key] });
    expect(verified.openedWith).toBe(bob.certificate.fingerprint);
    expect(big.unwrapped).toBe(0);
  });

  it("SEC-009 bits of the timestamp flipped under RC4: it opens, and the document is what it was", async () => {
    const [data] = cipherValues(sealed);
    const at = signedByAlice().indexOf("<timestamp>") + "<timestamp>".length;
    for (const [offset, bit] of [
      [0, 1],
      [5, 2],
      [9, 1],
    ] as const) {
      const flipped = Buffer.from(data);
      flipped.writeUInt8(flipped.readUInt8(at + offset) ^ bit, at + offset);
      const verified = await openAsBob(edit(sealed, data.toString("base64"), flipped.toString("base64")));
      const original = await openAsBob(sealed);
      expect(Buffer.from(verified.document).equals(DOCUMENT)).toBe(true);
      expect(verified.timestamp).not.toEqual(original.timestamp);
      // What decides about replays and rights is the same.
      expect(verified.replayKey).toBe(original.replayKey);
      expect(verified.sender).toBe(original.sender);
      expect(verified.signedBy).toBe(original.signedBy);
    }
  });

  it("SEC-009 bits of the inner sender flipped under RC4: refused", async () => {
    const [data] = cipherValues(sealed);
    const at = signedByAlice().indexOf("<wwwroot>") + "<wwwroot>https://".length;
    const flipped = Buffer.from(data);
    flipped.writeUInt8(flipped.readUInt8(at) ^ 3, at);
    const body = edit(sealed, data.toString("base64"), flipped.toString("base64"));
    expect(await codeOf(() => openAsBob(body))).toBe("MNET_ENVELOPE_SENDER_MISMATCH");
  });

  it("SEC-033 the replay key is that of the session key: alike for a copy, another for a new envelope", async () => {
    const { replayKey } = await openAsBob(sealed);
    expect(replayKey).toMatch(/^[0-9a-f]{64}$/);
    expect((await openAsBob(Buffer.from(sealed))).replayKey).toBe(replayKey);
    // Wrapped anew by somebody who knows it, or with another plaintext: the session key is still the same.
    const sessionKey = bob.key.unwrapSessionKey(cipherValues(sealed)[1]);
    expect((await openAsBob(withSessionKey(sessionKey))).replayKey).toBe(replayKey);
    expect((await openAsBob(await sealedByAlice())).replayKey).not.toBe(replayKey);
  });
});

function wrappedFor(publicKey: Parameters<typeof wrapKey>[0]): string {
  for (;;) {
    const wrapped = wrapKey(publicKey, randomBytes(16));
    if (bob.key.fits(wrapped)) return wrapped.toString("base64");
  }
}
