import { createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import forge from "node-forge";
import { describe, expect, it } from "vitest";
import { Certificate } from "../../src/crypto/certificate.ts";
import { selfSignedCertificate } from "../../src/keys/self-signed-certificate.ts";

const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
const WWWROOT = "https://lms.example.edu/moodle";
const NOT_BEFORE = new Date("2026-11-21T12:34:56Z");
const NOT_AFTER = new Date("2026-12-19T12:34:56Z");
const subject = { wwwroot: WWWROOT, name: "Example LMS", notBefore: NOT_BEFORE, notAfter: NOT_AFTER };

const make = (changes: Partial<typeof subject> = {}): string => selfSignedCertificate(keys, { ...subject, ...changes });
const names = (pem: string): Record<string, string> =>
  new X509Certificate(pem).toLegacyObject().subject as unknown as Record<string, string>;

/** The attributes of the subject: OID, ASN.1 type, text. */
function attributes(pem: string): { oid: string; type: number; text: string }[] {
  const { asn1 } = forge;
  const root = asn1.fromDer(new X509Certificate(pem).raw.toString("binary"));
  const inside = (node: forge.asn1.Asn1): forge.asn1.Asn1[] => node.value as forge.asn1.Asn1[];
  return inside(inside(inside(root)[0]!)[5]!).map((set) => {
    const [oid, value] = inside(inside(set)[0]!);
    return {
      oid: asn1.derToOid(oid!.value as string),
      type: value!.type,
      text: Buffer.from(value!.value as string, "binary").toString("utf8"),
    };
  });
}
const UTF8 = forge.asn1.Type.UTF8;

describe("selfSignedCertificate", () => {
  it.each([22, 63, 64, 65, 128, 255])("MNET-010 the CN is the first 64 of %d characters of the wwwroot", (length) => {
    const wwwroot = "https://long.example/".padEnd(length, "abcdefghij");
    expect(names(make({ wwwroot }))["CN"]).toBe(wwwroot.slice(0, 64));
  });

  it("MNET-010 also where the 64th is a slash: peers compare with it", () => {
    const wwwroot = `${"https://long.example/".padEnd(63, "x")}/moodle`;
    expect(names(make({ wwwroot }))["CN"]).toBe(wwwroot.slice(0, 64));
    expect(names(make({ wwwroot }))["CN"]?.endsWith("/")).toBe(true);
  });

  it("MNET-011 the subject has an RDN 2.5.29.17 with the whole wwwroot as UTF8String", () => {
    const wwwroot = "https://long.example/".padEnd(200, "x");
    for (const site of [WWWROOT, wwwroot]) {
      expect(attributes(make({ wwwroot: site }))).toContainEqual({ oid: "2.5.29.17", type: UTF8, text: site });
      expect(names(make({ wwwroot: site }))["subjectAltName"]).toBe(site);
    }
  });

  it("MNET-011 which is not the extension of that name", () => {
    expect(new X509Certificate(make()).subjectAltName).toBeUndefined();
  });

  it("says O, OU, CN, subjectAltName, in this order, once each", () => {
    expect(attributes(make())).toEqual([
      { oid: "2.5.4.10", type: UTF8, text: "Example LMS" },
      { oid: "2.5.4.11", type: UTF8, text: "Moodle" },
      { oid: "2.5.4.3", type: UTF8, text: WWWROOT },
      { oid: "2.5.29.17", type: UTF8, text: WWWROOT },
    ]);
  });

  it.each([
    ["non-ASCII letters", "École 日本 Ångström", "École 日本 Ångström"],
    ["markup", `<b>"A" & B</b>`, `<b>"A" & B</b>`],
    ["64 characters", "x".repeat(64), "x".repeat(64)],
    ["65 characters", "x".repeat(65), "x".repeat(64)],
    ["65 characters outside the BMP, none of them halved", "😀".repeat(65), "😀".repeat(64)],
    ["nothing", "", ""],
  ])("MNET-012 the O is the site's name: %s", (_, name, organization) => {
    expect(attributes(make({ name }))[0]).toEqual({ oid: "2.5.4.10", type: UTF8, text: organization });
    const pem = make({ name });
    expect(Certificate.parse(pem, { wwwroot: WWWROOT }).pem).toBe(pem);
  });

  it("is X.509 v3, signed by itself with SHA-256, and may sign", () => {
    const certificate = new X509Certificate(make());
    expect(certificate.verify(keys.publicKey)).toBe(true);
    expect(certificate.checkIssued(certificate)).toBe(true);
    expect(certificate.ca).toBe(true);
    expect(certificate.issuer).toBe(certificate.subject);
    expect(certificate.publicKey.equals(keys.publicKey)).toBe(true);
    const der = certificate.raw.toString("hex");
    // Version 3; sha256WithRSAEncryption, twice; SHA-1 of the public key's DER as its identifier.
    expect(der).toContain("a003020102");
    expect(der.split("06092a864886f70d01010b0500")).toHaveLength(3);
    const spki = keys.publicKey.export({ type: "spki", format: "der" });
    expect(der).toContain(`0603551d0e04160414${createHash("sha1").update(spki).digest("hex")}`);
  });

  it("has a positive serial of 16 bytes, another each time", () => {
    const serials = Array.from({ length: 20 }, () => new X509Certificate(make()).serialNumber);
    expect(new Set(serials).size).toBe(20);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  it("MNET-020 is valid from and to the given seconds", () => {
    const certificate = Certificate.parse(make());
    expect(certificate.notBefore).toEqual(NOT_BEFORE);
    expect(certificate.notAfter).toEqual(NOT_AFTER);
  });

  it.each(["2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z", "2100-02-28T00:00:00Z"])(
    "MNET-020 writes %s so that it is read alike",
    (time) => {
      expect(Certificate.parse(make({ notAfter: new Date(time) })).notAfter).toEqual(new Date(time));
    },
  );

  it("MNET-013 is canonical PEM", () => {
    const pem = make();
    expect(pem).toMatch(
      /^-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/]{64}\n)+[A-Za-z0-9+/]{1,64}={0,2}\n-----END CERTIFICATE-----\n$/,
    );
    expect(new X509Certificate(pem).toString()).toBe(pem);
  });
});
