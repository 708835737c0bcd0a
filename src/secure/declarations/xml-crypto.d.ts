// The part of xml-crypto that we use. Its own declarations bring those of a browser, which would let `window` and a second
// `Request` into every file of the project; tsconfig.json leads here.

/** What xml-crypto makes anew for each operation. */
type Algorithm = new () => object;

/** A signature that is checked. */
export class SignedXml {
  publicCert?: string;
  /** The key that a message brings along. */
  getCertFromKeyInfo: () => null;
  idAttributes: string[];
  CanonicalizationAlgorithms: Record<string, Algorithm>;
  HashAlgorithms: Record<string, Algorithm>;
  SignatureAlgorithms: Record<string, Algorithm>;
  loadSignature(signature: object): void;
  checkSignature(xml: string): unknown;
  /** Canonical forms of what the signature was checked for. */
  getSignedReferences(): string[];
}

/** Exclusive C14N. */
export class ExclusiveCanonicalization {
  process(node: object, options: object): { toString(): string };
}
