import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QueueBound } from "../../src/crypto/queue-bound.ts";
import { WaitingOperations } from "../../src/crypto/waiting-operations.ts";
import { usedHeap } from "../support/used-heap.ts";

interface Job {
  readonly share: string | undefined;
  readonly n: number;
}
const request = (share: string, n = 0): Job => ({ share, n });
const begun = (n = 0): Job => ({ share: undefined, n });

const queueOf = (maximum: number): WaitingOperations<Job> =>
  new WaitingOperations(new QueueBound({ maximum, lasting: maximum }));

function all(waiting: WaitingOperations<Job>): string[] {
  const taken: string[] = [];
  for (let job = waiting.take(); job; job = waiting.take()) taken.push(`${job.share ?? "-"}${job.n}`);
  return taken;
}

describe("WaitingOperations", () => {
  it("what belongs to calls that have begun comes first, in its order", () => {
    const waiting = queueOf(10);
    for (const job of [request("a", 1), begun(1), request("a", 2), begun(2)]) waiting.add(job);
    expect(waiting.size).toBe(4);
    expect(all(waiting)).toEqual(["-1", "-2", "a1", "a2"]);
    expect(waiting.size).toBe(0);
  });

  it("each share has its turn, whatever the others have waiting", () => {
    const waiting = queueOf(10);
    for (const n of [1, 2, 3, 4]) waiting.add(request("crowd", n));
    waiting.add(request("a", 1));
    waiting.add(request("b", 1));
    waiting.add(request("b", 2));
    expect(all(waiting)).toEqual(["crowd1", "a1", "b1", "crowd2", "b2", "crowd3", "crowd4"]);
  });

  it("forgets shares of which nothing waits, when they are many", () => {
    const waiting = queueOf(10);
    const come = (from: number, to: number): void => {
      for (let n = from; n < to; n += 1) {
        waiting.add(request(`peer${n}`));
        waiting.take();
      }
    };
    come(0, 10_000);
    const before = usedHeap();
    come(10_000, 210_000);
    expect(usedHeap() - before).toBeLessThan(2 * 2 ** 20);
  });

  it("forgets none of which something waits", () => {
    const waiting = queueOf(10);
    const taken: number[] = [];
    for (const n of [0, 1]) waiting.add(request("kept", n));
    for (let n = 2; n < 3000; n += 1) {
      waiting.add(request("kept", n));
      waiting.add(request(`peer${n}`));
      for (const job of [waiting.take(), waiting.take()]) if (job?.share === "kept") taken.push(job.n);
    }
    expect(taken).toEqual(Array.from({ length: 2998 }, (_, n) => n));
  });

  it("what was put back is the next", () => {
    const waiting = queueOf(1);
    waiting.add(begun(2));
    waiting.add(request("a", 1));
    const taken = waiting.take();
    waiting.addFirst(request("b", 9));
    if (taken) waiting.addFirst(taken);
    expect(all(waiting)).toEqual(["-2", "b9", "a1"]);
  });

  it("SEC-083 beyond the bound, the newest of whoever has most gives way", () => {
    const waiting = queueOf(4);
    for (const n of [1, 2, 3, 4]) expect(waiting.add(request("crowd", n))).toBeUndefined();
    expect(waiting.add(request("crowd", 5))).toEqual(request("crowd", 5));
    expect(waiting.add(request("a", 1))).toEqual(request("crowd", 4));
    expect(waiting.add(request("b", 1))).toEqual(request("crowd", 3));
    // Nobody has more than two now, so a second one of another is no better off.
    expect(waiting.add(request("a", 2))).toEqual(request("a", 2));
    expect(waiting.add(begun(1))).toBeUndefined();
    expect(all(waiting)).toEqual(["-1", "crowd1", "a1", "b1", "crowd2"]);
  });

  it("whatever comes and goes: nothing is lost, nothing twice, and never more than allowed", () => {
    const step = fc.oneof(
      fc.record({ share: fc.constantFrom("a", "b", "c", undefined) }),
      fc.constant("take" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 8 }), (steps, maximum) => {
        const waiting = queueOf(maximum);
        const inside = new Set<number>();
        const leave = (job: Job | undefined): void => {
          if (job) expect(inside.delete(job.n)).toBe(true);
        };
        steps.forEach((what, n) => {
          if (what === "take") {
            leave(waiting.take());
            return;
          }
          inside.add(n);
          leave(waiting.add({ share: what.share, n }));
        });
        expect(waiting.size).toBe(inside.size);
        expect(all(waiting)).toHaveLength(inside.size);
      }),
    );
  });
});
