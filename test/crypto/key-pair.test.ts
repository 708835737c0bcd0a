import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { KeyPair, SESSION_KEY_LENGTH } from "../../src/crypto/key-pair.ts";
import { decryptRaw, modulusOf, wrapKey } from "../../src/crypto/rsa.ts";
import { selfSignedCertificate } from "../../src/keys/self-signed-certificate.ts";
import { codeOf } from "../support/code-of.ts";
import { RECORDINGS, recordedPems } from "../support/fixtures.ts";
import { makeSite } from "../support/sites.ts";
import { decryptionVectors, VECTORS_ABSENT } from "../support/vectors.ts";

const site = makeSite("https://a.example", { bits: 2048 });
const other = makeSite("https://b.example", { bits: 2048 });
const { key } = site;

const pem = {
  certificate: key.certificate.pem,
  privateKey: site.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
};

describe("KeyPair.parse", () => {
  it.each([
    ["PKCS#8", "pkcs8"],
    ["PKCS#1", "pkcs1"],
  ] as const)("reads %s", (_, type) => {
    const privateKey = site.privateKey.export({ type, format: "pem" }).toString();
    const pair = KeyPair.parse({ certificate: pem.certificate, privateKey });
    expect(pair.certificate.fingerprint).toBe(key.certificate.fingerprint);
    expect(verify("sha1", Buffer.from("data"), site.publicKey, pair.sign(Buffer.from("data")))).toBe(true);
  });

  it.each<[string, () => string]>([
    ["nothing", () => ""],
    ["a certificate", () => pem.certificate],
    ["a public key", () => site.publicKey.export({ type: "spki", format: "pem" }).toString()],
    ["a damaged key", () => pem.privateKey.replace("MII", "MIX")],
    ["a key with a passphrase", () => encrypted()],
    ["an EC key", () => ecKey()],
    ["another RSA key", () => other.privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
  ])("refuses %s", async (_, privateKey) => {
    expect(await codeOf(() => KeyPair.parse({ ...pem, privateKey: privateKey() }))).toBe(
      "MNET_KEY_CERTIFICATE_INVALID",
    );
  });

  it("MNET-019 takes an old key of 1024 bits, and no smaller one", async () => {
    expect(makeSite("https://old.example", { bits: 1024 }).key.certificate.modulusBits).toBe(1024);
    expect(await codeOf(() => makeSite("https://old.example", { bits: 512 }))).toBe("MNET_KEY_WEAK");
  });

  it("reads the keys of every recorded site", () => {
    const all = RECORDINGS.flatMap((recording) => Object.values(recordedPems(recording)));
    expect(all.length).toBeGreaterThan(15);
    for (const recorded of all) {
      expect(KeyPair.parse(recorded).certificate.pem).toBe(recorded.certificate);
    }
  });

  const encrypted = (): string =>
    site.privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" }).toString();
  const ecKey = (): string =>
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
});

describe("KeyPair", () => {
  it("MNET-026 signs as the platform does", () => {
    const data = Buffer.from("data");
    expect(sign("sha1", data, site.privateKey).equals(key.sign(data))).toBe(true);
  });

  it("SEC-051 shows its private half nowhere", () => {
    const { d = "", p = "" } = site.privateKey.export({ format: "jwk" });
    const secrets = [pem.privateKey.split("\n")[5]!, d.slice(10, 40), p.slice(10, 40)];
    const shown = [
      inspect(key, { showHidden: true, depth: null }),
      inspect({ key }, { showHidden: true, depth: null, customInspect: false }),
      JSON.stringify(key),
      JSON.stringify({ ...key }),
      JSON.stringify(Object.getOwnPropertyNames(key)),
      String(key),
    ].join("\n");
    for (const secret of secrets) expect(shown).not.toContain(secret);
    expect(inspect(key)).toBe(`KeyPair(${key.certificate.fingerprint})`);
    expect(JSON.parse(JSON.stringify(key))).toEqual({ certificate: key.certificate.pem });
  });

  it("MNET-042 unwraps what was wrapped for it", () => {
    const sessionKey = randomBytes(SESSION_KEY_LENGTH);
    const wrapped = wrapKey(key.certificate.publicKey, sessionKey);
    expect(key.fits(wrapped)).toBe(true);
    expect(key.unwrapSessionKey(wrapped).equals(sessionKey)).toBe(true);
  });

  it.each([0, 1, 5, 8, 15, 17, 24, 32, 100, 245])(
    "MNET-049 SEC-008 a wrapped key of %d bytes gives 16 others, always the same",
    (length) => {
      const wrapped = wrapKey(key.certificate.publicKey, Buffer.alloc(length, 0x55));
      const unwrapped = key.unwrapSessionKey(wrapped);
      expect(unwrapped).toHaveLength(SESSION_KEY_LENGTH);
      expect(unwrapped.includes(Buffer.alloc(4, 0x55))).toBe(false);
      expect(key.unwrapSessionKey(wrapped).equals(unwrapped)).toBe(true);
    },
  );

  it("MNET-047 SEC-001 a key wrapped for somebody else gives 16 bytes that depend on the ciphertext and our key", () => {
    const sessionKey = randomBytes(SESSION_KEY_LENGTH);
    const third = makeSite("https://c.example", { bits: 2048 });
    const wrapped = fitting(() => wrapKey(other.publicKey, sessionKey), [key, third.key]);
    const unwrapped = key.unwrapSessionKey(wrapped);
    expect(unwrapped).toHaveLength(SESSION_KEY_LENGTH);
    expect(unwrapped.equals(sessionKey)).toBe(false);
    expect(key.unwrapSessionKey(wrapped).equals(unwrapped)).toBe(true);
    expect(KeyPair.parse(pem).unwrapSessionKey(wrapped).equals(unwrapped)).toBe(true);
    expect(third.key.unwrapSessionKey(wrapped).equals(unwrapped)).toBe(false);
  });

  it("SEC-001 the substitute is none of the decrypted bytes", () => {
    const garbage = fitting(() => randomBytes(256), [key]);
    const block = decryptRaw(site.privateKey, garbage);
    expect(block.includes(key.unwrapSessionKey(garbage).subarray(0, 4))).toBe(false);
  });

  describe("fits", () => {
    const modulus = modulusOf(site.publicKey);
    const plus = (n: number): Buffer => {
      const number = BigInt(`0x${modulus.toString("hex")}`) + BigInt(n);
      return Buffer.from(number.toString(16).padStart(512, "0"), "hex");
    };

    it.each<[string, Buffer]>([
      ["0", Buffer.alloc(256)],
      ["1", Buffer.alloc(256).fill(1, 255)],
      ["the modulus less one", plus(-1)],
      ["the modulus less two", plus(-2)],
    ])("SEC-007 takes %s", (_, wrapped) => {
      expect(key.fits(wrapped)).toBe(true);
    });

    it.each<[string, Buffer]>([
      ["nothing", Buffer.alloc(0)],
      ["one byte", Buffer.alloc(1)],
      ["a byte less", wrapKey(site.publicKey, randomBytes(16)).subarray(1)],
      ["a byte less at the end", wrapKey(site.publicKey, randomBytes(16)).subarray(0, 255)],
      ["a zero in front (CVE-2020-14967)", Buffer.concat([Buffer.alloc(1), wrapKey(site.publicKey, randomBytes(16))])],
      ["many zeros in front", Buffer.concat([Buffer.alloc(256), wrapKey(site.publicKey, randomBytes(16))])],
      ["a byte behind", Buffer.concat([wrapKey(site.publicKey, randomBytes(16)), Buffer.alloc(1)])],
      ["twice the length", Buffer.alloc(512, 1)],
      ["the modulus (CVE-2021-3580)", plus(0)],
      ["the modulus and one", plus(1)],
      ["as much as fits in the bytes", Buffer.alloc(256, 255)],
    ])("SEC-007 refuses %s", (_, wrapped) => {
      expect(key.fits(wrapped)).toBe(false);
    });
  });

  describe.each([2048, 3072, 4096] as const)("Wycheproof rsa_pkcs1_%d", (bits) => {
    it("SEC-007 ciphertexts of a wrong form do not fit, all others do", (ctx) => {
      const groups = decryptionVectors(bits) ?? ctx.skip(VECTORS_ABSENT);
      let misshapen = 0;
      for (const { privateKeyPem, tests } of groups) {
        const privateKey = createPrivateKey(privateKeyPem);
        const certificate = selfSignedCertificate(
          { privateKey, publicKey: createPublicKey(privateKey) },
          { wwwroot: "https://w.example", name: "Wycheproof", notBefore: new Date(0), notAfter: new Date(1e12) },
        );
        const pair = KeyPair.parse({ certificate, privateKey: privateKeyPem });
        for (const { ct, flags, tcId } of tests) {
          const isMisshapen = flags.includes("InvalidCiphertextFormat");
          if (isMisshapen) misshapen += 1;
          expect(pair.fits(Buffer.from(ct, "hex")), `vector ${tcId}`).toBe(!isMisshapen);
        }
      }
      expect(misshapen).toBeGreaterThan(0);
    });
  });
});

/** Makes until it is smaller than the modulus of all of them. */
function fitting(make: () => Buffer, keys: readonly KeyPair[]): Buffer {
  for (;;) {
    const made = make();
    if (keys.every((pair) => pair.fits(made))) return made;
  }
}
