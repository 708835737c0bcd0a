import type { PeerCounters } from "../peer/stats-store.ts";

/** One number of a peer. */
export interface CounterRow {
  readonly counter: "callsIn" | "callsOut" | "secureCalls" | "bytesIn" | "bytesOut" | "fault" | "latency";
  /** The code of a fault, the bucket of a latency, else 0. */
  readonly part: number;
  readonly total: number;
}

/** Every number that is not zero, always in one order: databases that lock row by row cannot get stuck over them. */
export function counterRows({ faultsByCode, latencies, ...totals }: PeerCounters): readonly CounterRow[] {
  const { callsIn, callsOut, secureCalls, bytesIn, bytesOut } = totals;
  const rows: readonly CounterRow[] = [
    { counter: "callsIn", part: 0, total: callsIn },
    { counter: "callsOut", part: 0, total: callsOut },
    { counter: "secureCalls", part: 0, total: secureCalls },
    { counter: "bytesIn", part: 0, total: bytesIn },
    { counter: "bytesOut", part: 0, total: bytesOut },
    ...Object.entries(faultsByCode)
      .map(([code, total]) => ({ counter: "fault" as const, part: Number(code), total }))
      .sort((a, b) => a.part - b.part),
    ...latencies.map((total, part) => ({ counter: "latency" as const, part, total })),
  ];
  return rows.filter(({ total }) => total !== 0);
}

/** The other way. The latencies end with the last bucket that is not zero. */
export function countersOf(rows: Iterable<CounterRow>): PeerCounters {
  const totals = { callsIn: 0, callsOut: 0, secureCalls: 0, bytesIn: 0, bytesOut: 0 };
  const faultsByCode: Record<number, number> = {};
  const latencies: number[] = [];
  for (const { counter, part, total } of rows) {
    if (counter === "fault") faultsByCode[part] = total;
    else if (counter === "latency") latencies[part] = total;
    else totals[counter] = total;
  }
  // Buckets that nothing was added to have no row.
  return { ...totals, faultsByCode, latencies: Array.from(latencies, (total: number | undefined) => total ?? 0) };
}
