import { median } from "./statistics.ts";

/** Calls in a row of which most must be fast: one that is slow by chance is no overload. */
const IN_A_ROW = 10;

/**
 * Milliseconds until calls that are sent one after the other are all answered, and most of them within `normalMs`.
 * Infinity: not as long as they were watched.
 */
export function recoveryOf(
  probes: readonly { readonly at: number; readonly ms: number; readonly status: number }[],
  normalMs: number,
): number {
  for (let first = 0; first + IN_A_ROW <= probes.length; first += 1) {
    const row = probes.slice(first, first + IN_A_ROW);
    const isNormal = row.every(({ status }) => status === 200) && median(row.map(({ ms }) => ms)) <= normalMs;
    if (isNormal) return row[0]?.at ?? Infinity;
  }
  return Infinity;
}
