import { createCipheriv, createDecipheriv } from "node:crypto";

/** AES-256. */
export const AES_KEY_LENGTH = 32;
/** The initialisation vector of AES-GCM in XML encryption (XMLENC 1.1, 5.2.4). */
export const GCM_IV_LENGTH = 12;
const TAG_LENGTH = 16;
const CIPHER = "aes-256-gcm";

/**
 * AES-256-GCM in the form of XML encryption: initialisation vector, ciphertext, tag of 16 bytes.
 *
 * @param iv 12 bytes, never twice under one key.
 */
export function encryptGcm(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_LENGTH });
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** The other way; `undefined` whatever is wrong. Nothing of a plaintext is given out whose tag is wrong. */
export function decryptGcm(key: Uint8Array, data: Uint8Array): Buffer | undefined {
  if (data.length < GCM_IV_LENGTH + TAG_LENGTH) return undefined;
  const decipher = createDecipheriv(CIPHER, key, data.subarray(0, GCM_IV_LENGTH), { authTagLength: TAG_LENGTH });
  decipher.setAuthTag(data.subarray(data.length - TAG_LENGTH));
  const plaintext = decipher.update(data.subarray(GCM_IV_LENGTH, data.length - TAG_LENGTH));
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch {
    return undefined;
  }
}
