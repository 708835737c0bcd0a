import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DocumentWriter, type TextForm } from "../../src/xmlrpc/document-writer.ts";

const NAMES: Readonly<Record<string, string>> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos" };

/** The definition, character by character. */
function slowly(text: string, form: TextForm): string {
  return [...text]
    .map((character) => {
      const code = character.codePointAt(0) ?? 0;
      const isLegal = /[\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(character);
      if (!isLegal) return "";
      const name = NAMES[character];
      switch (form) {
        case "raw":
          return name === undefined ? (character === "\r" ? "&#13;" : character) : `&${name};`;
        case "code-points":
          if (name !== undefined) return `&${name};`;
          return code >= 0x20 && code <= 0x7f ? character : `&#${code};`;
        case "bytes":
          return character !== "'" && (name !== undefined || code < 0x20 || code > 0x7e)
            ? [...Buffer.from(character)].map((byte) => `&#${byte};`).join("")
            : character;
      }
    })
    .join("");
}

function written(form: TextForm, write: (writer: DocumentWriter) => void): string {
  const writer = new DocumentWriter(form);
  write(writer);
  return writer.finish().toString();
}

describe("DocumentWriter", () => {
  const forms: readonly TextForm[] = ["raw", "code-points", "bytes"];
  const pieces = fc.oneof(
    fc.constantFrom("<p>", "&", "'", '"', "\r\n", "\t", "\0", "\x7f", "\x80", "é", "ÿ", "Ω", "\ufffe", "😀", "\ud800"),
    fc.string({ maxLength: 40 }),
    fc.constantFrom("x".repeat(8190), "é".repeat(8193), "<".repeat(8191)),
  );

  it.each(forms)("MNET-061 %s: the same as character by character, however long", (form) => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join("");
        expect(written(form, (writer) => writer.text(text))).toBe(slowly(text, form));
      }),
      { numRuns: 300 },
    );
  });

  it("what is written stays as it is when the next document is written", () => {
    const [first, second] = ["a".repeat(100), "b".repeat(300_000)].map((text) => {
      const writer = new DocumentWriter("raw");
      writer.ascii(text);
      writer.text("<");
      return writer.finish();
    });
    expect(first?.toString()).toBe(`${"a".repeat(100)}&lt;`);
    expect(second?.toString()).toBe(`${"b".repeat(300_000)}&lt;`);
  });

  it("documents that are written in the middle of another do not get into it", () => {
    const outer = new DocumentWriter("raw");
    outer.ascii("outer ");
    expect(written("raw", (inner) => inner.text("inner"))).toBe("inner");
    outer.text("outer");
    expect(outer.finish().toString()).toBe("outer outer");
  });

  it.each([0, 1, 2, 3, 49_151, 49_152, 49_153, 300_001])("base64 of %i bytes is the platform's", (length) => {
    const bytes = Buffer.from(Array.from({ length }, (_, n) => (n * 7) % 251));
    expect(written("raw", (writer) => writer.base64(bytes))).toBe(bytes.toString("base64"));
  });
});
