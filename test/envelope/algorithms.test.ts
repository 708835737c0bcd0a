import { describe, expect, it } from "vitest";
import { ALGORITHM, algorithmRemarks } from "../../src/envelope/algorithms.ts";
import { readDocument } from "../../src/xml/read-document.ts";

const element = (attribute: string) => readDocument(Buffer.from(`<Method ${attribute}/>`));
const remarksOf = (uri: string): string[] => algorithmRemarks([element(`Algorithm="${uri}"`)]);

describe("algorithmRemarks", () => {
  it.each([...Object.values(ALGORITHM), "http://www.w3.org/2000/09/xmldsig#dsa-sha1"])(
    "SEC-011 MNET-032 has nothing to say of %s, with http and with https",
    (uri) => {
      expect(remarksOf(uri)).toEqual([]);
      expect(remarksOf(uri.replace("http:", "https:"))).toEqual([]);
    },
  );

  it("MNET-028 MNET-031 the URIs are those of XMLDSIG and XMLENC", () => {
    expect(ALGORITHM).toEqual({
      canonicalization: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
      digest: "http://www.w3.org/2000/09/xmldsig#sha1",
      signature: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
      cipher: "http://www.w3.org/2001/04/xmlenc#arcfour",
      keyTransport: "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
    });
  });

  it.each(["", "none", "xhttps://www.w3.org/2000/09/xmldsig#sha1", "ftp://www.w3.org/2000/09/xmldsig#sha1", "#sha1"])(
    'SEC-011 names "%s"',
    (uri) => {
      expect(remarksOf(uri)).toEqual([`unknown algorithm "${uri}"`]);
    },
  );

  it("SEC-011 has nothing to say where nothing is declared", () => {
    expect(algorithmRemarks([])).toEqual([]);
    expect(algorithmRemarks([undefined, element('Other="none"'), element("")])).toEqual([]);
  });

  it("SEC-011 names each of several", () => {
    expect(algorithmRemarks([element('Algorithm="a"'), undefined, element('Algorithm="b"')])).toEqual([
      'unknown algorithm "a"',
      'unknown algorithm "b"',
    ]);
  });

  it("SEC-089 quotes what it names, and cuts it at 100 characters", () => {
    expect(remarksOf(`a&#13;&#10;&quot;${"x".repeat(200)}`)).toEqual([
      `unknown algorithm ${JSON.stringify(`a\r\n"${"x".repeat(96)}`)}`,
    ]);
  });
});
