import { generateKeyPair as generateRsaKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { selfSignedCertificate, type CertificateSubject } from "./self-signed-certificate.ts";

/** A key pair in the form in which it is stored. */
export interface GeneratedKeyPair {
  /** Canonical PEM. */
  readonly certificate: string;
  /** PKCS#8 PEM. Secret. */
  readonly privateKey: string;
}

const PUBLIC_EXPONENT = 65_537;

/** Makes an RSA key pair (MNET-009) with its certificate, off the event loop. */
export async function generateKeyPair(
  subject: CertificateSubject & { readonly modulusBits: number },
): Promise<GeneratedKeyPair> {
  const keys = await promisify(generateRsaKeyPair)("rsa", {
    modulusLength: subject.modulusBits,
    publicExponent: PUBLIC_EXPONENT,
  });
  return {
    certificate: selfSignedCertificate(keys, subject),
    privateKey: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
