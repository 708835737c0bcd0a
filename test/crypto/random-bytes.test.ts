import { describe, expect, it } from "vitest";
import { randomBytesAhead } from "../../src/crypto/random-bytes.ts";

describe("randomBytesAhead", () => {
  it("SEC-008 gives other bytes each time, as many as are wanted", () => {
    const lengths = [16, 0, 1, 4096, 16, 4097, 10_000, 16];
    expect(lengths.map((length) => randomBytesAhead(length).length)).toEqual(lengths);
    const keys = Array.from({ length: 10_000 }, () => randomBytesAhead(16).toString("hex"));
    expect(new Set(keys).size).toBe(keys.length);
    // Each bit of each byte is set about half of the time.
    for (let n = 0; n < 16; n += 1) {
      const sum = keys.reduce((total, key) => total + Number.parseInt(key.slice(2 * n, 2 * n + 2), 16), 0);
      expect(Math.abs(sum / keys.length - 127.5)).toBeLessThan(7);
    }
  });

  it("keeps no hold on what it has given", () => {
    const [one, two] = [randomBytesAhead(16), randomBytesAhead(16)];
    const before = two.toString("hex");
    one.fill(0);
    expect(two.toString("hex")).toBe(before);
  });
});
