import { describe, expect, test } from "vitest";
import { secureProfile } from "../../src/secure/secure-profile.ts";
import { codeOf } from "../support/code-of.ts";
import { secureVectors } from "../support/secure-vectors.ts";
import { XMLSEC_ABSENT, xmlsec, xmlsecIsPresent } from "../support/xmlsec.ts";

const { vectors, pairOf } = secureVectors;

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

  // xmlsec1 1.2 does not know RSA-PSS; see openssl-pss.test.ts.
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
