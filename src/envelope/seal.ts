import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { encryptMessage } from "./encrypted-message.ts";
import { signMessage } from "./signed-message.ts";

/** Who sends to whom. */
export interface SealOptions {
  /** Our wwwroot. */
  readonly sender: string;
  /** Our key. */
  readonly key: KeyPair;
  /** The certificate that we hold for the receiver. */
  readonly recipient: Certificate;
  /** Default: now. */
  readonly timestamp?: Date | undefined;
  /** @internal Default: the platform's generator. */
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
}

/**
 * Signs and encrypts a document for one recipient.
 *
 * @example
 * ```ts
 * const body = await seal(encodeCall("system/listServices", []), { sender: "https://lms.example.edu", key, recipient });
 * ```
 */
export async function seal(document: Uint8Array, options: SealOptions): Promise<Uint8Array> {
  const { sender, key, recipient, timestamp = new Date(), random } = options;
  return encryptMessage(signMessage(document, { sender, key, timestamp }), { sender, recipient, random });
}
