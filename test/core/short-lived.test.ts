import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shortLived } from "../../src/core/short-lived.ts";

const LARGEST_PART = 16 * 1024;

describe("shortLived", () => {
  it("gives each its own memory, of the length that was asked for", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: LARGEST_PART + 9 }), { maxLength: 40 }), (lengths) => {
        const parts = lengths.map((length, n) => shortLived(length).fill(n));
        expect(parts.map(({ length }) => length)).toEqual(lengths);
        for (const [n, part] of parts.entries()) expect(part.every((byte) => byte === n)).toBe(true);
      }),
    );
  });

  it("gives what is larger than a part memory that nobody shares", () => {
    expect(shortLived(LARGEST_PART + 1).buffer.byteLength).toBe(LARGEST_PART + 1);
    expect(shortLived(LARGEST_PART).buffer.byteLength).toBeGreaterThan(LARGEST_PART);
  });

  it("of what is shared, no thread can be given a part and take the others along", () => {
    const [mine, others] = [shortLived(10).fill(1), shortLived(10).fill(2)];
    expect(mine.buffer).toBe(others.buffer);
    const { port1, port2 } = new MessageChannel();
    try {
      port1.postMessage(mine, [mine.buffer as ArrayBuffer]);
    } catch (error) {
      // Newer versions of Node refuse, older ones copy.
      expect(error).toMatchObject({ name: "DataCloneError" });
    }
    port1.close();
    port2.close();
    expect([...others]).toEqual(new Array(10).fill(2));
  });
});
