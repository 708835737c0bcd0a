import { createHash, createHmac, randomBytes, sign } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import * as rsa from "../../src/crypto/rsa.ts";
import { open, readEnvelope } from "../../src/envelope/open.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import { VerifiedMessage } from "../../src/envelope/verified-message.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import {
  alice,
  bob,
  DOCUMENT,
  edit,
  encryptedToBob,
  mallory,
  openAsBob,
  sealedByAlice,
  signedByAlice,
  textOf,
  TIMESTAMP,
} from "../support/envelopes.ts";

// The verifier is the real one until a test says otherwise.
vi.mock("../../src/crypto/rsa.ts", { spy: true });
const crypto = await vi.importActual<object>("node:crypto");

const MALFORMED = "MNET_ENVELOPE_MALFORMED";
const FAILED = "MNET_ENVELOPE_DECRYPTION_FAILED";
const INVALID = "MNET_ENVELOPE_SIGNATURE_INVALID";
const NOT_ALLOWED = "MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED";

const sealed = await sealedByAlice();
const signed = signedByAlice();
/** What bob says to a signed envelope of alice after a change. */
const afterEdit = (search: string | RegExp, replacement: string, options = {}): Promise<string> =>
  codeOf(() => openAsBob(encryptedToBob(edit(signed, search, replacement)), options));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

describe("open", () => {
  it("MNET-035 gives what was signed", async () => {
    const verified = await openAsBob(sealed);
    expect(verified).toBeInstanceOf(VerifiedMessage);
    expect(verified).toMatchObject({
      sender: alice.wwwroot,
      timestamp: TIMESTAMP,
      openedWith: bob.certificate.fingerprint,
      signedBy: alice.certificate.fingerprint,
      remarks: [],
    });
  });

  it("MNET-035 every changed byte of the payload makes verification fail", async () => {
    for (let at = 0; at < DOCUMENT.length; at++) {
      const changed = Buffer.from(DOCUMENT);
      changed.writeUInt8(changed.readUInt8(at) ^ (1 << (at % 8)), at);
      expect(await afterEdit(base64(DOCUMENT), base64(changed))).toBe(INVALID);
    }
  });

  it("MNET-035 a byte more or less does, too", async () => {
    expect(await afterEdit(base64(DOCUMENT), base64(Buffer.concat([DOCUMENT, Buffer.from("\n")])))).toBe(INVALID);
    expect(await afterEdit(base64(DOCUMENT), base64(DOCUMENT.subarray(1)))).toBe(INVALID);
    expect(await afterEdit(base64(DOCUMENT), "")).toBe(INVALID);
  });

  it("MNET-034 base64 with line breaks is decoded, in each field and at each layer", async () => {
    const wrapped = (text: string, ending: string): string => text.replace(/.{1,64}/g, `$&${ending}`);
    for (const ending of ["\n", "\r\n", "\n            "]) {
      let inner = signed;
      for (const field of ["object", "SignatureValue"])
        inner = edit(inner, textOf(inner, field), wrapped(textOf(inner, field), ending));
      let outer = encryptedToBob(inner);
      for (const [, value = ""] of outer.toString("latin1").matchAll(/<CipherValue>([^<]*)</g)) {
        outer = edit(outer, value, wrapped(value, ending));
      }
      const verified = await openAsBob(outer);
      expect(Buffer.from(verified.document).equals(DOCUMENT)).toBe(true);
    }
    expect(await afterEdit(textOf(signed, "object"), wrapped(textOf(signed, "object"), "\u00a0"))).toBe(FAILED);
  });

  it("MNET-039 the payload is not read: bytes that are no XML come out as they are", async () => {
    for (const document of [
      Buffer.alloc(0),
      Buffer.from("no XML"),
      randomBytes(500),
      Buffer.from("<!DOCTYPE x><x/>"),
    ]) {
      const { document: opened } = await openAsBob(await sealedByAlice(document));
      expect(Buffer.from(opened).equals(document)).toBe(true);
    }
  });

  it("SEC-013 the document is the buffer that was verified, not a copy", async () => {
    const verifier = vi.mocked(rsa.isSignedSha1);
    verifier.mockClear();
    const { document } = await openAsBob(sealed);
    expect(verifier).toHaveBeenCalledTimes(1);
    expect(verifier.mock.calls[0]?.[1]).toBe(document);
  });

  it.each<[string, Buffer]>([
    ["an XML-RPC call", DOCUMENT],
    ["nothing", Buffer.alloc(0)],
    ["HTML", Buffer.from("<!DOCTYPE html><html></html>")],
    ["noise", randomBytes(100)],
    ["a signed message", signed],
  ])("MNET-082 refuses %s that is not encrypted", async (_, body) => {
    expect(await codeOf(() => openAsBob(body))).toBe("MNET_ENVELOPE_NOT_ENCRYPTED");
  });

  it("asks for the certificate of the outer sender, and waits for the answer", async () => {
    const asked: string[] = [];
    await openAsBob(sealed, {
      certificateOf: async (sender) => {
        asked.push(sender);
        return Promise.resolve(alice.certificate);
      },
    });
    expect(asked).toEqual([alice.wwwroot]);
  });

  it("takes neither mere parts of a body nor another's error for its own", async () => {
    const failure = new Error("The store is away.");
    const options = { keys: [bob.key], certificateOf: () => Promise.reject(failure) };
    await expect(open(sealed, options)).rejects.toBe(failure);
  });
});

