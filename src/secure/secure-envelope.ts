import { createHash, randomBytes } from "node:crypto";
import { decodeBase64 } from "../core/base64.ts";
import { EnvelopeError } from "../core/errors.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { AES_KEY_LENGTH, decryptGcm, encryptGcm, GCM_IV_LENGTH } from "../crypto/aes-gcm.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { wrapKeyOaep } from "../crypto/rsa.ts";
import { escapeXml } from "../xml/escape.ts";
import { namespaceOf, withKnownPrefixes } from "../xml/namespaces.ts";
import { readDocument, rootNameOf } from "../xml/read-document.ts";
import { readShape, type Shape } from "../xml/shape.ts";
import { NAMESPACE, prefixesOf, SUITES, type Suite } from "./suite.ts";

/** Name of the root element, by which an envelope of the secure profile is told from all others. */
export const SECURE_MESSAGE = "secureMessage";

/** The encrypted envelope (docs/secure-profile.md, 5) as it was read. */
export interface SecureEnvelope {
  readonly suite: Suite;
  /** Who claims to have sent it; selects the peer's record and proves nothing. */
  readonly sender: string;
  /** Fingerprint of the certificate that it claims to be sealed for. */
  readonly recipientKey: string;
  readonly wrappedKey: Buffer;
  /** Initialisation vector, ciphertext and tag. */
  readonly ciphertext: Buffer;
}

/** What came out of it. Nothing of it has been verified. */
export interface DecryptedEnvelope {
  readonly envelope: SecureEnvelope;
  /** The key of ours that opened it. */
  readonly openedWith: KeyPair;
  /** Lower-case hex SHA-256 of the session key: the id of the message, and the replay memory's key (SEC-033). */
  readonly messageId: string;
  /** The signed envelope. */
  readonly plaintext: Buffer;
}

type Field = "wwwroot" | "keyName" | "wrappedKey" | "ciphertext";

function shapeOf({ algorithms }: Suite): Shape<Field> {
  const { cipher, keyTransport, keyTransportDigest, keyTransportMask } = algorithms;
  const cipherData = (field: Field): Shape<Field> => ({
    name: "xenc:CipherData",
    children: [{ name: "xenc:CipherValue", field }],
  });
  const encryptedKey: Shape<Field> = {
    name: "xenc:EncryptedKey",
    children: [
      {
        name: "xenc:EncryptionMethod",
        attributes: { Algorithm: keyTransport },
        children: [
          { name: "ds:DigestMethod", attributes: { Algorithm: keyTransportDigest } },
          { name: "xenc11:MGF", attributes: { Algorithm: keyTransportMask } },
        ],
      },
      { name: "ds:KeyInfo", children: [{ name: "ds:KeyName", field: "keyName" }] },
      cipherData("wrappedKey"),
    ],
  };
  return {
    name: `m:${SECURE_MESSAGE}`,
    children: [
      { name: "m:wwwroot", field: "wwwroot" },
      {
        name: "xenc:EncryptedData",
        attributes: { Type: `${NAMESPACE.xenc}Element` },
        children: [
          { name: "xenc:EncryptionMethod", attributes: { Algorithm: cipher } },
          { name: "ds:KeyInfo", children: [encryptedKey] },
          cipherData("ciphertext"),
        ],
      },
    ],
  };
}

const SHAPES = new Map(SUITES.map((suite) => [suite.namespace, { suite, shape: shapeOf(suite) }]));

/** Whether a body is to be read as an envelope of the secure profile. */
export const isSecure = (body: Uint8Array): boolean => rootNameOf(body) === SECURE_MESSAGE;

/**
 * Reads an encrypted envelope with the library's own strict reader (SEC-014 to 018): one shape, and no other.
 *
 * Throws `MNET_ENVELOPE_TOO_LARGE`, `MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED` for a version that we do not have, and
 * `MNET_ENVELOPE_MALFORMED`.
 *
 * @param maxBytes default 8 MiB.
 */
