import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Base64 } from "../../src/core/base64.ts";
import { EnvelopeError } from "../../src/core/errors.ts";
import { decryptMessage, readEncrypted, readEncryptedMessage } from "../../src/envelope/encrypted-message.ts";
import { KnownLayout, plainText } from "../../src/envelope/known-layout.ts";
import { readSigned, readSignedMessage } from "../../src/envelope/signed-message.ts";
import { readDocument } from "../../src/xml/read-document.ts";
import { bob, sealedByAlice } from "../support/envelopes.ts";

const sealed = await sealedByAlice();
const { plaintext } = decryptMessage(readEncrypted(sealed), [bob.key]);

/** What a reader says of a text. */
function said(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof EnvelopeError) return error.code;
    throw error;
  }
}

describe("KnownLayout", () => {
  const layout = new KnownLayout(["<a><b>", "</b><c d='", "/x'/><e>", "</e></a>"]);
  const read = (text: string): string[] | undefined =>
    layout.read(Buffer.from(text, "latin1"))?.map((field) => field.toString("latin1"));

  it("reads the fields of exactly one layout", () => {
    expect(read("<a><b>one</b><c d='two/x'/><e>three</e></a>")).toEqual(["one", "two", "three"]);
    expect(read("<a><b></b><c d='/x'/><e></e></a>")).toEqual(["", "", ""]);
  });

  it("writes what it reads", () => {
    const written = layout.write(["one", new Base64(Buffer.from("two")), ""]);
    expect(written.toString("latin1")).toBe("<a><b>one</b><c d='dHdv/x'/><e></e></a>");
    expect(read(written.toString("latin1"))).toEqual(["one", "dHdv", ""]);
  });

  it("reads nothing of any other", () => {
    for (const text of [
      "",
      "<a><b>one",
      "<a><b>one</b><c d='two/x'/><e>three</e></a",
      "<a><b>one</b><c d='two/x'/><e>three</e></a> ",
      " <a><b>one</b><c d='two/x'/><e>three</e></a>",
      "<a><b>o<i/>ne</b><c d='two/x'/><e>three</e></a>",
      "<a><b>one</b ><c d='two/x'/><e>three</e></a>",
      "<a><b>one</b><c d='two'/><e>three</e></a>",
      "<A><b>one</b><c d='two/x'/><e>three</e></A>",
    ]) {
      expect(read(text), text).toBeUndefined();
    }
  });

  it("text that is more than plain is not taken for it", () => {
    expect(plainText(Buffer.from("https://a.example/moodle"))).toBe("https://a.example/moodle");
    for (const text of ["", "a b", "a&amp;b", "<", ">", '"', "'", "\u00e9", "\n", "\0"]) {
      expect(plainText(Buffer.from(text, "latin1"))).toBeUndefined();
    }
  });
});

describe("SEC-014 the quick reader says what the strict one says", () => {
  const texts = [
    { what: "encrypted", text: sealed, quick: readEncrypted, strict: readEncryptedMessage },
    { what: "signed", text: plaintext, quick: readSigned, strict: readSignedMessage },
  ] as const;

  for (const { what, text, quick, strict } of texts) {
    it(`of the ${what} envelope`, () => {
      expect(quick(text)).toEqual(strict(readDocument(text)));
    });

    it(`of the ${what} envelope, whatever is changed, put in or left out`, () => {
      const pieces = fc.constantFrom(
        "<",
        ">",
        "&",
        "&lt;",
        '"',
        " ",
        "\n",
        "=",
        "\0",
        "é",
        "-",
        "A",
        "/",
        "<a/>",
        "</b>",
      );
      fc.assert(
        fc.property(
          fc.integer({ min: 0, max: text.length }),
          fc.integer({ min: 0, max: 3 }),
          fc.oneof(pieces, fc.string({ maxLength: 4 })),
          (at, gone, put) => {
            const changed = Buffer.concat([text.subarray(0, at), Buffer.from(put, "latin1"), text.subarray(at + gone)]);
            expect(said(() => quick(changed))).toEqual(said(() => strict(readDocument(changed))));
          },
        ),
        { numRuns: 3000 },
      );
    });
  }
});