describe("who sent it", () => {
  it("MNET-037 SEC-031 an outer sender other than the signed one, in both directions", async () => {
    const fromMallory = signMessage(DOCUMENT, { sender: mallory.wwwroot, key: mallory.key, timestamp: TIMESTAMP });
    expect(await codeOf(() => openAsBob(encryptedToBob(fromMallory, mallory.wwwroot)))).toBe("accepted");
    expect(await codeOf(() => openAsBob(encryptedToBob(fromMallory, alice.wwwroot)))).toBe(
      "MNET_ENVELOPE_SENDER_MISMATCH",
    );
    expect(await codeOf(() => openAsBob(encryptedToBob(signed, mallory.wwwroot)))).toBe(
      "MNET_ENVELOPE_SENDER_MISMATCH",
    );
  });

  it.each<[string, string]>([
    ["another case", "https://ALICE.example"],
    ["another scheme", "http://alice.example"],
    ["a port", "https://alice.example:443"],
    ["white space", ` ${alice.wwwroot}`],
    ["a line break", `${alice.wwwroot}\n`],
    ["two slashes", `${alice.wwwroot}//`],
    ["a longer domain", `${alice.wwwroot}.evil.example`],
    ["a path", `${alice.wwwroot}/moodle`],
    ["nothing", ""],
  ])("SEC-031 MNET-002 %s is another sender", async (_, sender) => {
    const certificateOf = () => alice.certificate;
    expect(await codeOf(() => openAsBob(encryptedToBob(signed, sender), { certificateOf }))).toBe(
      "MNET_ENVELOPE_SENDER_MISMATCH",
    );
  });

  it("SEC-031 one trailing slash makes no difference, and is not given on", async () => {
    const slashed = edit(signed, `<wwwroot>${alice.wwwroot}</wwwroot>`, `<wwwroot>${alice.wwwroot}/</wwwroot>`);
    const certificateOf = () => alice.certificate;
    for (const [inner, outer] of [
      [slashed, alice.wwwroot],
      [signed, `${alice.wwwroot}/`],
      [slashed, `${alice.wwwroot}/`],
    ] as const) {
      expect((await openAsBob(encryptedToBob(inner, outer), { certificateOf })).sender).toBe(alice.wwwroot);
    }
  });

  it("SEC-026 KeyInfo with the attacker's certificate or key URL selects no key", async () => {
    const forged = sign("sha1", DOCUMENT, mallory.privateKey).toString("base64");
    const [pemBody = ""] = /(?<=-\n)[^-]+(?=\n-)/.exec(mallory.certificate.pem) ?? [];
    const keyInfos = [
      `<KeyInfo><RetrievalMethod URI="${mallory.wwwroot}/mnet/publickey.php"/></KeyInfo>`,
      `<KeyInfo><X509Data><X509Certificate>${pemBody.replaceAll("\n", "")}</X509Certificate></X509Data></KeyInfo>`,
      `<KeyInfo><KeyName>${mallory.wwwroot}</KeyName></KeyInfo>`,
      "",
    ];
    for (const keyInfo of keyInfos) {
      const withKeyInfo = edit(signed, /<KeyInfo>.*<\/KeyInfo>/s, keyInfo);
      // With alice's signature it does no harm; with mallory's it does not help.
      expect(await codeOf(() => openAsBob(encryptedToBob(withKeyInfo)))).toBe("accepted");
      const withForgery = edit(withKeyInfo, textOf(signed, "SignatureValue"), forged);
      expect(await codeOf(() => openAsBob(encryptedToBob(withForgery)))).toBe(INVALID);
    }
  });

  it("SEC-027 no signature element, an empty signature, a peer without key", async () => {
    const value = textOf(signed, "SignatureValue");
    expect(await afterEdit(`<SignatureValue>${value}</SignatureValue>`, "")).toBe("MNET_ENVELOPE_NOT_SIGNED");
    expect(await afterEdit(/<Signature .*<\/Signature>/s, "")).toBe("MNET_ENVELOPE_NOT_SIGNED");
    expect(await afterEdit(value, "")).toBe("MNET_ENVELOPE_NOT_SIGNED");
    expect(await afterEdit(value, " \n ")).toBe("MNET_ENVELOPE_NOT_SIGNED");
    expect(await afterEdit(`<SignatureValue>${value}</SignatureValue>`, "<SignatureValue/>")).toBe(
      "MNET_ENVELOPE_NOT_SIGNED",
    );
    const certificateOf = () => undefined;
    expect(await codeOf(() => openAsBob(sealed, { certificateOf }))).toBe("MNET_ENVELOPE_SIGNER_UNKNOWN");
    expect(await codeOf(() => openAsBob(sealed, { certificateOf: async () => undefined }))).toBe(
      "MNET_ENVELOPE_SIGNER_UNKNOWN",
    );
    // Whoever is unknown and does not sign is told the same as all who do not sign.
    expect(await afterEdit(value, "", { certificateOf })).toBe("MNET_ENVELOPE_NOT_SIGNED");
  });

  it("MNET-083 SEC-027 a bare call that is encrypted", async () => {
    expect(await codeOf(() => openAsBob(encryptedToBob(DOCUMENT)))).toBe("MNET_ENVELOPE_NOT_SIGNED");
  });

  it("the error names the peer", async () => {
    const error = await errorOf(() => openAsBob(sealed, { certificateOf: () => undefined }));
    expect(error.peer).toBe(alice.wwwroot);
    expect((await errorOf(() => openAsBob(sealed, { certificateOf: () => bob.certificate }))).peer).toBe(alice.wwwroot);
    const unsigned = encryptedToBob(edit(signed, textOf(signed, "SignatureValue"), ""));
    expect((await errorOf(() => openAsBob(unsigned))).peer).toBe(alice.wwwroot);
  });

  it("SEC-089 names in a message are bounded", async () => {
    const long = `https://${"x".repeat(5000)}`;
    const error = await errorOf(() =>
      openAsBob(encryptedToBob(signed, long), { certificateOf: () => alice.certificate }),
    );
    expect(error.code).toBe("MNET_ENVELOPE_SENDER_MISMATCH");
    expect(error.message.length).toBeLessThan(700);
  });
});

