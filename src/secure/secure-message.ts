import { decodeBase64 } from "../core/base64.ts";
import { EnvelopeError } from "../core/errors.ts";
import type { Fingerprint, Wwwroot } from "../core/ids.ts";
import type { SecureProfileName } from "../core/profile-name.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import type { XmlElement } from "../xml/element.ts";
import { escapeXml } from "../xml/escape.ts";
import { namespaceOf, withKnownPrefixes } from "../xml/namespaces.ts";
import { readDocument } from "../xml/read-document.ts";
import { readShape, type Shape } from "../xml/shape.ts";
import type { DecryptedEnvelope } from "./secure-envelope.ts";
import { prefixesOf, SUITES, type Suite } from "./suite.ts";
import { SIGNED_ID, signatureOf, signedElement, type SplitDocument } from "./xml-signature.ts";

/** What is signed beside the document (docs/secure-profile.md, 4). */
export interface Bindings {
  /** Who signs. */
  readonly sender: string;
  /** Whom it is for. */
  readonly recipient: string;
  /** Fingerprint of the certificate that it is sealed for. */
  readonly recipientKey: string;
  /** Lower-case hex SHA-256 of the session key. */
  readonly messageId: string;
  readonly timestamp: Date;
  /** Of a response: the id of the request. Absent: it is a request. */
  readonly inReplyTo?: string | undefined;
}

/** What the receiver of a message expects of it. */
export interface Expectations {
  /** Who we are. */
  readonly self: string;
  /** Of a response: the id of our request. Absent: only a request will do. */
  readonly inReplyTo?: string | undefined;
}

type Field = keyof Bindings | "document" | "digest" | "signature";

const MESSAGE: Shape<Field> = {
  name: "m:message",
  attributes: { Id: SIGNED_ID },
  children: [
    { name: "m:sender", field: "sender" },
    { name: "m:recipient", field: "recipient" },
    { name: "m:recipientKey", field: "recipientKey" },
    { name: "m:messageId", field: "messageId" },
    { name: "m:timestamp", field: "timestamp" },
    { name: "m:inReplyTo", field: "inReplyTo", optional: true },
    { name: "m:document", field: "document" },
  ],
};

/** The signed envelope: one message, one signature of it, and no room for anything else (SEC-097). */
function signedShape({ algorithms }: Suite): Shape<Field> {
  const { canonicalization, digest, signature } = algorithms;
  return {
    name: "m:signedMessage",
    children: [
      MESSAGE,
      {
        name: "ds:Signature",
        children: [
          {
            name: "ds:SignedInfo",
            children: [
              { name: "ds:CanonicalizationMethod", attributes: { Algorithm: canonicalization } },
              { name: "ds:SignatureMethod", attributes: { Algorithm: signature } },
              {
                name: "ds:Reference",
                attributes: { URI: `#${SIGNED_ID}` },
                children: [
                  {
                    name: "ds:Transforms",
                    children: [{ name: "ds:Transform", attributes: { Algorithm: canonicalization } }],
                  },
                  { name: "ds:DigestMethod", attributes: { Algorithm: digest } },
                  { name: "ds:DigestValue", field: "digest" },
                ],
              },
            ],
          },
          { name: "ds:SignatureValue", field: "signature" },
        ],
      },
    ],
  };
}

const SIGNED = new Map(SUITES.map((suite) => [suite.namespace, signedShape(suite)]));

declare const verified: unique symbol;

/** What a peer really said to us, in the secure profile. Only verification makes one. */
export class SecureMessage {
  declare readonly [verified]: true;
  /** The version of the profile. */
  readonly profile: SecureProfileName;
  /** The XML-RPC document, out of what was signed. */
  readonly document: Uint8Array;
  /** Who signed it. */
  readonly sender: Wwwroot;
  /** The sender's clock. Signed. */
  readonly timestamp: Date;
  /** Of a response: the id of the request, which was expected. */
  readonly inReplyTo: string | undefined;
  /** The key of ours that opened it. */
  readonly openedWith: Fingerprint;
  /** The pinned key that verified it. */
  readonly signedBy: Fingerprint;
  /** The id of the message: nobody can make two messages of one sender that have the same (SEC-033). */
  readonly replayKey: string;
  /** Nothing odd is accepted. */
  readonly remarks: readonly string[] = [];

