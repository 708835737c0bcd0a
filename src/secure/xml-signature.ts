import { createHash } from "node:crypto";
import { DOMParser, type ParsedElement } from "@xmldom/xmldom";
import { ExclusiveCanonicalization, SignedXml } from "xml-crypto";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { isSignedSha256 } from "../crypto/rsa.ts";
import { NAMESPACE, type Suite } from "./suite.ts";

/** What the one reference of a signature points to. */
export const SIGNED_ID = "message";

/**
 * The signature of the first element in the root of a document, which has the id `message` (XMLDSIG, exclusive C14N).
 * xml-crypto canonicalises; the rest of what it does to sign would cost as much as RSA once more.
 */
export function signatureOf(xml: string, key: KeyPair, { algorithms, scheme }: Suite): string {
  const { canonicalization, digest, signature } = algorithms;
  const digestValue = createHash("sha256")
    .update(canonical(parse(xml).firstChild))
    .digest("base64");
  const info =
    `<CanonicalizationMethod Algorithm="${canonicalization}"/>` +
    `<SignatureMethod Algorithm="${signature}"/>` +
    `<Reference URI="#${SIGNED_ID}"><Transforms><Transform Algorithm="${canonicalization}"/></Transforms>` +
    `<DigestMethod Algorithm="${digest}"/><DigestValue>${digestValue}</DigestValue></Reference>`;
  const signedInfo = canonical(parse(`<SignedInfo xmlns="${NAMESPACE.ds}">${info}</SignedInfo>`));
  const value = key.signSha256(Buffer.from(signedInfo, "utf8"), scheme).toString("base64");
  return `<Signature xmlns="${NAMESPACE.ds}"><SignedInfo>${info}</SignedInfo><SignatureValue>${value}</SignatureValue></Signature>`;
}

/** A signed document in two: the root with what is signed, and the root with the signature. */
export interface SplitDocument {
  readonly message: string;
  readonly signature: string;
}

/**
 * The canonical form of the element that the certificate's key has signed, and nothing else of the document (SEC-013).
 *
 * Only for documents whose shape has been checked: one signature, one reference, no key information. They come in two
 * parts, because xml-crypto goes over all elements several times, and looks for no signature where it looks for what is
 * signed. `undefined` whatever is wrong with the signature.
 */
export function signedElement(
  { message, signature }: SplitDocument,
  { publicKey }: Certificate,
  suite: Suite,
): string | undefined {
  const verifier = verifierFor(suite, (data, value) => isSignedSha256(publicKey, data, value, suite.scheme));
  try {
    verifier.loadSignature(parse(signature).firstChild);
    if (verifier.checkSignature(message) !== true) return undefined;
    const signed = verifier.getSignedReferences();
    return signed.length === 1 ? signed[0] : undefined;
  } catch {
    return undefined;
  }
}

/**
 * xml-crypto with this version's algorithms in place of its own tables: the shape of the document does not allow others,
 * and here nobody could run them. The key, a parsed object, does not go through it: it only hands out what to verify.
 */
function verifierFor({ algorithms }: Suite, verify: (data: Buffer, signature: Buffer) => boolean): SignedXml {
  const { canonicalization, digest, signature } = algorithms;
  const xml = new SignedXml();
  xml.CanonicalizationAlgorithms = only(xml.CanonicalizationAlgorithms, canonicalization);
  xml.HashAlgorithms = only(xml.HashAlgorithms, digest);
  xml.SignatureAlgorithms = {
    [signature]: class {
      getAlgorithmName = (): string => signature;
      verifySignature = (data: string, _key: unknown, value: string): boolean =>
        verify(Buffer.from(data, "utf8"), Buffer.from(value, "base64"));
    },
  };
  // Nothing in a message leads to a key (SEC-026); it wants one all the same, to hand it to the algorithm.
  xml.getCertFromKeyInfo = () => null;
  xml.publicCert = "pinned";
  // It searches the whole document for each of them.
  xml.idAttributes = ["Id"];
  return xml;
}

function only<T>(table: Readonly<Record<string, T>>, name: string): Record<string, T> {
  const algorithm = table[name];
  if (algorithm === undefined) throw new TypeError(`xml-crypto does not know ${name}.`);
  return { [name]: algorithm };
}

const canonical = (element: object): string => new ExclusiveCanonicalization().process(element, {}).toString();

/** The parser mends what is not well-formed, unless it is told to refuse it. */
const parser = new DOMParser({
  errorHandler(_level, message) {
    throw new TypeError(String(message));
  },
});

const parse = (xml: string): ParsedElement => parser.parseFromString(xml, "text/xml").documentElement;
