import { describe, expect, it } from "vitest";
import { TokenBucket } from "../../src/core/token-bucket.ts";

describe("TokenBucket", () => {
  it("gives as many at once as it holds, then one after each refill", () => {
    const bucket = new TokenBucket({ capacity: 3, perSecond: 2 }, 1000);
    expect([1, 2, 3, 4].map(() => bucket.take(1000))).toEqual([true, true, true, false]);
    expect(bucket.waitMs(1000)).toBe(500);
    expect(bucket.take(1499)).toBe(false);
    expect(bucket.take(1500)).toBe(true);
    expect(bucket.take(1500)).toBe(false);
  });

  it("never holds more than fit, nor owes more", () => {
    const bucket = new TokenBucket({ capacity: 2, perSecond: 1 }, 0);
    bucket.add(100, 0);
    expect([1, 2, 3].map(() => bucket.take(0))).toEqual([true, true, false]);
    bucket.add(-100, 0);
    expect(bucket.waitMs(0)).toBe(3000);
  });

  it("goes on after the clock was set back", () => {
    const bucket = new TokenBucket({ capacity: 1, perSecond: 1 }, 1_000_000);
    expect(bucket.take(1_000_000)).toBe(true);
    expect(bucket.take(0)).toBe(false);
    expect(bucket.take(1000)).toBe(true);
  });
});
