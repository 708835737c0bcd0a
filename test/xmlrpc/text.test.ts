import { constants } from "node:buffer";
import { describe, expect, it } from "vitest";
import { decode, decodeCall, decodeResponse } from "../../src/xmlrpc/decode.ts";
import { BARE, bytes, codeOf, otherOutcomes, EPI, PXR_CALL, response, valueOf } from "./documents.ts";

const MALFORMED = "MNET_XMLRPC_MALFORMED";
const CALL = "<methodCall><methodName>a</methodName></methodCall>";
const RESULT = "<methodResponse><params/></methodResponse>";
const FAULT =
  "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member>" +
  "<member><name>faultString</name><value>é</value></member></struct></value></fault></methodResponse>";

describe("dialect", () => {
  it("is told by the declaration of a request", () => {
    expect(decodeCall(bytes(PXR_CALL + CALL)).dialect).toBe("pxr");
    expect(decodeCall(bytes(EPI + CALL)).dialect).toBe("epi");
    expect(decodeCall(bytes(`\ufeff${PXR_CALL}${CALL}`)).dialect).toBe("pxr");
    for (const declaration of ["", BARE, EPI.replace("utf-8", "UTF-8"), EPI.replaceAll('"', "'")]) {
      expect(decodeCall(bytes(declaration + CALL)).dialect).toBeUndefined();
    }
  });

  it("is told by the declaration of a response, but for faults that are written by hand", () => {
    expect(decodeResponse(bytes(BARE + RESULT)).dialect).toBe("pxr");
    expect(decodeResponse(bytes(EPI + RESULT)).dialect).toBe("epi");
    expect(decodeResponse(bytes(EPI + FAULT)).dialect).toBe("epi");
    expect(decodeResponse(bytes(BARE + FAULT)).dialect).toBeUndefined();
    for (const declaration of ["", PXR_CALL]) {
      expect(decodeResponse(bytes(declaration + RESULT)).dialect).toBeUndefined();
    }
  });

  it("is what the caller says", () => {
    expect(decode(bytes(EPI + CALL), { dialect: "pxr" }).dialect).toBe("pxr");
    expect(decode(bytes(BARE + FAULT), { dialect: "epi" }).dialect).toBe("epi");
  });
});

describe("references", () => {
  it("MNET-065 in an epi document a run of references to the bytes of UTF-8 becomes the text", () => {
    expect(valueOf("M&#195;&#164;user &#226;&#152;&#131;", EPI)).toBe("Mäuser ☃");
    expect(valueOf("&#240;&#159;&#152;&#128;", EPI)).toBe("😀");
    expect(valueOf("&#xC3;&#xa9;&#0195;&#169;", EPI)).toBe("éé");
    expect(valueOf("&#239;&#187;&#191;x", EPI)).toBe("\ufeffx");
    expect(valueOf("<struct><member><name>&#195;&#169;</name><value/></member></struct>", EPI)).toEqual({ é: "" });
    expect(
      decode(bytes(`<methodResponse>${FAULT.slice(16).replace("é", "&#195;&#169;")}`), { dialect: "epi" }),
    ).toMatchObject({
      faultString: "é",
    });
  });

  it("MNET-065 other runs stay code points, and literal characters stay as they are", () => {
    expect(valueOf("n&#233;", EPI)).toBe("né");
    expect(valueOf("&#195;", EPI)).toBe("Ã");
    expect(valueOf("&#195;&#169;&#255;", EPI)).toBe("Ã©ÿ");
    expect(valueOf("&#195;-&#169;", EPI)).toBe("Ã-©");
    expect(valueOf("&#195;&#26085;&#169;", EPI)).toBe("Ã日©");
    expect(valueOf("&#195;&#65;&#169;", EPI)).toBe("ÃA©");
    expect(valueOf("&#237;&#160;&#128;", EPI)).toBe("í\u00a0\u0080");
    expect(valueOf("Ã©", EPI)).toBe("Ã©");
    expect(valueOf("Ã&#169;", EPI)).toBe("Ã©");
    expect(valueOf("&#38;#195;&#38;#169;", EPI)).toBe("&#195;&#169;");
  });

  it("MNET-066 a pxr document is never reinterpreted, nor one whose sender is unknown", () => {
    expect(valueOf("&#233;", BARE)).toBe("é");
    expect(valueOf("&#195;&#169;", BARE)).toBe("Ã©");
    expect(valueOf("&#195;&#169;", "")).toBe("Ã©");
    expect(valueOf("&#195;&#169;", PXR_CALL)).toBe("Ã©");
    expect(valueOf("&#195;&#169;", EPI, { dialect: "pxr" })).toBe("Ã©");
    expect(valueOf("&#195;&#169;", BARE, { dialect: "epi" })).toBe("é");
  });

  it("MNET-067 references to characters that XML forbids are dropped", () => {
    for (const declaration of [BARE, EPI]) {
      expect(valueOf("a&#1;b&#x1F;c&#0;&#xD83D;&#xDE00;&#65534;&#xffff;d", declaration)).toBe("abcd");
      expect(valueOf("&#9;&#10;&#13;&#x10FFFF;&#127;", declaration)).toBe("\t\n\r\u{10ffff}\x7f");
      expect(valueOf("<string>&#1;</string>", declaration)).toBe("");
    }
    expect(valueOf("&#195;&#169;&#1;&#195;&#169;", EPI)).toBe("éé");
    expect(valueOf("a&#239;&#191;&#191;b", EPI)).toBe("ab");
  });

  it("MNET-067 dropping a reference never joins what is around it", () => {
    expect(
      otherOutcomes(
        MALFORMED,
        ["&&#1;lt;", "&#3&#1;3;", "&am&#1;p;", "<str&#1;ing>a</string>", "<&#1;!-- -->", "<string&#1;/>"],
        (inside) => valueOf(inside),
      ),
    ).toEqual([]);
  });

  it("SEC-015 only the five predefined entities and references to characters resolve", () => {
    expect(valueOf("&lt;&gt;&amp;&quot;&apos;")).toBe("<>&\"'");
    expect(
      otherOutcomes(
        MALFORMED,
        [
          "&nbsp;",
          "&-;",
          "&;",
          "&",
          "&lt",
          "&LT;",
          "&toString;",
          "&__proto__;",
          "&#;",
          "&#x;",
          "&#X41;",
          "&#-1;",
          "&#1114112;",
          "&#99999999999999999999;",
        ],
        (reference) => valueOf(reference),
      ),
    ).toEqual([]);
  });

  it("SEC-015 a flood of references is no more than text", () => {
    expect(valueOf("&#65;".repeat(200_000))).toHaveLength(200_000);
    expect(valueOf("&#195;&#169;".repeat(100_000), EPI)).toHaveLength(100_000);
    expect(valueOf("&#1;".repeat(200_000))).toBe("");
  });
});

