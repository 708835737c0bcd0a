import {
  constants,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";

const MODULUS_BITS = 2048;
const SESSION_KEY_LENGTH = 16;

/**
 * The yardstick: the RSA operations of a call as node:crypto does them at its best, with cached `KeyObject`s and nothing
 * around them. One side of a call unwraps a session key and signs (private), verifies and wraps a session key (public).
 */
export class RsaOfCall {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #wrapped: Buffer;
  readonly #document = randomBytes(1024);
  readonly #signature: Buffer;
  readonly #sessionKey = randomBytes(SESSION_KEY_LENGTH);

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: MODULUS_BITS });
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.#wrapped = this.wrap();
    this.#signature = this.sign();
  }

  /** Private. */
  unwrap(): Buffer {
    return privateDecrypt({ key: this.#privateKey, padding: constants.RSA_NO_PADDING }, this.#wrapped);
  }

  /** Private. */
  sign(): Buffer {
    return sign("sha1", this.#document, this.#privateKey);
  }

  /** Public. */
  verify(): boolean {
    return verify("sha1", this.#document, this.#publicKey, this.#signature);
  }

  /** Public. */
  wrap(): Buffer {
    return publicEncrypt({ key: this.#publicKey, padding: constants.RSA_PKCS1_PADDING }, this.#sessionKey);
  }

  /** All that one side of one call needs. */
  oneSide(): void {
    this.unwrap();
    this.verify();
    this.sign();
    this.wrap();
  }
}
