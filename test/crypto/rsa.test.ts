import {
  constants,
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  privateEncrypt,
  sign,
  verify,
} from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  decryptRaw,
  isSignedSha1,
  modulusOf,
  sha1,
  signSha1Digest,
  substituteFor,
  unpad,
  wrapKey,
} from "../../src/crypto/rsa.ts";
import { makeSite, rsaPublicKey } from "../support/sites.ts";
import { decryptionVectors, VECTORS_ABSENT } from "../support/vectors.ts";

const SECRET = Buffer.from("a secret of the key");
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const DATA = Buffer.from("a document");

/** A block as PKCS#1 v1.5 pads it for encryption. */
function padded(message: Uint8Array, { size = 256, filler = 0xaa } = {}): Buffer {
  return Buffer.concat([
    Buffer.from([0, 2]),
    Buffer.alloc(size - message.length - 3, filler),
    Buffer.from([0]),
    message,
  ]);
}

describe("unpad", () => {
  const substitute = Buffer.alloc(20, "substitute");

  it.each([0, 1, 15, 16, 17, 32, 100, 244, 245])("SEC-001 takes the padding off a message of %d bytes", (length) => {
    const message = Buffer.from(Array.from({ length }, (_, n) => 255 - (n & 0xff)));
    expect(unpad(padded(message), substitute).equals(message)).toBe(true);
  });

  it("SEC-001 ends the padding at the first zero: others belong to the message", () => {
    const message = Buffer.from([0, 0, 7, 0, 9]);
    expect(unpad(padded(message), substitute).equals(message)).toBe(true);
  });

  const wrong: [what: string, block: Buffer][] = [
    ["a first byte that is not 0", Buffer.from(padded(DATA)).fill(1, 0, 1)],
    ["a first byte of 128", Buffer.from(padded(DATA)).fill(128, 0, 1)],
    ["a first byte of 255", Buffer.from(padded(DATA)).fill(255, 0, 1)],
    ["a second byte of 0", Buffer.from(padded(DATA)).fill(0, 1, 2)],
    ["a second byte of 1, as in signatures", Buffer.from(padded(DATA)).fill(1, 1, 2)],
    ["a second byte of 3", Buffer.from(padded(DATA)).fill(3, 1, 2)],
    ["a second byte of 130", Buffer.from(padded(DATA)).fill(130, 1, 2)],
    ["no padding bytes", padded(Buffer.alloc(253, 1))],
    ["seven padding bytes", padded(Buffer.alloc(246, 1))],
    ["a zero among the first eight padding bytes", Buffer.from(padded(DATA)).fill(0, 9, 10)],
    ["a zero as the first padding byte", Buffer.from(padded(DATA)).fill(0, 2, 3)],
    ["no zero at the end of the padding", Buffer.concat([Buffer.from([0, 2]), Buffer.alloc(254, 0xaa)])],
    ["nothing but zeros", Buffer.alloc(256)],
    ["nothing but 255", Buffer.alloc(256, 255)],
  ];

  it.each(wrong)("SEC-001 takes the substitute for %s", (_, block) => {
    expect(unpad(block, substitute).equals(substitute)).toBe(true);
  });

  it.each([0, 1, 245])("SEC-001 takes a substitute of %d bytes", (length) => {
    const other = Buffer.alloc(length, "other");
    expect(unpad(Buffer.alloc(256), other).equals(other)).toBe(true);
  });

  it("SEC-001 takes exactly eight padding bytes", () => {
    const message = Buffer.alloc(245, 1);
    expect(padded(message)).toHaveLength(256);
    expect(unpad(padded(message), substitute).equals(message)).toBe(true);
  });

  it("is right for blocks of every size of key that is accepted", () => {
    for (const size of [128, 129, 256, 384, 512, 1024]) {
      expect(unpad(padded(DATA, { size }), substitute).equals(DATA)).toBe(true);
    }
  });
});

describe("substituteFor", () => {
  const wrapped = Buffer.alloc(256, 7);

  it("SEC-001 depends on the ciphertext and the secret, and on nothing else", () => {
    const one = substituteFor(SECRET, wrapped);
    expect(one).toHaveLength(32);
    expect(substituteFor(Buffer.from(SECRET), Buffer.from(wrapped)).equals(one)).toBe(true);
    expect(substituteFor(SECRET, Buffer.alloc(256, 8)).equals(one)).toBe(false);
    expect(substituteFor(Buffer.from("other"), wrapped).equals(one)).toBe(false);
  });
});

