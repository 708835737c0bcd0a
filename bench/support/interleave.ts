/** One round of something: returns what it cost, in whatever unit all contenders use. */
export type Round = () => number | Promise<number>;

/**
 * Lets contenders take turns, in the opposite order every other round, and returns what each round cost each of them.
 *
 * Benchmark libraries run one task to its end before the next: what the machine does meanwhile (another process, a lower
 * clock) then meets one of them alone, and moves the ratio. Here it meets all.
 */
export async function interleave<Name extends string>(
  contenders: Readonly<Record<Name, Round>>,
  { rounds, warmUp }: { readonly rounds: number; readonly warmUp: number },
): Promise<Record<Name, number[]>> {
  const entries = Object.entries<Round>(contenders) as [Name, Round][];
  const costs = Object.fromEntries(entries.map(([name]) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const [name, run] of round % 2 === 0 ? entries : entries.toReversed()) {
      const cost = await run();
      if (round >= 0) costs[name].push(cost);
    }
  }
  return costs;
}

/** Milliseconds that one of `count` synchronous runs takes. */
export function timeOf(count: number, run: (n: number) => unknown): number {
  const started = performance.now();
  for (let n = 0; n < count; n += 1) run(n);
  return (performance.now() - started) / count;
}

/** Milliseconds that one of `count` runs takes, one after the other. */
export async function timeOfAsync(count: number, run: (n: number) => Promise<unknown>): Promise<number> {
  const started = performance.now();
  for (let n = 0; n < count; n += 1) await run(n);
  return (performance.now() - started) / count;
}
