import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import forge from "node-forge";
import { describe, expect, it, vi } from "vitest";
import { canonicalPem, Certificate } from "../../src/crypto/certificate.ts";
import * as rsa from "../../src/crypto/rsa.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { RECORDINGS, recordedPems } from "../support/fixtures.ts";
import { certificatePemFor, rsaPublicKey } from "../support/sites.ts";

const WWWROOT = "https://lms.example.edu";
const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = certificatePemFor(publicKey, WWWROOT);
const DER = new X509Certificate(PEM).raw;

const { asn1 } = forge;
const { UNIVERSAL } = asn1.Class;
type Node = forge.asn1.Asn1;
const at = (node: Node, ...path: number[]): Node => path.reduce((inner, n) => (inner.value as Node[])[n]!, node);

/** Paths in a certificate's TBSCertificate. */
const VALIDITY = 4;
const SUBJECT = 5;
/** Position of an attribute in the subject that `selfSignedCertificate` writes. */
const COMMON_NAME = 2;
const ALTERNATIVE_NAME = 3;

/** The certificate with another content; its signature is wrong then, and nobody checks it. */
function changed(change: (certificate: Node) => void): string {
  const root = asn1.fromDer(DER.toString("binary"));
  change(at(root, 0));
  return canonicalPem(Buffer.from(asn1.toDer(root).getBytes(), "binary"));
}
const withAttribute = (attribute: number, type: number, bytes: string): string =>
  changed((certificate) => {
    const value = at(certificate, SUBJECT, attribute, 0, 1);
    value.type = type;
    value.value = bytes;
  });
const without = (...attributes: number[]): string =>
  changed((certificate) => {
    const subject = at(certificate, SUBJECT);
    subject.value = (subject.value as Node[]).filter((_, n) => !attributes.includes(n));
  });
/** A subject of CN and, if it is given, subjectAltName. */
const named = (commonName: string, alternativeName?: string): string =>
  changed((certificate) => {
    at(certificate, SUBJECT, COMMON_NAME, 0, 1).value = commonName;
    const subject = at(certificate, SUBJECT);
    if (alternativeName === undefined) subject.value = (subject.value as Node[]).slice(0, ALTERNATIVE_NAME);
    else at(subject, ALTERNATIVE_NAME, 0, 1).value = alternativeName;
  });
/** The subject with one attribute a second time. */
const twice = (attribute: number, value: string, inSameSet: boolean): string =>
  changed((certificate) => {
    const set = at(certificate, SUBJECT, attribute);
    const copy = asn1.create(UNIVERSAL, asn1.Type.SEQUENCE, true, [
      at(set, 0, 0),
      asn1.create(UNIVERSAL, asn1.Type.UTF8, false, value),
    ]);
    const list = inSameSet ? set : at(certificate, SUBJECT);
    (list.value as Node[]).push(inSameSet ? copy : asn1.create(UNIVERSAL, asn1.Type.SET, true, [copy]));
  });

/** An odd number of so many bits. Nobody knows its factors, and nobody needs them. */
function modulus(bits: number): Buffer {
  const bytes = randomBytes(bits / 8);
  bytes.writeUInt8(bytes.readUInt8(0) | 0x80, 0);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) | 1, bytes.length - 1);
  return bytes;
}