describe.each([2048, 3072, 4096] as const)("Wycheproof rsa_pkcs1_%d", (bits) => {
  it("SEC-001 valid vectors give their message, invalid paddings the substitute", (ctx) => {
    const groups = decryptionVectors(bits) ?? ctx.skip(VECTORS_ABSENT);
    const results = { right: 0, rejected: 0 };
    for (const group of groups) {
      const key = createPrivateKey(group.privateKeyPem);
      for (const { ct, msg, flags, tcId, result } of group.tests) {
        if (flags.includes("InvalidCiphertextFormat")) continue;
        const wrapped = Buffer.from(ct, "hex");
        const substitute = substituteFor(SECRET, wrapped);
        const message = unpad(decryptRaw(key, wrapped), substitute).toString("hex");
        if (result === "valid") {
          expect(message, `vector ${tcId}`).toBe(msg);
          results.right += 1;
        } else {
          expect(flags, `vector ${tcId}`).toContain("InvalidPkcs1Padding");
          expect(message, `vector ${tcId}`).toBe(substitute.toString("hex"));
          results.rejected += 1;
        }
      }
    }
    expect(results.right).toBeGreaterThan(10);
    expect(results.rejected).toBeGreaterThan(10);
  });
});

describe("decryptRaw and wrapKey", () => {
  it("MNET-042 wraps the raw key as RSAES-PKCS1-v1_5, differently each time", () => {
    const sessionKey = Buffer.from("0123456789abcdef");
    const wrapped = wrapKey(publicKey, sessionKey);
    const block = decryptRaw(privateKey, wrapped);
    expect(wrapped).toHaveLength(256);
    expect([...block.subarray(0, 2)]).toEqual([0, 2]);
    expect(block.subarray(2, 239).includes(0)).toBe(false);
    expect(block.subarray(239).equals(Buffer.concat([Buffer.from([0]), sessionKey]))).toBe(true);
    expect(wrapKey(publicKey, sessionKey).equals(wrapped)).toBe(false);
  });

  it.each([0n, 1n, 2n])("SEC-002 the raw operation is right for %d", (number) => {
    const input = Buffer.from(number.toString(16).padStart(512, "0"), "hex");
    const output = decryptRaw(privateKey, input);
    expect(output).toHaveLength(256);
    expect(output.equals(input)).toBe(number < 2n);
  });

  it("MNET-046 SEC-002 no source file decrypts with the platform's padding", () => {
    const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => ({ file, text: readFileSync(`src/${file}`, "utf8") }));
    const calls = sources.flatMap(({ file, text }) =>
      [...text.matchAll(/privateDecrypt\(([^;]*);/g)].map(([, argument = ""]) => ({ file, argument })),
    );
    expect(calls.length).toBeGreaterThan(0);
    // The secure profile's padding has no oracle to hide, and is the platform's.
    expect(calls.filter(({ argument }) => !/RSA_NO_PADDING|\bOAEP\b/.test(argument))).toEqual([]);
    expect(calls.filter(({ argument }) => argument.includes("RSA_PKCS1_PADDING"))).toEqual([]);
  });
});

