import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { wrapKeyOaep } from "../../src/crypto/rsa.ts";
import { signatureOf, signedElement } from "../../src/secure/xml-signature.ts";
import { suiteOf } from "../../src/secure/suite.ts";
import { codeOf } from "../support/code-of.ts";
import { alice, bob, DOCUMENT, edit, mallory } from "../support/envelopes.ts";
import {
  encryptedSecurely,
  openSecurelyAsBob,
  plaintextOf,
  sealedSecurely,
  signedSecurely,
} from "../support/secure.ts";

const { signed, sessionKey, bindings } = signedSecurely();
const [MESSAGE = ""] = /<message .*<\/message>/s.exec(signed) ?? [];
const [SIGNATURE = ""] = /<Signature .*<\/Signature>/s.exec(signed) ?? [];
const [SIGNED_INFO = ""] = /<SignedInfo.*<\/SignedInfo>/s.exec(signed) ?? [];
const [REFERENCE = ""] = /<Reference .*<\/Reference>/s.exec(signed) ?? [];
const evilDocument = Buffer.from("<methodCall><methodName>evil/call</methodName></methodCall>");
const EVIL = edit(MESSAGE, /(?<=<document>)[^<]*/, evilDocument.toString("base64")).toString("latin1");
const DSIG = "http://www.w3.org/2000/09/xmldsig#";

/** A changed signed envelope, which bob decrypts without any objection. */
const outcome = (xml: string): Promise<string> =>
  codeOf(async () => openSecurelyAsBob(encryptedSecurely(xml, { sessionKey })));
const change = (from: string | RegExp, to: string): string => edit(signed, from, to).toString("latin1");

test("what is changed here is accepted as it is", async () => {
  expect(await outcome(signed)).toBe("accepted");
  expect(signed).toBe(`<signedMessage xmlns="urn:x-mnet:secure:1">${MESSAGE}${SIGNATURE}</signedMessage>`);
  expect(EVIL).not.toBe(MESSAGE);
});

/** Signature wrapping after Somorovsky and others, "On Breaking SAML": eight places for the original and the evil one. */
const XSW: Readonly<Record<string, (evil: string) => string>> = {
  "1: the original in the signature of an evil root": (evil) =>
    root(evil + SIGNATURE.replace("</Signature>", `${root(MESSAGE)}</Signature>`)),
  "2: the original root before the signature of an evil root": (evil) => root(evil + root(MESSAGE) + SIGNATURE),
  "3: an evil message before the original": (evil) => root(evil + MESSAGE + SIGNATURE),
  "4: an evil message around the original": (evil) =>
    root(evil.replace("</message>", `${MESSAGE}</message>`) + SIGNATURE),
  "5: the original after the signature": (evil) => root(evil + SIGNATURE + MESSAGE),
  "6: the original in the signature of an evil message": (evil) =>
    root(evil.replace("</message>", `${SIGNATURE.replace("</Signature>", `${MESSAGE}</Signature>`)}</message>`)),
  "7: the original in an extension": (evil) => root(`<Extensions>${MESSAGE}</Extensions>${evil}${SIGNATURE}`),
  "8: the original in an object of the signature": (evil) =>
    root(evil + SIGNATURE.replace("</Signature>", `<Object>${MESSAGE}</Object></Signature>`)),
};
const root = (inside: string): string => `<signedMessage xmlns="urn:x-mnet:secure:1">${inside}</signedMessage>`;
const ids: Readonly<Record<string, (evil: string) => string>> = {
  "the same id": (evil) => evil,
  "another id": (evil) => evil.replace('Id="message"', 'Id="evil"'),
  "no id": (evil) => evil.replace(' Id="message"', ""),
  "an id of another spelling": (evil) => evil.replace('Id="message"', 'ID="message"'),
};

