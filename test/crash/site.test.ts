import { expect, it } from "vitest";
import { crashSite } from "../support/site-crash.ts";

it(
  "SEC-061 SEC-033 SEC-036 MNET-021 processes of a site are killed at random: nothing is lost, and nothing done twice",
  { timeout: 180_000 },
  async () => {
    const { counts, violations } = await crashSite({ engine: "sqlite", durationMs: 15_000, processes: 3 });
    expect(violations).toEqual([]);
    expect(counts.kills).toBeGreaterThan(1);
  },
);
