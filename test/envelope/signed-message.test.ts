import { describe, expect, it } from "vitest";
import { readSignedMessage, type SignedMessage } from "../../src/envelope/signed-message.ts";
import { readDocument } from "../../src/xml/read-document.ts";
import { codeOf } from "../support/code-of.ts";
import { alice, DOCUMENT, edit, signedByAlice, textOf, TIMESTAMP } from "../support/envelopes.ts";

const signed = signedByAlice();
const read = (xml: Uint8Array): SignedMessage => readSignedMessage(readDocument(xml));

describe("readSignedMessage", () => {
  it("reads every field, and verifies nothing", () => {
    expect(read(signed)).toEqual({
      sender: alice.wwwroot,
      timestamp: TIMESTAMP.getTime() / 1000,
      document: DOCUMENT,
      signature: Buffer.from(textOf(signed, "SignatureValue"), "base64"),
      remarks: [],
      hasUnknownAlgorithm: false,
    });
  });

  it("MNET-036 SEC-011 remarks come digest first, then algorithms; only those count as unknown algorithms", () => {
    const wrongDigest = edit(signed, textOf(signed, "DigestValue"), "00");
    expect(read(wrongDigest)).toMatchObject({ remarks: ["the digest does not match"], hasUnknownAlgorithm: false });
    const both = read(edit(wrongDigest, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "urn:x"));
    expect(both.remarks).toEqual(["the digest does not match", 'unknown signature algorithm "urn:x"']);
    expect(both.hasUnknownAlgorithm).toBe(true);
  });

  it("SEC-027 a missing or an empty signature is empty", () => {
    expect(read(edit(signed, /<SignatureValue>.*<\/SignatureValue>/, "")).signature).toHaveLength(0);
    expect(read(edit(signed, textOf(signed, "SignatureValue"), "")).signature).toHaveLength(0);
  });

  it("MNET-039 an empty document is a document, an empty sender a sender", () => {
    expect(read(edit(signed, textOf(signed, "object"), "")).document).toHaveLength(0);
    expect(read(edit(signed, /(?<=<wwwroot>)[^<]+/, "")).sender).toBe("");
  });

  it.each(["0", "1", "000", "999999999999"])("MNET-029 takes the timestamp %s", (timestamp) => {
    expect(read(edit(signed, textOf(signed, "timestamp"), timestamp)).timestamp).toBe(Number(timestamp));
  });

  it.each(["", " 1", "1 ", "1\n", "-1", "+1", "1.5", "1e9", "0x10", "1000000000000", "soon"])(
    "MNET-029 refuses the timestamp %j",
    async (timestamp) => {
      const changed = edit(signed, textOf(signed, "timestamp"), timestamp);
      expect(await codeOf(() => read(changed))).toBe("MNET_ENVELOPE_MALFORMED");
    },
  );

  it.each<[string, RegExp, string]>([
    ["no object", /<object .*<\/object>/, ""],
    ["no wwwroot", /<wwwroot>.*<\/wwwroot>/, ""],
    ["no timestamp", /<timestamp>.*<\/timestamp>/, ""],
    ["an object that is no base64", /(?<=<object ID="XMLRPC-MSG">)/, "*"],
    ["a signature that is no base64", /(?<=<SignatureValue>)/, "*"],
  ])("SEC-014 refuses %s", async (_, search, replacement) => {
    expect(await codeOf(() => read(edit(signed, search, replacement)))).toBe("MNET_ENVELOPE_MALFORMED");
  });

  it.each(["signedmessage", "x:signedMessage", "SignedMessage", "encryptedMessage"])(
    "SEC-014 refuses the root %s",
    async (name) => {
      const renamed = Buffer.from(signed.toString().replaceAll("signedMessage>", `${name}>`));
      expect(await codeOf(() => read(renamed))).toBe("MNET_ENVELOPE_MALFORMED");
    },
  );
});
