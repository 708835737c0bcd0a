import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import type { Fingerprint } from "../../src/core/ids.ts";
import { Secret } from "../../src/core/secret.ts";
import { isAffordable, SCRYPT_COST, type ScryptCost } from "../../src/crypto/passphrase.ts";
import type { KeyWrapper } from "../../src/keys/key-wrapper.ts";
import { KeyWrapping, type WrappingOptions } from "../../src/keys/key-wrapping.ts";
import { codeOf, errorOf } from "../support/code-of.ts";

const PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n";
const FINGERPRINT = "ab".repeat(32) as Fingerprint;
const OTHER = "cd".repeat(32) as Fingerprint;
/** A thousandth of what is usual. */
const CHEAP: ScryptCost = { log2N: 7, r: 8, p: 1 };
const ONE = new Secret("correct horse battery staple");
const TWO = new Secret("another passphrase");

const wrapping = (options: WrappingOptions): KeyWrapping => new KeyWrapping(options, { cost: CHEAP });

/** A KMS: adds its name in front, and takes away no other. */
function fakeKms(name: string): KeyWrapper & { calls: number; failure?: Error } {
  const kms: KeyWrapper & { calls: number; failure?: Error } = {
    calls: 0,
    async wrap(plain) {
      kms.calls += 1;
      if (kms.failure) throw kms.failure;
      return Buffer.concat([Buffer.from(name), plain.map((byte) => byte ^ 255)]);
    },
    async unwrap(wrapped) {
      kms.calls += 1;
      if (kms.failure) throw kms.failure;
      const bytes = Buffer.from(wrapped);
      if (bytes.subarray(0, name.length).toString() !== name) throw new Error("InvalidCiphertextException");
      return bytes.subarray(name.length).map((byte) => byte ^ 255);
    },
  };
  return kms;
}

describe("SEC-051 private keys in the store", () => {
  it("SEC-051 are PEM without a wrapper", async () => {
    const none = wrapping({});
    const stored = await none.wrap(PEM, FINGERPRINT);
    expect(Buffer.from(stored).toString()).toBe(PEM);
    expect(await none.unwrap(stored, FINGERPRINT)).toEqual({ privateKey: PEM, isUpToDate: true });
  });

  it("SEC-051 are encrypted with a passphrase, each time differently, and come back", async () => {
    const here = wrapping({ encryptWith: ONE });
    const [first, second] = [await here.wrap(PEM, FINGERPRINT), await here.wrap(PEM, FINGERPRINT)];
    expect(Buffer.from(first).equals(second)).toBe(false);
    for (const stored of [first, second]) {
      expect(Buffer.from(stored).toString("latin1")).not.toContain("PRIVATE");
      expect(Buffer.from(stored).toString("latin1")).not.toContain("MIIEvQ");
      // In another process.
      const there = wrapping({ encryptWith: new Secret(ONE.reveal()) });
      expect(await there.unwrap(stored, FINGERPRINT)).toEqual({ privateKey: PEM, isUpToDate: true });
    }
  });

  it("SEC-051 cost what OWASP advises, and a store cannot ask for more memory than there is", async () => {
    expect(SCRYPT_COST).toEqual({ log2N: 17, r: 8, p: 1 });
    expect(isAffordable(SCRYPT_COST)).toBe(true);
    for (const cost of [{ log2N: 22 }, { r: 255 }, { p: 200 }, { log2N: 0 }, { r: 0 }, { log2N: 255 }]) {
      expect(isAffordable({ ...SCRYPT_COST, ...cost }), JSON.stringify(cost)).toBe(false);
    }
    const stored = Buffer.from(await wrapping({ encryptWith: ONE }).wrap(PEM, FINGERPRINT));
    stored[10] = 31;
    expect(await codeOf(() => wrapping({ encryptWith: ONE }).unwrap(stored, FINGERPRINT))).toBe("MNET_STORE_KEY_WRONG");
  });

  it.each<[why: string, given: WrappingOptions, fingerprint: Fingerprint]>([
    ["another passphrase", { encryptWith: TWO }, FINGERPRINT],
    ["none", {}, FINGERPRINT],
    ["a KMS", { encryptWith: fakeKms("kms") }, FINGERPRINT],
    ["the passphrase, but as another key", { encryptWith: ONE }, OTHER],
  ])("SEC-051 are not read with %s", async (_, given, fingerprint) => {
    const stored = await wrapping({ encryptWith: ONE }).wrap(PEM, FINGERPRINT);
    const error = await errorOf(() => wrapping(given).unwrap(stored, fingerprint));
    expect(error).toMatchObject({ code: "MNET_STORE_KEY_WRONG" });
    expect(String(error)).not.toContain(ONE.reveal());
  });

  it("SEC-051 are refused with any bit changed, or cut", async () => {
    const here = wrapping({ encryptWith: ONE });
    const stored = Buffer.from(await here.wrap(PEM, FINGERPRINT));
    await fc.assert(
      fc.asyncProperty(fc.nat(stored.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const changed = Buffer.from(stored);
        changed[at]! ^= mask;
        // A key that is no longer marked as encrypted is for the parser of keys to refuse.
        const result = await here.unwrap(changed, FINGERPRINT).catch((error: unknown) => error);
        if (at < 8) expect(result).toMatchObject({ isUpToDate: false });
        else expect(result).toBeInstanceOf(StoreError);
      }),
      // Each changed salt costs a derivation.
      { numRuns: 300 },
    );
    for (let length = 10; length < stored.length; length += 7) {
      const error = await errorOf(() => here.unwrap(stored.subarray(0, length), FINGERPRINT));
      expect(error).toMatchObject({ code: "MNET_STORE_KEY_WRONG" });
    }
  });

  it("SEC-051 of a newer format are not touched", async () => {
    const stored = Buffer.from(await wrapping({ encryptWith: ONE }).wrap(PEM, FINGERPRINT));
    stored[8] = 2;
    expect(await codeOf(() => wrapping({ encryptWith: ONE }).unwrap(stored, FINGERPRINT))).toBe("MNET_STORE_TOO_NEW");
  });

  it("SEC-051 can be read with an old passphrase beside the new one, and are known to be old", async () => {
    const stored = await wrapping({ encryptWith: ONE }).wrap(PEM, FINGERPRINT);
    const both = wrapping({ encryptWith: TWO, decryptAlsoWith: [ONE] });
    expect(await both.unwrap(stored, FINGERPRINT)).toEqual({ privateKey: PEM, isUpToDate: false });
    const anew = await both.wrap(PEM, FINGERPRINT);
    expect(await both.unwrap(anew, FINGERPRINT)).toEqual({ privateKey: PEM, isUpToDate: true });
    expect(await wrapping({ encryptWith: TWO }).unwrap(anew, FINGERPRINT)).toMatchObject({ privateKey: PEM });
    // A process that knows what comes, and does not use it yet.
    const ready = wrapping({ decryptAlsoWith: [TWO] });
    expect(await ready.unwrap(anew, FINGERPRINT)).toEqual({ privateKey: PEM, isUpToDate: false });
    expect(await ready.unwrap(Buffer.from(PEM), FINGERPRINT)).toEqual({ privateKey: PEM, isUpToDate: true });
  });

  it("SEC-051 plain ones are known to be so where there is a passphrase", async () => {
    const found = await wrapping({ encryptWith: ONE }).unwrap(Buffer.from(PEM), FINGERPRINT);
    expect(found).toEqual({ privateKey: PEM, isUpToDate: false });
  });

  it.each(["", "short", "elevenchars"])("SEC-051 are not encrypted with the passphrase %j", async (text) => {
    expect(await errorOf(() => wrapping({ encryptWith: new Secret(text) }))).toMatchObject({
      code: "MNET_CONFIG_INVALID",
      option: "keys.encryptWith",
    });
    expect(await errorOf(() => wrapping({ decryptAlsoWith: [ONE, new Secret(text)] }))).toMatchObject({
      option: "keys.decryptAlsoWith.1",
    });
  });
});

