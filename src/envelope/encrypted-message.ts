import { hash } from "node:crypto";
import { Base64, decodeBase64, decodeBase64Bytes } from "../core/base64.ts";
import { EnvelopeError } from "../core/errors.ts";
import type { Certificate } from "../crypto/certificate.ts";
import { SESSION_KEY_LENGTH, type KeyPair } from "../crypto/key-pair.ts";
import { randomBytesAhead } from "../crypto/random-bytes.ts";
import { rc4InPlace, rc4InPlaceIf } from "../crypto/rc4.ts";
import { wrapKey } from "../crypto/rsa.ts";
import { inBulk, isLarge, workHere, type Work } from "../crypto/work.ts";
import type { XmlElement } from "../xml/element.ts";
import { escapeXml } from "../xml/escape.ts";
import { fieldFinder } from "../xml/fields.ts";
import { readDocument, rootNameOf } from "../xml/read-document.ts";
import { ALGORITHM, algorithmRemarks } from "./algorithms.ts";
import { KnownLayout, plainText } from "./known-layout.ts";
import { readSigned, SIGNED_MESSAGE, type SignedMessage } from "./signed-message.ts";

/** Name of the root element. */
export const ENCRYPTED_MESSAGE = "encryptedMessage";

/** An encrypted envelope (spec 4) as it was read. */
export interface EncryptedMessage {
  /** Who claims to have sent it; selects the peer's record and proves nothing. */
  readonly sender: string;
  /** Until it is opened; then its memory holds the plaintext, or is another thread's. */
  ciphertext: Buffer;
  readonly wrappedKey: Buffer;
  /** Odd, but no reason to refuse. */
  readonly remarks: readonly string[];
  /** Whether the message declares an algorithm that no known peer declares (SEC-011). */
  readonly hasUnknownAlgorithm: boolean;
}

/** What came out of an encrypted envelope. */
export interface DecryptedMessage {
  /** The key of ours that opened it. */
  readonly openedWith: KeyPair;
  /** SHA-256 of the session key: the replay memory's key (SEC-033). */
  readonly replayKey: string;
  readonly content: Content;
}

/** The same with the whole text that was encrypted, for diagnosis. */
export interface DecryptedText extends DecryptedMessage {
  readonly plaintext: Buffer;
}

/** A signed envelope, or an XML-RPC document that nobody signed. */
export type Content =
  | { readonly kind: "signed"; readonly message: SignedMessage }
  | { readonly kind: "unsigned"; readonly document: Buffer };

/** By path, whatever else there is (spec 4.3, MNET-045). */
const PATHS = {
  ciphertext: "EncryptedData/CipherData/CipherValue",
  wrappedKey: "EncryptedKey/CipherData/CipherValue",
  cipher: "EncryptedData/EncryptionMethod",
  keyTransport: "EncryptedKey/EncryptionMethod",
  wwwroot: "wwwroot",
} as const;
const findFields = fieldFinder(PATHS);

/** The same from its root element. Throws `MNET_ENVELOPE_MALFORMED`. */
export function readEncryptedMessage(root: XmlElement): EncryptedMessage {
  if (root.name !== ENCRYPTED_MESSAGE) throw malformed(`its root is not ${ENCRYPTED_MESSAGE}`);
  const fields = findFields(root);
  const ciphertext = decodeBase64(fields.ciphertext?.text ?? "!");
  const wrappedKey = decodeBase64(fields.wrappedKey?.text ?? "!");
  if (!fields.wwwroot || !ciphertext || !wrappedKey) {
    throw malformed("a field of the encrypted message is missing or damaged");
  }
  const remarks = algorithmRemarks({ cipher: fields.cipher, keyTransport: fields.keyTransport });
  return {
    sender: fields.wwwroot.text,
    ciphertext,
    wrappedKey,
    remarks,
    hasUnknownAlgorithm: remarks.length > 0,
  };
}

/** Current key and archived ones: as many unwrappings as one request may cost (SEC-006). */
export const MAXIMUM_KEYS = 8;
/** A bare call is refused with another fault than noise, and Moodle refuses with a bare response (spec 7.4). */
const UNSIGNED_ROOTS = new Set(["methodCall", "methodResponse"]);

/**
 * Opens an encrypted envelope with the first key whose plaintext is a well-formed signed envelope or begins as an
 * XML-RPC document. Success is decided by the plaintext alone (SEC-005).
 *
 * Throws `MNET_ENVELOPE_DECRYPTION_FAILED` for every kind of failure alike (SEC-003, MNET-050); `cause` tells the
 * operator more.
 *
 * @param keys ours: the current one, then archived ones, newest first (MNET-048). More than 8 are not tried.
 */
export function decryptMessage(message: EncryptedMessage, keys: readonly KeyPair[]): DecryptedText {
  const decrypted = workHere(decryptingMessage(message, keys));
  return { ...decrypted, plaintext: message.ciphertext };
}

/** The same, wherever its steps are done. */
export function* decryptingMessage(message: EncryptedMessage, keys: readonly KeyPair[]): Work<DecryptedMessage> {
  let reason: unknown = `the wrapped key of ${message.wrappedKey.length} bytes fits none of our keys`;
  for (const key of keys.slice(0, MAXIMUM_KEYS)) {
    if (!key.fits(message.wrappedKey)) continue;
    const sessionKey = yield* key.unwrapping(message.wrappedKey);
    const { ciphertext } = message;
    const content = isLarge(ciphertext)
      ? yield* inBulk(readPlaintext, ciphertext, sessionKey)
      : readPlaintext(ciphertext, sessionKey);
    if (content.kind !== "unreadable") return { openedWith: key, replayKey: hash("sha256", sessionKey), content };
    message.ciphertext = content.ciphertext;
    reason = content.reason;
  }
  throw new EnvelopeError("MNET_ENVELOPE_DECRYPTION_FAILED", "None of our keys opens the message.", { cause: reason });
}