export function readSecureEnvelope(body: Uint8Array, maxBytes: number = DEFAULT_LIMITS.requestBytes): SecureEnvelope {
  // The other way round, a limit that is no number would be none.
  if (!(body.length <= maxBytes)) {
    throw new EnvelopeError("MNET_ENVELOPE_TOO_LARGE", `The message has more than ${maxBytes} bytes.`);
  }
  const root = readDocument(body);
  const known = SHAPES.get(namespaceOf(root) ?? "");
  if (!known) {
    throw new EnvelopeError(
      "MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED",
      "The message is of a version of the secure profile that is not known here.",
    );
  }
  const { suite, shape } = known;
  const fields = readShape(withKnownPrefixes(root, prefixesOf(suite)), shape);
  const { wwwroot: sender = "", keyName: recipientKey = "" } = fields;
  const wrappedKey = decodeBase64(fields.wrappedKey ?? "!");
  const ciphertext = decodeBase64(fields.ciphertext ?? "!");
  if (!wrappedKey || !ciphertext || !/^[0-9a-f]{64}$/.test(recipientKey) || !/^[!-~]{1,255}$/.test(sender)) {
    throw new EnvelopeError(
      "MNET_ENVELOPE_MALFORMED",
      "The envelope is not usable: a field of the encrypted message is missing or damaged.",
    );
  }
  return { suite, sender, recipientKey, wrappedKey, ciphertext };
}

/**
 * Opens an envelope with the key that it names, so one operation of a private key is all that it can cost (SEC-006).
 *
 * Throws `MNET_ENVELOPE_DECRYPTION_FAILED` for every kind of failure alike (SEC-003).
 *
 * @param keys ours, in any order.
 */
export function decryptEnvelope(envelope: SecureEnvelope, keys: readonly KeyPair[]): DecryptedEnvelope {
  const { recipientKey, wrappedKey, ciphertext } = envelope;
  const openedWith = keys.find(({ certificate }) => certificate.fingerprint === recipientKey);
  const sessionKey = openedWith?.unwrapOaep(wrappedKey);
  const plaintext = sessionKey?.length === AES_KEY_LENGTH ? decryptGcm(sessionKey, ciphertext) : undefined;
  if (!openedWith || !sessionKey || !plaintext) {
    const cause = openedWith
      ? "the session key or the ciphertext is damaged"
      : `it is sealed for ${recipientKey}, which is no key of ours in use`;
    throw new EnvelopeError("MNET_ENVELOPE_DECRYPTION_FAILED", "None of our keys opens the message.", { cause });
  }
  return { envelope, openedWith, messageId: idOf(sessionKey), plaintext };
}

/** A session key that is used for one message, and the id that the message therefore has. */
export interface SessionKey {
  readonly key: Uint8Array;
  readonly messageId: string;
}

/** Draws a session key. */
export function newSessionKey(random: (bytes: number) => Uint8Array = randomBytes): SessionKey {
  const key = random(AES_KEY_LENGTH);
  return { key, messageId: idOf(key) };
}

/** Encrypts a signed envelope for one recipient. */
export function encryptEnvelope(
  plaintext: Uint8Array,
  options: {
    readonly suite: Suite;
    readonly sender: string;
    readonly recipient: Certificate;
    readonly sessionKey: SessionKey;
    readonly random?: ((bytes: number) => Uint8Array) | undefined;
  },
): Buffer {
  const { suite, sender, recipient, sessionKey, random = randomBytes } = options;
  const { cipher, keyTransport, keyTransportDigest, keyTransportMask } = suite.algorithms;
  // The session key is new, so any vector is; random ones keep that true if somebody should break the rule.
  const ciphertext = encryptGcm(sessionKey.key, random(GCM_IV_LENGTH), plaintext);
  return Buffer.from(
    `<${SECURE_MESSAGE} xmlns="${suite.namespace}"><wwwroot>${escapeXml(sender)}</wwwroot>` +
      `<EncryptedData xmlns="${NAMESPACE.xenc}" Type="${NAMESPACE.xenc}Element">` +
      `<EncryptionMethod Algorithm="${cipher}"/>` +
      `<KeyInfo xmlns="${NAMESPACE.ds}"><EncryptedKey xmlns="${NAMESPACE.xenc}">` +
      `<EncryptionMethod Algorithm="${keyTransport}">` +
      `<DigestMethod xmlns="${NAMESPACE.ds}" Algorithm="${keyTransportDigest}"/>` +
      `<MGF xmlns="${NAMESPACE.xenc11}" Algorithm="${keyTransportMask}"/></EncryptionMethod>` +
      `<KeyInfo xmlns="${NAMESPACE.ds}"><KeyName>${recipient.fingerprint}</KeyName></KeyInfo>` +
      `<CipherData><CipherValue>${wrapKeyOaep(recipient.publicKey, sessionKey.key).toString("base64")}</CipherValue></CipherData>` +
      `</EncryptedKey></KeyInfo>` +
      `<CipherData><CipherValue>${ciphertext.toString("base64")}</CipherValue></CipherData>` +
      `</EncryptedData></${SECURE_MESSAGE}>`,
    "latin1",
  );
}

const idOf = (sessionKey: Uint8Array): string => createHash("sha256").update(sessionKey).digest("hex");
