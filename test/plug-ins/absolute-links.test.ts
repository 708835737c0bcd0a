import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { withAbsoluteLinks } from "../../src/plug-ins/absolute-links.ts";

const SITE = "https://lms.example.edu/moodle";
const absolute = (html: string): string => withAbsoluteLinks(html, SITE);

describe("links in a course's texts", () => {
  it.each([
    ['<a href="course/7">', '<a href="https://lms.example.edu/moodle/course/7">'],
    ["<a href=course/7>", '<a href="https://lms.example.edu/moodle/course/7">'],
    ["<a href='course/7?a=1&amp;b=2'>x</a>", '<a href="https://lms.example.edu/moodle/course/7?a=1&#38;b=2">x</a>'],
    ["<IMG SRC = '/pix/a b.png' alt>", '<IMG src="https://lms.example.edu/pix/a%20b.png" alt>'],
    ['<video poster="p.jpg">', '<video poster="https://lms.example.edu/moodle/p.jpg">'],
    ['<a href="//cdn.example/x">', '<a href="https://cdn.example/x">'],
    ['<a href="?id=2">', '<a href="https://lms.example.edu/moodle/?id=2">'],
    [
      '<img srcset="a.png 1x, /b.png 2x">',
      '<img srcset="https://lms.example.edu/moodle/a.png 1x, https://lms.example.edu/b.png 2x">',
    ],
  ])("MNET-123 %s becomes absolute", (html, expected) => {
    expect(absolute(html)).toBe(expected);
  });

  it.each([
    '<a href="https://elsewhere.example/x">x</a>',
    '<a href="mailto:ada@example.edu">',
    '<a href="#top">',
    '<a href="">',
    '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    "<p>href=course/7 is text, and so is &lt;a href='x'&gt;</p>",
    "<!-- <a href='x'> --><p title='a/b'>",
    "<a href='http://[broken'>",
    "",
    "a < b, unclosed <p",
  ])("MNET-123 %s stays as it is", (html) => {
    expect(absolute(html)).toBe(html);
  });

  it("MNET-123 nothing changes a second time, and nothing throws, whatever the text is", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "<a href=",
        "<img srcset=",
        '"',
        "'",
        ">",
        "</a>",
        "&amp;",
        "a/b",
        "//",
        "#",
        "<!--",
        "<script>",
        " ",
      ),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const once = absolute(pieces.join(""));
        expect(absolute(once)).toBe(once);
      }),
      { numRuns: 500 },
    );
  });
});
