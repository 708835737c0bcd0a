import { X509Certificate, type KeyObject } from "node:crypto";
import { inspect } from "node:util";
import { decodeBase64 } from "../core/base64.ts";
import { KeyError } from "../core/errors.ts";
import type { Fingerprint } from "../core/ids.ts";
import { modulusOf } from "./rsa.ts";
import { subjectNames, type SubjectNames } from "./subject-names.ts";

/** Peers compare the common name with this much of the wwwroot (spec 2.6). */
export const COMMON_NAME_LENGTH = 64;

const MINIMUM_BITS = 2048;
/** A larger key would make every verification expensive for us (SEC-047). */
const MAXIMUM_BITS = 8192;
/** So would a larger exponent: a random one of 2048 bits costs 70 times the usual 65537. */
const MAXIMUM_EXPONENT = 0xffff_ffffn;
/** No certificate of a real site comes near it. */
const MAXIMUM_PEM_LENGTH = 64 * 1024;

/** What `Certificate.parse` checks beyond the form. */
export interface CertificateOptions {
  /** Also check that the certificate belongs to this site (spec 2.6, "check on store"). */
  readonly wwwroot?: string | undefined;
  /** Smallest RSA modulus. Default 2048; 1024 for old installations (SEC-047). */
  readonly minimumBits?: 1024 | 2048 | undefined;
}

/**
 * A site's public key in its container, the self-signed X.509 certificate (spec 2.1).
 *
 * Chain, self-signature and key usage mean nothing in MNet and are not checked; validity is known but decides nothing
 * here (MNET-018).
 */
export class Certificate {
  /** Canonical PEM: lines of 64 characters, LF, one LF at the end (spec 2.2). */
  readonly pem: string;
  /** Lower-case hex SHA-256 of the DER form. */
  readonly fingerprint: Fingerprint;
  /** Start of validity. */
  readonly notBefore: Date;
  /** End of validity. */
  readonly notAfter: Date;
  /** Size of the RSA modulus. */
  readonly modulusBits: number;
  /** @internal Parsed once; parsing per call would cost several times the operation. */
  readonly publicKey: KeyObject;
  readonly #subject: SubjectNames;

  private constructor({ certificate, publicKey, subject }: ParsedCertificate, modulusBits: number) {
    this.#subject = subject;
    this.pem = canonicalPem(certificate.raw);
    this.fingerprint = certificate.fingerprint256.replaceAll(":", "").toLowerCase() as Fingerprint;
    this.notBefore = new Date(certificate.validFrom);
    this.notAfter = new Date(certificate.validTo);
    this.modulusBits = modulusBits;
    this.publicKey = publicKey;
  }

  /**
   * Reads one PEM certificate with lines of any width (MNET-014).
   *
   * Throws `KeyError`: `MNET_KEY_CERTIFICATE_INVALID` if it is not exactly one X.509 certificate with an RSA key,
   * `MNET_KEY_WEAK` if the key is too small, too large or no key that works, `MNET_KEY_NOT_FOR_WWWROOT` if
   * `options.wwwroot` is given and the certificate is another site's.
   */
  static parse(pem: string, options: CertificateOptions = {}): Certificate {
    const der = derOf(pem);
    const parsed = parseX509(der);
    if (parsed?.certificate.raw.length !== der.length) throw invalid("it cannot be read as X.509");
    const { publicKey } = parsed;
    if (publicKey.asymmetricKeyType !== "rsa") throw invalid("its key is not RSA");

    const { modulusLength = 0, publicExponent = 0n } = publicKey.asymmetricKeyDetails ?? {};
    const minimumBits = options.minimumBits ?? MINIMUM_BITS;
    if (modulusLength < minimumBits || modulusLength > MAXIMUM_BITS) {
      throw new KeyError(
        "MNET_KEY_WEAK",
        `The certificate's RSA key has ${modulusLength} bits; ${minimumBits} to ${MAXIMUM_BITS} are accepted.`,
      );
    }
    if (publicExponent < 3n || publicExponent > MAXIMUM_EXPONENT || publicExponent % 2n === 0n) {
      throw new KeyError(
        "MNET_KEY_WEAK",
        "The certificate's RSA key has a public exponent that is even, below 3 or above 32 bits.",
      );
    }
    // Nothing can be encrypted under an even modulus; the attempt would fail when we answer.
    if (modulusOf(publicKey).at(-1)! % 2 === 0) {
      throw new KeyError("MNET_KEY_WEAK", "The certificate's RSA key has an even modulus.");
    }

    const result = new Certificate(parsed, modulusLength);
    if (Number.isNaN(result.notBefore.getTime() + result.notAfter.getTime())) {
      throw invalid("its validity cannot be read");
    }
    if (options.wwwroot !== undefined) result.requireFor(options.wwwroot);
    return result;
  }

