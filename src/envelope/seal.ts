import { ConfigError } from "../core/errors.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { inBulk, isLarge, workHere, type Work } from "../crypto/work.ts";
import { freshKey, writeEncrypted, type Encryption } from "./encrypted-message.ts";
import { signing, writeSigned, type Signature } from "./signed-message.ts";

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

/** The same, wherever its steps are done. Without a recipient it is signed only, as for a machine that is trusted. */
export function* sealingMessage(
  document: Uint8Array,
  options: Omit<SealOptions, "recipient"> & { readonly recipient: Certificate | undefined },
): Work<Uint8Array> {
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
  const signature = yield* signing(document, { sender, key, timestamp });
  const encryption = recipient && freshKey({ sender, recipient, random });
  return isLarge(document)
    ? yield* inBulk(writeEnvelope, document, signature, encryption)
    : writeEnvelope(document, signature, encryption);
}

/** Writes a document that has been signed, in one envelope or in two. */
export function writeEnvelope(document: Uint8Array, signature: Signature, encryption: Encryption | undefined): Buffer {
  const signed = writeSigned(document, signature);
  return encryption ? writeEncrypted(signed, encryption) : signed;
}
