import { describe, expect, it } from "vitest";
import { escapeXml } from "../../src/xml/escape.ts";
import { readDocument } from "../../src/xml/read-document.ts";

describe("escapeXml", () => {
  it("SEC-023 escapes every character that means something", () => {
    expect(escapeXml(`<a b="c" d='e'>&amp;]]>`)).toBe("&lt;a b=&quot;c&quot; d=&apos;e&apos;&gt;&amp;amp;]]&gt;");
    expect(escapeXml("nothing special é")).toBe("nothing special é");
    expect(escapeXml("")).toBe("");
  });

  it.each(["]]><fault>", "</a><b>", `" onload='`, "&lt;", "&#60;", "<!--", "<![CDATA["])(
    "SEC-023 %s round-trips as text and as an attribute",
    (text) => {
      const xml = Buffer.from(`<a b="${escapeXml(text)}">${escapeXml(text)}</a>`);
      const element = readDocument(xml);
      expect(element.text).toBe(text);
      expect(element.attributes?.get("b")).toBe(text);
    },
  );
});