describe("markup that XML-RPC has no use for", () => {
  it("SEC-015 a DOCTYPE or an ENTITY is refused wherever it stands", () => {
    const entity = '<!ENTITY a "lol">';
    const documents = [
      `<!DOCTYPE methodCall>${CALL}`,
      `${EPI}\n<!DOCTYPE methodCall SYSTEM "file:///etc/passwd">${CALL}`,
      `<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]><methodCall><methodName>&x;</methodName></methodCall>`,
      `<!DOCTYPE m [${entity}<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><methodCall><methodName>&b;</methodName></methodCall>`,
      `<!DOCTYPE m [<!ENTITY a "${"A".repeat(50_000)}">]>${response("&a;".repeat(50_000), "")}`,
      `<!DOCTYPE a><!DOCTYPE b>${CALL}`,
      `<!doctype methodCall>${CALL}`,
      `${CALL}<!DOCTYPE methodCall>`,
      `<methodCall><!DOCTYPE a><methodName>a</methodName></methodCall>`,
      response(entity),
      response(`<string>${entity}</string>`),
      response(`<string a="${entity}"/>`),
      `<methodCall ${entity}><methodName>a</methodName></methodCall>`,
    ];
    expect(otherOutcomes(MALFORMED, documents, (document) => decode(bytes(document)))).toEqual([]);
  });

  it("SEC-016 comments, CDATA and processing instructions are refused wherever they stand", () => {
    for (const markup of ["<!-- x -->", "<![CDATA[x]]>", "<?php x ?>", "<?xml version='1.0'?>", "<??>"]) {
      expect(
        otherOutcomes(
          MALFORMED,
          [
            markup + EPI + CALL,
            `${EPI}${markup}${CALL}`,
            `\ufeff${EPI}${markup}${CALL}`,
            CALL + markup,
            CALL.replace("<methodName>", `${markup}<methodName>`),
            CALL.replace("<methodName>", `<methodName>${markup}`),
            response(`<string>a${markup}b</string>`),
            response(`<int>1${markup}2</int>`),
          ],
          (document) => decode(bytes(document)),
        ),
      ).toEqual([]);
    }
  });
});

