import { X509Certificate } from "node:crypto";
import { describe, expect, it } from "vitest";
import { subjectNames } from "../../src/crypto/subject-names.ts";
import { RECORDINGS, recordedPems } from "../support/fixtures.ts";

/** An element in DER. */
function der(tag: number, ...content: (Buffer | string)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part as string)));
  const { length } = bytes;
  const long = length > 0xff ? [0x82, length >> 8, length & 0xff] : [0x81, length];
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : long)]), bytes]);
}
const CN = Buffer.from("0603550403", "hex");
const ALTERNATIVE = Buffer.from("0603551d11", "hex");
const ORGANIZATION = Buffer.from("060355040a", "hex");
const UTF8 = 0x0c;

const attribute = (oid: Buffer, value: Buffer): Buffer => der(0x31, der(0x30, oid, value));
const text = (value: string, tag = UTF8): Buffer => der(tag, value);

interface Parts {
  readonly version?: Buffer;
  readonly before?: Buffer;
  readonly subject?: Buffer;
  readonly after?: Buffer;
}
const VERSION = der(0xa0, der(0x02, "\x02"));
/** Version, serial, algorithm, issuer, validity, subject and the rest, as far as the reader looks. */
const certificate = ({ version = VERSION, before, subject = der(0x30), after = der(0x30) }: Parts): Buffer => {
  const issuer = der(0x30, attribute(CN, text("the issuer")));
  return der(
    0x30,
    der(0x30, version, before ?? Buffer.concat([der(0x02, "\x01"), der(0x30), issuer, der(0x30)]), subject, after),
    der(0x30),
    der(0x03, "\0"),
  );
};
const withSubject = (...attributes: Buffer[]): Buffer => certificate({ subject: der(0x30, ...attributes) });

