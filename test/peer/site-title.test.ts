import { describe, expect, it } from "vitest";
import { cleanName, siteTitle } from "../../src/peer/site-title.ts";

describe("siteTitle", () => {
  it.each([
    ["<title>Site</title>", "Site"],
    ["<TITLE>Site</TITLE>", "Site"],
    ['<title lang="en" class="x">Site</title>', "Site"],
    ["<title\n>Site</title>", "Site"],
    ["<title>\n  A\t site \r\n</title>", "A site"],
    ["<head><title>Home | Site</title></head><body><svg><title>Icon</title></svg>", "Home | Site"],
    ["<title>R&amp;D &lt;b&gt; &quot;x&quot; &apos;y&apos;</title>", `R&D <b> "x" 'y'`],
    ["<title>&#90;o&#235; &#xEB; &#x1F600;</title>", "Zoë ë 😀"],
    ["<title>a&nbsp;b</title>", "a b"],
    ["<title>&amp;lt;</title>", "&lt;"],
    ["<title>&unknown; &; &#; &#x; &amp</title>", "&unknown; &; &#; &#x; &amp"],
    ["<title>&#0;&#55296;&#xDFFF;&#1114112;&#99999999;x</title>", "&#0;&#55296;&#xDFFF;&#1114112;&#99999999;x"],
    ["<title>a&#10;b&#0009;c</title>", "a b c"],
    ["<title>a\u0000\u001b[31mb\u007f\u0085c</title>", "a [31mb c"],
    ["<title>a\u202eevil\u2066\u200bb\ufeff</title>", "a evil b"],
    ["<title>a\u2028b\u2029c</title>", "a b c"],
    ["<title><script>alert(1)</script></title>", "<script>alert(1)"],
    [`<title>${"é".repeat(100)}</title>`, "é".repeat(80)],
    [`<title>${"😀".repeat(100)}</title>`, "😀".repeat(80)],
    [`<title>${"a".repeat(79)} b</title>`, "a".repeat(79)],
  ])("of %j is %j", (html, title) => {
    expect(siteTitle(html)).toBe(title);
  });

  it.each([
    "",
    "Site",
    "<html><body>Site</body></html>",
    "<title></title>",
    "<title>  \n </title>",
    "<title>&#10;&#32;</title>",
    "<title>Site",
    "<title",
    "<titles>Site</titles>",
    "<titlex>Site</titlex>",
  ])("of %j is none", (html) => {
    expect(siteTitle(html)).toBeUndefined();
  });

  it("SEC-024 a hostile page of a megabyte takes no time", () => {
    const pages = [
      "<title".repeat(170_000),
      `<title>${"&".repeat(1_000_000)}</title>`,
      `<title>${" \u200b".repeat(350_000)}</title>`,
    ];
    const started = performance.now();
    for (const page of pages) siteTitle(page);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

it("a name is one line, without what people cannot see", () => {
  expect(cleanName("  A\u0000\n\u202e B  ")).toBe("A B");
});
