import { createPrivateKey, createPublicKey } from "node:crypto";
import type { Wwwroot } from "../../src/core/ids.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { selfSignedCertificate } from "../../src/keys/self-signed-certificate.ts";
import { recordedPems } from "./fixtures.ts";
import type { KeyedSite } from "./hosts.ts";

const privateKeys = Object.values(recordedPems("moodle-4.5")).map(({ privateKey }) => privateKey);

/** A site with the `n`th of a dozen keys, and a certificate of which anything can be said. */
export function rekeyed(
  wwwroot: string,
  n: number,
  validity: { readonly notBefore?: string; readonly notAfter?: string } = {},
): KeyedSite {
  const { notBefore = "2025-12-02T00:00:00Z", notAfter = "2027-01-02T00:00:00Z" } = validity;
  const privateKeyPem = privateKeys[n]!;
  const privateKey = createPrivateKey(privateKeyPem);
  const certificate = selfSignedCertificate(
    { privateKey, publicKey: createPublicKey(privateKey) },
    { wwwroot, name: "Test site", notBefore: new Date(notBefore), notAfter: new Date(notAfter) },
  );
  const key = KeyPair.parse({ certificate, privateKey: privateKeyPem });
  return { wwwroot: wwwroot as Wwwroot, key, certificate: key.certificate, privateKeyPem };
}
