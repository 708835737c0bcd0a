import { EnvelopeError } from "../core/errors.ts";
import type { Fingerprint, Wwwroot } from "../core/ids.ts";
import type { Certificate } from "../crypto/certificate.ts";
import { isSignedSha1 } from "../crypto/rsa.ts";
import type { DecryptedMessage, EncryptedMessage } from "./encrypted-message.ts";
import type { SignedMessage } from "./signed-message.ts";

declare const verified: unique symbol;

/** What a peer really said. Only verification makes one, and the dispatcher takes nothing else. */
export class VerifiedMessage {
  declare readonly [verified]: true;
  /** The signed XML-RPC document, byte for byte the buffer that was verified (SEC-013). */
  readonly document: Uint8Array;
  /** Who signed it. */
  readonly sender: Wwwroot;
  /** The sender's clock. Not signed: for diagnosis only (SEC-009). */
  readonly timestamp: Date;
  /** The key of ours that opened it. */
  readonly openedWith: Fingerprint;
  /** The pinned key that verified it. */
  readonly signedBy: Fingerprint;
  /** SHA-256 of the session key: the replay memory's key (SEC-033). */
  readonly replayKey: string;
  /** Odd but accepted: digest mismatch, unknown algorithm URIs. */
  readonly remarks: readonly string[];

  private constructor(
    message: SignedMessage,
    certificate: Certificate,
    decrypted: DecryptedMessage,
    remarks: string[],
  ) {
    this.document = message.document;
    this.sender = withoutSlash(message.sender) as Wwwroot;
    this.timestamp = new Date(message.timestamp * 1000);
    this.openedWith = decrypted.openedWith.certificate.fingerprint;
    this.signedBy = certificate.fingerprint;
    this.replayKey = decrypted.replayKey;
    this.remarks = remarks;
  }

  /**
   * @internal Checks the signature with the key that is pinned for the sender; nothing in the message selects a key
   * (SEC-026).
   *
   * Throws `MNET_ENVELOPE_NOT_SIGNED`, `MNET_ENVELOPE_SENDER_MISMATCH`, `MNET_ENVELOPE_SIGNER_UNKNOWN` without a
   * certificate, `MNET_ENVELOPE_SIGNATURE_INVALID`, and with `strictAlgorithms` `MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED`.
   */
  static verify(
    encrypted: EncryptedMessage,
    decrypted: DecryptedMessage,
    certificate: Certificate | undefined,
    options: { readonly strictAlgorithms?: boolean | undefined } = {},
  ): VerifiedMessage {
    const message = requireSignature(decrypted.content);
    requireOneSender(encrypted, message);
    verifySignature(message, certificate);
    if (options.strictAlgorithms && (encrypted.hasUnknownAlgorithm || message.hasUnknownAlgorithm)) {
      throw new EnvelopeError(
        "MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED",
        "The message declares an algorithm that no known peer declares.",
        { peer: message.sender as Wwwroot },
      );
    }
    return new VerifiedMessage(message, certificate, decrypted, [...encrypted.remarks, ...message.remarks]);
  }
}

/** The signed envelope in what was decrypted. Throws `MNET_ENVELOPE_NOT_SIGNED` if there is none. */
function requireSignature(content: DecryptedMessage["content"]): SignedMessage {
  if (content.kind === "signed") return content.message;
  throw new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", "The message is encrypted and not signed.");
}

/** @internal Throws unless the sender's pinned key signed the message; the codes are those of `VerifiedMessage.verify`. */
export function verifySignature(
  message: SignedMessage,
  certificate: Certificate | undefined,
): asserts certificate is Certificate {
  const peer = message.sender as Wwwroot;
  if (message.signature.length === 0) {
    throw new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", "The message has no signature.", { peer });
  }
  if (!certificate) {
    throw new EnvelopeError("MNET_ENVELOPE_SIGNER_UNKNOWN", "The message is signed by a site that is not known.", {
      peer,
    });
  }
  if (!isSignedSha1(certificate.publicKey, message.document, message.signature)) {
    throw new EnvelopeError(
      "MNET_ENVELOPE_SIGNATURE_INVALID",
      `The signature is not made with the key ${certificate.fingerprint} that is pinned for the sender.`,
      { peer },
    );
  }
}

/**
 * Throws `MNET_ENVELOPE_SENDER_MISMATCH` unless the encrypted and the signed envelope name the same site, apart from one
 * trailing slash (MNET-037, SEC-031).
 */
export function requireOneSender(encrypted: EncryptedMessage, signed: SignedMessage): void {
  if (withoutSlash(signed.sender) !== withoutSlash(encrypted.sender)) {
    throw new EnvelopeError(
      "MNET_ENVELOPE_SENDER_MISMATCH",
      `The message is encrypted as from ${quote(encrypted.sender)} and signed as from ${quote(signed.sender)}.`,
    );
  }
}

const withoutSlash = (wwwroot: string): string => wwwroot.replace(/\/$/, "");

/** Names come from outside; a message must stay one readable line. */
const quote = (name: string): string => JSON.stringify(name.slice(0, 255));
