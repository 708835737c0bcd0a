import { createHash, verify } from "node:crypto";
import { EnvelopeError, MnetError, XmlRpcError, type MnetErrorCode } from "../../core/errors.ts";
import { Certificate } from "../../crypto/certificate.ts";
import { rc4 } from "../../crypto/rc4.ts";
import { isSignedSha1 } from "../../crypto/rsa.ts";
import {
  decryptMessage,
  ENCRYPTED_MESSAGE,
  type DecryptedText,
  type EncryptedMessage,
} from "../../envelope/encrypted-message.ts";
import { readEnvelope, type Envelope } from "../../envelope/open.ts";
import { SIGNED_MESSAGE, type SignedMessage } from "../../envelope/signed-message.ts";
import { requireOneSender } from "../../envelope/verified-message.ts";
import { DEFAULT_DRIFT_TOLERANCE_MS } from "../../peer/peer-settings.ts";
import type { XmlElement } from "../../xml/element.ts";
import { readDocument, rootNameOf } from "../../xml/read-document.ts";
import { decode } from "../../xmlrpc/decode.ts";
import type { XmlRpcDocument } from "../../xmlrpc/document.ts";
import { describePlain } from "./describe-plain.ts";
import type {
  CarriedCertificate,
  Check,
  CheckName,
  DocumentLayer,
  EncryptedLayer,
  Explanation,
  KeyDescription,
  SignedLayer,
} from "./explanation.ts";
import { faultMeaning } from "./fault-meanings.ts";
import type { GivenKey } from "./key-bag.ts";

/** What is known beside the message. */
export interface ExplainOptions {
  /** The moment to which the message's clock is compared. Default: it is not. */
  readonly now?: Date | undefined;
  /** Show the document itself. Default `false`. */
  readonly showPayload?: boolean | undefined;
}

/**
 * Takes a message apart as far as the keys reach, and says of each layer what it is and whether it holds.
 *
 * This is a diagnosis: other than `open`, it goes on after a failure and looks into what nobody vouches for, and says so
 * (`document.verified`). Never act on what it found. Throws nothing, whatever the bytes are.
 */
export function explain(body: Uint8Array, keys: readonly GivenKey[], options: ExplainOptions = {}): Explanation {
  return new Explainer(body, keys, options).explain();
}

/** The two document roots of XML-RPC. */
const XML_RPC_ROOTS = new Set(["methodCall", "methodResponse"]);
const KEYSWAP = "system/keyswap";

class Explainer {
  readonly #body: Uint8Array;
  readonly #keys: readonly GivenKey[];
  readonly #options: ExplainOptions;
  readonly #checks: Check[] = [];

  constructor(body: Uint8Array, keys: readonly GivenKey[], options: ExplainOptions) {
    this.#body = body;
    this.#keys = keys;
    this.#options = options;
  }

  explain(): Explanation {
    const envelope = this.#readOuter();
    switch (envelope?.kind) {
      case "encrypted":
        return this.#explainEncrypted(envelope.message);
      case "signed":
        return this.#explainSigned(envelope.message);
      case "plain":
        return this.#explainPlain(envelope.document);
      default:
        return this.#result("unknown", {});
    }
  }

