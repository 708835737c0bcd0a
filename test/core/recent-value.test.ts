import { describe, expect, it } from "vitest";
import { RecentValue } from "../../src/core/recent-value.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";

/** A value that counts how often it was loaded. */
function counting(fails: (time: number) => boolean = () => false) {
  const clock = fakeClock();
  const seen = { loads: 0, setBackMs: 0 };
  const value = new RecentValue({ ...clock, now: () => clock.now() - seen.setBackMs }, async () => {
    seen.loads += 1;
    if (fails(seen.loads)) throw new Error("away");
    return seen.loads;
  });
  return { clock, seen, value };
}

describe("RecentValue", () => {
  it("is loaded once for all who ask at once, and there at once afterwards", async () => {
    const { seen, value } = counting();
    expect(await Promise.all([1, 2, 3].map(async () => value.noOlderThan(500)))).toEqual([1, 1, 1]);
    expect([value.noOlderThan(500), seen.loads]).toEqual([1, 1]);
  });

  it("is loaded again when it is too old, in either direction, and when it must be fresh", async () => {
    const { clock, seen, value } = counting();
    expect(await value.noOlderThan(500)).toBe(1);
    await clock.advance(499);
    expect(value.noOlderThan(500)).toBe(1);
    await clock.advance(1);
    expect(await value.noOlderThan(500)).toBe(2);
    expect(await value.fresh()).toBe(3);
    expect(await value.noOlderThan(0)).toBe(4);
    seen.setBackMs = 1000;
    expect(await value.noOlderThan(500)).toBe(5);
  });

  it("that could not be loaded is loaded again the next time", async () => {
    const { seen, value } = counting((time) => time === 1);
    await expect(value.noOlderThan(500)).rejects.toThrow("away");
    expect(await value.noOlderThan(500)).toBe(2);
    expect(seen.loads).toBe(2);
  });
});
