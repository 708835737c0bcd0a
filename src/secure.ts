/**
 * Only the envelope of the secure profile (docs/secure-profile.md): no host, no store, no network.
 *
 * @module mnet/secure
 */
export { EnvelopeError, KeyError, MnetError } from "./core/errors.ts";
export type { ProfileName, SecureProfileName } from "./core/profile-name.ts";
export { Certificate, type CertificateOptions } from "./crypto/certificate.ts";
export { KeyPair } from "./crypto/key-pair.ts";
export type { Profile } from "./envelope/profile.ts";
export type { SealedMessage, SecureSealOptions } from "./secure/seal-secure.ts";
export { SecureMessage, type Expectations } from "./secure/secure-message.ts";
export { secureProfile, type SecureOpenOptions } from "./secure/secure-profile.ts";