describe("Certificate.parse", () => {
  it("tells what the certificate says", () => {
    const certificate = Certificate.parse(PEM, { wwwroot: WWWROOT });
    expect(certificate.pem).toBe(PEM);
    expect(certificate.fingerprint).toBe(createHash("sha256").update(DER).digest("hex"));
    expect(certificate.notBefore).toEqual(new Date("2026-01-01T00:00:00Z"));
    expect(certificate.notAfter).toEqual(new Date("2027-01-01T00:00:00Z"));
    expect(certificate.modulusBits).toBe(2048);
    expect(certificate.publicKey.equals(publicKey)).toBe(true);
    expect(inspect(certificate)).toBe(`Certificate(${certificate.fingerprint})`);
  });

  it("MNET-013 writes canonical PEM: LF, 64 columns, final LF", () => {
    const lines = Certificate.parse(PEM).pem.split("\n");
    expect(lines[0]).toBe("-----BEGIN CERTIFICATE-----");
    expect(lines.slice(-2)).toEqual(["-----END CERTIFICATE-----", ""]);
    const body = lines.slice(1, -2);
    expect(body.slice(0, -1).every((line) => /^[A-Za-z0-9+/]{64}$/.test(line))).toBe(true);
    expect(body.at(-1)).toMatch(/^[A-Za-z0-9+/]{1,64}={0,2}$/);
    expect(Buffer.from(body.join(""), "base64").equals(DER)).toBe(true);
  });

  it.each([1, 2, 48, 63, 64, 65, 128])("MNET-013 writes %d bytes as lines of 64 characters", (length) => {
    const der = Buffer.alloc(length, 0xab);
    const base64 = der.toString("base64");
    const pem = canonicalPem(der);
    expect(pem.replaceAll("\n", "")).toBe(`-----BEGIN CERTIFICATE-----${base64}-----END CERTIFICATE-----`);
    expect(pem.split("\n").map((line) => line.length)).toEqual([
      27,
      ...Array.from({ length: Math.floor(base64.length / 64) }, () => 64),
      ...(base64.length % 64 > 0 ? [base64.length % 64] : []),
      25,
      0,
    ]);
  });

  const base64 = DER.toString("base64");
  it.each<[string, string]>([
    ["one line", `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----`],
    ["76 columns", `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{76}/g, "$&\n")}\n-----END CERTIFICATE-----\n`],
    ["CRLF", PEM.replaceAll("\n", "\r\n")],
    ["no final LF", PEM.trimEnd()],
    ["no line ends at all", PEM.replaceAll("\n", "")],
    ["indentation", PEM.replaceAll("\n", "\n  \t")],
    ["text before and after", `Subject: somebody\n${PEM}\nthat was all`],
  ])("MNET-014 reads %s and keeps the canonical form", (_, pem) => {
    expect(Certificate.parse(pem).pem).toBe(PEM);
  });

  const pkcs1 = publicKey.export({ type: "pkcs1", format: "pem" }).toString();
  it.each<[string, string]>([
    ["nothing", ""],
    ["no PEM", "Access denied"],
    ["a sentence, as Mahara sends in a 7025", "The key that was used is not known here."],
    ["no END", PEM.slice(0, -10)],
    ["no BEGIN", PEM.slice(10)],
    ["END before BEGIN", "-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n"],
    ["an empty body", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
    ["damaged base64", PEM.replace("MII", "M!I")],
    ["missing padding", `-----BEGIN CERTIFICATE-----\n${base64.slice(0, -1)}\n-----END CERTIFICATE-----`],
    ["two certificates", PEM + PEM],
    ["two certificates, the second not ended", `${PEM}-----BEGIN CERTIFICATE-----\n`],
    ["a certificate inside another", PEM.replace("\n", `\n${PEM}`)],
    ["a public key", pkcs1],
    ["a public key under the wrong label", pkcs1.replaceAll("RSA PUBLIC KEY", "CERTIFICATE")],
    ["PEM inside PEM", canonicalPem(Buffer.from(PEM))],
    ["something after the certificate", canonicalPem(Buffer.concat([DER, Buffer.alloc(1)]))],
    ["a cut certificate", canonicalPem(DER.subarray(0, -1))],
    ["noise", canonicalPem(randomBytes(800))],
    ["more than 64 KiB", `${" ".repeat(64 * 1024)}${PEM}`],
  ])("MNET-014 refuses %s", async (_, pem) => {
    expect(await codeOf(() => Certificate.parse(pem))).toBe("MNET_KEY_CERTIFICATE_INVALID");
  });

  it("takes as much text around as 64 KiB allow", () => {
    const padding = " ".repeat(64 * 1024 - PEM.length);
    expect(Certificate.parse(padding + PEM).pem).toBe(PEM);
  });

  it("MNET-018 SEC-048 reads a certificate that expired, and one that is not valid yet", () => {
    const past = { notBefore: new Date("1999-01-01T00:00:00Z"), notAfter: new Date("2000-01-01T00:00:00Z") };
    const future = { notBefore: new Date("2090-01-01T00:00:00Z"), notAfter: new Date("2091-01-01T00:00:00Z") };
    for (const validity of [past, future]) {
      const certificate = Certificate.parse(certificatePemFor(publicKey, WWWROOT, validity), { wwwroot: WWWROOT });
      expect(certificate).toMatchObject(validity);
    }
  });

  it.each([
    ["end", 1, asn1.Type.UTCTIME, "hello"],
    ["end", 1, asn1.Type.UTCTIME, "999999999999Z"],
    ["end", 1, asn1.Type.GENERALIZEDTIME, "20269999999999Z"],
    ["start", 0, asn1.Type.UTCTIME, ""],
  ])("refuses an unreadable %s of validity (%#)", async (_, which, type, text) => {
    const pem = changed((certificate) => {
      Object.assign(at(certificate, VALIDITY, which), { type, value: text });
    });
    expect(await codeOf(() => Certificate.parse(pem))).toBe("MNET_KEY_CERTIFICATE_INVALID");
  });

  it.each<[string, string]>([
    ["a bit string", withAttribute(COMMON_NAME, asn1.Type.BITSTRING, "\0abc")],
    ["an octet string", withAttribute(COMMON_NAME, asn1.Type.OCTETSTRING, "abc")],
    ["invalid UTF-8", withAttribute(COMMON_NAME, asn1.Type.UTF8, "\xff\xfe")],
    [
      "a sequence",
      changed((certificate) => {
        (at(certificate, SUBJECT, COMMON_NAME, 0).value as Node[])[1] = asn1.create(UNIVERSAL, 16, true, []);
      }),
    ],
  ])("SEC-046 refuses a subject whose name is %s", async (_, pem) => {
    expect(await codeOf(() => Certificate.parse(pem))).toBe("MNET_KEY_CERTIFICATE_INVALID");
  });
});

describe("sizes and kinds of keys", () => {
  const ofBits = (bits: number): string => certificatePemFor(rsaPublicKey(modulus(bits), 65_537n), WWWROOT);

  it.each([
    [512, "MNET_KEY_WEAK"],
    [1024, "MNET_KEY_WEAK"],
    [2040, "MNET_KEY_WEAK"],
    [2048, "accepted"],
    [3072, "accepted"],
    [4096, "accepted"],
    [8192, "accepted"],
    [8200, "MNET_KEY_WEAK"],
    [16384, "MNET_KEY_WEAK"],
  ])("SEC-047 MNET-019 an RSA key of %d bits: %s", async (bits, code) => {
    expect(await codeOf(() => Certificate.parse(ofBits(bits)))).toBe(code);
  });

  it.each([
    [1016, "MNET_KEY_WEAK"],
    [1024, "accepted"],
    [2048, "accepted"],
    [16384, "MNET_KEY_WEAK"],
  ])("SEC-047 MNET-019 an RSA key of %d bits where 1024 are allowed: %s", async (bits, code) => {
    expect(await codeOf(() => Certificate.parse(ofBits(bits), { minimumBits: 1024 }))).toBe(code);
  });

  it.each([
    [1n, "MNET_KEY_WEAK"],
    [2n, "MNET_KEY_WEAK"],
    [3n, "accepted"],
    [4n, "MNET_KEY_WEAK"],
    [17n, "accepted"],
    [65_536n, "MNET_KEY_WEAK"],
    [65_537n, "accepted"],
    [0xffff_ffffn, "accepted"],
    [0x1_0000_0001n, "MNET_KEY_WEAK"],
    [(1n << 2046n) + 1n, "MNET_KEY_WEAK"],
  ])("SEC-047 a public exponent of %d: %s", async (exponent, code) => {
    const pem = certificatePemFor(rsaPublicKey(modulus(2048), exponent), WWWROOT);
    expect(await codeOf(() => Certificate.parse(pem))).toBe(code);
  });

  it("SEC-047 an even modulus, under which nothing can be encrypted", async () => {
    const even = modulus(2048);
    even.writeUInt8(even.readUInt8(255) & 0xfe, 255);
    const key = rsaPublicKey(even, 65_537n);
    expect(() => rsa.wrapKey(key, randomBytes(16))).toThrow();
    expect(await codeOf(() => Certificate.parse(certificatePemFor(key, WWWROOT)))).toBe("MNET_KEY_WEAK");
  });

  it.each([
    ["EC", () => generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey],
    ["Ed25519", () => generateKeyPairSync("ed25519").publicKey],
    ["RSA-PSS", () => generateKeyPairSync("rsa-pss", { modulusLength: 1024 }).publicKey],
  ])("SEC-047 an %s key", async (_, make) => {
    expect(await codeOf(() => Certificate.parse(certificatePemFor(make(), WWWROOT)))).toBe(
      "MNET_KEY_CERTIFICATE_INVALID",
    );
  });

  it("SEC-047 a key of 16384 bits costs no verification and no encryption", async () => {
    const spies = [vi.spyOn(X509Certificate.prototype, "verify"), vi.spyOn(X509Certificate.prototype, "checkIssued")];
    const pem = ofBits(16384);
    expect(await codeOf(() => Certificate.parse(pem))).toBe("MNET_KEY_WEAK");
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });
});

describe("whose certificate it is", () => {
  const codeFor = (pem: string, wwwroot: string): Promise<string> => codeOf(() => Certificate.parse(pem, { wwwroot }));
  const REFUSED = "MNET_KEY_NOT_FOR_WWWROOT";
  const long = (length: number, last = "x"): string => "https://long.example/".padEnd(length - 1, "x") + last;

  it("MNET-017 a matching CN without subjectAltName", async () => {
    expect(await codeFor(named(WWWROOT), WWWROOT)).toBe("accepted");
  });

  it("MNET-015 a subjectAltName that is another site's", async () => {
    expect(await codeFor(named(WWWROOT, WWWROOT), WWWROOT)).toBe("accepted");
    expect(await codeFor(named(WWWROOT, "https://evil.example"), WWWROOT)).toBe(REFUSED);
    expect(await codeFor(named(WWWROOT, ""), WWWROOT)).toBe(REFUSED);
    expect(await codeFor(named(WWWROOT, `${WWWROOT}/`), WWWROOT)).toBe(REFUSED);
    expect(await codeFor(named(WWWROOT, `${WWWROOT}\0.evil.example`), WWWROOT)).toBe(REFUSED);
  });

  it.each<[string, string]>([
    ["another site", "https://evil.example"],
    ["an empty one", ""],
    ["a single letter that occurs in the wwwroot", "h"],
    ["a part of the wwwroot", "lms.example.edu"],
    ["a prefix of the wwwroot", "https://lms.example"],
    ["the wwwroot and more", `${WWWROOT}.evil.example`],
    ["a domain that ends alike", "https://evil-lms.example.edu"],
    ["another scheme", "http://lms.example.edu"],
    ["another case", "https://LMS.example.edu"],
    ["a slash too many", `${WWWROOT}/`],
    ["NUL and more", `${WWWROOT}\0.evil.example`],
    ["a space in front", ` ${WWWROOT}`],
  ])("SEC-046 MNET-016 a CN that is %s", async (_, commonName) => {
    expect(await codeFor(named(commonName, WWWROOT), WWWROOT)).toBe(REFUSED);
    expect(await codeFor(named(commonName), WWWROOT)).toBe(REFUSED);
  });

  it("SEC-046 MNET-016 no CN, nothing at all", async () => {
    expect(await codeFor(without(COMMON_NAME), WWWROOT)).toBe(REFUSED);
    expect(await codeFor(without(0, 1, COMMON_NAME, ALTERNATIVE_NAME), WWWROOT)).toBe(REFUSED);
  });

  it.each([63, 64, 65, 70, 255])("MNET-016 the first 64 of %d characters", async (length) => {
    const wwwroot = long(length);
    expect(wwwroot).toHaveLength(length);
    expect(await codeFor(named(wwwroot.slice(0, 64)), wwwroot)).toBe("accepted");
    expect(await codeFor(named(wwwroot.slice(0, 62)), wwwroot)).toBe(REFUSED);
    if (length > 63) expect(await codeFor(named(wwwroot.slice(0, 63)), wwwroot)).toBe(REFUSED);
    if (length > 64) expect(await codeFor(named(wwwroot.slice(0, 65)), wwwroot)).toBe(REFUSED);
  });

  it("MNET-016 one trailing slash of the 64 may be missing, as in a Moodle's own certificate", async () => {
    const wwwroot = `${long(64, "/")}rest`;
    expect(wwwroot[63]).toBe("/");
    expect(await codeFor(named(wwwroot.slice(0, 64)), wwwroot)).toBe("accepted");
    expect(await codeFor(named(wwwroot.slice(0, 63)), wwwroot)).toBe("accepted");
    expect(await codeFor(named(wwwroot.slice(0, 62)), wwwroot)).toBe(REFUSED);
  });

  it("SEC-046 two sites of 70 characters that differ after the 64th", async () => {
    const [one, other] = [long(70, "1"), long(70, "2")];
    expect(one.slice(0, 64)).toBe(other.slice(0, 64));
    expect(await codeFor(named(one.slice(0, 64), one), one)).toBe("accepted");
    expect(await codeFor(named(one.slice(0, 64), one), other)).toBe(REFUSED);
    // Without subjectAltName the certificate does not say which of the two it is; no check can.
    expect(await codeFor(named(one.slice(0, 64)), other)).toBe("accepted");
  });

  it.each([
    ["CN", COMMON_NAME, true],
    ["CN", COMMON_NAME, false],
    ["subjectAltName", ALTERNATIVE_NAME, true],
    ["subjectAltName", ALTERNATIVE_NAME, false],
  ])("SEC-046 a second %s, whatever it says (%#)", async (_, attribute, inSameSet) => {
    for (const value of ["https://evil.example", WWWROOT]) {
      expect(await codeFor(twice(attribute, value, inSameSet), WWWROOT)).toBe(REFUSED);
    }
  });

  it("SEC-046 the message tells which name it found", async () => {
    const found = await errorOf(() => Certificate.parse(named("https://found.example"), { wwwroot: WWWROOT }));
    expect(found.message).toContain('"https://found.example"');
    const missing = await errorOf(() => Certificate.parse(without(COMMON_NAME), { wwwroot: WWWROOT }));
    expect(missing.message).toContain("missing");
  });

  it("SEC-046 the message shows names as one readable line", async () => {
    const { message } = await errorOf(() => Certificate.parse(named("a\r\nb\u001b[31m"), { wwwroot: WWWROOT }));
    expect(message).not.toMatch(/[\r\n\u001b]/);
    const long = await errorOf(() => Certificate.parse(named("x".repeat(5000)), { wwwroot: WWWROOT }));
    expect(long.message.length).toBeLessThan(500);
  });

  it("names in other string types are read as text", async () => {
    for (const type of [asn1.Type.PRINTABLESTRING, asn1.Type.IA5STRING, asn1.Type.BMPSTRING]) {
      const pem = changed((certificate) => {
        for (const attribute of [COMMON_NAME, ALTERNATIVE_NAME]) at(certificate, SUBJECT, attribute, 0, 1).type = type;
      });
      expect(await codeFor(pem, WWWROOT)).toBe("accepted");
      expect(await codeFor(pem, "https://evil.example")).toBe(REFUSED);
    }
  });
});

describe("certificates of real sites", () => {
  const recorded = RECORDINGS.flatMap((recording) =>
    Object.entries(recordedPems(recording)).map(([id, pem]) => ({ recording, id, ...pem })),
  );

  it.each(recorded)("MNET-019 $recording $id of $wwwroot", ({ id, certificate, wwwroot }) => {
    const parsed = Certificate.parse(certificate, { wwwroot: wwwroot.replace(/\/$/, "") });
    expect(parsed.fingerprint.slice(0, 16)).toBe(id);
    expect(parsed.pem).toBe(certificate);
  });

  it("MNET-019 are signed with SHA-1 and with SHA-256", () => {
    const oids = { sha1: "06092a864886f70d010105", sha256: "06092a864886f70d01010b" };
    const hex = recorded.map(({ certificate }) => new X509Certificate(certificate).raw.toString("hex"));
    expect(hex.some((der) => der.includes(oids.sha1))).toBe(true);
    expect(hex.some((der) => der.includes(oids.sha256))).toBe(true);
  });

  it("MNET-015 MNET-016 are refused for another site", async () => {
    for (const { certificate } of recorded) {
      expect(await codeFor(certificate, "https://another.example")).toBe("MNET_KEY_NOT_FOR_WWWROOT");
    }
  });

  const codeFor = (pem: string, wwwroot: string): Promise<string> => codeOf(() => Certificate.parse(pem, { wwwroot }));
});
