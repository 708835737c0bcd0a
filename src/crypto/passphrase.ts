import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";

/** What deriving a key from a passphrase costs (RFC 7914, 2). Memory is 128 · r · 2^log2N bytes. */
export interface ScryptCost {
  readonly log2N: number;
  readonly r: number;
  readonly p: number;
}

/** OWASP's advice for scrypt: 128 MiB, some tenths of a second. */
export const SCRYPT_COST: ScryptCost = { log2N: 17, r: 8, p: 1 };
/** What a stored cost may be at most: whoever can write there must not make us take all memory. */
const MAXIMUM_MEMORY_BYTES = 2 ** 28;
const MAXIMUM_PARALLELISM = 16;

/** Length of a salt. */
export const SALT_BYTES = 16;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = "aes-256-gcm";

/** Whether a cost that was read from outside is one that we are ready to pay. */
export const isAffordable = ({ log2N, r, p }: ScryptCost): boolean =>
  [log2N, r, p].every((number) => Number.isInteger(number) && number >= 1) &&
  p <= MAXIMUM_PARALLELISM &&
  log2N < 32 &&
  memoryOf({ log2N, r, p }) <= MAXIMUM_MEMORY_BYTES;

/** A key of 256 bits from a passphrase (scrypt, RFC 7914), off the event loop. The same salt and cost give the same key. */
export async function deriveKey(passphrase: string, salt: Uint8Array, cost: ScryptCost): Promise<Buffer> {
  const { log2N, r, p } = cost;
  const derive = promisify<string, Uint8Array, number, object, Buffer>(scrypt);
  // Node counts a little more than the table.
  return derive(passphrase, salt, KEY_BYTES, { N: 2 ** log2N, r, p, maxmem: 2 * memoryOf(cost) });
}

/** Encrypts with AES-256-GCM: nonce, ciphertext, tag. `context` is not in it, and must be the same again for `decryptWithKey`. */
export function encryptWithKey(key: Uint8Array, plain: Uint8Array, context: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(context);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** What `encryptWithKey` was given; `undefined` if it was another key or context, or a bit has changed. */
export function decryptWithKey(key: Uint8Array, box: Uint8Array, context: Uint8Array): Buffer | undefined {
  if (box.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const end = box.length - TAG_BYTES;
  const decipher = createDecipheriv(ALGORITHM, key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(context)
    .setAuthTag(box.subarray(end));
  try {
    return Buffer.concat([decipher.update(box.subarray(NONCE_BYTES, end)), decipher.final()]);
  } catch {
    return undefined;
  }
}

const memoryOf = ({ log2N, r }: ScryptCost): number => 128 * r * 2 ** log2N;
