import type { PeerCounters } from "../../peer/stats-store.ts";

/** Zeros, but for what is given. */
export const counters = (given: Partial<PeerCounters>): PeerCounters => ({
  callsIn: 0,
  callsOut: 0,
  secureCalls: 0,
  bytesIn: 0,
  bytesOut: 0,
  faultsByCode: {},
  latencies: [],
  ...given,
});