  private constructor(
    profile: SecureProfileName,
    bindings: Bindings,
    document: Buffer,
    keys: { readonly openedWith: Fingerprint; readonly signedBy: Fingerprint },
  ) {
    this.profile = profile;
    this.document = document;
    this.sender = bindings.sender as Wwwroot;
    this.timestamp = bindings.timestamp;
    this.inReplyTo = bindings.inReplyTo;
    this.openedWith = keys.openedWith;
    this.signedBy = keys.signedBy;
    this.replayKey = bindings.messageId;
  }

  /**
   * @internal Checks the signature with the key that is pinned for the sender (SEC-026), then reads what was signed, and
   * compares all of it with what it should be.
   *
   * Throws `MNET_ENVELOPE_MALFORMED`, `MNET_ENVELOPE_NOT_SIGNED` for a plaintext that is no signed message,
   * `MNET_ENVELOPE_SIGNER_UNKNOWN` without a certificate, `MNET_ENVELOPE_SIGNATURE_INVALID`,
   * `MNET_ENVELOPE_SENDER_MISMATCH`, `MNET_ENVELOPE_WRONG_RECIPIENT`, `MNET_ENVELOPE_WRONG_REPLY`.
   */
  static verify(
    { envelope, openedWith, messageId, plaintext }: DecryptedEnvelope,
    certificate: Certificate | undefined,
    { self, inReplyTo }: Expectations,
  ): SecureMessage {
    const { suite, sender, recipientKey } = envelope;
    const split = requireShape(plaintext, suite);
    const peer = sender as Wwwroot;
    if (!certificate) {
      throw new EnvelopeError("MNET_ENVELOPE_SIGNER_UNKNOWN", "The message is of a site that is not known.", { peer });
    }
    const signed = signedElement(split, certificate, suite);
    if (signed === undefined) {
      throw new EnvelopeError(
        "MNET_ENVELOPE_SIGNATURE_INVALID",
        `The signature is not made with the key ${certificate.fingerprint} that is pinned for the sender.`,
        { peer },
      );
    }
    const { bindings, document } = readMessage(signed, suite);
    const refuse = (code: EnvelopeError["code"], message: string): never => {
      throw new EnvelopeError(code, message, { peer });
    };
    if (bindings.sender !== sender) {
      refuse("MNET_ENVELOPE_SENDER_MISMATCH", `It is signed as from ${quote(bindings.sender)}.`);
    }
    if (bindings.recipient !== self || bindings.recipientKey !== recipientKey) {
      refuse(
        "MNET_ENVELOPE_WRONG_RECIPIENT",
        `The message is for ${quote(bindings.recipient)} and its key ${bindings.recipientKey}.`,
      );
    }
    // What was signed belongs to this session key and to no other: it cannot be sealed anew, nor the key be used again.
    if (bindings.messageId !== messageId) {
      refuse("MNET_ENVELOPE_WRONG_RECIPIENT", "The message was signed for another encryption.");
    }
    if (bindings.inReplyTo !== inReplyTo) {
      refuse(
        "MNET_ENVELOPE_WRONG_REPLY",
        inReplyTo === undefined ? "It is a response where a request belongs." : "It is no response to this request.",
      );
    }
    return new SecureMessage(suite.name, bindings, document, {
      openedWith: openedWith.certificate.fingerprint,
      signedBy: certificate.fingerprint,
    });
  }
}

