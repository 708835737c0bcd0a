import { describe, expect, it } from "vitest";
import { RecentMap } from "../../src/core/recent-map.ts";
import { usedHeap } from "../support/used-heap.ts";

describe("RecentMap", () => {
  it("keeps what was set last, at most so many", () => {
    const map = new RecentMap<number, string>(10);
    for (let n = 0; n < 100; n += 1) {
      map.set(n, `value ${n}`);
      const kept = Array.from({ length: n + 1 }, (_, key) => key).filter((key) => map.get(key) !== undefined);
      expect(kept.length).toBeLessThanOrEqual(10);
      expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => n + 1 - kept.length + at));
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(n + 1, 5));
    }
  });

  it("what is set again stays, with its new value", () => {
    const map = new RecentMap<string, number>(4);
    for (let n = 0; n < 100; n += 1) {
      map.set("a", n);
      map.set(String(n), n);
    }
    expect([map.get("a"), map.get("0")]).toEqual([99, undefined]);
  });

  it("what is deleted is gone, however old", () => {
    const map = new RecentMap<string, number>(4);
    for (const key of ["a", "b", "c"]) map.set(key, 1);
    map.set("a", 2);
    for (const key of ["a", "b", "c", "never"]) map.delete(key);
    expect(["a", "b", "c"].map((key) => map.get(key))).toEqual([undefined, undefined, undefined]);
  });

  it("SEC-084 a million keys leave memory flat", () => {
    const map = new RecentMap<string, number>(10_000);
    const before = usedHeap();
    for (let n = 0; n < 1_000_000; n += 1) map.set(`key ${n}`, n);
    expect(usedHeap() - before).toBeLessThan(5 * 1024 * 1024);
    expect(map.get("key 999999")).toBe(999_999);
  });
});