describe("what counts as verified", () => {
  it.each<[string, unknown]>([
    ["-1, as openssl_verify says for an error", -1],
    ["1", 1],
    ["0", 0],
    ["undefined", undefined],
    ["null", null],
    ["a string", "true"],
    ["an object", {}],
    ["a promise of true", Promise.resolve(true)],
    ["a Boolean object", Object(true)],
    ["false", false],
  ])("SEC-025 not a platform that answers %s", async (_, answer) => {
    await withPlatformVerifier(
      () => answer,
      async ({ isSignedSha1 }) => {
        expect(isSignedSha1(alice.publicKey, DOCUMENT, Buffer.alloc(128, 1))).toBe(false);
      },
    );
  });

  it("SEC-025 only true, and no exception", async () => {
    await withPlatformVerifier(
      () => true,
      async ({ isSignedSha1 }) => {
        expect(isSignedSha1(alice.publicKey, DOCUMENT, Buffer.alloc(128, 1))).toBe(true);
      },
    );
    const failing = (): never => {
      throw new Error("The platform fails.");
    };
    await withPlatformVerifier(failing, async ({ isSignedSha1 }) => {
      expect(isSignedSha1(alice.publicKey, DOCUMENT, Buffer.alloc(128, 1))).toBe(false);
    });
  });

  it("SEC-025 a verifier that says no, whatever else is right", async () => {
    vi.mocked(rsa.isSignedSha1).mockReturnValueOnce(false);
    expect(await codeOf(() => openAsBob(sealed))).toBe(INVALID);
    expect(await codeOf(() => openAsBob(sealed))).toBe("accepted");
  });

  const value = textOf(signed, "SignatureValue");
  it.each<[string, string]>([
    ["one byte", "AA=="],
    ["zeros", base64(Buffer.alloc(128))],
    ["255", base64(Buffer.alloc(128, 255))],
    ["a cut one", base64(Buffer.from(value, "base64").subarray(1))],
    ["a longer one", base64(Buffer.concat([Buffer.from(value, "base64"), Buffer.alloc(1)]))],
    ["the signature of another document", base64(alice.key.sign(Buffer.from("another")))],
    ["that of another site", base64(mallory.key.sign(DOCUMENT))],
    ["the document itself", base64(DOCUMENT)],
    ["a megabyte", base64(Buffer.alloc(1_000_000, 1))],
  ])("SEC-025 not a signature of %s", async (_, signature) => {
    expect(await afterEdit(value, signature)).toBe(INVALID);
  });

  it("MNET-036 SEC-030 a wrong digest is accepted with a remark", async () => {
    const digest = textOf(signed, "DigestValue");
    for (const wrong of ["0".repeat(40), "", "nonsense", digest.slice(1), createHash("sha1").digest("base64")]) {
      const { remarks } = await openAsBob(encryptedToBob(edit(signed, digest, wrong)));
      expect(remarks).toEqual(["the digest does not match"]);
    }
    for (const right of [digest.toUpperCase()]) {
      expect((await openAsBob(encryptedToBob(edit(signed, digest, right)))).remarks).toEqual([]);
    }
    const without = edit(signed, `<DigestValue>${digest}</DigestValue>`, "");
    expect((await openAsBob(encryptedToBob(without))).remarks).toEqual([]);
  });

  it("SEC-030 a right digest helps a wrong signature nothing", async () => {
    const other = Buffer.from("another document");
    const digest = createHash("sha1").update(other).digest("hex");
    const changed = edit(edit(signed, base64(DOCUMENT), base64(other)), textOf(signed, "DigestValue"), digest);
    expect(await codeOf(() => openAsBob(encryptedToBob(changed)))).toBe(INVALID);
  });
});

