import { createHash, randomBytes, sign, type KeyObject } from "node:crypto";
import forge from "node-forge";
import { canonicalPem, COMMON_NAME_LENGTH } from "../crypto/certificate.ts";

const { asn1 } = forge;
type Node = forge.asn1.Asn1;

/** What a certificate says. */
export interface CertificateSubject {
  /** Whose it is. */
  readonly wwwroot: string;
  /** The site's name, for people. */
  readonly name: string;
  /** Start of validity; whole seconds count. */
  readonly notBefore: Date;
  /** End of validity; whole seconds count. */
  readonly notAfter: Date;
}

const OID = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  organizationalUnit: "2.5.4.11",
  subjectKeyIdentifier: "2.5.29.14",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  sha256WithRsa: "1.2.840.113549.1.1.11",
} as const;

/** Longest O of an X.520 name. */
const ORGANIZATION_LENGTH = 64;

/**
 * Makes the self-signed certificate in which a host's public key travels (spec 2.1).
 *
 * The wwwroot stands in the subject twice: its first 64 characters as common name, which Moodle 1.9 and Mahara read, and
 * whole as an *attribute* `subjectAltName`, which Moodle from 2.0 reads. That attribute is not the X.509 extension of
 * the same name, and no certificate library writes it, so the structure is built here (MNET-010, MNET-011).
 *
 * @returns canonical PEM.
 */
export function selfSignedCertificate(
  keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject },
  subject: CertificateSubject,
): string {
  const publicKeyDer = keys.publicKey.export({ type: "spki", format: "der" });
  const name = distinguishedName(subject);
  const algorithm = sequence(oid(OID.sha256WithRsa), asn1.create(asn1.Class.UNIVERSAL, asn1.Type.NULL, false, ""));
  const toBeSigned = sequence(
    tagged(0, integer(Buffer.from([2]))), // X.509 version 3
    integer(positiveSerial()),
    algorithm,
    name,
    sequence(time(subject.notBefore), time(subject.notAfter)),
    name,
    asn1.fromDer(publicKeyDer.toString("binary")),
    tagged(3, extensions(publicKeyDer)),
  );
  const signature = sign("sha256", derOf(toBeSigned), keys.privateKey);
  const certificate = sequence(
    toBeSigned,
    algorithm,
    asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BITSTRING, false, `\0${signature.toString("binary")}`),
  );
  return canonicalPem(derOf(certificate));
}

function distinguishedName({ wwwroot, name }: CertificateSubject): Node {
  const attributes: [id: string, value: string][] = [
    [OID.organization, [...name].slice(0, ORGANIZATION_LENGTH).join("")],
    [OID.organizationalUnit, "Moodle"],
    // Cut and no more: a Moodle drops a slash at the end of its own, and every peer's check then refuses it (spec 2.6).
    [OID.commonName, wwwroot.slice(0, COMMON_NAME_LENGTH)],
    [OID.subjectAltName, wwwroot],
  ];
  return sequence(...attributes.map(([id, value]) => set(sequence(oid(id), utf8String(value)))));
}

/** As OpenSSL's defaults add them to Moodle's certificates: the key's identifier, and that it may sign. */
function extensions(publicKeyDer: Buffer): Node {
  const keyIdentifier = octetString(createHash("sha1").update(publicKeyDer).digest());
  const isAuthority = sequence(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.BOOLEAN, false, "\xff"));
  return sequence(
    sequence(oid(OID.subjectKeyIdentifier), octetString(derOf(keyIdentifier))),
    sequence(oid(OID.basicConstraints), octetString(derOf(isAuthority))),
  );
}

function positiveSerial(): Buffer {
  const serial = randomBytes(16);
  serial.writeUInt8((serial.readUInt8(0) & 0x3f) | 0x40, 0);
  return serial;
}

/** UTCTime to the year 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
function time(date: Date): Node {
  return date.getUTCFullYear() < 2050
    ? asn1.create(asn1.Class.UNIVERSAL, asn1.Type.UTCTIME, false, asn1.dateToUtcTime(date))
    : asn1.create(asn1.Class.UNIVERSAL, asn1.Type.GENERALIZEDTIME, false, asn1.dateToGeneralizedTime(date));
}

const sequence = (...items: Node[]): Node => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, items);
const set = (...items: Node[]): Node => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, items);
const tagged = (tag: number, item: Node): Node => asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, true, [item]);
const integer = (bytes: Buffer): Node =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, bytes.toString("binary"));
const octetString = (bytes: Buffer): Node =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, bytes.toString("binary"));
const oid = (id: string): Node => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(id).getBytes());
const utf8String = (text: string): Node =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.UTF8, false, Buffer.from(text, "utf8").toString("binary"));
const derOf = (node: Node): Buffer => Buffer.from(asn1.toDer(node).getBytes(), "binary");
