import { hash } from "node:crypto";
import { Base64, decodeBase64, decodeBase64Bytes } from "../core/base64.ts";
import { EnvelopeError } from "../core/errors.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { sha1 } from "../crypto/rsa.ts";
import { workHere, type Work } from "../crypto/work.ts";
import type { XmlElement } from "../xml/element.ts";
import { escapeXml } from "../xml/escape.ts";
import { fieldFinder } from "../xml/fields.ts";
import { readDocument } from "../xml/read-document.ts";
import { ALGORITHM, algorithmRemarks } from "./algorithms.ts";
import { KnownLayout, plainText } from "./known-layout.ts";

/** Name of the root element. */
export const SIGNED_MESSAGE = "signedMessage";

/** A signed envelope (spec 3) as it was read. Nothing in it has been verified. */
export interface SignedMessage {
  /** Who claims to have signed it. */
  readonly sender: string;
  /** The sender's clock, Unix seconds. The signature does not cover it (SEC-009). */
  readonly timestamp: number;
  /** The bytes that the signature is about, if it is right. */
  readonly document: Buffer;
  /** Empty if there is none. */
  readonly signature: Buffer;
  /** Odd, but no reason to refuse: the digest, the algorithms. */
  readonly remarks: readonly string[];
  /** Whether the message declares an algorithm that no known peer declares (SEC-011). */
  readonly hasUnknownAlgorithm: boolean;
}

const PATHS = {
  signature: "Signature/SignatureValue",
  digest: "Signature/SignedInfo/Reference/DigestValue",
  signatureMethod: "Signature/SignedInfo/SignatureMethod",
  digestMethod: "Signature/SignedInfo/Reference/DigestMethod",
  canonicalizationMethod: "Signature/SignedInfo/CanonicalizationMethod",
  object: "object",
  wwwroot: "wwwroot",
  timestamp: "timestamp",
} as const;
const findFields = fieldFinder(PATHS);

/**
 * The same from its root element. Throws `MNET_ENVELOPE_MALFORMED`.
 *
 * A missing or empty signature is no error here: it is `verify`'s to refuse (SEC-027).
 */
export function readSignedMessage(root: XmlElement): SignedMessage {
  if (root.name !== SIGNED_MESSAGE) throw malformed(`its root is not ${SIGNED_MESSAGE}`);
  const fields = findFields(root);
  const document = decodeBase64(fields.object?.text ?? "!");
  const signature = decodeBase64(fields.signature?.text ?? "");
  const timestamp = fields.timestamp?.text ?? "";
  if (!fields.wwwroot || !document || !signature || !TIMESTAMP.test(timestamp)) {
    throw malformed("a field of the signed message is missing or damaged");
  }
  const algorithms = algorithmRemarks({
    signature: fields.signatureMethod,
    digest: fields.digestMethod,
    canonicalization: fields.canonicalizationMethod,
  });
  return {
    sender: fields.wwwroot.text,
    timestamp: Number(timestamp),
    document,
    signature,
    remarks: [...digestRemarks(fields.digest?.text, document), ...algorithms],
    hasUnknownAlgorithm: algorithms.length > 0,
  };
}

/** Unix seconds. */
const TIMESTAMP = /^[0-9]{1,12}$/;

/** Peers write the digest and nobody checks it; it authenticates nothing (MNET-036, SEC-030). */
function digestRemarks(digest: string | undefined, document: Buffer): string[] {
  const isRight = digest === undefined || digest.toLowerCase() === hash("sha1", document);
  return isRight ? [] : ["the digest does not match"];
}

// Moodle's to the byte, because old receivers look for it (spec 3.4, MNET-024, 025). Between the pieces: digest, signature,
// wwwroot, document, wwwroot, timestamp.
const LAYOUT = new KnownLayout([
  `<?xml version="1.0" encoding="iso-8859-1"?>
    <signedMessage>
        <Signature Id="MoodleSignature" xmlns="http://www.w3.org/2000/09/xmldsig#">
            <SignedInfo>
                <CanonicalizationMethod Algorithm="${ALGORITHM.canonicalization}"/>
                <SignatureMethod Algorithm="${ALGORITHM.signature}"/>
                <Reference URI="#XMLRPC-MSG">
                    <DigestMethod Algorithm="${ALGORITHM.digest}"/>
                    <DigestValue>`,
  `</DigestValue>
                </Reference>
            </SignedInfo>
            <SignatureValue>`,
  `</SignatureValue>
            <KeyInfo>
                <RetrievalMethod URI="`,
  `/mnet/publickey.php"/>
            </KeyInfo>
        </Signature>
        <object ID="XMLRPC-MSG">`,
  `</object>
        <wwwroot>`,
  `</wwwroot>
        <timestamp>`,
  `</timestamp>
    </signedMessage>`,
]);

/** Reads a signed envelope from its bytes. Throws `MNET_ENVELOPE_MALFORMED`. */
export const readSigned = (bytes: Uint8Array): SignedMessage =>
  readInKnownLayout(bytes) ?? readSignedMessage(readDocument(bytes));

function readInKnownLayout(bytes: Uint8Array): SignedMessage | undefined {
  const [digestText, signed, keyUrl, object, from, time] = LAYOUT.read(bytes) ?? [];
  if (!digestText || !signed || !keyUrl || !object || !from || !time) return undefined;
  const [digest, sender, timestamp = ""] = [digestText, from, time].map(plainText);
  const [signature, document] = [decodeBase64Bytes(signed), decodeBase64Bytes(object)];
  if (digest === undefined || sender === undefined || plainText(keyUrl) === undefined) return undefined;
  if (!signature || !document || !TIMESTAMP.test(timestamp)) return undefined;
  const remarks = digestRemarks(digest, document);
  return { sender, timestamp: Number(timestamp), document, signature, remarks, hasUnknownAlgorithm: false };
}

/** How a document is signed. */
export interface SigningOptions {
  readonly sender: string;
  readonly key: KeyPair;
  readonly timestamp: Date;
}

/** What a signed envelope says of its document. */
export interface Signature {
  readonly sender: string;
  /** Unix seconds. */
  readonly timestamp: number;
  /** SHA-1, in hexadecimal. */
  readonly digest: string;
  readonly signature: Uint8Array;
}

/** Signs a document: the signed envelope of spec 3.1. */
export const signMessage = (document: Uint8Array, options: SigningOptions): Buffer =>
  writeSigned(document, workHere(signing(document, options)));

/** Signs a document, wherever the private operation is done. */
export function* signing(document: Uint8Array, { sender, key, timestamp }: SigningOptions): Work<Signature> {
  const digest = sha1(document);
  const signature = yield* key.signing(digest);
  return { sender, timestamp: Math.floor(timestamp.getTime() / 1000), digest: digest.toString("hex"), signature };
}

/** Writes the signed envelope. */
export function writeSigned(document: Uint8Array, { sender, timestamp, digest, signature }: Signature): Buffer {
  const from = escapeXml(sender);
  return LAYOUT.write([digest, new Base64(signature), from, new Base64(document), from, String(timestamp)]);
}

const malformed = (reason: string): EnvelopeError =>
  new EnvelopeError("MNET_ENVELOPE_MALFORMED", `The envelope is not usable: ${reason}.`);
