import { createHash, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import { rc4 } from "../../src/crypto/rc4.ts";
import { encryptMessage, readEncryptedMessage } from "../../src/envelope/encrypted-message.ts";
import { seal } from "../../src/envelope/seal.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import { readDocument } from "../../src/xml/read-document.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import {
  alice,
  bob,
  cipherValues,
  DOCUMENT,
  edit,
  openAsBob,
  sealedByAlice,
  signedByAlice,
  textOf,
  TIMESTAMP,
} from "../support/envelopes.ts";
import { recordedKeyPair, recordedMessage, recordedMessages, recordedPems } from "../support/fixtures.ts";

/** Messages of a Moodle 4.5 whose files have LF line ends, as they are published. */
const fromMoodle = recordedMessages(["moodle-4.5"]).filter(
  ({ title, signedXml, body }) =>
    signedXml?.includes("\n    <signedMessage>\n") && !body.includes("\r") && !title.includes("compact"),
);
/** The sender's key: the one whose signature is in the message. */
function senderKey(sender: string, document: Buffer, signedXml: string): KeyPair | undefined {
  const signature = Buffer.from(textOf(signedXml, "SignatureValue"), "base64");
  return Object.entries(recordedPems("moodle-4.5"))
    .filter(([, { wwwroot }]) => wwwroot === sender)
    .flatMap(([id]) => recordedKeyPair("moodle-4.5", id) ?? [])
    .find(({ certificate }) => verify("sha1", document, certificate.publicKey, signature));
}

describe("signMessage", () => {
  it("MNET-025 MNET-024 makes a recorded Moodle 4.5's signed envelopes, byte for byte", () => {
    let compared = 0;
    for (const { title, signedXml = "", document, timestamp, from = "" } of fromMoodle) {
      const key = document && senderKey(from, document, signedXml);
      // Odd messages that were made by hand are left out.
      if (!key || !signedXml.includes("MoodleSignature") || /quirk|fault-7|sha256|type-/.test(title)) continue;
      const made = signMessage(document, { sender: from, key, timestamp: new Date((timestamp ?? 0) * 1000) });
      expect(made.toString(), title).toBe(signedXml);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(30);
  });

  const signed = signedByAlice();
  const text = signed.toString("latin1");

  it("MNET-024 begins with a declaration; <signedMessage> without attributes follows within 100 bytes", () => {
    expect(text.startsWith("<?xml")).toBe(true);
    expect(text.indexOf("<signedMessage>")).toBeGreaterThan(0);
    expect(text.indexOf("<signedMessage>")).toBeLessThanOrEqual(100 - "<signedMessage>".length);
  });

  it("MNET-025 has the elements of the specification, unprefixed", () => {
    const names = [...text.matchAll(/<([A-Za-z:]+)[ >/]/g)].map(([, name]) => name);
    expect(names).toEqual([
      "signedMessage",
      "Signature",
      "SignedInfo",
      "CanonicalizationMethod",
      "SignatureMethod",
      "Reference",
      "DigestMethod",
      "DigestValue",
      "SignatureValue",
      "KeyInfo",
      "RetrievalMethod",
      "object",
      "wwwroot",
      "timestamp",
    ]);
  });

  it("MNET-026 signs the raw bytes of the document with RSA-SHA1", () => {
    const signature = Buffer.from(textOf(text, "SignatureValue"), "base64");
    expect(verify("sha1", DOCUMENT, alice.publicKey, signature)).toBe(true);
    expect(verify("sha256", DOCUMENT, alice.publicKey, signature)).toBe(false);
    expect(Buffer.from(textOf(text, "object"), "base64").equals(DOCUMENT)).toBe(true);
  });

  it("MNET-026 takes any bytes for a document, and those of a part of a buffer", () => {
    for (const document of [
      Buffer.alloc(0),
      Buffer.from([0, 255, 13, 10]),
      new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
    ]) {
      const made = signedByAlice(document);
      expect(Buffer.from(textOf(made, "object"), "base64").equals(document)).toBe(true);
      const signature = Buffer.from(textOf(made, "SignatureValue"), "base64");
      expect(verify("sha1", document, alice.publicKey, signature)).toBe(true);
    }
  });

  it("MNET-027 the digest is the lower-case hex SHA-1 of the document", () => {
    expect(textOf(text, "DigestValue")).toBe(createHash("sha1").update(DOCUMENT).digest("hex"));
  });

  it("MNET-028 declares rsa-sha1", () => {
    expect(text).toContain('<SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/>');
  });

  it("MNET-029 object, wwwroot and timestamp are children of the root; the time is in whole seconds", () => {
    expect(readDocument(signed).children.map(({ name }) => name)).toEqual([
      "Signature",
      "object",
      "wwwroot",
      "timestamp",
    ]);
    expect(textOf(text, "wwwroot")).toBe(alice.wwwroot);
    expect(textOf(text, "timestamp")).toBe(String(TIMESTAMP.getTime() / 1000));
    const late = new Date(TIMESTAMP.getTime() + 999);
    const made = signMessage(DOCUMENT, { sender: alice.wwwroot, key: alice.key, timestamp: late });
    expect(textOf(made, "timestamp")).toBe(String(TIMESTAMP.getTime() / 1000));
  });

  it("MNET-030 base64 has no line breaks", () => {
    const made = signedByAlice(Buffer.alloc(10_000, "document"));
    for (const field of ["object", "SignatureValue"]) expect(textOf(made, field)).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
  });
});

describe("encryptMessage", () => {
  it("MNET-040 makes a recorded Moodle 4.5's encrypted envelopes, but for the two CipherValues", () => {
    let compared = 0;
    for (const { title, body, from = "", keys } of fromMoodle) {
      const [receiver] = keys;
      if (!receiver || /quirk|fault|type-|trusted/.test(title)) continue;
      const [data, wrappedKey] = cipherValues(body);
      if (!receiver.fits(wrappedKey)) continue;
      // With the recorded session key the data comes out alike, too; the wrapped key is padded at random.
      const sessionKey = receiver.unwrapSessionKey(wrappedKey);
      const recorded = readEncryptedMessage(readDocument(body));
      const made = encryptMessage(rc4(sessionKey, data), {
        sender: from,
        recipient: receiver.certificate,
        random: () => sessionKey,
      });
      expect(recorded.sender, title).toBe(from);
      expect(masked(made), title).toBe(masked(body));
      expect(cipherValues(made)[0].equals(data), title).toBe(true);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(30);
  });

  it("MNET-040 EncryptedData precedes EncryptedKey; there are two CipherValues, each on one line", async () => {
    const sealed = (await sealedByAlice(Buffer.alloc(10_000, "x"))).toString("latin1");
    expect(sealed.indexOf("<EncryptedData ")).toBeGreaterThan(0);
    expect(sealed.indexOf("<EncryptedData ")).toBeLessThan(sealed.indexOf("<EncryptedKey "));
    expect([...sealed.matchAll(/<CipherValue>[A-Za-z0-9+/]+={0,2}<\/CipherValue>/g)]).toHaveLength(2);
    expect([...sealed.matchAll(/CipherValue/g)]).toHaveLength(4);
  });

  it("MNET-041 takes 16 bytes from the generator for each message, and uses them as they are", () => {
    const asked: number[] = [];
    const keys = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)];
    const made = keys.map((sessionKey) =>
      encryptMessage(DOCUMENT, {
        sender: alice.wwwroot,
        recipient: bob.certificate,
        random: (bytes) => {
          asked.push(bytes);
          return sessionKey;
        },
      }),
    );
    expect(asked).toEqual([16, 16]);
    expect(made.map((xml) => bob.key.unwrapSessionKey(cipherValues(xml)[1]))).toEqual(keys);
  });

  it("MNET-042 wraps the key under the receiver's certificate", async () => {
    const [, wrapped] = cipherValues(await sealedByAlice());
    expect(wrapped).toHaveLength(bob.certificate.modulusBits / 8);
    expect(bob.key.fits(wrapped)).toBe(true);
  });

  it("SEC-008 10,000 messages have 10,000 keys", () => {
    const sender = alice.wwwroot;
    const options = { sender, recipient: bob.certificate };
    // The first bytes of the ciphertext are the key stream's; that of two equal keys would be equal.
    const streams = Array.from({ length: 10_000 }, () =>
      encryptMessage(Buffer.alloc(18), options).toString("latin1").split("<CipherValue>")[1]!.slice(0, 24),
    );
    expect(new Set(streams).size).toBe(10_000);
  });
});

describe("seal", () => {
  it("MNET-044 what it makes, open() opens", async () => {
    const verified = await openAsBob(await sealedByAlice());
    expect(Buffer.from(verified.document).equals(DOCUMENT)).toBe(true);
    expect(verified.sender).toBe(alice.wwwroot);
    expect(verified.timestamp).toEqual(TIMESTAMP);
    expect(verified.remarks).toEqual([]);
  });

  it("dates a message now unless told", async () => {
    const before = Math.floor(Date.now() / 1000);
    const body = await seal(DOCUMENT, { sender: alice.wwwroot, key: alice.key, recipient: bob.certificate });
    const { timestamp } = await openAsBob(body);
    expect(timestamp.getTime() / 1000).toBeGreaterThanOrEqual(before);
    expect(timestamp.getTime() / 1000).toBeLessThanOrEqual(Date.now() / 1000);
  });

  it("SEC-008 takes its keys from the generator that it is given", async () => {
    const random = (): Buffer => Buffer.alloc(16, 9);
    const body = await seal(DOCUMENT, { sender: alice.wwwroot, key: alice.key, recipient: bob.certificate, random });
    expect(bob.key.unwrapSessionKey(cipherValues(body)[1]).equals(random())).toBe(true);
  });

  it.each(["https://a.example/?a=1&b=2", `https://a.example/"'<>`, "https://a.example/]]><fault>", "https://a/&amp;"])(
    "SEC-023 escapes the sender %s",
    async (sender) => {
      const signed = signMessage(DOCUMENT, { sender, key: alice.key, timestamp: TIMESTAMP });
      const root = readDocument(signed);
      expect(root.children.find(({ name }) => name === "wwwroot")?.text).toBe(sender);
      const retrieval = root.children[0]?.children.find(({ name }) => name === "KeyInfo")?.children[0];
      expect(retrieval?.attributes?.get("URI")).toBe(`${sender}/mnet/publickey.php`);
      const body = await seal(DOCUMENT, { sender, key: alice.key, recipient: bob.certificate });
      expect((await openAsBob(body, { certificateOf: () => alice.certificate })).sender).toBe(sender);
    },
  );

  it.each<[string, string]>([
    ["nothing", ""],
    ["a space", "https://a .example"],
    ["a line break", "https://a.example\n"],
    ["NUL", "https://a.example\0"],
    ["an escape code", "https://a.example\u001b[31m"],
    ["a letter of Latin-1", "https://é.example"],
    ["a letter whose low byte is <", "https://a.example/\u013cfault>"],
    ["an emoji", "https://a.example/😀"],
  ])("SEC-023 refuses a sender with %s", async (_, sender) => {
    const options = { sender, key: alice.key, recipient: bob.certificate };
    expect(await errorOf(() => seal(DOCUMENT, options))).toMatchObject({
      code: "MNET_CONFIG_INVALID",
      option: "sender",
    });
  });

  it.each([new Date(Number.NaN), new Date(-1)])("refuses the timestamp %s", async (timestamp) => {
    const options = { sender: alice.wwwroot, key: alice.key, recipient: bob.certificate, timestamp };
    expect(await errorOf(() => seal(DOCUMENT, options))).toMatchObject({
      code: "MNET_CONFIG_INVALID",
      option: "timestamp",
    });
  });

  it("takes the first timestamp there is", async () => {
    const timestamp = new Date(0);
    const options = { sender: alice.wwwroot, key: alice.key, recipient: bob.certificate, timestamp };
    expect(await codeOf(() => seal(DOCUMENT, options))).toBe("accepted");
  });
});

describe("the helpers of these tests", () => {
  it("notice when there is nothing to edit", () => {
    expect(() => edit("abc", "x", "y")).toThrow();
    expect(() => edit("aa", "a", "y")).toThrow();
    expect(edit("abc", "b", "x").toString()).toBe("axc");
  });

  it("have recorded messages to compare with", () => {
    expect(fromMoodle.length).toBeGreaterThan(50);
    expect(recordedMessage("moodle-4.5", "063-refresh_log", "request").signedXml).toContain("<signedMessage>");
  });
});

const masked = (xml: Buffer): string =>
  xml.toString("latin1").replace(/<CipherValue>[^<]*<\/CipherValue>/g, "<CipherValue>…</CipherValue>");
