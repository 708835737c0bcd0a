import type { Wwwroot } from "../core/ids.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import type { DecryptedMessage, EncryptedMessage } from "../envelope/encrypted-message.ts";
import type { SignedMessage } from "../envelope/signed-message.ts";
import { VerifiedMessage } from "../envelope/verified-message.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import type { AuthenticMessage } from "../secure/authentic-message.ts";
import type { DecryptedEnvelope } from "../secure/secure-envelope.ts";
import { SecureMessage } from "../secure/secure-message.ts";
import type { Wrapping } from "./refusal.ts";

/** A request that a key of ours has opened, in either profile; nobody has verified it. */
export interface OpenedRequest {
  readonly openedWith: KeyPair;
  /** Throws `EnvelopeError` unless the key of this certificate has signed it, and for us. */
  verify(peer: PeerRecord, certificate: Certificate): AuthenticMessage;
  /** How it is answered: as it came, and in the secure profile bound to it. */
  wrapping(signWith: KeyPair, encryptTo: Certificate): Wrapping;
  /** The document, for the one question that may be asked of what nobody has verified: does it ask for our key? */
  readonly unverified?: Uint8Array;
}

/** In MNet's own profile. */
export const openedMnet = (
  encrypted: EncryptedMessage,
  decrypted: DecryptedMessage,
  signed: SignedMessage,
): OpenedRequest => ({
  openedWith: decrypted.openedWith,
  verify: ({ settings }, certificate) => VerifiedMessage.verify(encrypted, decrypted, certificate, settings),
  wrapping: (signWith, encryptTo) => ({ signWith, encryptTo }),
  unverified: signed.document,
});

/** In the secure one. */
export const openedSecure = (decrypted: DecryptedEnvelope, self: Wwwroot): OpenedRequest => {
  const { envelope, openedWith, messageId } = decrypted;
  return {
    openedWith,
    verify: (_peer, certificate) => SecureMessage.verify(decrypted, certificate, { self }),
    wrapping: (signWith, encryptTo) => ({
      signWith,
      encryptTo,
      secure: { profile: envelope.suite.name, to: envelope.sender, inReplyTo: messageId },
    }),
  };
};
