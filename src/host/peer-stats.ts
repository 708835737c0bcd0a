import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import type { NewEvent } from "../core/events.ts";
import type { PeerId } from "../core/ids.ts";
import type { PeerRef } from "../core/peer-snapshot.ts";
import { bucketOf, quantile } from "../peer/latency-histogram.ts";
import type { PeerDirectory } from "../peer/peer-directory.ts";
import type { PeerCounters, StatsStore } from "../peer/stats-store.ts";
import type { EventHub } from "./event-hub.ts";
import type { LogStore } from "./log-store.ts";

/** Figures of the calls with one peer, since it was first added, of all processes. */
export interface PeerStats {
  /** Verified calls of the peer that reached a method, those answered with a fault of the method included. */
  readonly callsIn: number;
  /** Calls that we made, failed ones included. One that was made a second time is one. */
  readonly callsOut: number;
  /** Of both, those that were answered in the secure profile. */
  readonly secureCalls: number;
  /**
   * Faults by code, that we sent or got. Among those that we sent are the refusals of whatever claimed to be from the peer.
   * Code 0 stands for all further codes of a peer that has used more than 64.
   */
  readonly faultsByCode: Readonly<Record<number, number>>;
  /** How long our calls to the peer took, from the first byte of the first attempt; estimated to a factor of 1.4. 0 where there were none. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** Bytes received in calls that were answered, envelopes included. */
  readonly bytesIn: number;
  /** Bytes sent in calls that were answered, envelopes included. */
  readonly bytesOut: number;
  /** When it last answered us, or called us with a valid signature, to a minute. */
  readonly lastContactAt?: Date;
  /** How far its clock was off at the last contact; positive if it was ahead. Absent if it was within the tolerance. */
  readonly clockOffsetMs?: number;
}

/** A crash loses the figures of so long. */
const FLUSH_INTERVAL_MS = 5000;
/** Peers in memory at once; the store gets what there is when there are more. */
const MAXIMUM_PEERS = 1000;
/** The peer chooses the codes that we get: it must not choose how large our tables become (SEC-084). */
const MAXIMUM_FAULT_CODES = 64;
/** No fault has this code (spec 5.3). */
const OTHER_FAULTS = 0;
/** A contact and the event about its clock are written down one after the other. */
const SAME_MOMENT_MS = 1000;

interface Counting {
  callsIn: number;
  callsOut: number;
  secureCalls: number;
  bytesIn: number;
  bytesOut: number;
  readonly faults: Map<number, number>;
  readonly latencies: number[];
}

/**
 * Counts what happens with each peer: in memory from the events, and every few seconds in the store. Adding to the store
 * with each call would cost more than the call's RSA.
 */
export class PeerStatistics {
  readonly #store: StatsStore;
  readonly #log: LogStore;
  readonly #events: EventHub;
  readonly #directory: PeerDirectory;
  readonly #clock: Clock;
  readonly #background: Background;
  readonly #knownFaults = new Map<PeerId, ReadonlySet<number>>();
  #counting = new Map<PeerId, Counting>();
  #flushing: Promise<void> = Promise.resolve();
  #cancelFlush: (() => void) | undefined;

