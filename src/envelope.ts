/**
 * Only the envelope: no host, no store, no network.
 *
 * @module mnet/envelope
 */
export { EnvelopeError, KeyError, MnetError } from "./core/errors.ts";
export type { ProfileName } from "./core/profile-name.ts";
export { Certificate, type CertificateOptions } from "./crypto/certificate.ts";
export { KeyPair } from "./crypto/key-pair.ts";
export { mnetProfile } from "./envelope/mnet-profile.ts";
export { open, type OpenOptions } from "./envelope/open.ts";
export type { Profile } from "./envelope/profile.ts";
export { seal, type SealOptions } from "./envelope/seal.ts";
export { VerifiedMessage } from "./envelope/verified-message.ts";
