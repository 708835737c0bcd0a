import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { codeOf } from "../support/code-of.ts";
import { alice, DOCUMENT, edit, mallory } from "../support/envelopes.ts";
import {
  encryptedSecurely,
  openSecurelyAsBob,
  plaintextOf,
  sealedSecurely,
  signedSecurely,
} from "../support/secure.ts";
import { OPENSSL_ABSENT, opensslIsPresent, opensslPssSign, opensslPssVerify } from "../support/xmlsec.ts";
import { secureVectors } from "../support/secure-vectors.ts";

// xmlsec1 1.2 does not know RSA-PSS, so OpenSSL's own command stands in for it. What it does not do is exclusive C14N,
// which of our messages leaves little to do.

const DSIG = "http://www.w3.org/2000/09/xmldsig#";
const publicPemOf = ({ publicKey }: Pick<typeof alice, "publicKey">): string =>
  publicKey.export({ type: "spki", format: "pem" }).toString();
const privatePemOf = ({ privateKey }: typeof alice): string =>
  privateKey.export({ type: "pkcs8", format: "pem" }).toString();

/** An element of a message of ours in exclusive C14N: with the namespace that it is in, no comments, no empty tags. */
function canonical(element: "SignedInfo" | "message", namespace: string, xml: string): string {
  const [found] = new RegExp(`<${element}[ >].*</${element}>`, "s").exec(xml) ?? [];
  if (found === undefined) throw new Error(`There is no ${element}.`);
  return found
    .replace(`<${element}`, `<${element} xmlns="${namespace}"`)
    .replace(/<!--.*?-->/g, "")
    .replace(/<([A-Za-z]+)([^<>]*)\/>/g, "<$1$2></$1>");
}
const canonicalSignedInfo = (xml: string): string => canonical("SignedInfo", DSIG, xml);
const hasItsDigest = (xml: string): boolean =>
  createHash("sha256")
    .update(canonical("message", "urn:x-mnet:secure:2", xml))
    .digest("base64") === /<DigestValue>([^<]*)/.exec(xml)?.[1];
const signatureIn = (xml: string): Buffer => Buffer.from(/<SignatureValue>([^<]*)/.exec(xml)?.[1] ?? "", "base64");
const withSignature = (xml: string, signature: Buffer): string =>
  edit(xml, /(?<=<SignatureValue>)[^<]*/, signature.toString("base64")).toString("latin1");

const documents: [what: string, document: Buffer][] = [
  ["a call", DOCUMENT],
  ["nothing", Buffer.alloc(0)],
  ["200 KB", Buffer.alloc(200_000, "document ")],
];

describe("RSA-PSS, in secure/2", () => {
  it.for(documents)("SEC-029 OpenSSL verifies our signature of %s", ([, document], ctx) => {
    if (!opensslIsPresent) ctx.skip(OPENSSL_ABSENT);
    const xml = plaintextOf(sealedSecurely(document, { profile: "secure/2" }).body);
    expect(xml).toContain("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1");
    const info = canonicalSignedInfo(xml);
    const verifies = (data: string, site = alice, signature = signatureIn(xml)): boolean =>
      opensslPssVerify(publicPemOf(site), data, signature);
    expect(verifies(info)).toBe(true);
    expect(hasItsDigest(xml)).toBe(true);
    expect(verifies(info, mallory)).toBe(false);
    expect(verifies(info.replace("#message", "#massage"))).toBe(false);
    const other = plaintextOf(sealedSecurely(document, { profile: "secure/1" }).body);
    expect(verifies(canonicalSignedInfo(other), alice, signatureIn(other))).toBe(false);
  });

  it.for(documents)("SEC-029 we verify OpenSSL's signature of %s", async ([, document], ctx) => {
    if (!opensslIsPresent) ctx.skip(OPENSSL_ABSENT);
    const { signed, sessionKey, profile } = signedSecurely({}, { profile: "secure/2", document });
    const open = (xml: string) => openSecurelyAsBob(encryptedSecurely(xml, { sessionKey, profile }));
    const theirs = withSignature(signed, opensslPssSign(privatePemOf(alice), canonicalSignedInfo(signed)));
    expect(theirs).not.toBe(signed);
    expect(document.equals(open(theirs).document)).toBe(true);
    // A salt makes each another.
    expect(signatureIn(theirs).equals(signatureIn(signed))).toBe(false);

    const forged = withSignature(signed, opensslPssSign(privatePemOf(mallory), canonicalSignedInfo(signed)));
    const moved = edit(theirs, /(?<=<timestamp>)[^<]*/, "2026-01-01T00:00:01.000Z").toString("latin1");
    for (const xml of [forged, moved]) {
      expect(await codeOf(async () => open(xml))).toBe("MNET_ENVELOPE_SIGNATURE_INVALID");
    }
  });

  const vectors = secureVectors.vectors.filter(({ profile }) => profile === "secure/2");

  it("SEC-029 there are vectors, right and wrong", () => {
    expect(new Set(vectors.map(({ valid }) => valid)).has(true)).toBe(true);
  });

  it.for(vectors)("SEC-029 OpenSSL agrees about the vector: $note", ({ pinned, signedXml, code }, ctx) => {
    if (!opensslIsPresent) ctx.skip(OPENSSL_ABSENT);
    const { publicKey } = secureVectors.pairOf(pinned).certificate;
    const info = canonicalSignedInfo(signedXml);
    const isSigned = opensslPssVerify(publicPemOf({ publicKey }), info, signatureIn(signedXml));
    const isWrong = code === "MNET_ENVELOPE_SIGNATURE_INVALID" || signedXml.includes("xmldsig#sha1");
    expect(isSigned && hasItsDigest(signedXml)).toBe(!isWrong);
  });
});