/**
 * Looks at the whole of a signed envelope with our own strict reader before any other sees it: DOCTYPE, comments,
 * processing instructions and CDATA, second ids, signatures and references, other transforms and algorithms do not get by.
 */
function requireShape(plaintext: Buffer, suite: Suite): SplitDocument {
  const root = readDocument(plaintext);
  if (root.name.slice(root.name.indexOf(":") + 1) !== "signedMessage") {
    throw new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", "The message is encrypted and not signed.");
  }
  const shape = namespaceOf(root) === suite.namespace ? SIGNED.get(suite.namespace) : undefined;
  if (!shape) throw malformed("what is signed is of another version than what is encrypted");
  const { signature = "", digest = "" } = readShape(withKnownPrefixes(root, prefixesOf(suite)), shape);
  if (!decodeBase64(signature) || !decodeBase64(digest)) throw malformed("its signature is damaged");
  // Every byte is ASCII.
  return split(plaintext.toString("latin1"), root);
}

/** Only for what has the shape: no name begins like that of the signature before it, and no attribute has a ">". */
function split(xml: string, { name, children: [, signature] }: XmlElement): SplitDocument {
  const inside = xml.indexOf(">", xml.indexOf(`<${name}`)) + 1;
  const between = xml.indexOf(`<${signature?.name ?? ""}`, inside);
  const end = xml.lastIndexOf(`</${name}`);
  return {
    message: xml.slice(0, between) + xml.slice(end),
    signature: xml.slice(0, inside) + xml.slice(between),
  };
}

function readMessage(xml: string, suite: Suite): { readonly bindings: Bindings; readonly document: Buffer } {
  const root = withKnownPrefixes(readDocument(Buffer.from(xml, "utf8")), prefixesOf(suite));
  const fields = readShape(root, MESSAGE);
  const { sender = "", recipient = "", recipientKey = "", messageId = "", timestamp = "", inReplyTo } = fields;
  const document = decodeBase64(fields.document ?? "!");
  const time = new Date(TIMESTAMP.test(timestamp) ? timestamp : Number.NaN);
  const ids = inReplyTo === undefined ? [recipientKey, messageId] : [recipientKey, messageId, inReplyTo];
  if (!document || Number.isNaN(time.getTime()) || !ids.every((id) => /^[0-9a-f]{64}$/.test(id))) {
    throw malformed("a field of the signed message is missing or damaged");
  }
  return { bindings: { sender, recipient, recipientKey, messageId, timestamp: time, inReplyTo }, document };
}

/** Of all the forms of xs:dateTime, one. */
const TIMESTAMP = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;

/** Signs a document with what it is bound to. */
export function signBound(document: Uint8Array, bindings: Bindings, key: KeyPair, suite: Suite): Buffer {
  const { sender, recipient, recipientKey, messageId, timestamp, inReplyTo } = bindings;
  const base64 = Buffer.from(document.buffer, document.byteOffset, document.byteLength).toString("base64");
  const message =
    `<message Id="${SIGNED_ID}">` +
    `<sender>${escapeXml(sender)}</sender><recipient>${escapeXml(recipient)}</recipient>` +
    `<recipientKey>${recipientKey}</recipientKey><messageId>${messageId}</messageId>` +
    `<timestamp>${timestamp.toISOString()}</timestamp>` +
    (inReplyTo === undefined ? "" : `<inReplyTo>${inReplyTo}</inReplyTo>`) +
    `<document>${base64}</document></message>`;
  const envelope = (inside: string): string => `<signedMessage xmlns="${suite.namespace}">${inside}</signedMessage>`;
  return Buffer.from(envelope(message + signatureOf(envelope(message), key, suite)), "latin1");
}

const malformed = (reason: string): EnvelopeError =>
  new EnvelopeError("MNET_ENVELOPE_MALFORMED", `The envelope is not usable: ${reason}.`);

/** Names come from outside; a message must stay one readable line. */
const quote = (name: string): string => JSON.stringify(name.slice(0, 255));