describe("SEC-051 a KMS", () => {
  it("SEC-051 is asked for each key, and its older one too", async () => {
    const [old, kms] = [fakeKms("old:"), fakeKms("kms:")];
    const stored = await wrapping({ encryptWith: old }).wrap(PEM, FINGERPRINT);
    const both = wrapping({ encryptWith: kms, decryptAlsoWith: [old, ONE] });
    expect(await both.unwrap(stored, FINGERPRINT)).toEqual({ privateKey: PEM, isUpToDate: false });
    const anew = await both.wrap(PEM, FINGERPRINT);
    expect(await both.unwrap(anew, FINGERPRINT)).toEqual({ privateKey: PEM, isUpToDate: true });
    expect(await errorOf(() => wrapping({ encryptWith: old }).unwrap(anew, FINGERPRINT))).toMatchObject({
      code: "MNET_STORE_KEY_WRONG",
      cause: expect.objectContaining({ message: "InvalidCiphertextException" }),
    });
  });

  it("SEC-051 that gives something else than a key is not believed", async () => {
    const kms: KeyWrapper = { wrap: async () => Buffer.from("x"), unwrap: async () => Buffer.from("a guess") };
    const here = wrapping({ encryptWith: kms });
    const stored = await here.wrap(PEM, FINGERPRINT);
    expect(await codeOf(() => here.unwrap(stored, FINGERPRINT))).toBe("MNET_STORE_KEY_WRONG");
  });

  it("SEC-051 that is away is told from one with another key", async () => {
    const kms = fakeKms("kms:");
    const here = wrapping({ encryptWith: kms });
    const stored = await here.wrap(PEM, FINGERPRINT);
    kms.failure = new StoreError("MNET_STORE_UNAVAILABLE", "The KMS is away.", { retryable: true });
    expect(await errorOf(() => here.unwrap(stored, FINGERPRINT))).toBe(kms.failure);
    expect(await errorOf(() => here.wrap(PEM, FINGERPRINT))).toBe(kms.failure);
    kms.failure = new Error("socket hang up");
    expect(await codeOf(() => here.unwrap(stored, FINGERPRINT))).toBe("MNET_STORE_KEY_WRONG");
    expect(await codeOf(() => here.wrap(PEM, FINGERPRINT))).toBe("MNET_STORE_UNAVAILABLE");
  });
});
