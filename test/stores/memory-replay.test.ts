import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PeerId } from "../../src/core/ids.ts";
import { ExpiryHeap } from "../../src/stores/memory/expiry-heap.ts";
import { memoryReplayStore } from "../../src/stores/memory/replay-store.ts";

const ONE = 1 as PeerId;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("the replay memory", () => {
  test("SEC-084 a million keys with a bound of 10,000 stay 10,000", async () => {
    const replay = memoryReplayStore();
    let evicted = 0;
    const add = async (from: number, to: number): Promise<number> => {
      for (let number = from; number < to; number += 1) {
        const key = number.toString(16).padStart(64, "0");
        const result = await replay.remember(ONE, key, { until: 1e12 + (number % 1000), maxEntries: 10_000 }, 1);
        evicted += result.evicted;
      }
      return heapUsed();
    };
    const early = await add(0, 100_000);
    const late = await add(100_000, 1_000_000);
    expect(evicted).toBe(990_000);
    // 10,000 entries take about 3 MB; a million would take 250.
    expect(late - early).toBeLessThan(10 * 2 ** 20);
    expect(await replay.prune(2e12, 2_000_000)).toBe(10_000);
  });

  test("SEC-084 peers whose entries were pruned leave nothing behind", async () => {
    const replay = memoryReplayStore();
    const turn = async (): Promise<number> => {
      for (let peer = 0; peer < 20_000; peer += 1) {
        await replay.remember(peer as PeerId, "a", { until: 2, maxEntries: 1 }, 1);
      }
      expect(await replay.prune(2, 15_000)).toBe(15_000);
      expect(await replay.prune(2, 15_000)).toBe(5_000);
      return heapUsed();
    };
    const early = await turn();
    await turn();
    expect((await turn()) - early).toBeLessThan(2 ** 20);
  });

  test("a million entries cost as little as a few, also where the oldest always go", async () => {
    const replay = memoryReplayStore();
    const measure = async (from: number, count: number, maxEntries: number): Promise<number> => {
      const start = performance.now();
      for (let number = from; number < from + count; number += 1) {
        await replay.remember(ONE, `${number}`, { until: 1e12, maxEntries }, 1);
      }
      return (performance.now() - start) / count;
    };
    await measure(0, 300_000, 300_000);
    // Microseconds, unless finding the oldest walks over those that have gone: then milliseconds.
    expect(await measure(300_000, 100_000, 300_000)).toBeLessThan(0.1);
  });

  test("does what a plain list does", async () => {
    const step = fc.record({
      prune: fc.integer({ min: 0, max: 9 }),
      key: fc.integer({ min: 0, max: 12 }),
      until: fc.integer({ min: -2, max: 12 }),
      maxEntries: fc.integer({ min: 1, max: 8 }),
      later: fc.integer({ min: 0, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const replay = memoryReplayStore();
        let list: { readonly key: string; readonly until: number }[] = [];
        let now = 0;
        for (const { prune, key: number, until: span, maxEntries, later } of steps) {
          now += later;
          const [key, until] = [`${number}`, now + span];
          const alive = list.filter((entry) => entry.until > now);
          if (prune < 3) {
            const removed = await replay.prune(now, prune);
            expect(removed).toBe(Math.min(prune, list.length - alive.length));
            if (removed === list.length - alive.length) list = alive;
            // Which of the forgotten went is nobody's business.
            else list = [...alive, ...list.filter((entry) => entry.until <= now).slice(removed)];
            continue;
          }
          const isKnown = alive.some((entry) => entry.key === key);
          const wanted = isKnown || until <= now ? alive : [...alive, { key, until }];
          const evicted = isKnown ? 0 : until <= now ? 0 : Math.max(0, wanted.length - maxEntries);
          expect(await replay.remember(ONE, key, { until, maxEntries }, now)).toEqual({
            seen: isKnown ? "again" : "first",
            evicted,
          });
          // Everything that is forgotten is pruned, so that the list need not know what the store has kept of it.
          await replay.prune(now, 100);
          list = wanted.slice(evicted);
        }
        expect(await replay.prune(Infinity, 100)).toBe(list.length);
      }),
    );
  });
});

test("the heap gives what expires first, whatever was added and removed", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.nat()), { maxLength: 200 }), (steps) => {
      const heap = new ExpiryHeap<{ until: number; place: number }>();
      const all: { until: number; place: number }[] = [];
      for (const [until, pick] of steps) {
        if (pick % 3 === 0 && all.length > 0) {
          for (const node of all.splice(pick % all.length, 1)) heap.remove(node);
        } else {
          const node = { until, place: 0 };
          all.push(node);
          heap.add(node);
        }
        expect(heap.first?.until).toBe(all.length === 0 ? undefined : Math.min(...all.map((node) => node.until)));
      }
    }),
  );
});

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
