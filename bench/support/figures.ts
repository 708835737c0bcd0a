import { summarize } from "./statistics.ts";

/** What a figure must be. */
export type Bound = { readonly atLeast: number } | { readonly atMost: number };

/** One thing that was measured. */
export interface Figure {
  /** `suite.name`; stays the same as long as it means the same. */
  readonly id: string;
  readonly title: string;
  /** `"×"` for a ratio. */
  readonly unit: string;
  /** The median, where there were rounds. */
  readonly value: number;
  /** The quartiles of the rounds. */
  readonly spread?: { readonly low: number; readonly high: number; readonly rounds: number };
  readonly bound?: Bound;
  /** Better than the bound, and not required. */
  readonly aim?: number;
  /** Within the bound, or there is none. */
  readonly ok: boolean;
}

/** What is said of a figure where it is measured. */
export interface FigureOptions {
  readonly unit: string;
  readonly bound?: Bound;
  readonly aim?: number;
}

/** Whether a value is within a bound. NaN, which is what nothing was measured as, is within none. */
export function isWithin(value: number, bound: Bound): boolean {
  return "atLeast" in bound ? value >= bound.atLeast : value <= bound.atMost;
}

/** Makes a figure of the values of its rounds, or of the only one. */
export function figureOf(
  id: string,
  title: string,
  values: number | readonly number[],
  { unit, bound, aim }: FigureOptions,
): Figure {
  const { median, low, high, count } = summarize(typeof values === "number" ? [values] : values);
  return {
    id,
    title,
    unit,
    value: median,
    ...(count > 1 && { spread: { low, high, rounds: count } }),
    ...(bound && { bound }),
    ...(aim !== undefined && { aim }),
    ok: bound === undefined ? Number.isFinite(median) : isWithin(median, bound),
  };
}