describe("subjectNames", () => {
  it("SEC-046 reads CN and subjectAltName of the subject, not of the issuer", () => {
    const subject = withSubject(
      attribute(ORGANIZATION, text("Site")),
      attribute(CN, text("https://a.example")),
      attribute(ALTERNATIVE, text("https://a.example/x")),
    );
    expect(subjectNames(subject)).toEqual({
      commonNames: ["https://a.example"],
      alternativeNames: ["https://a.example/x"],
    });
  });

  it("SEC-046 agrees with OpenSSL on the certificates of real sites", () => {
    const pems = RECORDINGS.flatMap((recording) => Object.values(recordedPems(recording)));
    for (const { certificate: pem } of pems) {
      const x509 = new X509Certificate(pem);
      const { CN: commonName, subjectAltName } = x509.toLegacyObject().subject as unknown as Record<string, string>;
      expect(subjectNames(x509.raw)).toEqual({
        commonNames: [commonName],
        alternativeNames: subjectAltName === undefined ? [] : [subjectAltName],
      });
    }
    expect(pems.length).toBeGreaterThan(15);
  });

  it("SEC-046 reads all of them, in several sets and in one", () => {
    const both = der(0x31, der(0x30, CN, text("two")), der(0x30, CN, text("three")));
    expect(subjectNames(withSubject(attribute(CN, text("one")), both))?.commonNames).toEqual(["one", "two", "three"]);
    expect(subjectNames(withSubject())).toEqual({ commonNames: [], alternativeNames: [] });
  });

  it("reads a certificate of version 1, which has no version", () => {
    const subject = der(0x30, attribute(CN, text("one")));
    expect(subjectNames(certificate({ version: Buffer.alloc(0), subject }))?.commonNames).toEqual(["one"]);
  });

  it.each([127, 128, 255, 256, 60_000])("reads a name of %d bytes", (length) => {
    expect(subjectNames(withSubject(attribute(CN, text("x".repeat(length)))))?.commonNames).toEqual([
      "x".repeat(length),
    ]);
  });

  it.each<[string, number, Buffer, string]>([
    ["UTF8String", 0x0c, Buffer.from("é日😀"), "é日😀"],
    ["UTF8String with a byte order mark, which is part of the name", 0x0c, Buffer.from("\ufeffa"), "\ufeffa"],
    ["PrintableString", 0x13, Buffer.from("abc"), "abc"],
    ["T61String", 0x14, Buffer.from([0xe9]), "é"],
    ["IA5String", 0x16, Buffer.from("a@b"), "a@b"],
    ["BMPString", 0x1e, Buffer.from("é日", "utf16le").swap16(), "é日"],
    ["BMPString with a byte order mark", 0x1e, Buffer.from("\ufeffa", "utf16le").swap16(), "\ufeffa"],
    ["an empty one", 0x0c, Buffer.alloc(0), ""],
    ["NUL", 0x0c, Buffer.from("a\0b"), "a\0b"],
  ])("reads %s", (_, tag, bytes, name) => {
    expect(subjectNames(withSubject(attribute(CN, der(tag, bytes))))?.commonNames).toEqual([name]);
  });

  const valid = withSubject(attribute(CN, text("one")));
  it.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["something behind", Buffer.concat([valid, Buffer.from([0x05, 0])])],
    ["another tag", Buffer.from(valid).fill(0x31, 0, 1)],
    ["no content", der(0x30)],
    ["a certificate without subject", der(0x30, der(0x30, VERSION, der(0x02, "\x01")))],
    ["an inner tag that is no sequence", der(0x30, der(0x31, VERSION))],
    ["a subject that is no sequence", certificate({ subject: der(0x31) })],
    ["a subject of something other than sets", withSubject(der(0x30, der(0x30, CN, text("one"))))],
    ["a set of something other than sequences", withSubject(der(0x31, der(0x31, CN, text("one"))))],
    ["an attribute without OID", withSubject(der(0x31, der(0x30, text("one"), text("two"))))],
    ["an empty attribute", withSubject(der(0x31, der(0x30)))],
    ["a CN without value", withSubject(der(0x31, der(0x30, CN)))],
    ["a CN of bits", withSubject(attribute(CN, der(0x03, "\0abc")))],
    ["a CN of bytes", withSubject(attribute(CN, der(0x04, "abc")))],
    ["a CN of a sequence", withSubject(attribute(CN, der(0x30)))],
    ["a CN of an integer", withSubject(attribute(CN, der(0x02, "\x01")))],
    ["a CN in UTF-32", withSubject(attribute(CN, der(0x1c, "\0\0\0a")))],
    ["a CN of invalid UTF-8", withSubject(attribute(CN, der(0x0c, Buffer.from([0xff, 0xfe]))))],
    ["a CN of half a character", withSubject(attribute(CN, der(0x1e, "abc")))],
    ["a CN of half a surrogate pair", withSubject(attribute(CN, der(0x1e, Buffer.from([0xd8, 0x3d]))))],
    ["a subjectAltName of bytes", withSubject(attribute(ALTERNATIVE, der(0x04, "abc")))],
    ["an indefinite length", Buffer.concat([Buffer.from([0x30, 0x80]), valid.subarray(2), Buffer.alloc(2)])],
    ["a length of more bytes than there are", Buffer.from([0x30, 0x84, 0, 0])],
    ["a length of 127 bytes", Buffer.concat([Buffer.from([0x30, 0xff]), Buffer.alloc(200)])],
    ["a tag without length", Buffer.from([0x30])],
  ])("SEC-046 refuses %s", (_, bytes) => {
    expect(subjectNames(bytes)).toBeUndefined();
  });

  it("SEC-046 refuses an indefinite length that is as long as a definite one", () => {
    // 0x80 read as a length would be 128.
    const content = Buffer.concat([valid.subarray(2), der(0x30, "x".repeat(126 - valid.length))]);
    expect(content).toHaveLength(126);
    const indefinite = Buffer.concat([Buffer.from([0x30, 0x80]), content, Buffer.alloc(2)]);
    expect(subjectNames(indefinite)).toBeUndefined();
  });

  it("SEC-046 refuses what is cut at any byte", () => {
    for (let length = 0; length < valid.length; length++)
      expect(subjectNames(valid.subarray(0, length))).toBeUndefined();
    expect(subjectNames(valid)?.commonNames).toEqual(["one"]);
  });
});
