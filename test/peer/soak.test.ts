import { expect, it } from "vitest";
import { runSoak } from "../../bench/soak-run.ts";

it.each([1, 2])(
  "MNET-092 MNET-105 200 calls among four hosts that rotate all the while, plan %i: none is lost",
  async (seed) => {
    const counts = await runSoak({ calls: 200, rotations: 8, seed });
    expect(counts.failures).toEqual({});
    expect(counts).toMatchObject({ calls: 200, lost: 0, twice: 0, unknown: 0 });
    expect(counts.rotations).toBeGreaterThan(4);
    expect(counts.rekeys).toBeGreaterThan(0);
    expect(counts.refreshes).toBeGreaterThan(0);
  },
  120_000,
);

it("SEC-032 and change over to keys of their own, and back", { timeout: 120_000 }, async () => {
  const counts = await runSoak({ calls: 200, rotations: 8, seed: 3, keyPairs: true });
  expect(counts.failures).toEqual({});
  expect(counts).toMatchObject({ calls: 200, lost: 0, twice: 0, unknown: 0 });
  expect(counts.rotations).toBeGreaterThan(4);
  expect(counts.ownKeys).toBeGreaterThan(4);
  expect(counts.refreshes).toBeGreaterThan(0);
});
