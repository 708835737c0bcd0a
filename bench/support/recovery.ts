import { median } from "./statistics.ts";

/** Calls in a row of which the first and most must be fast: one that is slow by chance is no overload. */
const IN_A_ROW = 10;

/**
 * Milliseconds until calls that are sent one after the other are all answered, the first and most of them within `normalMs`.
 * Infinity: not as long as they were watched.
 */
export function recoveryOf(
  probes: readonly { readonly at: number; readonly ms: number; readonly status: number }[],
  normalMs: number,
): number {
  for (let first = 0; first + IN_A_ROW <= probes.length; first += 1) {
    const row = probes.slice(first, first + IN_A_ROW);
    const { at = Infinity, ms = Infinity } = row[0] ?? {};
    const isNormal = row.every(({ status }) => status === 200) && median(row.map((probe) => probe.ms)) <= normalMs;
    if (isNormal && ms <= normalMs) return at;
  }
  return Infinity;
}
