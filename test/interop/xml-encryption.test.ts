import { describe, expect, it } from "vitest";
import xmlenc from "xml-encryption";
import { decryptEnvelope, readSecureEnvelope } from "../../src/secure/secure-envelope.ts";
import { suiteOf } from "../../src/secure/suite.ts";
import { codeOf } from "../support/code-of.ts";
import { bob, edit } from "../support/envelopes.ts";
import { encryptedSecurely, plaintextOf, sealedSecurely } from "../support/secure.ts";
import { makeSite } from "../support/sites.ts";

const { cipher, keyTransport } = suiteOf("secure/1").algorithms;
const pemOf = (type: "private" | "public", { privateKey, publicKey } = bob): string =>
  type === "private"
    ? privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    : publicKey.export({ type: "spki", format: "pem" }).toString();

const encrypt = (content: string): Promise<string> =>
  new Promise((resolve, reject) => {
    xmlenc.encrypt(
      content,
      {
        rsa_pub: pemOf("public"),
        pem: bob.certificate.pem,
        encryptionAlgorithm: cipher,
        keyEncryptionAlgorithm: keyTransport,
        keyEncryptionDigest: "sha256",
        keyEncryptionMgf: "sha256",
      },
      (error, xml) => (error ? reject(error) : resolve(xml)),
    );
  });
const decrypt = (xml: string, key: string): Promise<string> =>
  new Promise((resolve, reject) => {
    xmlenc.decrypt(xml, { key }, (error, content) => (error ? reject(error) : resolve(content)));
  });

const contents: [what: string, content: string][] = [
  ["an element", "<message>something</message>"],
  ["200 KB", `<message>${"x".repeat(200_000)}</message>`],
];

describe("xml-encryption, with the very algorithms of the profile", () => {
  it.each(contents)("decrypts ours of %s", async (_, content) => {
    const body = encryptedSecurely(content).toString("latin1");
    expect(await decrypt(body, pemOf("private"))).toBe(content);
    await expect(decrypt(body, pemOf("private", makeSite("https://other.example")))).rejects.toThrow();
  });

  it("decrypts a whole message", async () => {
    const body = Buffer.from(sealedSecurely().body);
    expect(await decrypt(body.toString("latin1"), pemOf("private"))).toBe(plaintextOf(body));
  });

  it.each(contents)("encrypts %s so that we can read it", async (_, content) => {
    const values = /<(?:[a-z0-9]+:)?CipherValue>([^<]*)</g;
    const theirs = [...(await encrypt(content)).matchAll(values)].map(([, value = ""]) => value);
    const ours = encryptedSecurely(content).toString("latin1");
    const own = [...ours.matchAll(values)].map(([, value = ""]) => value);
    expect([theirs.length, own.length]).toEqual([2, 2]);
    const body = edit(edit(ours, own[0]!, theirs[0]!), own[1]!, theirs[1]!);
    expect(plaintextOf(body)).toBe(content);
    // Of the two, the other's key opens nothing.
    const mixed = edit(ours, own[1]!, theirs[1]!);
    expect(await codeOf(() => decryptEnvelope(readSecureEnvelope(mixed), [bob.key]))).toBe(
      "MNET_ENVELOPE_DECRYPTION_FAILED",
    );
  });
});
