import { describe, expect, it } from "vitest";
import type { Cursor } from "../../src/core/ids.ts";
import { listing, type Listing } from "../../src/core/listing.ts";
import { codeOf } from "../support/code-of.ts";

/** Numbers from 0 up; `limits` is what the pages were asked for. */
function numbers(count: number): { list: Listing<number>; limits: number[] } {
  const limits: number[] = [];
  const list = listing(async (after, limit) => {
    limits.push(limit);
    const start = after === undefined ? 0 : Number(after);
    const items = Array.from({ length: Math.min(limit, count - start) }, (_, n) => start + n);
    const end = start + items.length;
    return end < count ? { items, next: String(end) as Cursor } : { items };
  });
  return { list, limits };
}

describe("Listing", () => {
  it("gives pages of 50 unless told, and goes on where one ended", async () => {
    const { list } = numbers(70);
    const first = await list.page();
    expect(first.items).toHaveLength(50);
    const second = await list.page({ after: first.next, limit: 1000 });
    expect(second.items).toEqual(Array.from({ length: 20 }, (_, n) => 50 + n));
    expect(second.next).toBeUndefined();
  });

  it("iterates over everything, in few pages, and reads nothing before", async () => {
    const { list, limits } = numbers(450);
    expect(limits).toEqual([]);
    const seen: number[] = [];
    for await (const item of list) seen.push(item);
    expect(seen).toEqual(Array.from({ length: 450 }, (_, n) => n));
    expect(limits).toEqual([200, 200, 200]);
  });

  it.each([0, -1, 1.5, 1001, Number.NaN])("refuses a limit of %d", async (limit) => {
    expect(await codeOf(() => numbers(5).list.page({ limit }))).toBe("MNET_CONFIG_INVALID");
  });

  it.each([1, 1000])("takes a limit of %d", async (limit) => {
    expect((await numbers(2000).list.page({ limit })).items).toHaveLength(limit);
  });
});
