import { ConfigError } from "../core/errors.ts";
import type { SecureProfileName } from "../core/profile-name.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { encryptEnvelope, newSessionKey } from "./secure-envelope.ts";
import { signBound } from "./secure-message.ts";
import { DEFAULT_SECURE_PROFILE, suiteOf } from "./suite.ts";

/** Who sends what to whom. */
export interface SecureSealOptions {
  /** Default `"secure/1"`. */
  readonly profile?: SecureProfileName | undefined;
  /** Our wwwroot: printable ASCII. */
  readonly sender: string;
  /** Our key. */
  readonly key: KeyPair;
  /** The receiver's wwwroot: printable ASCII. */
  readonly to: string;
  /** The certificate that we hold for the receiver. */
  readonly recipient: Certificate;
  /** Of a response: the id of the request. Absent: it is a request. */
  readonly inReplyTo?: string | undefined;
  /** Default: now. */
  readonly timestamp?: Date | undefined;
  /** @internal Default: the platform's generator. */
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
}

/** A message on its way. */
export interface SealedMessage {
  readonly body: Uint8Array;
  /** What the response must name. */
  readonly messageId: string;
}

/**
 * Signs a document with all that it is bound to, and encrypts it.
 *
 * Throws `ConfigError` `MNET_CONFIG_INVALID` with `option` if no receiver could read what `sender`, `to` or `timestamp`
 * says.
 */
export function sealSecure(document: Uint8Array, options: SecureSealOptions): SealedMessage {
  const { profile = DEFAULT_SECURE_PROFILE, sender, key, to, recipient, inReplyTo, timestamp = new Date() } = options;
  for (const [option, name] of Object.entries({ sender, to })) {
    if (/^[!-~]{1,255}$/.test(name)) continue;
    throw new ConfigError("MNET_CONFIG_INVALID", `${option} must be printable ASCII without spaces.`, { option });
  }
  if (!(timestamp.getTime() >= 0 && timestamp.getTime() < YEAR_10000)) {
    throw new ConfigError("MNET_CONFIG_INVALID", "The timestamp must be a time since 1970.", { option: "timestamp" });
  }
  const suite = suiteOf(profile);
  const sessionKey = newSessionKey(options.random);
  const { messageId } = sessionKey;
  const bindings = { sender, recipient: to, recipientKey: recipient.fingerprint, messageId, timestamp, inReplyTo };
  const signed = signBound(document, bindings, key, suite);
  return { body: encryptEnvelope(signed, { suite, sender, recipient, sessionKey, random: options.random }), messageId };
}

/** From then on, times are written otherwise. */
const YEAR_10000 = Date.UTC(10_000, 0);
