/** The attributes of a certificate's subject that name a site (spec 2.6). */
export interface SubjectNames {
  /** CN. A usable certificate has one. */
  readonly commonNames: readonly string[];
  /** Attributes of type 2.5.29.17, which Moodle from 2.0 writes; not the X.509 extension of that name. */
  readonly alternativeNames: readonly string[];
}

const TAG = { oid: 0x06, sequence: 0x30, set: 0x31, version: 0xa0 } as const;
const COMMON_NAME = "550403";
const SUBJECT_ALT_NAME = "551d11";

/** The string types of a distinguished name (RFC 5280, 4.1.2.4), with the ones that only old certificates have. */
const STRING_DECODERS: ReadonlyMap<number, (content: Buffer) => string> = new Map([
  [0x0c, (content: Buffer) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content)], // UTF8String
  [0x13, (content: Buffer) => content.toString("latin1")], // PrintableString
  [0x14, (content: Buffer) => content.toString("latin1")], // T61String
  [0x16, (content: Buffer) => content.toString("latin1")], // IA5String
  [0x1e, (content: Buffer) => new TextDecoder("utf-16be", { fatal: true, ignoreBOM: true }).decode(content)], // BMPString
]);

/**
 * Reads the names of the subject out of a certificate in DER. Node's own view of the subject drops what it does not
 * understand, and differs between versions; a name that is not read exactly is a name that can be forged (SEC-046).
 *
 * @returns `undefined` if the structure, or a name, is not what RFC 5280 has there.
 */
export function subjectNames(certificate: Buffer): SubjectNames | undefined {
  try {
    const [toBeSigned] = childrenOf(only(certificate, TAG.sequence));
    const fields = childrenOf(expect(toBeSigned, TAG.sequence));
    // version is there in all but version 1; then serial, algorithm, issuer, validity, subject.
    const subject = fields[fields[0]?.tag === TAG.version ? 5 : 4];
    const attributes = childrenOf(expect(subject, TAG.sequence))
      .flatMap((relativeName) => childrenOf(expect(relativeName, TAG.set)))
      .map((attribute) => childrenOf(expect(attribute, TAG.sequence)));
    const valuesOf = (type: string): string[] =>
      attributes
        .filter(([oid]) => expect(oid, TAG.oid).toString("hex") === type)
        .map(([, value]) => decodeString(value));
    return { commonNames: valuesOf(COMMON_NAME), alternativeNames: valuesOf(SUBJECT_ALT_NAME) };
  } catch {
    return undefined;
  }
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

function decodeString(element: Element | undefined): string {
  const decode = element && STRING_DECODERS.get(element.tag);
  if (!decode) throw new TypeError("not a string");
  return decode(element.content);
}

function expect(element: Element | undefined, tag: number): Buffer {
  if (element?.tag !== tag) throw new TypeError("not the expected element");
  return element.content;
}

function only(der: Buffer, tag: number): Buffer {
  const [element, ...rest] = childrenOf(der);
  if (rest.length > 0) throw new TypeError("more than one element");
  return expect(element, tag);
}

/** Tag, length, content; again and again (X.690, 8.1). Tags of a certificate have one byte, lengths at most four. */
function childrenOf(content: Buffer): Element[] {
  const elements: Element[] = [];
  let at = 0;
  while (at < content.length) {
    const tag = content.readUInt8(at);
    const first = content.readUInt8(at + 1);
    if (first === 0x80) throw new RangeError("of indefinite length"); // BER, not DER
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    const length = lengthBytes === 0 ? first : content.readUIntBE(at + 2, lengthBytes);
    const start = at + 2 + lengthBytes;
    at = start + length;
    if (at > content.length) throw new RangeError("cut off");
    elements.push({ tag, content: content.subarray(start, at) });
  }
  return elements;
}