  #result(
    kind: Explanation["kind"],
    layers: Pick<Explanation, "encrypted" | "signed" | "document">,
    verified = false,
  ): Explanation {
    const ok = verified && this.#checks.every(({ outcome }) => outcome !== "failed");
    return { ok, verified, kind, bytes: this.#body.length, ...layers, checks: this.#checks };
  }

  // ── Form ──────────────────────────────────────────────────────────────────

  #readOuter(): Envelope | undefined {
    const root = rootNameOf(this.#body);
    try {
      const envelope = readEnvelope(this.#body, Infinity);
      if (envelope.kind === "plain" && !XML_RPC_ROOTS.has(root ?? "")) {
        const { detail, hint } = describePlain(this.#body);
        this.#failed("form", "MNET_ENVELOPE_MALFORMED", detail, hint);
        return undefined;
      }
      this.#passed("form", `The message is a whole ${root ?? "document"}.`);
      return envelope;
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      this.#failed("form", error.code, error.message, this.#hintOfDamage(root ?? ""));
      return undefined;
    }
  }

  #hintOfDamage(root: string): string {
    const end = Buffer.from(this.#body.subarray(-256)).toString("latin1");
    if (!end.includes(`</${root}>`)) {
      return `the end tag of ${root} is missing, so the message was cut off; compare its ${this.#body.length} bytes with the Content-Length.`;
    }
    return "the sender is no Moodle or Mahara, or the message was changed on the way or when it was captured.";
  }

  // ── Encrypted ─────────────────────────────────────────────────────────────

  #explainEncrypted(message: EncryptedMessage): Explanation {
    const root = readDocument(this.#body);
    const algorithms = {
      cipher: algorithmAt(root, "EncryptedData/EncryptionMethod"),
      keyTransport: algorithmAt(root, "EncryptedKey/EncryptionMethod"),
    };
    const layer: EncryptedLayer = {
      sender: message.sender,
      ciphertextBytes: message.ciphertext.length,
      wrappedKeyBytes: message.wrappedKey.length,
      algorithms,
    };
    this.#passed("encrypted", `Encrypted; says that it comes from ${quote(message.sender)}.`);

    const opened = this.#open(message);
    if (!opened) {
      this.#remarkAlgorithms(message.remarks);
      return this.#result("encrypted", { encrypted: layer });
    }
    const { key, decrypted } = opened;
    const encrypted: EncryptedLayer = { ...layer, openedWith: describeKey(key) };
    this.#passed("opened", `Opened with the key ${nameOf(key)}.`);

    if (decrypted.content.kind === "unsigned") {
      this.#failed(
        "signed",
        "MNET_ENVELOPE_NOT_SIGNED",
        "What was encrypted is a bare XML-RPC document, which nobody signed.",
        "a Moodle sends fault 711 like this when it saw no signature; a request like this is refused.",
      );
      this.#remarkAlgorithms(message.remarks);
      return this.#result("encrypted", {
        encrypted,
        ...this.#explainDocument(decrypted.content.document, { verified: false }),
      });
    }
    const signedMessage = decrypted.content.message;
    const signedRoot = readDocument(decrypted.plaintext);
    this.#checkSender(message, signedMessage);
    const { signed, isVerified } = this.#explainSignature(signedRoot, signedMessage, message.remarks);
    const hasOneSender = this.#checks.every(({ name, outcome }) => name !== "sender" || outcome === "passed");
    const verified = isVerified && hasOneSender;
    const document = this.#explainDocument(signedMessage.document, { verified, sender: signedMessage.sender, signed });
    return this.#result("encrypted", { encrypted, signed, ...document }, verified);
  }

  #open(message: EncryptedMessage): { readonly key: GivenKey; readonly decrypted: DecryptedText } | undefined {
    for (const key of this.#keys) {
      if (!key.pair) continue;
      try {
        return { key, decrypted: decryptMessage(message, [key.pair]) };
      } catch (error) {
        if (!(error instanceof EnvelopeError)) throw error;
        const reason = this.#damageInside(message, key, error);
        if (reason === undefined) continue;
        const detail = `The key ${nameOf(key)} opens the message, but what is inside is damaged. ${reason}`;
        this.#failed(
          "opened",
          error.code,
          detail,
          "the sender's software, or whoever captured the message, changed it.",
        );
        return undefined;
      }
    }
    this.#failed("opened", "MNET_ENVELOPE_DECRYPTION_FAILED", ...this.#whyNotOpened(message));
    return undefined;
  }

  /** Why the plaintext is not usable although the key is right; `undefined` if the key is wrong. */
  #damageInside(
    { ciphertext, wrappedKey }: EncryptedMessage,
    { pair }: GivenKey,
    error: EnvelopeError,
  ): string | undefined {
    if (!pair?.fits(wrappedKey)) return undefined;
    const root = rootNameOf(rc4(pair.unwrapSessionKey(wrappedKey), ciphertext.subarray(0, 1024)));
    // A wrong key makes noise, which never looks like this.
    if (root !== SIGNED_MESSAGE && root !== ENCRYPTED_MESSAGE) return undefined;
    return error.cause instanceof Error ? error.cause.message : "";
  }

  #whyNotOpened({ wrappedKey, sender }: EncryptedMessage): readonly [detail: string, hint: string] {
    const pairs = this.#keys.flatMap(({ pair }) => pair ?? []);
    const bits = wrappedKey.length * 8;
    if (pairs.length === 0) {
      return [
        "No private key was given, so the message cannot be opened.",
        `give the receiver's certificate and private key with --keys; it is a ${bits}-bit key.`,
      ];
    }
    const fitting = pairs.filter(({ certificate }) => Math.ceil(certificate.modulusBits / 8) === wrappedKey.length);
    if (fitting.length === 0) {
      const given = [...new Set(pairs.map(({ certificate }) => certificate.modulusBits))].join(", ");
      return [
        `The message is encrypted to a ${bits}-bit key; of the private keys given, none fits (bits: ${given}).`,
        "the receiver had another key then, or the message is for another site.",
      ];
    }
    return [
      `${fitting.length === 1 ? "The only private key of" : `None of the ${fitting.length} private keys of`} the right size (${bits} bits) ${fitting.length === 1 ? "does not open" : "opens"} the message.`,
      `${quote(sender)} encrypted to another key: an older one of the receiver, or that of another site.`,
    ];
  }

  // ── Signed ────────────────────────────────────────────────────────────────

  #explainSigned(message: SignedMessage): Explanation {
    this.#failed(
      "encrypted",
      "MNET_ENVELOPE_NOT_ENCRYPTED",
      "The message is signed and not encrypted.",
      "a Moodle answers like this when the request was not encrypted; hosts of this library refuse such a message.",
    );
    const { signed, isVerified: verified } = this.#explainSignature(readDocument(this.#body), message, []);
    return this.#result("signed", {
      signed,
      ...this.#explainDocument(message.document, { verified, sender: message.sender, signed }),
    });
  }

  #explainSignature(
    root: XmlElement,
    message: SignedMessage,
    outerRemarks: readonly string[],
  ): { readonly signed: SignedLayer; readonly isVerified: boolean } {
    const { now } = this.#options;
    const timestamp = new Date(message.timestamp * 1000);
    const digest = digestOf(root, message.document);
    const layer: SignedLayer = {
      sender: message.sender,
      timestamp: timestamp.toISOString(),
      ...(now && { ageSeconds: Math.floor(now.getTime() / 1000) - message.timestamp }),
      signatureBytes: message.signature.length,
      digest,
      algorithms: {
        signature: algorithmAt(root, "Signature/SignedInfo/SignatureMethod"),
        digest: algorithmAt(root, "Signature/SignedInfo/Reference/DigestMethod"),
        canonicalization: algorithmAt(root, "Signature/SignedInfo/CanonicalizationMethod"),
      },
    };
    const signer = this.#checkSignature(message);
    if (digest === "differs") {
      this.#check("digest", "warning", {
        detail: "The digest is not that of the document. Nobody checks it, and the signature decides.",
        hint: "the sender's software computes it wrongly, or the document was replaced.",
      });
    } else {
      this.#passed(
        "digest",
        digest === "matches" ? "The digest is that of the document." : "There is no digest, and none is needed.",
      );
    }
    const algorithmRemarks = message.remarks.filter((remark) => remark.includes("algorithm"));
    this.#remarkAlgorithms([...outerRemarks, ...algorithmRemarks]);
    return {
      signed: { ...layer, ...(signer && { verifiedWith: describeKey(signer) }) },
      isVerified: signer !== undefined,
    };
  }

  #checkSender(outer: EncryptedMessage, inner: SignedMessage): void {
    try {
      requireOneSender(outer, inner);
      this.#passed("sender", "Both envelopes name the same sender.");
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      const hint = "one site signed and another one encrypted; a Moodle would take the signer for the sender.";
      this.#failed("sender", error.code, error.message, hint);
    }
  }

  /** The sender's key that made the signature, if it was given. */
  #checkSignature(message: SignedMessage): GivenKey | undefined {
    const { sender, document, signature } = message;
    if (signature.length === 0) {
      const hint = "the sender could not use its private key, or leaves signatures out; look into its error log.";
      this.#failed(
        "signed",
        "MNET_ENVELOPE_NOT_SIGNED",
        "There is a signed envelope, but its signature is empty.",
        hint,
      );
      return undefined;
    }
    this.#passed("signed", `Signed; says that it comes from ${quote(sender)}.`);

    const signers = this.#keys.filter(({ certificate }) => isSignedSha1(certificate.publicKey, document, signature));
    const signer = signers.find((key) => isKeyOf(key, sender));
    if (signer) {
      this.#passed("signature", `The signature verifies with the sender's key ${nameOf(signer)}.`);
      return signer;
    }
    const [other] = signers;
    if (other) {
      this.#failed(
        "signature",
        "MNET_ENVELOPE_SIGNATURE_INVALID",
        `The signature verifies with the key ${nameOf(other)}, which is not a key of ${quote(sender)}.`,
        "one site speaks in the name of another, or its wwwroot was changed without making a new key.",
      );
      return undefined;
    }
    this.#failed("signature", ...this.#whyNotVerified(message));
    return undefined;
  }

  #whyNotVerified({ sender, document, signature }: SignedMessage): readonly [MnetErrorCode, string, string] {
    const sha256 = this.#keys.find(({ certificate }) => {
      try {
        return verify("sha256", document, certificate.publicKey, signature);
      } catch {
        return false;
      }
    });
    if (sha256) {
      return [
        "MNET_ENVELOPE_SIGNATURE_INVALID",
        `The signature is made with the key ${nameOf(sha256)}, but with SHA-256.`,
        "MNet knows SHA-1 signatures only; every Moodle refuses this one.",
      ];
    }
    const own = this.#keys.filter((key) => isKeyOf(key, sender));
    if (own.length === 0) {
      return [
        "MNET_ENVELOPE_SIGNER_UNKNOWN",
        `No certificate of ${quote(sender)} was given, and none of the others made the signature.`,
        "give the sender's certificate with --keys; a Moodle shows it at WWWROOT/mnet/publickey.php.",
      ];
    }
    return [
      "MNET_ENVELOPE_SIGNATURE_INVALID",
      `The signature is made with none of the sender's keys given: ${own.map(nameOf).join(", ")}.`,
      "the sender has a newer key (WWWROOT/mnet/publickey.php shows it), or the document was changed after it was signed.",
    ];
  }

  // ── Plain and innermost ───────────────────────────────────────────────────

  #explainPlain(document: Uint8Array): Explanation {
    const layers = this.#explainDocument(document, { verified: false });
    const { kind, method, certificate } = layers.document ?? {};
    const isKeyExchange = method === KEYSWAP || (kind === "result" && certificate !== undefined);
    if (isKeyExchange) {
      this.#check("encrypted", "skipped", {
        detail: "A key exchange travels in clear: there is nothing to open, and nothing to verify.",
        hint: "compare the fingerprint with the other administrator by another way, such as the telephone.",
      });
    } else {
      this.#failed(
        "encrypted",
        "MNET_ENVELOPE_NOT_ENCRYPTED",
        `The ${kind ?? "document"} is neither encrypted nor signed: anybody on the way may have written it.`,
        kind === "fault"
          ? "a site refuses like this whom it does not know or cannot read; believe it no more than an error page."
          : "only a key exchange may travel in clear; the sender does not speak MNet.",
      );
    }
    return this.#result("xml-rpc", layers);
  }

  #explainDocument(
    bytes: Uint8Array,
    { verified, sender, signed }: { verified: boolean; sender?: string; signed?: SignedLayer },
  ): { readonly document?: DocumentLayer } {
    let document: XmlRpcDocument;
    try {
      document = decode(bytes);
    } catch (error) {
      if (!(error instanceof XmlRpcError)) throw error;
      this.#failed(
        "document",
        error.code,
        error.message,
        "the sender's software wrote a document that is not XML-RPC.",
      );
      if (signed) this.#checkClock(signed, undefined);
      return {};
    }
    if (signed) this.#checkClock(signed, document.kind);
    const certificate = certificateIn(document, sender);
    const meaning = document.kind === "fault" ? faultMeaning(document.faultCode) : undefined;
    this.#passed("document", `A well-formed XML-RPC ${document.kind}${verified ? "" : ", which nobody vouches for"}.`);
    return {
      document: {
        bytes: bytes.length,
        verified,
        kind: document.kind,
        dialect: document.dialect ?? null,
        ...(document.kind === "call" && { method: document.method, params: document.params.length }),
        ...(document.kind === "fault" && { faultCode: document.faultCode }),
        ...(meaning !== undefined && { faultMeaning: meaning }),
        ...(certificate && { certificate }),
        ...(this.#options.showPayload && { payload: Buffer.from(bytes).toString("utf8") }),
      },
    };
  }

  #checkClock({ ageSeconds, timestamp }: SignedLayer, kind: XmlRpcDocument["kind"] | undefined): void {
    if (ageSeconds === undefined) {
      this.#check("clock", "skipped", { detail: `Signed at ${timestamp}; there is no moment to compare that with.` });
      return;
    }
    const distance = `${Math.abs(ageSeconds)} s ${ageSeconds < 0 ? "after" : "before"} the moment of comparison`;
    const tolerance = DEFAULT_DRIFT_TOLERANCE_MS / 1000;
    if (Math.abs(ageSeconds) <= tolerance) {
      this.#passed("clock", `Signed ${distance}.`);
    } else if (ageSeconds < 0 && kind !== undefined && kind !== "call") {
      const hint = `a responder more than ${tolerance} s ahead is refused, by Moodles, too; set its clock by NTP.`;
      this.#failed("clock", "MNET_PEER_CLOCK_AHEAD", `Signed ${distance}.`, hint);
    } else {
      this.#check("clock", "warning", {
        detail: `Signed ${distance}. The timestamp is not covered by the signature.`,
        hint: "no reason to refuse it, but the sender's clock may be wrong, or the message old.",
      });
    }
  }

  #remarkAlgorithms(remarks: readonly string[]): void {
    if (remarks.length === 0) return;
    this.#check("algorithms", "warning", {
      detail: `Declares what no known software declares: ${remarks.join(", ")}. The declaration decides nothing.`,
      hint: "with the peer's setting strictAlgorithms such a message is refused.",
    });
  }

  // ── Notes ─────────────────────────────────────────────────────────────────

  #check(name: CheckName, outcome: Check["outcome"], found: Omit<Check, "name" | "outcome">): void {
    this.#checks.push({ name, outcome, ...found });
  }

  #passed(name: CheckName, detail: string): void {
    this.#check(name, "passed", { detail });
  }

  #failed(name: CheckName, code: MnetErrorCode, detail: string, hint: string): void {
    this.#check(name, "failed", { code, detail, hint });
  }
}

