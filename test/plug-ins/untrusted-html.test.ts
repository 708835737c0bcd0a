import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UntrustedHtml } from "../../src/plug-ins/untrusted-html.ts";

const XSS = [
  "<script>alert(1)</script>",
  "<SCRIPT\n>alert(1)</SCRIPT >",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "<svg><script>alert(1)</script></svg>",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "<style>@import 'x'</style>",
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
  "<a href=javascript:alert(1)>x</a>",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "&#60;script&#62;alert(1)&#60;/script&#62;",
  "&amp;lt;script&amp;gt;",
  "<<script>script>alert(1)<</script>/script>",
  "<scr<script>ipt>alert(1)</scr</script>ipt>",
  "<!--><img src=x onerror=alert(1)>-->",
  "<![CDATA[<img src=x onerror=alert(1)>]]>",
  "<p title='\"><img src=x onerror=alert(1)>'>",
  '" onmouseover=alert(1) x="',
  "' onmouseover=alert(1) x='",
  "` onmouseover=alert(1) x=`",
  "<img src=x onerror=alert(1)",
  "</title><script>alert(1)</script>",
];

describe("HTML of other sites", () => {
  it.each(XSS)("SEC-068 %j is text in a template, an attribute and JSON", (html) => {
    const untrusted = new UntrustedHtml(html);
    expect(`${untrusted}`).not.toMatch(/[<>"'`]/);
    expect(`${untrusted}`).not.toMatch(/&(?!#\d+;)/);
    expect(JSON.parse(JSON.stringify({ untrusted }))).toEqual({ untrusted: untrusted.toText() });
    expect(untrusted.unsafeHtml()).toBe(html);
    // What is shown when somebody logs it does not hold it.
    expect(Object.keys(untrusted)).toEqual([]);
  });

  it("SEC-068 any text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.array(fc.constantFrom(...XSS)).map((all) => all.join("")),
        ),
        (html) => {
          expect(`${new UntrustedHtml(html)}`).not.toMatch(/[<>"'`]/);
        },
      ),
    );
  });

  it("SEC-060 reads as a person would: paragraphs, lists and references, without what nobody sees", () => {
    const html = "<p>Hé &amp; <b>bold</b></p><ul><li>one<li>two</ul><style>x</style><script>y</script>tail<br>end";
    expect(new UntrustedHtml(html).toText()).toBe("Hé & bold\none\ntwo\ntail\nend");
    expect(new UntrustedHtml("").toText()).toBe("");
  });
});