describe("SEC-017 whole documents", () => {
  it("SEC-017 a document cut at any byte is malformed", () => {
    const document = bytes(
      PXR_CALL + response("<struct><member><name>é</name><value>&amp;日</value></member></struct>", ""),
    );
    expect(codeOf(() => decode(document))).toBeUndefined();
    for (let end = 0; end < document.length; end++) {
      expect(
        codeOf(() => decode(document.subarray(0, end))),
        `${end} bytes`,
      ).toBe(MALFORMED);
    }
  });

  it("SEC-017 nothing but white space may follow", () => {
    expect(codeOf(() => decode(bytes(`${CALL}\r\n\t `)))).toBeUndefined();
    expect(
      otherOutcomes(MALFORMED, [CALL, "x", "\0", "&#32;", "</methodCall>", "<x/>", "<"], (rest) =>
        decode(bytes(CALL + rest)),
      ),
    ).toEqual([]);
  });

  it("SEC-017 tags must match", () => {
    expect(
      otherOutcomes(
        MALFORMED,
        ["<string>a</int>", "<string>a", "a</string>", "<string>a</string", "</>", "< string/>", "a]]>b"],
        (inside) => valueOf(inside),
      ),
    ).toEqual([]);
  });
});

describe("encoding", () => {
  const declared = (encoding: string): string => `<?xml version="1.0" encoding="${encoding}"?>`;

  it("MNET-068 a document declared iso-8859-1 is decoded as such", () => {
    for (const encoding of ["iso-8859-1", "ISO-8859-1"]) {
      const document = Buffer.from(response("zoë", declared(encoding)), "latin1");
      expect(decodeResponse(document)).toMatchObject({ value: "zoë" });
    }
    expect(decodeResponse(bytes(response("zoë", declared("iso-8859-1"))))).toMatchObject({ value: "zoÃ«" });
  });

  it("SEC-018 us-ascii and utf-8 are checked", () => {
    expect(decodeResponse(bytes(response("a", declared("us-ascii"))))).toMatchObject({ value: "a" });
    expect(codeOf(() => decode(bytes(response("é", declared("US-ASCII")))))).toBe(MALFORMED);
    expect(decodeResponse(bytes(response("é日😀", "")))).toMatchObject({ value: "é日😀" });
    expect(decodeResponse(bytes(response("é", `\ufeff${EPI}`)))).toMatchObject({ value: "é", dialect: "epi" });
    for (const broken of ["\xe9", "\xc0\xbc", "\xed\xa0\x80", "\xf5\x80\x80\x80"]) {
      for (const declaration of ["", EPI, BARE]) {
        expect(codeOf(() => decode(bytes(response(broken, declaration), "latin1")))).toBe(MALFORMED);
      }
    }
  });

  it("SEC-018 no other encoding is accepted, declared or not", () => {
    expect(
      otherOutcomes(MALFORMED, ["utf-16", "UTF-7", "utf8", "windows-1252", "cp037", "", "utf-8 "], (encoding) =>
        decode(bytes(declared(encoding) + CALL)),
      ),
    ).toEqual([]);
    const utf16 = Buffer.from(`\ufeff${CALL}`, "utf16le");
    for (const document of [
      utf16,
      Buffer.from(CALL, "utf16le"),
      Buffer.from(utf16).swap16(),
      Buffer.from(Array.from(CALL, (character) => `\0\0\0${character}`).join(""), "latin1"),
      bytes(CALL.replaceAll("<", "+ADw-")),
      bytes(`\u00ef\u00bb\u00bf${declared("iso-8859-1")}${CALL}`, "latin1"),
    ]) {
      expect(codeOf(() => decode(document))).toBe(MALFORMED);
    }
  });

  it("SEC-018 NUL and other raw control characters are refused", () => {
    for (const character of ["\0", "\x01", "\x0b", "\x1f", "\ufffe", "\uffff"]) {
      expect(codeOf(() => valueOf(`a${character}b`))).toBe(MALFORMED);
    }
  });

  it("SEC-018 the declaration is checked", () => {
    expect(
      codeOf(() => decode(bytes(`<?xml version='1.0' encoding = 'utf-8' standalone='yes' ?>${CALL}`))),
    ).toBeUndefined();
    expect(
      otherOutcomes(
        MALFORMED,
        [
          "<?xml?>",
          "<?xml",
          '<?xml version="2.0"?>',
          '<?xml encoding="utf-8"?>',
          '<?xml version="1.0" encoding="utf-8" encoding="iso-8859-1"?>',
          `<?xml version="1.0 encoding='iso-8859-1'"?>`,
          "<?XML version='1.0'?>",
          ` ${EPI}`,
          `\ufeff\ufeff${EPI}`,
          EPI + EPI,
        ],
        (declaration) => decode(bytes(declaration + CALL)),
      ),
    ).toEqual([]);
  });

  it("line ends are those of XML, whatever the version that is declared", () => {
    expect(valueOf("a\r\nb\rc\nd\u0085e")).toBe("a\nb\nc\nd\u0085e");
    expect(valueOf("a\u0085b", '<?xml version="1.1"?>')).toBe("a\u0085b");
  });

  it("more bytes than a string can hold are too large", () => {
    expect(codeOf(() => decode(new Uint8Array(constants.MAX_STRING_LENGTH + 1)))).toBe("MNET_XMLRPC_LIMIT");
  });
});
