import { describe, expect, it } from "vitest";
import { ALGORITHM, algorithmRemarks } from "../../src/envelope/algorithms.ts";
import type { XmlElement } from "../../src/xml/element.ts";

type Role = keyof typeof ALGORITHM;
const ROLES = Object.keys(ALGORITHM) as Role[];

const declaring = (uri: string): XmlElement => ({
  name: "any",
  children: [],
  text: "",
  attributes: new Map([["Algorithm", uri]]),
});
const remarks = (role: Role, uri: string): string[] => algorithmRemarks({ [role]: declaring(uri) });

describe("algorithmRemarks", () => {
  it("MNET-028 the URIs are those of XMLDSIG and XMLENC", () => {
    expect(ALGORITHM).toEqual({
      canonicalization: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
      digest: "http://www.w3.org/2000/09/xmldsig#sha1",
      signature: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
      cipher: "http://www.w3.org/2001/04/xmlenc#arcfour",
      keyTransport: "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
    });
  });

  it.each(ROLES)("SEC-011 MNET-032 has nothing to say of Moodle's %s, with http and with https", (role) => {
    expect(remarks(role, ALGORITHM[role])).toEqual([]);
    expect(remarks(role, ALGORITHM[role].replace("http:", "https:"))).toEqual([]);
  });

  it("MNET-031 has nothing to say of Moodle 1.9's dsa-sha1, as a signature only", () => {
    const uri = "http://www.w3.org/2000/09/xmldsig#dsa-sha1";
    expect(remarks("signature", uri)).toEqual([]);
    expect(remarks("digest", uri)).toHaveLength(1);
  });

  it.each([
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
    "none",
    "",
    "ftp://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "http://www.w3.org/2000/09/xmldsig#RSA-SHA1",
    "https://https://www.w3.org/2000/09/xmldsig#rsa-sha1",
  ])("SEC-011 names %j, which no known peer declares", (uri) => {
    expect(remarks("signature", uri)).toEqual([`unknown signature algorithm ${JSON.stringify(uri)}`]);
  });

  it("SEC-011 an algorithm in another's place is as unknown as any", () => {
    expect(remarks("cipher", ALGORITHM.digest)).toEqual([`unknown cipher algorithm "${ALGORITHM.digest}"`]);
  });

  it("takes what is absent for nothing, and names all that are unknown", () => {
    expect(algorithmRemarks({})).toEqual([]);
    expect(algorithmRemarks({ signature: undefined, digest: { name: "any", children: [], text: "" } })).toEqual([]);
    expect(algorithmRemarks({ signature: declaring("a"), digest: declaring("b") })).toHaveLength(2);
  });

  it("SEC-089 shows what came from outside on one line, and not more than is useful", () => {
    const [remark = ""] = remarks("cipher", `\r\nx${"y".repeat(1000)}`);
    expect(remark).toMatch(/^[ -~]{1,140}$/);
  });
});