describe("declared algorithms", () => {
  const SIGNATURE = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
  const substitutes: [what: string, uri: string][] = [
    ["HMAC", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"],
    ["none", "none"],
    ["nothing", ""],
    ["SHA-256", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"],
    ["MD5", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"],
    ["another case", "http://www.w3.org/2000/09/XMLDSIG#RSA-SHA1"],
    ["a local scheme", "file:///etc/passwd"],
  ];

  it.each(substitutes)(
    "SEC-011 %s: verified as RSA-SHA1 all the same, with a remark; refused where strict",
    async (_, uri) => {
      const changed = edit(signed, SIGNATURE, uri);
      const { remarks } = await openAsBob(encryptedToBob(changed));
      expect(remarks).toEqual([`unknown signature algorithm ${JSON.stringify(uri)}`]);
      expect(await codeOf(() => openAsBob(encryptedToBob(changed), { strictAlgorithms: true }))).toBe(NOT_ALLOWED);
    },
  );

  it("SEC-011 a signature made in the declared way is wrong", async () => {
    const value = textOf(signed, "SignatureValue");
    const made: Record<string, Buffer> = {
      "http://www.w3.org/2000/09/xmldsig#hmac-sha1": createHmac("sha1", alice.certificate.pem)
        .update(DOCUMENT)
        .digest(),
      "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": sign("sha256", DOCUMENT, alice.privateKey),
      none: DOCUMENT,
    };
    for (const [uri, signature] of Object.entries(made)) {
      const changed = edit(edit(signed, value, base64(signature)), SIGNATURE, uri);
      expect(await codeOf(() => openAsBob(encryptedToBob(changed)))).toBe(INVALID);
    }
  });

  it("MNET-031 dsa-sha1, as Moodle 1.9 declares, is RSA", async () => {
    const changed = encryptedToBob(edit(signed, SIGNATURE, "http://www.w3.org/2000/09/xmldsig#dsa-sha1"));
    expect((await openAsBob(changed, { strictAlgorithms: true })).remarks).toEqual([]);
  });

  it("MNET-032 https:// in every URI", async () => {
    const inner = Buffer.from(signed.toString().replaceAll("http://www.w3.org", "https://www.w3.org"));
    const outer = Buffer.from(encryptedToBob(inner).toString().replaceAll("http://www.w3.org", "https://www.w3.org"));
    expect(outer.includes("http://www")).toBe(false);
    expect((await openAsBob(outer, { strictAlgorithms: true })).remarks).toEqual([]);
  });

  it.each([
    ["digest", "http://www.w3.org/2000/09/xmldsig#sha1", true],
    ["canonicalization", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", true],
    ["cipher", "http://www.w3.org/2001/04/xmlenc#arcfour", false],
    ["keyTransport", "http://www.w3.org/2001/04/xmlenc#rsa-1_5", false],
  ])("SEC-011 the %s algorithm is watched, too", async (role, uri, isInner) => {
    const [search, other] = [`"${uri}"`, '"urn:x"'];
    const body = isInner ? encryptedToBob(edit(signed, search, other)) : edit(sealed, search, other);
    expect((await openAsBob(body)).remarks).toEqual([`unknown ${role} algorithm "urn:x"`]);
    expect(await codeOf(() => openAsBob(body, { strictAlgorithms: true }))).toBe(NOT_ALLOWED);
    expect(await codeOf(() => openAsBob(body, { strictAlgorithms: false }))).toBe("accepted");
  });

  it("SEC-011 remarks of both layers are given, the outer first", async () => {
    const inner = edit(signed, SIGNATURE, "urn:inner");
    const outer = edit(encryptedToBob(inner), "http://www.w3.org/2001/04/xmlenc#arcfour", "urn:outer");
    expect((await openAsBob(outer)).remarks).toEqual([
      'unknown cipher algorithm "urn:outer"',
      'unknown signature algorithm "urn:inner"',
    ]);
  });

  it("SEC-011 strict takes messages that declare what real peers declare, or nothing", async () => {
    expect(await codeOf(() => openAsBob(sealed, { strictAlgorithms: true }))).toBe("accepted");
    expect(await afterEdit(/<SignedInfo>.*<\/SignedInfo>/s, "", { strictAlgorithms: true })).toBe("accepted");
  });

  it("SEC-011 a strict refusal names the peer, and comes after the signature", async () => {
    const changed = edit(signed, SIGNATURE, "none");
    const error = await errorOf(() => openAsBob(encryptedToBob(changed), { strictAlgorithms: true }));
    expect(error.peer).toBe(alice.wwwroot);
    const forged = edit(changed, base64(DOCUMENT), base64(Buffer.from("forged")));
    expect(await codeOf(() => openAsBob(encryptedToBob(forged), { strictAlgorithms: true }))).toBe(INVALID);
  });

  it("SEC-089 a remark is one readable line of bounded length", async () => {
    const { remarks } = await openAsBob(encryptedToBob(edit(signed, SIGNATURE, `x&#13;&#10;y${"z".repeat(5000)}`)));
    expect(remarks).toHaveLength(1);
    expect(remarks[0]).toMatch(/^[ -~]{1,200}$/);
  });
});

describe("shape", () => {
  const field = (name: string): string => {
    const [whole = ""] = new RegExp(`<${name}[ >][^<]*</${name}>`).exec(signed.toString("latin1")) ?? [];
    return whole;
  };
  const inner: [what: string, search: string, replacement: string][] = [
    [
      "wwwroot twice, which a Moodle joins",
      "<wwwroot>https://alice.example</wwwroot>",
      "<wwwroot>https://alice</wwwroot><wwwroot>.example</wwwroot>",
    ],
    [
      "object twice, the first right",
      field("object"),
      `${field("object")}<object>${base64(Buffer.from("forged"))}</object>`,
    ],
    [
      "object twice, the second right",
      field("object"),
      `<object>${base64(Buffer.from("forged"))}</object>${field("object")}`,
    ],
    [
      "object twice, which a Moodle joins",
      field("object"),
      `<object>${base64(DOCUMENT).slice(0, 8)}</object><object>${base64(DOCUMENT).slice(8)}</object>`,
    ],
    ["SignatureValue twice", field("SignatureValue"), field("SignatureValue").repeat(2)],
    ["timestamp twice", field("timestamp"), field("timestamp").repeat(2)],
    ["DigestValue twice", field("DigestValue"), field("DigestValue").repeat(2)],
    ["an empty object beside", field("object"), `<object/>${field("object")}`],
    ["OBJECT beside", field("object"), `${field("object")}<OBJECT>${base64(Buffer.from("forged"))}</OBJECT>`],
    ["Object instead", field("object"), field("object").replaceAll("object", "Object")],
    ["WWWROOT beside", field("wwwroot"), `${field("wwwroot")}<WWWROOT>.evil</WWWROOT>`],
    [
      "signaturevalue beside",
      field("SignatureValue"),
      `${field("SignatureValue")}<signaturevalue>AA==</signaturevalue>`,
    ],
    ["ds:object beside", field("object"), `${field("object")}<ds:object>x</ds:object>`],
    ["ds:object instead", field("object"), field("object").replaceAll("object", "ds:object")],
    [
      "ds:SignatureValue instead",
      field("SignatureValue"),
      field("SignatureValue").replaceAll("SignatureValue", "ds:SignatureValue"),
    ],
    ["object in an unknown element", field("object"), `<X1>${field("object")}</X1>`],
    ["object in the Signature, as XMLDSIG has it", "</Signature>", `${field("object")}</Signature>`],
    ["wwwroot in the object", "</object>", "<wwwroot>https://evil.example</wwwroot></object>"],
    ["a second Signature", "<Signature ", `<Signature>${field("SignatureValue")}</Signature><Signature `],
    ["an empty second Signature", "<Signature ", "<Signature/><Signature "],
    ["SignatureValue outside the Signature", "</signedMessage>", `${field("SignatureValue")}</signedMessage>`],
    [
      "a signed message in a signed message",
      "</signedMessage>",
      `<signedMessage>${field("object")}</signedMessage></signedMessage>`,
    ],
  ];

  it.each(inner)("SEC-014 refuses a signed message with %s", async (_, search, replacement) => {
    expect(await afterEdit(search, replacement)).toBe(FAILED);
  });

  it.each(["X1", "x:X1", "SignatureValue2", "objects", "wwwroots"])(
    "MNET-033 ignores %s in a signed message",
    async (name) => {
      const [open, close] = [`<${name}>`, `</${name}>`];
      expect(await afterEdit("</signedMessage>", `${open}nothing${close}</signedMessage>`)).toBe("accepted");
      expect(await afterEdit("<KeyInfo>", `${open}<b c="d">nothing</b>${close}<KeyInfo>`)).toBe("accepted");
    },
  );

  it("MNET-033 any order of elements and any white space between them", async () => {
    const compact = Buffer.from(signed.toString().replace(/>\s+</g, "><"));
    expect(await codeOf(() => openAsBob(encryptedToBob(compact)))).toBe("accepted");
    const wide = Buffer.from(signed.toString().replace(/>\s*</g, ">\r\n\t \n<"));
    expect(await codeOf(() => openAsBob(encryptedToBob(wide)))).toBe("accepted");
    const reversed = edit(edit(signed, field("wwwroot"), ""), "<Signature ", `${field("wwwroot")}<Signature `);
    expect(await codeOf(() => openAsBob(encryptedToBob(reversed)))).toBe("accepted");
  });

  it.each(["wwwroot", "timestamp", "object", "SignatureValue", "DigestValue"])(
    "SEC-016 SEC-015 comment, CDATA, processing instruction, element, entity in %s",
    async (name) => {
      const text = textOf(signed, name);
      const [start, end] = [text.slice(0, 4), text.slice(4)];
      const [whole] = [field(name)];
      for (const inserted of [
        "<!---->",
        "<!-- x -->",
        "<?x?>",
        "<![CDATA[]]>",
        "<b/>",
        "<b></b>",
        "&xxe;",
        "&toString;",
        "\0",
      ]) {
        expect(await afterEdit(whole, whole.replace(text, `${start}${inserted}${end}`)), inserted).toBe(FAILED);
      }
      for (const replaced of [`<![CDATA[${text}]]>`, `<!--${text}-->${text}`, `${text}<!--`]) {
        expect(await afterEdit(whole, whole.replace(text, replaced)), replaced).toBe(FAILED);
      }
      expect(await afterEdit(whole, whole.replace(text, `${start}${end}`))).toBe("accepted");
    },
  );

  it.each(["wwwroot", "CipherValue"])("SEC-016 SEC-015 the same in %s of the encrypted message", async (name) => {
    const text = new RegExp(`<${name}>([^<]*)`).exec(sealed.toString("latin1"))?.[1] ?? "";
    for (const inserted of ["<!---->", "<?x?>", "<![CDATA[]]>", "<b/>", "&xxe;", "\0", "\u0080"]) {
      const changed = edit(sealed, `<${name}>${text}`, `<${name}>${text.slice(0, 4)}${inserted}${text.slice(4)}`);
      expect(await codeOf(() => openAsBob(changed)), inserted).toBe(MALFORMED);
    }
  });

  it("SEC-016 the comment of CVE-2025-29775 in the DigestValue", async () => {
    const digest = textOf(signed, "DigestValue");
    const forged = Buffer.from("forged");
    const other = createHash("sha1").update(forged).digest("hex");
    const changed = edit(edit(signed, base64(DOCUMENT), base64(forged)), digest, `<!--${other}-->${digest}`);
    expect(await codeOf(() => openAsBob(encryptedToBob(changed)))).toBe(FAILED);
  });

  it.each(["<!DOCTYPE x>", '<!DOCTYPE x [<!ENTITY y "z">]>', '<!DOCTYPE x SYSTEM "http://evil.example/x">'])(
    "SEC-015 MNET-038 %s, inside and outside",
    async (doctype) => {
      expect(await afterEdit("<signedMessage>", `${doctype}<signedMessage>`)).toBe(FAILED);
      const outside = edit(sealed, "<encryptedMessage>", `${doctype}<encryptedMessage>`);
      expect(await codeOf(() => openAsBob(outside))).toBe("MNET_ENVELOPE_NOT_ENCRYPTED");
      const between = edit(sealed, "<EncryptedData ", `${doctype}<EncryptedData `);
      expect(await codeOf(() => openAsBob(between))).toBe(MALFORMED);
    },
  );

  it("SEC-017 cut at every byte, the encrypted message is refused", async () => {
    for (let length = 0; length < sealed.length; length++) {
      const code = await codeOf(() => openAsBob(sealed.subarray(0, length)));
      expect([MALFORMED, "MNET_ENVELOPE_NOT_ENCRYPTED"], `${length} bytes`).toContain(code);
    }
    expect(await codeOf(() => openAsBob(sealed))).toBe("accepted");
  });

  it("SEC-017 cut at every byte, the signed message is refused", async () => {
    for (let length = 0; length < signed.length; length++) {
      const code = await codeOf(() => openAsBob(encryptedToBob(signed.subarray(0, length))));
      expect(code, `${length} bytes`).toBe(FAILED);
    }
  });

  it.each(["x", "\0", "<x/>", "<!-- x -->", "<encryptedMessage/>", "<signedMessage/>", "</encryptedMessage>", "&#32;"])(
    "SEC-017 refuses %s after the root",
    async (junk) => {
      const bytes = Buffer.from(junk);
      expect(await codeOf(() => openAsBob(Buffer.concat([sealed, bytes])))).toBe(MALFORMED);
      expect(await codeOf(() => openAsBob(encryptedToBob(Buffer.concat([signed, bytes]))))).toBe(FAILED);
    },
  );

  it("SEC-017 a second root of the same name, with another content", async () => {
    expect(await codeOf(() => openAsBob(Buffer.concat([sealed, sealed])))).toBe(MALFORMED);
    expect(await codeOf(() => openAsBob(encryptedToBob(Buffer.concat([signed, signed]))))).toBe(FAILED);
  });

  it("SEC-017 white space after the root is no junk", async () => {
    expect(await codeOf(() => openAsBob(Buffer.concat([sealed, Buffer.from(" \r\n")])))).toBe("accepted");
  });

  const NOT_ENCRYPTED = "MNET_ENVELOPE_NOT_ENCRYPTED";
  const text = sealed.toString("latin1");
  it.each<[string, Buffer, string]>([
    ["UTF-16LE", Buffer.from(text, "utf16le"), NOT_ENCRYPTED],
    ["UTF-16LE with byte order mark", Buffer.from(`\ufeff${text}`, "utf16le"), NOT_ENCRYPTED],
    ["UTF-16BE", Buffer.from(text, "utf16le").swap16(), NOT_ENCRYPTED],
    ["UTF-32LE", Buffer.from([...text].flatMap((c) => [c.charCodeAt(0), 0, 0, 0])), NOT_ENCRYPTED],
    ["UTF-7", Buffer.from(text.replaceAll("<", "+ADw-")), NOT_ENCRYPTED],
    ["a UTF-8 byte order mark", Buffer.from(`\ufeff${text}`, "utf8"), MALFORMED],
    ["white space before the declaration", Buffer.from(`\n${text}`), NOT_ENCRYPTED],
    ["a NUL in front", Buffer.from(`\0${text}`), NOT_ENCRYPTED],
    ["a NUL behind", Buffer.from(`${text}\0`), MALFORMED],
    ["a NUL between elements", edit(sealed, "<wwwroot>", "\0<wwwroot>"), MALFORMED],
    ["a control character between elements", edit(sealed, "<wwwroot>", "\x0b<wwwroot>"), MALFORMED],
    ["a letter of Latin-1 in the sender", edit(sealed, "alice", "\xe1lice"), MALFORMED],
    ["UTF-16 declared", edit(sealed, "iso-8859-1", "utf-16"), MALFORMED],
    ["UTF-7 declared", edit(sealed, "iso-8859-1", "utf-7"), MALFORMED],
  ])("SEC-018 refuses %s", async (_, body, code) => {
    expect(await codeOf(() => openAsBob(body))).toBe(code);
  });

  it.each(["utf-8", "UTF-8", "ISO-8859-1", "us-ascii"])("SEC-018 takes %s declared", async (encoding) => {
    expect(await codeOf(() => openAsBob(edit(sealed, "iso-8859-1", encoding)))).toBe("accepted");
    expect(await afterEdit("iso-8859-1", encoding)).toBe("accepted");
  });
});

describe("size", () => {
  it("SEC-019 the limit is the size of the body: the limit passes, one more does not", async () => {
    expect(await codeOf(() => openAsBob(sealed, { maxBytes: sealed.length }))).toBe("accepted");
    expect(await codeOf(() => openAsBob(sealed, { maxBytes: sealed.length - 1 }))).toBe("MNET_ENVELOPE_TOO_LARGE");
  });

  it("SEC-019 8 MiB unless told", async () => {
    const limit = 8 * 1024 * 1024;
    const padded = (length: number): Buffer =>
      edit(sealed, "</encryptedMessage>", `<X1>${"x".repeat(length - sealed.length - 9)}</X1></encryptedMessage>`);
    expect(padded(limit)).toHaveLength(limit);
    expect(await codeOf(() => openAsBob(padded(limit)))).toBe("accepted");
    expect(await codeOf(() => openAsBob(padded(limit + 1)))).toBe("MNET_ENVELOPE_TOO_LARGE");
  });

  it("opens a document of some megabytes", async () => {
    const document = Buffer.alloc(3 * 1024 * 1024, "document ");
    const verified = await openAsBob(await sealedByAlice(document));
    expect(Buffer.from(verified.document).equals(document)).toBe(true);
  });
});

describe("readEnvelope", () => {
  it("tells the kinds apart", () => {
    expect(readEnvelope(sealed).kind).toBe("encrypted");
    expect(readEnvelope(signed).kind).toBe("signed");
    const plain = readEnvelope(DOCUMENT);
    expect(plain.kind).toBe("plain");
    expect(plain.kind === "plain" && plain.document).toBe(DOCUMENT);
  });

  it("SEC-019 is limited by itself, too", async () => {
    expect(await codeOf(() => readEnvelope(DOCUMENT, DOCUMENT.length))).toBe("accepted");
    expect(await codeOf(() => readEnvelope(DOCUMENT, DOCUMENT.length - 1))).toBe("MNET_ENVELOPE_TOO_LARGE");
  });

  it("SEC-014 refuses envelopes that begin as such and are none", async () => {
    expect(await codeOf(() => readEnvelope(Buffer.from("<encryptedMessage/>")))).toBe(MALFORMED);
    expect(await codeOf(() => readEnvelope(Buffer.from("<signedMessage/>")))).toBe(MALFORMED);
    expect(await codeOf(() => readEnvelope(Buffer.from("<encryptedMessage>")))).toBe(MALFORMED);
  });
});

/** Runs with a `node:crypto` whose `verify` is another. */
async function withPlatformVerifier(verify: () => unknown, run: (module: typeof rsa) => Promise<void>): Promise<void> {
  vi.resetModules();
  vi.doMock("node:crypto", () => ({ ...crypto, verify }));
  try {
    await run(await vi.importActual<typeof rsa>("../../src/crypto/rsa.ts"));
  } finally {
    vi.doUnmock("node:crypto");
    vi.resetModules();
  }
}
