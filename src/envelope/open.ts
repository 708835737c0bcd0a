import { EnvelopeError } from "../core/errors.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { inBulk, type Work } from "../crypto/work.ts";
import { rootNameOf } from "../xml/read-document.ts";
import { decryptMessage, ENCRYPTED_MESSAGE, readEncrypted, type EncryptedMessage } from "./encrypted-message.ts";
import { readSigned, SIGNED_MESSAGE, type SignedMessage } from "./signed-message.ts";
import { VerifiedMessage } from "./verified-message.ts";

/** What `open` needs. */
export interface OpenOptions {
  /** Ours: the current one first, then retired ones, newest first. */
  readonly keys: readonly KeyPair[];
  /** The pinned certificate of the site that the message claims to be from. `undefined`: unknown, refused. */
  readonly certificateOf: (sender: string) => Certificate | undefined | Promise<Certificate | undefined>;
  /** Default 8 MiB. */
  readonly maxBytes?: number | undefined;
  /** Refuse messages that declare an algorithm that no known peer declares (SEC-011). Default `false`. */
  readonly strictAlgorithms?: boolean | undefined;
}

/**
 * Decrypts, verifies, compares the two senders. Returns the verified message or throws.
 * Remembers nothing: replays are the caller's.
 *
 * Throws `EnvelopeError`: `MNET_ENVELOPE_TOO_LARGE`, `MNET_ENVELOPE_MALFORMED`, `MNET_ENVELOPE_NOT_ENCRYPTED`,
 * `MNET_ENVELOPE_DECRYPTION_FAILED` (one code and one message, whatever step failed), `MNET_ENVELOPE_NOT_SIGNED`,
 * `MNET_ENVELOPE_SENDER_MISMATCH`, `MNET_ENVELOPE_SIGNER_UNKNOWN`, `MNET_ENVELOPE_SIGNATURE_INVALID`,
 * `MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED`.
 *
 * @example
 * ```ts
 * const message = await open(body, { keys: [ours], certificateOf: (sender) => pinned.get(sender) });
 * const call = decode(message.document);
 * ```
 */
export async function open(body: Uint8Array, options: OpenOptions): Promise<VerifiedMessage> {
  const envelope = readEnvelope(body, options.maxBytes);
  if (envelope.kind !== "encrypted") {
    throw new EnvelopeError("MNET_ENVELOPE_NOT_ENCRYPTED", "The message is not encrypted.");
  }
  const decrypted = decryptMessage(envelope.message, options.keys);
  const certificate = await options.certificateOf(envelope.message.sender);
  return VerifiedMessage.verify(envelope.message, decrypted, certificate, options);
}

/** What arrived, by its outermost layer. */
export type Envelope =
  | { readonly kind: "encrypted"; readonly message: EncryptedMessage }
  | { readonly kind: "signed"; readonly message: SignedMessage }
  /** Whatever is no envelope: an XML-RPC document, or nothing that is known. */
  | { readonly kind: "plain"; readonly document: Uint8Array };

/**
 * Reads the outermost layer. Throws `MNET_ENVELOPE_TOO_LARGE` and `MNET_ENVELOPE_MALFORMED`.
 *
 * @param root for who has looked at it already.
 */
export function readEnvelope(
  body: Uint8Array,
  maxBytes: number = DEFAULT_LIMITS.requestBytes,
  root: string | undefined = rootNameOf(body),
): Envelope {
  // The other way round, a limit that is no number would be none.
  if (!(body.length <= maxBytes)) {
    throw new EnvelopeError("MNET_ENVELOPE_TOO_LARGE", `The message has more than ${maxBytes} bytes.`);
  }
  switch (root) {
    case ENCRYPTED_MESSAGE:
      return { kind: "encrypted", message: readEncrypted(body) };
    case SIGNED_MESSAGE:
      return { kind: "signed", message: readSigned(body) };
    default:
      return { kind: "plain", document: body };
  }
}

/** The same of a large body, wherever it is done. */
export const readingEnvelope = (body: Uint8Array, maxBytes: number): Work<Envelope> =>
  inBulk(readEnvelope, body, maxBytes);