/** The ciphertext as it was, and why it is none. */
interface Unreadable {
  readonly kind: "unreadable";
  readonly ciphertext: Buffer;
  readonly reason: unknown;
}

/** Decrypts in the place of the ciphertext, and reads what comes out. */
export function readPlaintext(ciphertext: Buffer, sessionKey: Uint8Array): Content | Unreadable {
  let root: string | undefined;
  // A wrong key makes noise; seeing that takes no more than the beginning.
  const isMessage = rc4InPlaceIf(sessionKey, ciphertext, (beginning) => {
    root = rootNameOf(beginning);
    return root === SIGNED_MESSAGE || UNSIGNED_ROOTS.has(root ?? "");
  });
  if (!isMessage) return { kind: "unreadable", ciphertext, reason: malformed("the plaintext is no message") };
  const plaintext = ciphertext;
  if (root !== SIGNED_MESSAGE) return { kind: "unsigned", document: plaintext };
  try {
    return { kind: "signed", message: readSigned(plaintext) };
  } catch (reason) {
    return { kind: "unreadable", ciphertext: rc4InPlace(sessionKey, plaintext), reason };
  }
}

// Moodle's to the byte (spec 4.1, MNET-040). Between the pieces: ciphertext, wrapped key, wwwroot.
const LAYOUT = new KnownLayout([
  `<?xml version="1.0" encoding="iso-8859-1"?>
    <encryptedMessage>
        <EncryptedData Id="ED" xmlns="http://www.w3.org/2001/04/xmlenc#">
            <EncryptionMethod Algorithm="${ALGORITHM.cipher}"/>
            <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
                <ds:RetrievalMethod URI="#EK" Type="http://www.w3.org/2001/04/xmlenc#EncryptedKey"/>
                <ds:KeyName>XMLENC</ds:KeyName>
            </ds:KeyInfo>
            <CipherData>
                <CipherValue>`,
  `</CipherValue>
            </CipherData>
        </EncryptedData>
        <EncryptedKey Id="EK" xmlns="http://www.w3.org/2001/04/xmlenc#">
            <EncryptionMethod Algorithm="${ALGORITHM.keyTransport}"/>
            <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
                <ds:KeyName>SSLKEY</ds:KeyName>
            </ds:KeyInfo>
            <CipherData>
                <CipherValue>`,
  `</CipherValue>
            </CipherData>
            <ReferenceList>
                <DataReference URI="#ED"/>
            </ReferenceList>
            <CarriedKeyName>XMLENC</CarriedKeyName>
        </EncryptedKey>
        <wwwroot>`,
  `</wwwroot>
    </encryptedMessage>`,
]);

/** Reads an encrypted envelope from its bytes. Throws `MNET_ENVELOPE_MALFORMED`. */
export const readEncrypted = (bytes: Uint8Array): EncryptedMessage =>
  readInKnownLayout(bytes) ?? readEncryptedMessage(readDocument(bytes));

function readInKnownLayout(bytes: Uint8Array): EncryptedMessage | undefined {
  const [data, key, from] = LAYOUT.read(bytes) ?? [];
  const sender = from && plainText(from);
  const wrappedKey = key && decodeBase64Bytes(key);
  const ciphertext = data && decodeBase64Bytes(data);
  if (sender === undefined || !ciphertext || !wrappedKey) return undefined;
  return { sender, ciphertext, wrappedKey, remarks: [], hasUnknownAlgorithm: false };
}

/** To whom a message is encrypted, and from whom it claims to be. */
export interface EncryptionOptions {
  readonly sender: string;
  readonly recipient: Certificate;
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
}

/** Encrypts a message for one recipient under a fresh session key (spec 4.2, MNET-041, SEC-008). */
export const encryptMessage = (plaintext: Uint8Array, options: EncryptionOptions): Buffer =>
  writeEncrypted(Buffer.from(plaintext), freshKey(options));

/** What a message is encrypted with, and what an encrypted envelope says beside it. */
export interface Encryption {
  readonly sender: string;
  readonly sessionKey: Uint8Array;
  readonly wrappedKey: Uint8Array;
}

/** Makes the session key of one message, for one recipient. */
export function freshKey({ sender, recipient, random = randomBytesAhead }: EncryptionOptions): Encryption {
  const sessionKey = random(SESSION_KEY_LENGTH);
  return { sender, sessionKey, wrappedKey: wrapKey(recipient.publicKey, sessionKey) };
}

/** Writes the encrypted envelope of a message that nobody needs any more: the ciphertext takes its place in memory. */
export function writeEncrypted(plaintext: Buffer, { sender, sessionKey, wrappedKey }: Encryption): Buffer {
  return LAYOUT.write([new Base64(rc4InPlace(sessionKey, plaintext)), new Base64(wrappedKey), escapeXml(sender)]);
}

const malformed = (reason: string): EnvelopeError =>
  new EnvelopeError("MNET_ENVELOPE_MALFORMED", `The envelope is not usable: ${reason}.`);
