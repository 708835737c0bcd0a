import {
  constants,
  hash,
  privateDecrypt,
  privateEncrypt,
  publicEncrypt,
  sign,
  verify,
  type KeyObject,
  type SigningOptions,
} from "node:crypto";

/** The DigestInfo of a SHA-1 digest, up to the digest (RFC 8017, 9.2, note 1). */
const SHA1_DIGEST_INFO = Buffer.from("3021300906052b0e03021a05000414", "hex");

/** SHA-1, once for the signature and for what the envelope says of it. */
export function sha1(data: Uint8Array): Buffer {
  return hash("sha1", data, "buffer");
}

/** RSASSA-PKCS1-v1_5 with SHA-1, the only signature that real peers make and take (spec 3.2, MNET-026). */
export function signSha1Digest(privateKey: KeyObject, digest: Uint8Array): Buffer {
  const key = { key: privateKey, padding: constants.RSA_PKCS1_PADDING };
  return privateEncrypt(key, Buffer.concat([SHA1_DIGEST_INFO, digest]));
}

/**
 * Whether the signature is right. Only the platform's plain `true` counts: errors and anything else are failures
 * (SEC-025), and the platform alone reads the signature's encoding (SEC-028).
 */
export function isSignedSha1(publicKey: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  try {
    return (verify("sha1", data, publicKey, signature) as unknown) === true;
  } catch {
    return false;
  }
}

/** How the secure profile signs with RSA: RSASSA-PKCS1-v1_5 or RSASSA-PSS with a salt of 32 bytes (RFC 8017, 8), SHA-256. */
export type RsaScheme = "pkcs1" | "pss";

const signingOptions = (scheme: RsaScheme): SigningOptions =>
  scheme === "pss"
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { padding: constants.RSA_PKCS1_PADDING };

/** Signs with SHA-256. */
export function signSha256(privateKey: KeyObject, data: Uint8Array, scheme: RsaScheme): Buffer {
  return sign("sha256", data, { key: privateKey, ...signingOptions(scheme) });
}

/** Whether the signature is right; as strict as `isSignedSha1` (SEC-025, SEC-028). */
export function isSignedSha256(
  publicKey: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
  scheme: RsaScheme,
): boolean {
  try {
    return (verify("sha256", data, { key: publicKey, ...signingOptions(scheme) }, signature) as unknown) === true;
  } catch {
    return false;
  }
}

const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" } as const;

/** RSAES-OAEP with SHA-256, for the mask as well, and no label (RFC 8017, 7.1). */
export function wrapKeyOaep(publicKey: KeyObject, sessionKey: Uint8Array): Buffer {
  return publicEncrypt({ key: publicKey, ...OAEP }, sessionKey);
}

/** The other way; `undefined` whatever is wrong. OpenSSL decides that in constant time (Manger's attack). */
export function unwrapKeyOaep(privateKey: KeyObject, wrapped: Uint8Array): Buffer | undefined {
  try {
    return privateDecrypt({ key: privateKey, ...OAEP }, wrapped);
  } catch {
    return undefined;
  }
}

/** The modulus of an RSA key, big-endian without leading zeros. */
export function modulusOf(publicKey: KeyObject): Buffer {
  return Buffer.from(publicKey.export({ format: "jwk" }).n ?? "", "base64url");
}

/** RSAES-PKCS1-v1_5 of a session key under the receiver's key (spec 4.2, MNET-042). */
export function wrapKey(publicKey: KeyObject, sessionKey: Uint8Array): Buffer {
  return publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, sessionKey);
}

/**
 * The raw private operation. Node versions differ in what they do with `RSA_PKCS1_PADDING` (SEC-002), so the padding
 * is removed here, by `unpad`.
 *
 * @param wrapped as long as the modulus and smaller than it (SEC-007).
 */
export function decryptRaw(privateKey: KeyObject, wrapped: Uint8Array): Buffer {
  return privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, wrapped);
}

/**
 * What a bad padding yields instead, for one ciphertext ("implicit rejection", draft-irtf-cfrg-rsa-guidance 7): 32 bytes
 * that depend on the ciphertext and a secret of the key only, so that a wrong key and a wrong padding look the same from
 * here on, and asking twice tells nothing (SEC-001).
 *
 * The draft draws a length as well, for messages of any length. Ours have one: whoever wants fewer bytes takes the first.
 */
export function substituteFor(rejectionSecret: Uint8Array, wrapped: Uint8Array): Buffer {
  return hash("sha256", Buffer.concat([rejectionSecret, wrapped]), "buffer");
}

/** 00 02, eight bytes of padding at least, 00. */
const LEAST_OVERHEAD = 11;

/**
 * Removes the padding 00 02 … 00 of RSAES-PKCS1-v1_5 (RFC 8017, 7.2.2) from a decrypted block, or takes the
 * substitute, without saying which. Does the same work either way; what the JavaScript engine makes of it cannot be
 * promised (SEC-004).
 *
 * @param substitute shorter than the block by 11 bytes at least, as any message is.
 * @returns a message of any length up to that of the block less 11.
 */
export function unpad(block: Uint8Array, substitute: Uint8Array): Buffer {
  const size = block.length;
  let separator = 0;
  for (let n = size - 1; n >= 2; n--) separator = choose(isZero(block[n]!), n, separator);
  const isRight = isZero(block[0]!) & isZero(block[1]! ^ 2) & isLess(LEAST_OVERHEAD - 2, separator);

  const chosen = Buffer.from(block);
  const end = size - substitute.length;
  for (let n = 0; n < substitute.length; n++) chosen[end + n] = choose(isRight, block[end + n]!, substitute[n]!);
  return chosen.subarray(choose(isRight, separator + 1, end));
}

// 1 or 0 for integers from 0 to 2³¹ − 1, without a branch.
const isZero = (value: number): number => (value - 1) >>> 31;
const isLess = (a: number, b: number): number => (a - b) >>> 31;
const choose = (condition: number, yes: number, no: number): number => (yes & -condition) | (no & (condition - 1));
