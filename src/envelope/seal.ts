import { ConfigError } from "../core/errors.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { workHere, type PrivateWork } from "../crypto/private-operation.ts";
import { encryptInPlace } from "./encrypted-message.ts";
import { signingMessage } from "./signed-message.ts";

/** Who sends to whom. */
export interface SealOptions {
  /** Our wwwroot: printable ASCII. */
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
 * Throws `ConfigError` `MNET_CONFIG_INVALID` with `option` if no receiver could read what `sender` or `timestamp` says.
 *
 * @example
 * ```ts
 * const body = await seal(encodeCall("system/listServices", []), { sender: "https://lms.example.edu", key, recipient });
 * ```
 */
export async function seal(document: Uint8Array, options: SealOptions): Promise<Uint8Array> {
  return workHere(sealingMessage(document, options));
}

/** The same, wherever the private operation is done. */
export function* sealingMessage(document: Uint8Array, options: SealOptions): PrivateWork<Uint8Array> {
  const { sender, key, recipient, timestamp = new Date(), random } = options;
  // An envelope is Latin-1 on the wire: of other characters a part would be left, which may be markup (SEC-023).
  if (!/^[!-~]+$/.test(sender)) {
    throw new ConfigError("MNET_CONFIG_INVALID", "The sender must be printable ASCII without spaces.", {
      option: "sender",
    });
  }
  if (!(timestamp.getTime() >= 0)) {
    throw new ConfigError("MNET_CONFIG_INVALID", "The timestamp must be a time since 1970.", { option: "timestamp" });
  }
  const signed = yield* signingMessage(document, { sender, key, timestamp });
  return encryptInPlace(signed, { sender, recipient, random });
}
