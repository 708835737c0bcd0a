import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { SecureProfileName } from "../core/profile-name.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import type { Profile } from "../envelope/profile.ts";
import { sealSecure, type SecureSealOptions } from "./seal-secure.ts";
import { decryptEnvelope, isSecure, readSecureEnvelope } from "./secure-envelope.ts";
import { SecureMessage, type Expectations } from "./secure-message.ts";
import { suiteOf } from "./suite.ts";

/** What `open` of the secure profile needs. */
export interface SecureOpenOptions extends Expectations {
  /** Ours, in any order: the message names the one that opens it. */
  readonly keys: readonly KeyPair[];
  /** The pinned certificate of the site that the message claims to be from. `undefined`: unknown, refused. */
  readonly certificateOf: (sender: string) => Certificate | undefined | Promise<Certificate | undefined>;
  /** Default 8 MiB. */
  readonly maxBytes?: number | undefined;
}

/**
 * A version of the secure profile (docs/secure-profile.md): XMLDSIG and XMLENC as the standards mean them, and everything
 * that a message is about in what is signed.
 *
 * `open` throws `EnvelopeError`: `MNET_ENVELOPE_TOO_LARGE`, `MNET_ENVELOPE_MALFORMED`,
 * `MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED`, `MNET_ENVELOPE_DECRYPTION_FAILED`, `MNET_ENVELOPE_NOT_SIGNED`,
 * `MNET_ENVELOPE_SIGNER_UNKNOWN`, `MNET_ENVELOPE_SIGNATURE_INVALID`, `MNET_ENVELOPE_SENDER_MISMATCH`,
 * `MNET_ENVELOPE_WRONG_RECIPIENT`, `MNET_ENVELOPE_WRONG_REPLY`.
 *
 * @param name default `"secure/1"`. It seals with this version; it opens all of them.
 */
export function secureProfile(
  name: SecureProfileName = "secure/1",
): Profile<Omit<SecureSealOptions, "profile">, SecureOpenOptions, SecureMessage> {
  return {
    name,
    algorithms: suiteOf(name).algorithms,
    limits: { bytes: DEFAULT_LIMITS.requestBytes, unwrappings: 1 },
    owns: isSecure,
    seal: async (document, options) => sealSecure(document, { ...options, profile: name }),
    async open(body, { keys, certificateOf, maxBytes, ...expectations }) {
      const decrypted = decryptEnvelope(readSecureEnvelope(body, maxBytes), keys);
      return SecureMessage.verify(decrypted, await certificateOf(decrypted.envelope.sender), expectations);
    },
  };
}
