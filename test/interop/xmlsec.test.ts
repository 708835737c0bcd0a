import { describe, expect, it } from "vitest";
import { readSecureEnvelope } from "../../src/secure/secure-envelope.ts";
import { codeOf } from "../support/code-of.ts";
import { alice, bob, DOCUMENT, edit, mallory, textOf } from "../support/envelopes.ts";
import {
  encryptedSecurely,
  openSecurelyAsBob,
  plaintextOf,
  resigned,
  sealedSecurely,
  signedSecurely,
} from "../support/secure.ts";
import { opensslOaep, XMLSEC_ABSENT, xmlsec, xmlsecIsPresent } from "../support/xmlsec.ts";

const pemOf = ({ privateKey }: typeof alice): string => privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const publicPemOf = ({ publicKey }: typeof alice): string =>
  publicKey.export({ type: "spki", format: "pem" }).toString();

const documents: [what: string, document: Buffer][] = [
  ["a call", DOCUMENT],
  ["nothing", Buffer.alloc(0)],
  ["any bytes", Buffer.from(Array.from({ length: 1000 }, (_, n) => (n * 7) % 256))],
  ["200 KB", Buffer.alloc(200_000, "document ")],
];

/** Whether xmlsec1 finds that the key of a certificate has signed a document. */
const isSigned = (xml: string, certificate = alice.certificate.pem): boolean => {
  const { ok, said } = xmlsec("verify", ["--pubkey-cert-pem", "cert"], { in: xml, cert: certificate });
  expect(said).toMatch(ok ? /^OK$/m : /fail|error/i);
  return ok;
};

