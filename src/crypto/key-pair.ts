import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { inspect } from "node:util";
import { KeyError } from "../core/errors.ts";
import { Certificate } from "./certificate.ts";
import { modulusOf, sha1, signSha256, substituteFor, unpad, unwrapKeyOaep, type RsaScheme } from "./rsa.ts";
import { workHere, type Work } from "./work.ts";

/** Length of MNet's session keys (MNET-041, MNET-049). */
export const SESSION_KEY_LENGTH = 16;

/** A private key and its certificate. Holds a `KeyObject`; nothing prints it. */
export class KeyPair {
  /** The public half. */
  readonly certificate: Certificate;
  readonly #privateKey: KeyObject;
  readonly #modulus: Buffer;
  readonly #rejectionSecret: Buffer;

  private constructor(certificate: Certificate, privateKey: KeyObject) {
    this.certificate = certificate;
    this.#privateKey = privateKey;
    this.#modulus = modulusOf(certificate.publicKey);
    this.#rejectionSecret = createHash("sha256")
      .update("mnet implicit rejection")
      .update(privateKey.export({ format: "der", type: "pkcs8" }))
      .digest();
  }

  /**
   * Reads a certificate and its private key, both PEM; the key in PKCS#8 or PKCS#1, not encrypted.
   *
   * Throws `KeyError` `MNET_KEY_CERTIFICATE_INVALID` if one of them cannot be read or they do not belong together,
   * `MNET_KEY_WEAK` below 1024 bits.
   */
  static parse(pem: { readonly certificate: string; readonly privateKey: string }): KeyPair {
    // Our own key may be an old one that was taken over from a Moodle; what is generated here has 2048 bits at least.
    const certificate = Certificate.parse(pem.certificate, { minimumBits: 1024 });
    const privateKey = readPrivateKey(pem.privateKey);
    if (privateKey?.asymmetricKeyType !== "rsa") {
      throw new KeyError("MNET_KEY_CERTIFICATE_INVALID", "The private key is not a readable RSA key.");
    }
    if (!createPublicKey(privateKey).equals(certificate.publicKey)) {
      throw new KeyError("MNET_KEY_CERTIFICATE_INVALID", "The private key does not belong to the certificate.");
    }
    return new KeyPair(certificate, privateKey);
  }

  /** @internal Signs with RSA-SHA1. */
  sign(data: Uint8Array): Uint8Array {
    return workHere(this.signing(sha1(data)));
  }

  /** @internal The same of a SHA-1 digest, wherever the private operation is done. */
  *signing(digest: Uint8Array): Work<Uint8Array> {
    return (yield { kind: "sign", key: this.#privateKey, data: digest }) as Uint8Array;
  }

  /** @internal Signs with SHA-256, for the secure profile. */
  signSha256(data: Uint8Array, scheme: RsaScheme): Buffer {
    return signSha256(this.#privateKey, data, scheme);
  }

  /** @internal What was wrapped with RSA-OAEP, for the secure profile; `undefined` whatever is wrong. */
  unwrapOaep(wrapped: Uint8Array): Buffer | undefined {
    return this.fits(wrapped) ? unwrapKeyOaep(this.#privateKey, wrapped) : undefined;
  }

  /** @internal Whether this key could have wrapped it at all: exactly the modulus' length, and smaller than it (SEC-007). */
  fits(wrapped: Uint8Array): boolean {
    return wrapped.length === this.#modulus.length && this.#modulus.compare(wrapped) > 0;
  }

  /**
   * @internal Unwraps a session key. Always gives 16 bytes: those that were wrapped, or, whatever is wrong, pseudo-random
   * ones, so that only the plaintext can tell (SEC-001, SEC-005, SEC-008). The caller has asked `fits`.
   */
  unwrapSessionKey(wrapped: Uint8Array): Buffer {
    return workHere(this.unwrapping(wrapped));
  }

  /** @internal The same, wherever the private operation is done. */
  *unwrapping(wrapped: Uint8Array): Work<Buffer> {
    const substitute = substituteFor(this.#rejectionSecret, wrapped).subarray(0, SESSION_KEY_LENGTH);
    const block = (yield { kind: "decrypt", key: this.#privateKey, data: wrapped }) as Uint8Array;
    const message = unpad(block, substitute);
    // A copy: the rest of the block would be kept alive with it.
    return Buffer.from(message.length === SESSION_KEY_LENGTH ? message : substitute);
  }

  /** @internal */
  toJSON(): object {
    return { certificate: this.certificate.pem };
  }

  /** @internal */
  [inspect.custom](): string {
    return `KeyPair(${this.certificate.fingerprint})`;
  }
}

function readPrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