/** The first element at a path below the root. What is read here was accepted by the envelope's reader before. */
function elementAt(root: XmlElement, path: string): XmlElement | undefined {
  return path
    .split("/")
    .reduce<XmlElement | undefined>((element, name) => element?.children.find((child) => child.name === name), root);
}

const algorithmAt = (root: XmlElement, path: string): string | null =>
  elementAt(root, path)?.attributes?.get("Algorithm") ?? null;

function digestOf(root: XmlElement, document: Uint8Array): SignedLayer["digest"] {
  const declared = elementAt(root, "Signature/SignedInfo/Reference/DigestValue")?.text;
  if (declared === undefined) return "absent";
  return declared.toLowerCase() === createHash("sha1").update(document).digest("hex") ? "matches" : "differs";
}

const withoutSlash = (wwwroot: string): string => wwwroot.replace(/\/$/, "");

function isKeyOf({ certificate, wwwroot }: GivenKey, sender: string): boolean {
  return wwwroot === undefined ? belongsTo(certificate, withoutSlash(sender)) : wwwroot === withoutSlash(sender);
}

function belongsTo(certificate: Certificate, wwwroot: string): boolean {
  try {
    certificate.requireFor(wwwroot);
    return true;
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    return false;
  }
}

/** The certificate in a key exchange or in fault 7025. */
function certificateIn(document: XmlRpcDocument, sender: string | undefined): CarriedCertificate | undefined {
  switch (document.kind) {
    case "call":
      return document.method === KEYSWAP ? carried(document.params[1], document.params[0]) : undefined;
    case "result":
      return carried(document.value, sender);
    case "fault":
      return carried(document.faultString, sender);
  }
}