describe("signatures", () => {
  it.for(documents)("xmlsec1 verifies ours of %s", ([, document], ctx) => {
    if (!xmlsecIsPresent) ctx.skip(XMLSEC_ABSENT);
    const signed = plaintextOf(sealedSecurely(document, { inReplyTo: "0".repeat(64) }).body);
    expect(isSigned(signed)).toBe(true);
    expect(isSigned(signed, mallory.certificate.pem)).toBe(false);
    expect(isSigned(edit(signed, /(?<=<recipient>)[^<]*/, mallory.wwwroot).toString())).toBe(false);
  });

  it("xmlsec1 verifies ours with odd characters in addresses", (ctx) => {
    if (!xmlsecIsPresent) ctx.skip(XMLSEC_ABSENT);
    const { signed } = signedSecurely({ sender: "https://a.example/?x=1&y='\"<>", recipient: "https://b.example/a>b" });
    expect(isSigned(signed)).toBe(true);
  });

  /** Our message as a template: xmlsec1 fills in digest and signature. */
  const signedByXmlsec = (template: string, key = pemOf(alice)): string => {
    const { ok, out, said } = xmlsec("sign", ["--privkey-pem", "key"], { in: template, key });
    if (!ok) throw new Error(said);
    return out.toString("utf8");
  };
  const emptied = (signed: string): string =>
    signed.replace(/<DigestValue>[^<]*/, "<DigestValue>").replace(/<SignatureValue>[^<]*/, "<SignatureValue>");

  it.for(documents)("we verify xmlsec1's of %s", ([, document], ctx) => {
    if (!xmlsecIsPresent) ctx.skip(XMLSEC_ABSENT);
    const { signed, sessionKey } = signedSecurely({}, { document });
    const theirs = signedByXmlsec(emptied(signed));
    expect(theirs).not.toBe(signed);
    const message = openSecurelyAsBob(encryptedSecurely(theirs, { sessionKey }));
    expect(document.equals(message.document)).toBe(true);
  });

  it("we verify xmlsec1's with prefixes, line breaks and a declaration of its own", async (ctx) => {
    if (!xmlsecIsPresent) ctx.skip(XMLSEC_ABSENT);
    const { signed, sessionKey } = signedSecurely();
    const prefixed = emptied(signed)
      .replace(/<(\/?)(?=Sig|Can|Ref|Tra|Dig)/g, "<$1ds:")
      .replace(' xmlns="http://www.w3.org/2000/09/xmldsig#"', "")
      .replace(' xmlns="urn', ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:m="urn')
      .replace(/<(\/?)(?=signedM|mess|send|recip|time|docu)/g, "<$1m:")
      .replaceAll("><", ">\n  <");
    const theirs = signedByXmlsec(prefixed);
    expect(theirs).toMatch(/^<\?xml version="1.0"\?>\n<m:signedMessage /);
    expect(theirs).toMatch(/<ds:SignatureValue>[A-Za-z0-9+/=]+\n/);
    expect(openSecurelyAsBob(encryptedSecurely(theirs, { sessionKey })).sender).toBe(alice.wwwroot);
    const changed = edit(theirs, bob.wwwroot, `${bob.wwwroot}/`).toString();
    expect(isSigned(changed)).toBe(false);
    expect(await codeOf(() => openSecurelyAsBob(encryptedSecurely(changed, { sessionKey })))).toBe(
      "MNET_ENVELOPE_SIGNATURE_INVALID",
    );
  });

  it("both refuse what another key has signed, and what was changed after", async (ctx) => {
    if (!xmlsecIsPresent) ctx.skip(XMLSEC_ABSENT);
    const { signed, sessionKey, ...rest } = signedSecurely();
    const forged = resigned({ signed, ...rest }, String, mallory);
    const theirs = signedByXmlsec(emptied(signed), pemOf(mallory));
    for (const xml of [forged, theirs, edit(signed, /(?<=<document>)./, "Q").toString()]) {
      expect(isSigned(xml)).toBe(false);
      expect(await codeOf(() => openSecurelyAsBob(encryptedSecurely(xml, { sessionKey })))).toBe(
        "MNET_ENVELOPE_SIGNATURE_INVALID",
      );
    }
  });
});

describe("encryption", () => {
  // xmlsec1 1.2 knows RSA-OAEP with SHA-1 only, so OpenSSL's own command wraps the session key, and unwraps it.
  const encryptedData = (body: Uint8Array): string =>
    /<EncryptedData .*<\/EncryptedData>/s.exec(Buffer.from(body).toString("latin1"))?.[0] ?? "";
  const KEY_INFO =
    /<KeyInfo xmlns="http:\/\/www.w3.org\/2000\/09\/xmldsig#"><EncryptedKey .*<\/EncryptedKey><\/KeyInfo>/s;

  it.for(documents)("xmlsec1 decrypts and verifies ours of %s", ([, document], ctx) => {
    if (!xmlsecIsPresent) ctx.skip(XMLSEC_ABSENT);
    const { body } = sealedSecurely(document);
    const aes = opensslOaep("decrypt", pemOf(bob), readSecureEnvelope(body).wrappedKey);
    const data = edit(encryptedData(body), KEY_INFO, "").toString();
    const { ok, out, said } = xmlsec("decrypt", ["--aeskey", "aes"], { in: data, aes });
    expect(said).not.toMatch(/error/i);
    expect(ok).toBe(true);
    expect(isSigned(out.toString("utf8"))).toBe(true);
    const found = document.length === 0 ? out.includes("<document/>") : textOf(out, "document");
    expect(found).toBe(document.length === 0 || document.toString("base64"));
    const other = xmlsec("decrypt", ["--aeskey", "aes"], { in: data, aes: Buffer.alloc(32, 1) });
    expect(other.ok).toBe(false);
  });

  it.for(documents)("we decrypt xmlsec1's of %s", ([, document], ctx) => {
    if (!xmlsecIsPresent) ctx.skip(XMLSEC_ABSENT);
    const { signed, sessionKey } = signedSecurely({}, { document });
    const ours = encryptedSecurely(signed, { sessionKey }).toString("latin1");
    const template = edit(encryptedData(Buffer.from(ours)), KEY_INFO, "").toString();
    const { ok, out, said } = xmlsec("encrypt", ["--aeskey", "aes", "--xml-data", "data"], {
      in: template.replace(/<CipherValue>[^<]*/, "<CipherValue>"),
      aes: sessionKey.key,
      data: signed,
    });
    expect(said).toBe("");
    expect(ok).toBe(true);
    const theirs = textOf(out, "CipherValue");
    const wrapped = opensslOaep("encrypt", publicPemOf(bob), sessionKey.key);
    const [ourKey = "", ourData = ""] = [...ours.matchAll(/(?<=<CipherValue>)[^<]*/g)].map(([value]) => value);
    const body = edit(edit(ours, ourData, theirs), ourKey, wrapped.toString("base64"));
    expect(document.equals(openSecurelyAsBob(body).document)).toBe(true);
  });
});
