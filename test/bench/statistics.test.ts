import { describe, expect, test } from "vitest";
import { interleave, timeOf, timeOfAsync } from "../../bench/support/interleave.ts";
import { ticksOf } from "../../bench/support/process-cpu.ts";
import { recoveryOf } from "../../bench/support/recovery.ts";
import { median, quantile, ratios, summarize } from "../../bench/support/statistics.ts";

describe("statistics", () => {
  test("the median is the middle one, or between the two in the middle, in whatever order they come", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  test("nothing has no median, rather than 0", () => {
    expect(median([])).toBeNaN();
  });

  test("quantiles lie between values in proportion; the values stay as they were", () => {
    const values = [40, 10, 30, 20];
    expect([0, 0.25, 0.5, 1].map((part) => quantile(values, part))).toEqual([10, 17.5, 25, 40]);
    expect(values).toEqual([40, 10, 30, 20]);
  });

  test("one slow round moves neither the median nor a quartile far", () => {
    const { median: middle, low, high, count } = summarize([1, 1, 1, 1, 1, 1, 1, 1000]);
    expect({ middle, low, high, count }).toEqual({ middle: 1, low: 1, high: 1, count: 8 });
  });

  test("ratios are those of each round, and both must have been in each", () => {
    expect(ratios([10, 20], [5, 40])).toEqual([2, 0.5]);
    expect(() => ratios([1], [1, 2])).toThrow(RangeError);
  });
});

describe("interleave", () => {
  test("contenders take turns, in the opposite order every other round, and what warms up does not count", async () => {
    const order: string[] = [];
    const contender = (name: string) => () => order.push(name);
    const costs = await interleave({ a: contender("a"), b: contender("b") }, { rounds: 2, warmUp: 1 });
    expect(order.join("")).toBe("baabba");
    expect(costs).toEqual({ a: [3, 6], b: [4, 5] });
  });

  test("a round may take a promise's time", async () => {
    expect(await interleave({ a: async () => 5 }, { rounds: 3, warmUp: 0 })).toEqual({ a: [5, 5, 5] });
  });

  test("what fails ends it", async () => {
    const failing = { a: () => Promise.reject(new Error("no")) };
    await expect(interleave(failing, { rounds: 1, warmUp: 0 })).rejects.toThrow("no");
  });

  test("times are of one run of many, each with its number", async () => {
    const numbers: number[] = [];
    expect(timeOf(3, (n) => numbers.push(n))).toBeGreaterThanOrEqual(0);
    expect(await timeOfAsync(2, async (n) => numbers.push(n))).toBeGreaterThanOrEqual(0);
    expect(numbers).toEqual([0, 1, 2, 0, 1]);
  });
});

describe("recovery", () => {
  /** Every 20 ms a call; those that are named take 50 ms. */
  const probes = (slow: readonly number[], status = 200) =>
    Array.from({ length: 30 }, (_, n) => ({ at: n * 20, ms: slow.includes(n) ? 50 : 2, status }));

  test("it is when most calls of a row are fast again; one that is slow by chance is no overload", () => {
    expect(recoveryOf(probes([]), 4)).toBe(0);
    expect(recoveryOf(probes([12]), 4)).toBe(0);
    expect(recoveryOf(probes([0]), 4)).toBe(20);
    expect(recoveryOf(probes([0, 1, 2, 3, 4, 5, 6, 7]), 4)).toBe(160);
  });

  test("a refused call is not fast, however soon it is refused", () => {
    const [, ...others] = probes([]);
    expect(recoveryOf([{ at: 0, ms: 1, status: 503 }, ...others], 4)).toBe(20);
    expect(recoveryOf(probes([], 503), 4)).toBe(Infinity);
  });

  test("too few calls show nothing", () => {
    expect(recoveryOf(probes([]).slice(0, 9), 4)).toBe(Infinity);
  });
});

test("the ticks of a process are its own and those of its children that ended, whatever its name is", () => {
  const before = "4242 (a ) b) S 1 2 3 4 5 6 7 8 9 10";
  expect(ticksOf(`${before} 100 20 3 4 20 0 1 0`)).toBe(127);
});
