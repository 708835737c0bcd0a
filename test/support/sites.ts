import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Certificate } from "../../src/crypto/certificate.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { selfSignedCertificate } from "../../src/keys/self-signed-certificate.ts";

/** A made-up site with a key. */
export interface Site {
  readonly wwwroot: string;
  readonly key: KeyPair;
  readonly certificate: Certificate;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const VALIDITY = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2027-01-01T00:00:00Z") };

/** Makes a site. Its key has 1024 bits unless told, because private operations with it cost a fifth. */
export function makeSite(wwwroot: string, options: { bits?: number; publicExponent?: number } = {}): Site {
  const { bits = 1024, publicExponent = 65_537 } = options;
  const keys = generateKeyPairSync("rsa", { modulusLength: bits, publicExponent });
  const key = KeyPair.parse({
    certificate: selfSignedCertificate(keys, { wwwroot, name: "Test site", ...VALIDITY }),
    privateKey: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  });
  return { wwwroot, key, certificate: key.certificate, ...keys };
}

let signer: KeyObject | undefined;

/**
 * A certificate for any public key, of which nobody needs the private half: the signature on it is another key's, and
 * nobody checks that.
 */
export function certificatePemFor(publicKey: KeyObject, wwwroot: string, validity = VALIDITY): string {
  signer ??= generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
  return selfSignedCertificate({ privateKey: signer, publicKey }, { wwwroot, name: "Test site", ...validity });
}

/** An RSA public key of given numbers, however bad. */
export function rsaPublicKey(modulus: Buffer, exponent: bigint): KeyObject {
  const hex = exponent.toString(16);
  const e = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex").toString("base64url");
  return createPublicKey({ key: { kty: "RSA", n: modulus.toString("base64url"), e }, format: "jwk" });
}
