import { describe, expect, it } from "vitest";
import { decodeBase64 } from "../../src/core/base64.ts";

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
