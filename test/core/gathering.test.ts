import { describe, expect, it, vi } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import { Gathering, type GatheringOptions } from "../../src/core/gathering.ts";
import { withResolvers } from "../support/with-resolvers.ts";

/** One whose goes end when the test says so. It doubles numbers. */
function gathering(options: Partial<GatheringOptions<number, number>> = {}) {
  const goes: { readonly items: readonly number[]; end(): void; fail(error: Error): void }[] = [];
  const gathered = new Gathering<string, number, number>({
    go(items) {
      const { promise, resolve, reject } = withResolvers<readonly number[]>();
      goes.push({
        items,
        end() {
          resolve(items.map((item) => 2 * item));
        },
        fail: reject,
      });
      return promise;
    },
    atMost: 3,
    ...options,
  });
  return { gathered, goes };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("Gathering", () => {
  it("lets what comes first go at once, and what comes meanwhile together, in its order", async () => {
    const { gathered, goes } = gathering();
    const results = Promise.all([1, 2, 3].map((item) => gathered.add("a", item)));
    expect(goes.map(({ items }) => items)).toEqual([[1]]);
    goes[0]?.end();
    await turn();
    expect(goes.map(({ items }) => items)).toEqual([[1], [2, 3]]);
    goes[1]?.end();
    expect(await results).toEqual([2, 4, 6]);
    await turn();
    void gathered.add("a", 4);
    expect(goes[2]?.items).toEqual([4]);
  });

  it("takes at most so many, and what comes during a go in the next one", async () => {
    const { gathered, goes } = gathering();
    const results = [1, 2, 3, 4, 5].map((item) => gathered.add("a", item));
    goes[0]?.end();
    await turn();
    results.push(gathered.add("a", 6));
    for (const n of [1, 2]) {
      goes[n]?.end();
      await turn();
    }
    expect(goes.map(({ items }) => items)).toEqual([[1], [2, 3, 4], [5, 6]]);
    expect(await Promise.all(results)).toEqual([2, 4, 6, 8, 10, 12]);
  });

  it("lets no lane wait for another", async () => {
    const { gathered, goes } = gathering();
    void gathered.add("a", 1);
    const other = gathered.add("b", 2);
    expect(goes.map(({ items }) => items)).toEqual([[1], [2]]);
    goes[1]?.end();
    expect(await other).toBe(4);
  });

  it("pauses between two goes, where it is told to, as long as more than one thing at a time comes", async () => {
    const pauses = [withResolvers<undefined>(), withResolvers<undefined>()];
    let paused = 0;
    const { gathered, goes } = gathering({ pause: () => pauses[paused++]!.promise });
    void gathered.add("a", 1);
    goes[0]?.end();
    await turn();
    expect(paused).toBe(0);
    void gathered.add("a", 2);
    void gathered.add("a", 3);
    goes[1]?.end();
    await turn();
    expect(paused).toBe(1);
    void gathered.add("a", 4);
    expect(goes).toHaveLength(2);
    pauses[0]?.resolve(undefined);
    await turn();
    expect(goes[2]?.items).toEqual([3, 4]);
    goes[2]?.end();
    await turn();
    expect(paused).toBe(2);
    pauses[1]?.resolve(undefined);
    await turn();
    void gathered.add("a", 5);
    goes[3]?.end();
    await turn();
    expect([goes[3]?.items, paused]).toEqual([[5], 2]);
  });

  it("makes nobody wait who comes again as soon as the last is done", async () => {
    let paused = 0;
    const gathered = new Gathering<string, number, number>({
      go: async (items) => {
        await turn();
        return items;
      },
      atMost: 9,
      pause: async () => {
        paused += 1;
      },
    });
    for (const item of [1, 2, 3]) expect(await gathered.add("a", item)).toBe(item);
    expect(paused).toBe(0);
  });

  it("waits no longer than it is told for a go that does not end, and that go is still settled", async () => {
    const { gathered, goes } = gathering({ patienceMs: 20 });
    const hung = gathered.add("a", 1);
    const others = [2, 3].map((item) => gathered.add("a", item));
    await turn();
    expect(goes).toHaveLength(1);
    await vi.waitFor(() => expect(goes).toHaveLength(2));
    expect(goes[1]?.items).toEqual([2, 3]);
    goes[1]?.end();
    expect(await Promise.all(others)).toEqual([4, 6]);
    const alone = gathered.add("a", 4);
    await vi.waitFor(() => expect(goes).toHaveLength(3));
    goes[0]?.fail(new RangeError("too late"));
    await expect(hung).rejects.toThrow("too late");
    await new Promise((resolve) => setTimeout(resolve, 40));
    const last = gathered.add("a", 5);
    expect(goes[3]?.items).toEqual([5]);
    goes[3]?.end();
    goes[2]?.end();
    expect(await Promise.all([alone, last])).toEqual([8, 10]);
  });

  it("lets what fails together go alone, so that nobody pays for another", async () => {
    const gathered = new Gathering<string, number, number>({
      async go(items) {
        await turn();
        if (items.includes(3)) throw new RangeError(`not ${items.join(", ")}`);
        return items;
      },
      atMost: 9,
    });
    const settled = await Promise.allSettled([1, 2, 3, 4].map((item) => gathered.add("a", item)));
    expect(settled.map((each) => (each.status === "fulfilled" ? each.value : String(each.reason)))).toEqual([
      1,
      2,
      "RangeError: not 3",
      4,
    ]);
  });

  it("does not try again, one by one, what is out of order for the moment", async () => {
    const { gathered, goes } = gathering();
    const results = [1, 2, 3].map((item) => gathered.add("a", item));
    goes[0]?.end();
    await turn();
    goes[1]?.fail(new StoreError("MNET_STORE_UNAVAILABLE", "away", { retryable: true }));
    const settled = await Promise.allSettled(results);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(goes).toHaveLength(2);
    await turn();
    const next = gathered.add("a", 4);
    goes[2]?.end();
    expect(await next).toBe(8);
  });
});