function carried(pem: unknown, claimedWwwroot: unknown): CarriedCertificate | undefined {
  if (typeof pem !== "string" || !pem.includes("BEGIN CERTIFICATE")) return undefined;
  try {
    const certificate = Certificate.parse(pem, { minimumBits: 1024 });
    const wwwroot = typeof claimedWwwroot === "string" ? withoutSlash(claimedWwwroot) : undefined;
    const { fingerprint, modulusBits, notBefore, notAfter } = certificate;
    return {
      fingerprint,
      modulusBits,
      notBefore: notBefore.toISOString(),
      notAfter: notAfter.toISOString(),
      ...(wwwroot !== undefined && { wwwroot, belongs: belongsTo(certificate, wwwroot) }),
    };
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    return undefined;
  }
}

function describeKey({ certificate, origin }: GivenKey): KeyDescription {
  const { fingerprint, modulusBits, notBefore, notAfter } = certificate;
  return { fingerprint, modulusBits, notBefore: notBefore.toISOString(), notAfter: notAfter.toISOString(), origin };
}

/**
 * A key as a sentence names it: enough of the fingerprint to find it among a few, not enough to compare two by, and where
 * it came from.
 */
function nameOf({ certificate, origin }: GivenKey): string {
  const short = certificate.fingerprint.slice(0, 16);
  return origin.includes(short) ? `in ${origin}` : `${short} in ${origin}`;
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 255));
