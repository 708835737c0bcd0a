/** A part (0 to 1) of the values lies below it; between two values, in proportion. NaN without values. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = part * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return below + (above - below) * (at - Math.floor(at));
}

/** Half of the values lie below it. NaN without values. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** What is said of many values: the median, and the quartiles between which half of them lie. */
export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

export const summarize = (values: readonly number[]): Summary => ({
  median: median(values),
  low: quantile(values, 0.25),
  high: quantile(values, 0.75),
  count: values.length,
});

/** Element by element, because two values of one round met the same machine. */
export function ratios(above: readonly number[], below: readonly number[]): number[] {
  if (above.length !== below.length) throw new RangeError("Both need a value for each round.");
  return above.map((value, round) => value / (below[round] ?? NaN));
}
