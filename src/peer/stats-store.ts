import type { PeerId } from "../core/ids.ts";

/** What is counted of the calls with one peer. */
export interface PeerCounters {
  /** Calls that we answered, faults included. */
  readonly callsIn: number;
  /** Calls that we made, failed ones included. */
  readonly callsOut: number;
  /** Of both, those that were answered in the secure profile. */
  readonly secureCalls: number;
  /** Bytes received and sent, as they were on the wire. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Faults by code, that we sent or got. */
  readonly faultsByCode: Readonly<Record<number, number>>;
  /** Calls that we made by how long they took: bucket n counts those of up to 2^(n/2) ms (see `latency-histogram.ts`). */
  readonly latencies: readonly number[];
}

/** Keeps the counters of each peer. */
export interface StatsStore {
  /** Adds to a peer's counters. Of concurrent additions none is lost. */
  add(peer: PeerId, counters: PeerCounters): Promise<void>;
  /** The sums; all zero for a peer that nothing was added for. */
  get(peer: PeerId): Promise<PeerCounters>;
}
