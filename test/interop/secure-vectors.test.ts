import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { secureProfile } from "../../src/secure/secure-profile.ts";
import { codeOf } from "../support/code-of.ts";
import { XMLSEC_ABSENT, xmlsec, xmlsecIsPresent } from "../support/xmlsec.ts";

interface Vector {
  readonly note: string;
  readonly profile: "secure/1" | "secure/2";
  /** Whose certificate is pinned for the sender. */
  readonly pinned: string;
  /** Whose key opens it. */
  readonly opens: string;
  /** Wwwroot of the receiver. */
  readonly self: string;
  readonly inReplyTo?: string;
  readonly body: string;
  readonly messageId: string;
  readonly signedXml: string;
  readonly valid: boolean;
  /** Base64. */
  readonly document?: string;
  readonly timestamp?: string;
  readonly code?: string;
}
const { keys, vectors } = JSON.parse(
  readFileSync(new URL("../../fixtures/secure/vectors.json", import.meta.url), "utf8"),
) as {
  readonly keys: Readonly<Record<string, { readonly certificate: string; readonly privateKey: string }>>;
  readonly vectors: readonly Vector[];
};
const pairs = new Map(Object.entries(keys).map(([name, pem]) => [name, KeyPair.parse(pem)]));
const pairOf = (name: string): KeyPair => pairs.get(name)!;

describe("the vectors of the secure profile", () => {
  test("are as many as there were", () => {
    expect(vectors.map(({ valid }) => valid).filter(Boolean)).toHaveLength(6);
    expect(vectors).toHaveLength(26);
  });

  test.each(vectors)("SEC-013 $profile: $note", async (vector) => {
    const { pinned, opens, self, inReplyTo, body, messageId, valid, document, timestamp, code, profile } = vector;
    const opening = secureProfile().open(Buffer.from(body, "latin1"), {
      keys: [pairOf(opens)],
      certificateOf: () => pairOf(pinned).certificate,
      self,
      inReplyTo,
    });
    if (!valid) {
      expect(await codeOf(() => opening)).toBe(code);
      return;
    }
    const message = await opening;
    expect(message).toMatchObject({ profile, replayKey: messageId, inReplyTo });
    expect(message.timestamp.toISOString()).toBe(timestamp);
    expect(Buffer.from(message.document).toString("base64")).toBe(document);
  });

  // xmlsec1 1.2 does not know RSA-PSS.
  test.for(vectors.filter(({ profile }) => profile === "secure/1"))(
    "xmlsec1 agrees about the signature of: $note",
    ({ pinned, signedXml, code }, ctx) => {
      if (!xmlsecIsPresent) ctx.skip(XMLSEC_ABSENT);
      const cert = pairOf(pinned).certificate.pem;
      const isSigned = xmlsec("verify", ["--pubkey-cert-pem", "cert"], { in: signedXml, cert }).ok;
      expect(isSigned).toBe(code !== "MNET_ENVELOPE_SIGNATURE_INVALID" && !signedXml.includes("xmldsig#sha1"));
    },
  );
});
