import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Base64, decodeBase64, decodeBase64Bytes, latin1Of } from "../../src/core/base64.ts";

describe("decodeBase64", () => {
  it.each([
    ["nothing", "", ""],
    ["one byte", "QQ==", "A"],
    ["two bytes", "QUI=", "AB"],
    ["three bytes", "QUJD", "ABC"],
    ["the last characters of the alphabet", "+/+/", "\xfb\xff\xbf"],
    ["zeros", "AAAA", "\0\0\0"],
    ["lines of 4", "QUJD\nREVG", "ABCDEF"],
    ["lines with CRLF", "QUJD\r\nREVG\r\n", "ABCDEF"],
    ["space around", "  QUJD\t", "ABC"],
    ["space between all characters", "Q U J D", "ABC"],
    ["space before the padding", "QUI\n=", "AB"],
    ["white space only", " \t\r\n", ""],
  ])("SEC-012 takes %s", (_, text, bytes) => {
    expect(decodeBase64(text)?.toString("latin1")).toBe(bytes);
  });

  it.each([
    ["no padding", "QQ"],
    ["half the padding", "QQ="],
    ["too much padding", "QUI=="],
    ["padding after whole groups", "QUJD="],
    ["padding only", "===="],
    ["padding in the middle", "QQ==QUJD"],
    ["padding in front", "=QQ="],
    ["a single character", "Q"],
    ["stray bits after one byte", "QR=="],
    ["stray bits after two bytes", "QUJ="],
    ["the URL alphabet", "-_-_"],
    ["a mixture of the alphabets", "+_+/"],
    ["an exclamation mark", "QU!D"],
    ["an exclamation mark beside", "QUJD!"],
    ["NUL", "QUJD\0"],
    ["NUL inside", "QU\0JD"],
    ["form feed", "QUJD\fREVG"],
    ["vertical tab", "QUJD\vREVG"],
    ["no-break space", "QUJD\u00a0REVG"],
    ["line separator", "QUJD\u2028REVG"],
    ["a byte order mark", "\ufeffQUJD"],
    ["full-width letters", "ＱＵＪＤ"],
    ["a letter whose low byte is in the alphabet", "QUJ\u0144"],
    ["such a letter at the beginning", "\u0151UJDQUJD"],
    ["such a letter beside a space", "\u0151UJD QUJD"],
    ["a comment", "QUJD<!---->"],
    ["a character reference", "QUJD&#10;"],
    ["percent encoding", "QQ%3D%3D"],
    ["a data URL", "data:;base64,QUJD"],
    ["hyphens of PEM", "-----QUJD"],
  ])("SEC-012 refuses %s", (_, text) => {
    expect(decodeBase64(text)).toBeUndefined();
  });

  it("MNET-034 takes what PHP's chunk_split makes: lines of 76, each with CRLF", () => {
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, n) => n & 0xff));
    const wrapped = bytes.toString("base64").replace(/.{1,76}/g, "$&\r\n");
    expect(wrapped).toContain("\r\n");
    expect(decodeBase64(wrapped)?.equals(bytes)).toBe(true);
  });
});

describe("decodeBase64Bytes", () => {
  const SLICE = 64 * 1024;
  const lengths = [0, 1, 2, 3, 49_151, 49_152, 49_153, 98_303, 98_304, 98_305, 200_000];

  it.each(lengths)("takes %i bytes, in as many slices as they need", (length) => {
    const bytes = randomBytes(length);
    expect(decodeBase64Bytes(Buffer.from(bytes.toString("base64")))?.equals(bytes)).toBe(true);
  });

  it.each([
    ["a space in the first slice", 5, " "],
    ["a line feed at the end of a slice", SLICE, "\n"],
    ["a line feed in the last slice", 2 * SLICE + 9, "\n"],
  ])("SEC-012 takes %s", (_, at, character) => {
    const bytes = randomBytes(120_000);
    const text = bytes.toString("base64");
    const spaced = text.slice(0, at) + character + text.slice(at);
    expect(decodeBase64Bytes(Buffer.from(spaced))?.equals(bytes)).toBe(true);
  });

  it("MNET-034 takes many long lines, and white space after the padding", () => {
    const bytes = randomBytes(200_000);
    for (const ends of [/.{1,76}/g, /.{1,77}/g, /.{1,65536}/g]) {
      const wrapped = bytes.toString("base64").replace(ends, "$&\r\n") + " ".repeat(70_000);
      expect(decodeBase64Bytes(Buffer.from(wrapped))?.equals(bytes)).toBe(true);
    }
  });

  it.each([
    ["padding in the first slice", 4, "QQ=="],
    ["padding at the end of a slice", SLICE - 4, "QQ=="],
    ["the alphabet of URLs in the first slice", 4, "-_-_"],
    ["the alphabet of URLs in the last slice", 2 * SLICE + 4, "-_-_"],
    ["something else", 4, "A*AA"],
    ["something else in the last slice", 2 * SLICE + 4, "A*AA"],
    ["a byte beyond ASCII", SLICE, "\u00e9AAA"],
  ])("SEC-012 refuses %s", (_, at, characters) => {
    const text = randomBytes(120_000).toString("base64");
    const changed = text.slice(0, at) + characters + text.slice(at + characters.length);
    expect(decodeBase64Bytes(Buffer.from(changed, "latin1"))).toBeUndefined();
  });

  it("SEC-012 refuses stray bits at the end of a long text", () => {
    const text = Buffer.alloc(100_000).toString("base64");
    expect(text.endsWith("AA==")).toBe(true);
    expect(decodeBase64Bytes(Buffer.from(text.replace(/A==$/, "B==")))).toBeUndefined();
  });
});

describe("latin1Of", () => {
  const lengths = [0, 1, 2, 3, 49_151, 49_152, 49_153, 200_000];

  it("puts bytes into a text and gets them out again", () => {
    for (const length of lengths) {
      const bytes = randomBytes(length);
      const text = latin1Of(["<a>\u00e9", new Base64(bytes), "</a>", new Base64(new Uint8Array(1)), ""]);
      expect(text.toString("latin1")).toBe(`<a>\u00e9${bytes.toString("base64")}</a>AA==`);
    }
  });
});