  /**
   * @internal Throws `MNET_KEY_NOT_FOR_WWWROOT` unless the subject names exactly this site: `subjectAltName` equal to
   * the wwwroot where there is one, and the common name equal to its first 64 characters in every case (SEC-046).
   */
  requireFor(wwwroot: string): void {
    const [alternativeName, ...furtherAlternatives] = this.#subject.alternativeNames;
    const [commonName, ...furtherNames] = this.#subject.commonNames;
    if (furtherAlternatives.length > 0 || furtherNames.length > 0) {
      throw notFor(wwwroot, "its subject names several sites");
    }
    if (alternativeName !== undefined && alternativeName !== wwwroot) {
      throw notFor(wwwroot, `its subjectAltName is ${quote(alternativeName)}`);
    }
    const expected = wwwroot.slice(0, COMMON_NAME_LENGTH);
    // Moodle cuts to 64 characters first and drops a trailing slash of what is left.
    if (commonName !== expected && commonName !== expected.replace(/\/$/, "")) {
      throw notFor(wwwroot, `its common name is ${commonName === undefined ? "missing" : quote(commonName)}`);
    }
  }

  /** @internal The site that the subject names, whole where it has the attribute for that. */
  get site(): string | undefined {
    return this.#subject.alternativeNames[0] ?? this.#subject.commonNames[0];
  }

  /** @internal */
  [inspect.custom](): string {
    return `Certificate(${this.fingerprint})`;
  }
}

/** The canonical text of a DER certificate, which the OpenSSL command line writes too (spec 2.2, MNET-013). */
export function canonicalPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";

function derOf(pem: string): Buffer {
  if (pem.length > MAXIMUM_PEM_LENGTH) throw invalid("it is too long");
  const begin = pem.indexOf(BEGIN);
  const end = pem.indexOf(END, begin + BEGIN.length);
  if (begin < 0 || end < 0) throw invalid("it is not in PEM form");
  if (pem.includes(BEGIN, end)) throw invalid("there is more than one");
  const der = decodeBase64(pem.slice(begin + BEGIN.length, end));
  if (!der) throw invalid("its base64 is damaged");
  return der;
}

interface ParsedCertificate {
  readonly certificate: X509Certificate;
  readonly publicKey: KeyObject;
  readonly subject: SubjectNames;
}

function parseX509(der: Buffer): ParsedCertificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    const subject = subjectNames(certificate.raw);
    return subject && { certificate, publicKey: certificate.publicKey, subject };
  } catch {
    return undefined;
  }
}

const invalid = (reason: string): KeyError =>
  new KeyError("MNET_KEY_CERTIFICATE_INVALID", `The certificate is not usable: ${reason}.`);

const notFor = (wwwroot: string, reason: string): KeyError =>
  new KeyError("MNET_KEY_NOT_FOR_WWWROOT", `The certificate is not that of ${quote(wwwroot)}: ${reason}.`);

/** Names come from outside; a message must stay one readable line. */
const quote = (name: string): string => JSON.stringify(name.slice(0, 255));