describe("signSha1Digest and isSignedSha1", () => {
  it("MNET-026 signs with RSASSA-PKCS1-v1_5 and SHA-1", () => {
    const signature = signSha1Digest(privateKey, sha1(DATA));
    const digestInfo = Buffer.concat([
      Buffer.from("3021300906052b0e03021a05000414", "hex"),
      createHash("sha1").update(DATA).digest(),
    ]);
    expect(signature.equals(privateEncrypt(privateKey, digestInfo))).toBe(true);
    expect(verify("sha1", DATA, publicKey, signature)).toBe(true);
  });

  it("SEC-025 takes a right signature", () => {
    expect(isSignedSha1(publicKey, DATA, signSha1Digest(privateKey, sha1(DATA)))).toBe(true);
  });

  const signature = signSha1Digest(privateKey, sha1(DATA));
  const flipped = Buffer.from(signature);
  flipped.writeUInt8(flipped.readUInt8(100) ^ 1, 100);
  it.each<[string, Buffer]>([
    ["an empty signature", Buffer.alloc(0)],
    ["one byte", Buffer.alloc(1)],
    ["a cut signature", signature.subarray(0, 255)],
    ["a cut front", signature.subarray(1)],
    ["a longer signature", Buffer.concat([signature, Buffer.alloc(1)])],
    ["a signature with a zero in front", Buffer.concat([Buffer.alloc(1), signature])],
    ["one flipped bit", flipped],
    ["zeros", Buffer.alloc(256)],
    ["more than the modulus", Buffer.alloc(256, 255)],
    ["another key's signature", signSha1Digest(makeSite("https://x.example", { bits: 2048 }).privateKey, sha1(DATA))],
    ["SHA-256", sign("sha256", DATA, privateKey)],
    ["SHA-512", sign("sha512", DATA, privateKey)],
    ["MD5", sign("md5", DATA, privateKey)],
    ["PSS", sign("sha1", DATA, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING })],
    ["a bare hash without DigestInfo", privateEncrypt(privateKey, createHash("sha1").update(DATA).digest())],
  ])("SEC-025 refuses %s", (_, wrong) => {
    expect(isSignedSha1(publicKey, DATA, wrong)).toBe(false);
  });

  it("SEC-025 takes an exception of the platform for a failure", () => {
    expect(isSignedSha1(undefined as never, DATA, signature)).toBe(false);
    expect(isSignedSha1(publicKey, undefined as never, signature)).toBe(false);
    expect(isSignedSha1(rsaPublicKey(Buffer.alloc(256, 0xfe), 65_537n), DATA, signature)).toBe(false);
  });

  describe("SEC-028 Bleichenbacher's forgery of 2006 for e = 3", () => {
    const victim = generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 }).publicKey;
    const digestInfo = Buffer.concat([
      Buffer.from("3021300906052b0e03021a05000414", "hex"),
      createHash("sha1").update(DATA).digest(),
    ]);
    const number = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString("hex")}`);
    const bytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(512, "0"), "hex");

    /** The smallest number whose cube is not below `value`. */
    function cubeRoot(value: bigint): bigint {
      let [low, high] = [0n, 1n << 700n];
      while (low < high) {
        const middle = (low + high) >> 1n;
        if (middle ** 3n < value) low = middle + 1n;
        else high = middle;
      }
      return low;
    }

    /** A signature that decrypts to a block that begins with `prefix`; what follows is garbage. */
    const forge = (prefix: Buffer): Buffer =>
      bytes(cubeRoot(number(Buffer.concat([prefix, Buffer.alloc(256 - prefix.length)]))));

    /** How libraries got it wrong: skip the padding, read the DigestInfo, ignore what follows. */
    function naiveVerify(signature: Buffer): boolean {
      const block = bytes(number(signature) ** 3n % number(modulusOf(victim)));
      let at = 2;
      while (block[at] === 0xff) at++;
      return (
        block[0] === 0 &&
        block[1] === 1 &&
        block[at] === 0 &&
        block.subarray(at + 1, at + 1 + digestInfo.length).equals(digestInfo)
      );
    }

    it.each([0, 1, 8, 20])("SEC-028 with %d bytes of padding deceives a naive verifier and not this one", (length) => {
      const prefix = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(length, 0xff), Buffer.from([0]), digestInfo]);
      const forged = forge(prefix);
      expect(naiveVerify(forged)).toBe(true);
      expect(isSignedSha1(victim, DATA, forged)).toBe(false);
    });

    it("SEC-028 a real signature of a key with e = 3 verifies", () => {
      const honest = generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 });
      expect(isSignedSha1(honest.publicKey, DATA, signSha1Digest(honest.privateKey, sha1(DATA)))).toBe(true);
    });

    it.each<[string, Buffer]>([
      ["an absent NULL parameter", Buffer.from("301f300706052b0e03021a0414", "hex")],
      ["a long-form length", Buffer.from("308121300906052b0e03021a05000414", "hex")],
      ["the algorithm SHA-256", Buffer.from("3021300906096086480165030402010414", "hex")],
    ])("SEC-028 refuses a DigestInfo with %s", (_, prefix) => {
      const encoded = Buffer.concat([prefix, createHash("sha1").update(DATA).digest()]);
      expect(isSignedSha1(publicKey, DATA, privateEncrypt(privateKey, encoded))).toBe(false);
    });
  });
});

describe("modulusOf", () => {
  it("gives the modulus without leading zeros", () => {
    const modulus = Buffer.alloc(256, 0xab);
    expect(modulusOf(rsaPublicKey(modulus, 3n)).equals(modulus)).toBe(true);
  });
});