describe.each(Object.entries(XSW))("SEC-097 signature wrapping %s", (_, wrap) => {
  test.each(Object.entries(ids))("SEC-097 and %s", async (_name, withId) => {
    expect(await outcome(wrap(withId(EVIL)))).toMatch(/^MNET_ENVELOPE_(MALFORMED|SIGNATURE_INVALID)$/);
    // The original in the place of the evil one is no better: there is one shape, and this is not it.
    expect(await outcome(wrap(withId(MESSAGE)))).toMatch(/^MNET_ENVELOPE_(MALFORMED|SIGNATURE_INVALID)$/);
  });
});

describe("advisories of xml-crypto, xmldom and those who use them", () => {
  const foreign = signedSecurely({}, { signer: mallory }).signed;
  const keyInfo =
    `<KeyInfo><X509Data><X509Certificate>` +
    mallory.certificate.pem.replace(/-----[^-]+-----|\n/g, "") +
    `</X509Certificate></X509Data></KeyInfo>`;

  test.each<[string, string]>([
    ["CVE-2024-32962: the certificate comes along", foreign.replace("</Signature>", `${keyInfo}</Signature>`)],
    ["CVE-2025-29774: two SignedInfo", change(SIGNED_INFO, SIGNED_INFO + SIGNED_INFO)],
    [
      "CVE-2025-29774: an evil SignedInfo first",
      change(SIGNED_INFO, edit(SIGNED_INFO, /(?<=<DigestValue>)[^<]*/, "AAAA").toString() + SIGNED_INFO),
    ],
    ["CVE-2025-29775: a comment in the digest", change("<DigestValue>", "<DigestValue><!--AAAA-->")],
    ["CVE-2025-29775: a digest in a comment", change("</DigestValue>", "<!--AAAA--></DigestValue>")],
    ["CVE-2022-39353: a second root", signed + root(EVIL + SIGNATURE)],
    ["CVE-2022-39353: a root before", root(EVIL + SIGNATURE) + signed],
    ["CVE-2021-32796: a line end in an attribute", change('Id="message"', 'Id="message&#xA;"')],
    ["CVE-2021-21366: a DOCTYPE", `<!DOCTYPE signedMessage SYSTEM "x">${signed}`],
    [
      "an entity that is the evil document",
      `<!DOCTYPE x [<!ENTITY e "${evilDocument.toString("base64")}">]>${change(/(?<=<document>)[^<]*/, "&e;")}`,
    ],
    ["CVE-2025-25291: two readings of quotes", change('Id="message"', `Id="message" x='"><message Id="message">'`)],
    ["CVE-2025-47949: a signature without a reference to it", change(REFERENCE, "")],
    ["no signature", change(SIGNATURE, "")],
    ["an empty signature", change(/(?<=<SignatureValue>)[^<]*/, "")],
    ["a comment in a field", change("<sender>", "<sender><!---->")],
    ["CDATA in a field", change(/(?<=<sender>)[^<]*/, "<![CDATA[https://alice.example]]>")],
    ["a processing instruction", change("<sender>", "<?x?><sender>")],
    ["a NUL", change("<sender>", "<sender>\0")],
    ["another encoding", `<?xml version="1.0" encoding="utf-7"?>${signed}`],
    ["UTF-16", Buffer.from(`\ufeff${signed}`, "utf16le").toString("latin1")],
  ])("SEC-015 SEC-016 SEC-017 SEC-018 SEC-026 SEC-027 %s", async (_, xml) => {
    expect(await outcome(xml)).toMatch(/^MNET_ENVELOPE_(MALFORMED|NOT_SIGNED|SIGNATURE_INVALID)$/);
  });
});

