import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UnderWay } from "../../src/core/under-way.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options: { type: "minor" }) => void;
const minorCollection = (): void => {
  collect({ type: "minor" });
};

describe("UnderWay", () => {
  it("has what entered and has not left, whatever the order", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(), { nil: undefined }), { maxLength: 60 }), (steps) => {
        const underWay = new UnderWay<number>();
        const expected = new Map<number, () => void>();
        for (const [n, step] of steps.entries()) {
          const leaving = step === undefined ? undefined : [...expected.keys()][step % expected.size];
          if (leaving === undefined) {
            expected.set(n, underWay.enter(n));
          } else {
            expected.get(leaving)?.();
            expected.delete(leaving);
          }
          expect(underWay.size).toBe(expected.size);
          expect(underWay.values.sort()).toEqual([...expected.keys()].sort());
        }
      }),
    );
  });

  it("what has left does not leave again in the place of another", () => {
    const underWay = new UnderWay<string>();
    const leave = underWay.enter("first");
    underWay.enter("second");
    leave();
    leave();
    expect(underWay.values).toEqual(["second"]);
  });

  it("keeps nothing in memory of what has left, before there is a major collection", async () => {
    const underWay = new UnderWay<Uint8Array>();
    const leave = Array.from({ length: 4 }, () => underWay.enter(new Uint8Array(10)));
    // From here on it is old. A set would keep half of what follows.
    for (let n = 0; n < 4; n += 1) minorCollection();
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 500; n += 1) {
      leave.push(underWay.enter(new Uint8Array(100_000)));
      leave.splice((n * 7) % leave.length, 1)[0]?.();
      if (n % 20 === 0) minorCollection();
    }
    minorCollection();
    for (let n = 0; n < 100 && process.memoryUsage().arrayBuffers - before > 8e6; n += 1) await sleep(10);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8e6);
  });
});
