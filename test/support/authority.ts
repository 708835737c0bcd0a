import { createPublicKey, createPrivateKey } from "node:crypto";
import forge from "node-forge";
import { recordedPems } from "./fixtures.ts";

/** A certificate with its key, as `node:tls` takes them. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** Issues certificates for web servers. */
export interface Authority {
  readonly pem: string;
  /** For host names and IP addresses. `validForDays` may be negative: expired. */
  issue(names: readonly string[], validForDays?: number): TlsIdentity;
}

// The recorded sites' keys, because making keys is slow.
const keys = Object.values(recordedPems("moodle-4.5")).map(({ privateKey }) => privateKey);
let serial = 1;

/** A certificate authority of its own. `n` chooses its key. */
export function authority(name: string, n = 0): Authority {
  const key = forge.pki.privateKeyFromPem(pkcs1(keys[n]!));
  const subject = [{ name: "commonName", value: name }];
  const own = certificate(keys[n]!, subject, subject, 30, [
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
  ]);
  own.sign(key, forge.md.sha256.create());
  return {
    pem: forge.pki.certificateToPem(own),
    issue(names, validForDays = 30) {
      const leafKey = keys[n + 1]!;
      const altNames = names.map((of) => (/^[0-9.]+$/.test(of) ? { type: 7, ip: of } : { type: 2, value: of }));
      const leaf = certificate(leafKey, [{ name: "commonName", value: names[0] }], subject, validForDays, [
        { name: "subjectAltName", altNames },
      ]);
      leaf.sign(key, forge.md.sha256.create());
      return { cert: forge.pki.certificateToPem(leaf), key: leafKey };
    },
  };
}

const pkcs1 = (pem: string): string => createPrivateKey(pem).export({ type: "pkcs1", format: "pem" }).toString();

function certificate(
  key: string,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  validForDays: number,
  extensions: object[],
): forge.pki.Certificate {
  const made = forge.pki.createCertificate();
  const publicPem = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  made.publicKey = forge.pki.publicKeyFromPem(publicPem);
  made.serialNumber = (serial++).toString(16).padStart(2, "0");
  made.validity.notBefore = new Date(Date.now() - 60 * 86_400_000);
  made.validity.notAfter = new Date(Date.now() + validForDays * 86_400_000);
  made.setSubject(subject);
  made.setIssuer(issuer);
  made.setExtensions(extensions);
  return made;
}