describe("what a message may not choose", () => {
  const hmac = (key: string): string =>
    createHmac("sha1", key)
      .update(SIGNED_INFO.replace("<SignedInfo>", `<SignedInfo xmlns="${DSIG}">`))
      .digest("base64");
  const RSA_SHA256 = suiteOf("secure/1").algorithms.signature;
  const EXC_C14N = suiteOf("secure/1").algorithms.canonicalization;
  const SHA256 = suiteOf("secure/1").algorithms.digest;
  const transform = `<Transform Algorithm="${EXC_C14N}"/>`;

  test.each<[string, string]>([
    [
      "an HMAC under the public key",
      edit(
        change(RSA_SHA256, `${DSIG}hmac-sha1`),
        /(?<=<SignatureValue>)[^<]*/,
        hmac(alice.publicKey.export({ format: "pem", type: "spki" }).toString()),
      ).toString(),
    ],
    [
      "an HMAC under the certificate",
      edit(
        change(RSA_SHA256, `${DSIG}hmac-sha1`),
        /(?<=<SignatureValue>)[^<]*/,
        hmac(alice.certificate.pem),
      ).toString(),
    ],
    ["RSA with SHA-1", change(RSA_SHA256, `${DSIG}rsa-sha1`)],
    ["RSA with SHA-512", change(RSA_SHA256, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512")],
    ["the signature of another version", change(RSA_SHA256, suiteOf("secure/2").algorithms.signature)],
    ["no signature at all", change(RSA_SHA256, "none")],
    [
      "inclusive C14N",
      change(
        `<CanonicalizationMethod Algorithm="${EXC_C14N}"/>`,
        `<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>`,
      ),
    ],
    [
      "C14N with comments",
      change(
        `<CanonicalizationMethod Algorithm="${EXC_C14N}"/>`,
        `<CanonicalizationMethod Algorithm="${EXC_C14N}WithComments"/>`,
      ),
    ],
    ["no transform", change(transform, "")],
    ["no transforms", change(`<Transforms>${transform}</Transforms>`, "")],
    ["two transforms", change(transform, transform + transform)],
    [
      "XPath",
      change(
        transform,
        `<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>1</XPath></Transform>`,
      ),
    ],
    ["XSLT", change(transform, `<Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>`)],
    ["base64", change(transform, `<Transform Algorithm="${DSIG}base64"/>`)],
    ["the enveloped signature", change(transform, `<Transform Algorithm="${DSIG}enveloped-signature"/>`)],
    [
      "inclusive namespaces",
      change(transform, `<Transform Algorithm="${EXC_C14N}"><InclusiveNamespaces PrefixList="x"/></Transform>`),
    ],
    ["a digest with SHA-1", change(SHA256, `${DSIG}sha1`)],
    ["two references", change(REFERENCE, REFERENCE + REFERENCE)],
    ["another reference first", change(REFERENCE, REFERENCE.replace("#message", "#evil") + REFERENCE)],
    ["a reference to everything", change('URI="#message"', 'URI=""')],
    ["a reference to nothing", change(' URI="#message"', "")],
    ["a reference to another id", change('URI="#message"', 'URI="#other"')],
    ["a reference to a file", change('URI="#message"', 'URI="file:///etc/passwd"')],
    ["a reference to a site", change('URI="#message"', 'URI="https://mallory.example/"')],
    ["an XPointer", change('URI="#message"', `URI="#xpointer(id('message'))"`)],
    ["a quote in a reference", change('URI="#message"', `URI="#message' or '1'='1"`)],
    ["a reference with a type", change('URI="#message"', `URI="#message" Type="${DSIG}Manifest"`)],
    ["the id on another element", change("<sender>", '<sender Id="message">')],
    ["another id besides", change('Id="message"', 'Id="message" ID="message"')],
    ["an id of xml", change('Id="message"', 'Id="message" xml:id="message"')],
    ["an id on the signature", change("<Signature ", '<Signature Id="message" ')],
    ["two signatures", change(SIGNATURE, SIGNATURE + SIGNATURE)],
    ["the signature before the message", root(SIGNATURE + MESSAGE)],
    ["a key name", change("</SignatureValue>", "</SignatureValue><KeyInfo><KeyName>alice</KeyName></KeyInfo>")],
    ["an object", change("</SignatureValue>", "</SignatureValue><Object/>")],
    ["a field twice", change("</sender>", "</sender><sender>https://alice.example</sender>")],
    ["a field more", change("</document>", "</document><role>admin</role>")],
    ["a field less", change(/<messageId>[^<]*<\/messageId>/, "")],
    ["fields in another order", signed.replace(/(<sender>.*<\/sender>)(<recipient>.*<\/recipient>)/, "$2$1")],
    ["another namespace", change("urn:x-mnet:secure:1", "urn:x-mnet:secure:3")],
    ["the namespace of another version", change("urn:x-mnet:secure:1", "urn:x-mnet:secure:2")],
    ["no namespace", change(' xmlns="urn:x-mnet:secure:1"', "")],
    ["a signature in no namespace", change(`<Signature xmlns="${DSIG}">`, "<Signature>")],
    ["a namespace that is not known", change('Id="message"', 'Id="message" xmlns:x="urn:x"')],
    ["a prefix for xml", change('Id="message"', `Id="message" xmlns:xml="${DSIG}"`)],
    ["text beside elements", change("<message ", "text<message ")],
  ])("SEC-011 SEC-014 %s", async (_, xml) => {
    expect(xml).not.toBe(signed);
    expect(await outcome(xml)).toBe("MNET_ENVELOPE_MALFORMED");
  });

  test("SEC-011 even without the look at the shape, nobody could run other algorithms", () => {
    const verify = (signature: string) =>
      signedElement({ message: root(MESSAGE), signature: root(signature) }, alice.certificate, suiteOf("secure/1"));
    expect(verify(SIGNATURE)).toContain("<document>");
    for (const [from, to] of [
      [RSA_SHA256, `${DSIG}rsa-sha1`],
      [RSA_SHA256, `${DSIG}hmac-sha1`],
      [SHA256, `${DSIG}sha1`],
      [transform, `<Transform Algorithm="${DSIG}enveloped-signature"/>`],
      [`<CanonicalizationMethod Algorithm="${EXC_C14N}"/>`, `<CanonicalizationMethod Algorithm="x"/>`],
      [REFERENCE, ""],
      [/(?<=<SignatureValue>)[^<]*/, "AAAA"],
      [/(?<=<DigestValue>)[^<]*/, "AAAA"],
      ["#message", "#other"],
    ] as const) {
      expect(verify(edit(SIGNATURE, from, to).toString()), to).toBeUndefined();
    }
    expect(
      signedElement({ message: root(EVIL), signature: root(SIGNATURE) }, alice.certificate, suiteOf("secure/1")),
    ).toBeUndefined();
    expect(
      signedElement({ message: root(MESSAGE), signature: root(SIGNATURE) }, mallory.certificate, suiteOf("secure/1")),
    ).toBeUndefined();
  });

  test("SEC-013 SEC-014 a signature of the right key over the wrong node", async () => {
    const suite = suiteOf("secure/1");
    const [DOCUMENT_ELEMENT = ""] = /<document>.*<\/document>/s.exec(MESSAGE) ?? [];
    const part = DOCUMENT_ELEMENT.replace("<document>", '<document Id="message">');
    const extension = `<extension Id="message">${evilDocument.toString("base64")}</extension>`;
    const withoutId = (xml: string): string => xml.replace(' Id="message"', "");
    for (const [node, content] of [
      [part, withoutId(EVIL).replace(/<document>.*<\/document>/s, part)],
      [extension, extension + withoutId(MESSAGE)],
      [extension, withoutId(MESSAGE) + extension],
      [extension, withoutId(MESSAGE).replace("</message>", `${extension}</message>`)],
    ] as const) {
      const signature = signatureOf(root(node), alice.key, suite);
      // It is a signature, and as a library would have it, a good one: of something else.
      const found = signedElement({ message: root(content), signature: root(signature) }, alice.certificate, suite);
      expect(found).toMatch(/^<(document|extension) /);
      expect(await outcome(root(content + signature))).toBe("MNET_ENVELOPE_MALFORMED");
    }
  });

  test("SEC-025 SEC-028 a signature in another padding is none, though the key is right", async () => {
    const wanted = SIGNED_INFO.replace("<SignedInfo>", `<SignedInfo xmlns="${DSIG}">`);
    const pss = sign("sha256", Buffer.from(wanted), { key: alice.privateKey, padding: 6, saltLength: 32 });
    expect(await outcome(change(/(?<=<SignatureValue>)[^<]*/, pss.toString("base64")))).toBe(
      "MNET_ENVELOPE_SIGNATURE_INVALID",
    );
    const own = sign("sha256", Buffer.from(wanted), generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey);
    expect(await outcome(change(/(?<=<SignatureValue>)[^<]*/, own.toString("base64")))).toBe(
      "MNET_ENVELOPE_SIGNATURE_INVALID",
    );
  });
});

describe("the encrypted envelope", () => {
  const sealed = Buffer.from(sealedSecurely().body).toString("latin1");
  const outer = (from: string | RegExp, to: string): Promise<string> =>
    codeOf(async () => openSecurelyAsBob(edit(sealed, from, to)));
  const [WRAPPED = "", DATA = ""] = [...sealed.matchAll(/(?<=<CipherValue>)[^<]*/g)].map(([value]) => value);
  const [ENCRYPTED_KEY = ""] = /<EncryptedKey .*<\/EncryptedKey>/s.exec(sealed) ?? [];
  const flipped = (base64: string, at: number): string => {
    const bytes = Buffer.from(base64, "base64");
    bytes.writeUInt8(bytes.readUInt8(at < 0 ? bytes.length + at : at) ^ 1, at < 0 ? bytes.length + at : at);
    return bytes.toString("base64");
  };
  const cut = (base64: string, length: number): string =>
    Buffer.from(base64, "base64").subarray(0, length).toString("base64");

  test.each<[string, string | RegExp, string]>([
    ["a flipped bit of the tag", DATA, flipped(DATA, -1)],
    ["a flipped bit of the ciphertext", DATA, flipped(DATA, 40)],
    ["a flipped bit of the initialisation vector", DATA, flipped(DATA, 0)],
    ["a short tag", DATA, cut(DATA, Buffer.from(DATA, "base64").length - 4)],
    ["no room for a tag", DATA, cut(DATA, 20)],
    ["nothing", DATA, ""],
    ["a flipped bit of the wrapped key", WRAPPED, flipped(WRAPPED, 60)],
    ["a wrapped key that is too short", WRAPPED, cut(WRAPPED, 100)],
    ["a wrapped key as large as the modulus", WRAPPED, Buffer.alloc(128, 255).toString("base64")],
    ["no wrapped key", WRAPPED, ""],
    [
      "a session key that is wrapped for somebody else",
      WRAPPED,
      wrapKeyOaep(mallory.publicKey, sessionKey.key).toString("base64"),
    ],
    ["a key of nobody", bob.certificate.fingerprint, "0".repeat(64)],
    ["somebody else's key", bob.certificate.fingerprint, mallory.certificate.fingerprint],
  ])("SEC-003 SEC-007 with %s: one code, whatever it is", async (_, from, to) => {
    expect(await outer(from, to)).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
  });

  test("SEC-007 a session key of another length does not open anything", async () => {
    for (const length of [16, 24, 31, 33]) {
      const key = Buffer.alloc(length, 1);
      const wrapped = wrapKeyOaep(bob.publicKey, key).toString("base64");
      expect(await outer(WRAPPED, wrapped)).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
    }
  });

  test("SEC-033 a session key, and so an initialisation vector, that is used again is an id that was seen before", async () => {
    const again = signedSecurely({ messageId: sessionKey.messageId }, { document: evilDocument }).signed;
    const [one, other] = [signed, again].map((xml) => openSecurelyAsBob(encryptedSecurely(xml, { sessionKey })));
    expect(one?.replayKey).toBe(sessionKey.messageId);
    expect(other?.replayKey).toBe(one?.replayKey);
  });

  test.each<[string, string | RegExp, string]>([
    ["AES-128", "aes256-gcm", "aes128-gcm"],
    ["AES-CBC", "http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2001/04/xmlenc#aes256-cbc"],
    ["RSA with PKCS#1 v1.5", "http://www.w3.org/2009/xmlenc11#rsa-oaep", "http://www.w3.org/2001/04/xmlenc#rsa-1_5"],
    ["OAEP with a mask of SHA-1", "mgf1sha256", "mgf1sha1"],
    ["OAEP with SHA-1", "http://www.w3.org/2001/04/xmlenc#sha256", `${DSIG}sha1`],
    ["an OAEP label", "<MGF ", "<OAEPparams>AA==</OAEPparams><MGF "],
    ["no mask", /<MGF [^>]*>/, ""],
    ["another type", 'Type="http://www.w3.org/2001/04/xmlenc#Element"', 'Type="x"'],
    ["a second encrypted key", "</EncryptedKey>", `</EncryptedKey>${ENCRYPTED_KEY}`],
    [
      "a reference to a cipher text",
      `<CipherValue>${DATA}</CipherValue>`,
      '<CipherReference URI="https://x.example/"/>',
    ],
    ["a retrieval method", "<KeyName>", '<RetrievalMethod URI="https://x.example/"/><KeyName>'],
    ["a sender twice", "<wwwroot>", "<wwwroot>https://alice.example</wwwroot><wwwroot>"],
    ["an empty sender", /(?<=<wwwroot>)[^<]*/, ""],
    ["a sender with a space", /(?<=<wwwroot>)[^<]*/, "https://alice. example"],
    ["a DOCTYPE", "<secureMessage ", "<!DOCTYPE x><secureMessage "],
    ["a comment", "<wwwroot>", "<!----><wwwroot>"],
    ["something after it", "</secureMessage>", "</secureMessage><x/>"],
    ["damaged base64", DATA, `${DATA}=`],
  ])("SEC-011 SEC-014 SEC-015 with %s", async (_, from, to) => {
    expect(await outer(from, to)).toBe("MNET_ENVELOPE_MALFORMED");
  });

  test("of a version that is not known", async () => {
    expect(await outer("urn:x-mnet:secure:1", "urn:x-mnet:secure:9")).toBe("MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED");
    expect(await outer("urn:x-mnet:secure:1", "urn:x-mnet:secure:2")).toBe("MNET_ENVELOPE_MALFORMED");
  });

  test("SEC-027 with something else inside than a signed message", async () => {
    for (const xml of [
      DOCUMENT.toString(),
      "<message/>",
      plaintextOf(sealedSecurely().body).replaceAll("signedM", "m"),
    ]) {
      expect(await outcome(xml)).toBe("MNET_ENVELOPE_NOT_SIGNED");
    }
    expect(await outcome("noise")).toBe("MNET_ENVELOPE_MALFORMED");
  });

  test("SEC-031 in another's name than the signed one", async () => {
    expect(await outer(alice.wwwroot, mallory.wwwroot)).toBe("MNET_ENVELOPE_SIGNATURE_INVALID");
    expect(await outer(alice.wwwroot, "https://nobody.example")).toBe("MNET_ENVELOPE_SIGNER_UNKNOWN");
    expect(bindings.sender).toBe(alice.wwwroot);
  });

  test("SEC-019 that is larger than allowed", async () => {
    const { readSecureEnvelope } = await import("../../src/secure/secure-envelope.ts");
    const body = Buffer.from(sealed, "latin1");
    expect(await codeOf(() => readSecureEnvelope(body, body.length - 1))).toBe("MNET_ENVELOPE_TOO_LARGE");
    expect(await codeOf(() => readSecureEnvelope(body, body.length))).toBe("accepted");
    expect(await codeOf(() => readSecureEnvelope(body, Number.NaN))).toBe("MNET_ENVELOPE_TOO_LARGE");
  });
});
