import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { rc4, rc4InPlace, rc4InPlaceIf } from "../../src/crypto/rc4.ts";
import * as index from "../../src/envelope.ts";
import { KEY_STREAMS, OFFSETS } from "./rfc6229.ts";

describe("rc4", () => {
  it.each(KEY_STREAMS)(
    "MNET-043 SEC-008 makes RFC 6229's key stream of $key, none of it dropped",
    ({ key, blocks }) => {
      const stream = rc4(Buffer.from(key, "hex"), Buffer.alloc(4112));
      expect(OFFSETS.map((offset) => stream.subarray(offset, offset + 16).toString("hex"))).toEqual(blocks);
    },
  );

  it("MNET-043 the vectors are of 40, 56, 64, 80, 128, 192 and 256 bits", () => {
    const bits = KEY_STREAMS.map(({ key }) => key.length * 4);
    expect(new Set(bits)).toEqual(new Set([40, 56, 64, 80, 128, 192, 256]));
    expect(KEY_STREAMS.every(({ blocks }) => blocks.length === OFFSETS.length)).toBe(true);
  });

  it("adds the key stream to the data, and takes it off again", () => {
    const key = Buffer.from("Key");
    expect(rc4(key, Buffer.from("Plaintext")).toString("hex")).toBe("bbf316e8d940af0ad3");
    const data = randomBytes(1000);
    expect(rc4(key, rc4(key, data)).equals(data)).toBe(true);
  });

  it("processes as much as it is told", () => {
    const key = randomBytes(16);
    for (const length of [0, 10, 1023, 1024, 1025, 5000]) {
      const part = Buffer.alloc(length, "text");
      const seen: Buffer[] = [];
      const wanted = (is: boolean) => (beginning: Uint8Array) => seen.push(Buffer.from(beginning)) > 0 && is;
      const processed = rc4(key, part);
      const before = Buffer.from(part);
      expect(rc4InPlaceIf(key, part, wanted(false))).toBe(false);
      expect(part.equals(before)).toBe(true);
      expect(rc4InPlaceIf(key, part, wanted(true))).toBe(true);
      expect(part.equals(processed)).toBe(true);
      for (const one of seen) expect(one.equals(processed.subarray(0, 1024))).toBe(true);
      expect(rc4InPlace(key, part)).toBe(part);
      expect(part.equals(before)).toBe(true);
    }
    expect(rc4(key, Buffer.alloc(0))).toHaveLength(0);
  });

  it("takes keys of up to 256 bytes and uses all of them", () => {
    const key = Buffer.from(Array.from({ length: 256 }, (_, n) => (n * 7) & 0xff));
    for (const at of [0, 128, 255]) {
      const other = Buffer.from(key);
      other.writeUInt8(other.readUInt8(at) ^ 1, at);
      expect(rc4(key, Buffer.alloc(4096)).equals(rc4(other, Buffer.alloc(4096)))).toBe(false);
    }
  });

  it("leaves the key and the data as they are", () => {
    const [key, data] = [Buffer.alloc(16, 1), Buffer.alloc(64, 2)];
    rc4(key, data);
    expect(key.equals(Buffer.alloc(16, 1))).toBe(true);
    expect(data.equals(Buffer.alloc(64, 2))).toBe(true);
  });

  it("SEC-008 is not for users of the package", () => {
    expect(Object.keys(index)).not.toContain("rc4");
    expect(Object.values(index)).not.toContain(rc4);
  });
});