  constructor(options: {
    readonly store: StatsStore;
    readonly log: LogStore;
    readonly events: EventHub;
    readonly directory: PeerDirectory;
    readonly clock: Clock;
    readonly background: Background;
  }) {
    this.#store = options.store;
    this.#log = options.log;
    this.#events = options.events;
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#background = options.background;
    options.events.count((event) => this.#count(event));
  }

  /** The figures of a peer, those of this process up to now. Throws `MNET_PEER_UNKNOWN`. */
  async of({ id }: PeerRef): Promise<PeerStats> {
    const { lastContactAt } = await this.#directory.get(id);
    await this.flush();
    const { latencies, ...counters } = await this.#store.get(id);
    const clockOffsetMs = await this.#clockOffset(id, lastContactAt);
    return {
      ...counters,
      latencyMs: { p50: quantile(latencies, 0.5), p95: quantile(latencies, 0.95), p99: quantile(latencies, 0.99) },
      ...(lastContactAt !== undefined && { lastContactAt: new Date(lastContactAt) }),
      ...(clockOffsetMs !== undefined && { clockOffsetMs }),
    };
  }

  /** Adds to the store what was counted so far. What the store does not take is kept for the next time, and this rejects. */
  flush(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    // One after the other: whoever waits for its own figures waits for those that are on the way, too.
    const flushed = this.#flushing.then(() => this.#addAll());
    this.#flushing = flushed.catch(() => undefined);
    return flushed;
  }

  #count(event: NewEvent): void {
    const { peer } = event;
    if (!peer) return;
    switch (event.type) {
      case "call.served": {
        const counting = this.#countingOf(peer.id);
        counting.callsIn += 1;
        if (event.profile) counting.secureCalls += 1;
        addBytes(counting, event);
        addFault(counting, event.faultCode);
        break;
      }
      case "call.sent": {
        const counting = this.#countingOf(peer.id);
        counting.callsOut += 1;
        if (event.profile) counting.secureCalls += 1;
        addBytes(counting, event);
        addLatency(counting, event.durationMs);
        break;
      }
      case "call.failed": {
        const counting = this.#countingOf(peer.id);
        counting.callsOut += 1;
        addFault(counting, event.faultCode);
        // Nothing went out, so it says nothing of how fast the peer is.
        if (event.code !== "MNET_TRANSPORT_CIRCUIT_OPEN") addLatency(counting, event.durationMs);
        break;
      }
      case "call.refused":
        addFault(this.#countingOf(peer.id), event.faultCode);
        break;
      default:
    }
  }

  #countingOf(peer: PeerId): Counting {
    let counting = this.#counting.get(peer);
    if (!counting) {
      if (this.#counting.size >= MAXIMUM_PEERS) this.#background.run(() => this.flush());
      counting = { callsIn: 0, callsOut: 0, secureCalls: 0, bytesIn: 0, bytesOut: 0, faults: new Map(), latencies: [] };
      this.#counting.set(peer, counting);
    }
    this.#cancelFlush ??= this.#clock.after(FLUSH_INTERVAL_MS, () => this.#background.run(() => this.flush()));
    return counting;
  }

  async #addAll(): Promise<void> {
    const counted = this.#counting;
    this.#counting = new Map();
    for (const [peer, counting] of counted) {
      try {
        await this.#store.add(peer, countersOf(await this.#boundFaults(peer, counting)));
      } catch (error) {
        for (const [late, kept] of counted) this.#putBack(late, kept);
        throw error;
      }
      counted.delete(peer);
    }
  }

  /** What could not be added, together with what came up meanwhile. */
  #putBack(peer: PeerId, kept: Counting): void {
    const counting = this.#countingOf(peer);
    counting.callsIn += kept.callsIn;
    counting.callsOut += kept.callsOut;
    counting.secureCalls += kept.secureCalls;
    counting.bytesIn += kept.bytesIn;
    counting.bytesOut += kept.bytesOut;
    for (const [code, count] of kept.faults) addFault(counting, code, count);
    for (const [bucket, count] of kept.latencies.entries()) addToBucket(counting, bucket, count);
  }

  /** Fault codes beyond those that fit are one. */
  async #boundFaults(peer: PeerId, counting: Counting): Promise<Counting> {
    let known = this.#knownFaults.get(peer);
    const isKnown = (code: number): boolean => known?.has(code) ?? false;
    if ([...counting.faults.keys()].every(isKnown)) return counting;

    const stored = Object.keys((await this.#store.get(peer)).faultsByCode).map(Number);
    const codes = new Set(
      [...stored, ...counting.faults.keys()].slice(0, Math.max(stored.length, MAXIMUM_FAULT_CODES)),
    );
    known = codes.add(OTHER_FAULTS);
    if (this.#knownFaults.size >= MAXIMUM_PEERS) this.#knownFaults.clear();
    this.#knownFaults.set(peer, known);

    const faults = new Map<number, number>();
    for (const [code, count] of counting.faults) {
      const name = isKnown(code) ? code : OTHER_FAULTS;
      faults.set(name, (faults.get(name) ?? 0) + count);
    }
    return { ...counting, faults };
  }

  /** Each message of a peer whose clock is off is an event; a contact after the last of them was on time. */
  async #clockOffset(id: PeerId, lastContactAt = 0): Promise<number | undefined> {
    await this.#events.flush();
    const [last] = (await this.#log.list({ peer: { id }, type: "clock.off" }, undefined, 1)).items;
    if (last?.type !== "clock.off" || lastContactAt - last.at.getTime() > SAME_MOMENT_MS) return undefined;
    return last.offsetMs;
  }
}

function addBytes(
  counting: Counting,
  { bytesIn, bytesOut }: { readonly bytesIn: number; readonly bytesOut: number },
): void {
  counting.bytesIn += bytesIn;
  counting.bytesOut += bytesOut;
}

function addFault({ faults }: Counting, code: number | undefined, count = 1): void {
  if (code === undefined) return;
  const name = faults.has(code) || faults.size < MAXIMUM_FAULT_CODES ? code : OTHER_FAULTS;
  faults.set(name, (faults.get(name) ?? 0) + count);
}

const addLatency = (counting: Counting, ms: number): void => addToBucket(counting, bucketOf(ms), 1);

function addToBucket({ latencies }: Counting, bucket: number, count: number): void {
  while (latencies.length <= bucket) latencies.push(0);
  latencies[bucket] = (latencies[bucket] ?? 0) + count;
}

const countersOf = ({ faults, ...counters }: Counting): PeerCounters => ({
  ...counters,
  faultsByCode: Object.fromEntries(faults),
});
