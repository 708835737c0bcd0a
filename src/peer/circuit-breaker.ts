import type { Clock } from "../core/clock.ts";
import { TransportError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { PeerId, Wwwroot } from "../core/ids.ts";
import { RecentMap } from "../core/recent-map.ts";

/** So many failures in a row open the circuit. */
export const FAILURES_TO_OPEN = 5;
/** The first back-off; every failed trial doubles it. */
export const FIRST_BACK_OFF_MS = 5000;
/** No back-off is longer. */
export const LONGEST_BACK_OFF_MS = 5 * 60_000;
/** Failures that lie further apart are not "in a row". */
const FORGET_AFTER_MS = 15 * 60_000;
/** Only peers that fail have an entry, so this is for a network that is down altogether. */
const MAXIMUM_ENTRIES = 10_000;

/** What became of an exchange: the peer answered, it did not, or nobody knows because it was broken off. */
export type Outcome = "answered" | "failed" | "unknown";

/** Whom a circuit is about, and what is about to be asked of it. */
export interface CircuitRequest {
  readonly peer: { readonly id: PeerId; readonly wwwroot: Wwwroot };
  readonly url: string;
  /** The exchange is over by then, one way or another. */
  readonly timeoutMs: number;
  /** Tells of what belongs to the exchange. */
  readonly emit: Emit;
}

interface Circuit {
  failures: number;
  lastFailureAt: number;
  /** Set while the circuit is open. */
  retryAt?: number;
  /** Tells the trial under way from what was sent before the circuit opened. */
  trial?: object | undefined;
}

/**
 * Spares us waiting for peers that do not answer, and spares them being asked all the time.
 *
 * After five failures in a row a peer's circuit opens: calls fail at once with `MNET_TRANSPORT_CIRCUIT_OPEN`. When the
 * back-off is over (5 s at first, doubled by each failure up to 5 min, shortened by up to a half at random so that
 * callers do not come back all at once), one exchange is let through. If it is answered the circuit closes; if not, the
 * next back-off begins. A message that the peer signed closes it, too.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #circuits = new RecentMap<PeerId, Circuit>(MAXIMUM_ENTRIES);

  /** `random`: numbers from 0 to 1 for the jitter. Default `Math.random`. */
  constructor(options: { readonly clock: Clock; readonly random?: (() => number) | undefined }) {
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Asks whether an exchange may begin. Throws `MNET_TRANSPORT_CIRCUIT_OPEN`, which is retryable, with `retryAt`.
   *
   * @returns what to tell the outcome to.
   */
  enter({ peer, url, timeoutMs, emit }: CircuitRequest): (outcome: Outcome) => void {
    const now = this.#clock.now();
    const circuit = this.#circuits.get(peer.id);
    if (circuit?.retryAt === undefined) return (outcome) => this.#settle(peer, outcome, undefined, emit);
    if (now < circuit.retryAt) {
      const retryAt = new Date(circuit.retryAt);
      throw new TransportError(
        "MNET_TRANSPORT_CIRCUIT_OPEN",
        `${peer.wwwroot} did not answer ${circuit.failures} times; it is tried again at ${retryAt.toISOString()}.`,
        { url, retryAt, retryable: true, peer: peer.wwwroot },
      );
    }
    const trial = {};
    circuit.trial = trial;
    // Whoever comes meanwhile hears of the moment at which the trial has ended at the latest.
    circuit.retryAt = now + timeoutMs;
    return (outcome) => this.#settle(peer, outcome, trial, emit);
  }

  /** The peer has signed something just now: evidently it lives. */
  heardFrom(peer: CircuitRequest["peer"], emit: Emit): void {
    const circuit = this.#circuits.get(peer.id);
    if (!circuit) return;
    this.#circuits.delete(peer.id);
    if (circuit.retryAt !== undefined) emit({ type: "peer.circuit", level: "info", peer: refer(peer), open: false });
  }

  #settle(peer: CircuitRequest["peer"], outcome: Outcome, trial: object | undefined, emit: Emit): void {
    if (outcome === "answered") {
      this.heardFrom(peer, emit);
      return;
    }
    const circuit = this.#circuits.get(peer.id);
    if (circuit?.retryAt !== undefined) {
      // What was sent before the circuit opened says nothing new.
      if (trial === undefined || circuit.trial !== trial) return;
      circuit.trial = undefined;
      if (outcome === "unknown") circuit.retryAt = this.#clock.now();
      else this.#failAgain(circuit);
    } else if (outcome === "failed") {
      this.#countFailure(peer, circuit, emit);
    }
  }

  #countFailure(peer: CircuitRequest["peer"], known: Circuit | undefined, emit: Emit): void {
    const now = this.#clock.now();
    const isInARow = known !== undefined && now - known.lastFailureAt <= FORGET_AFTER_MS;
    const circuit: Circuit = isInARow ? known : { failures: 0, lastFailureAt: now };
    circuit.failures += 1;
    circuit.lastFailureAt = now;
    this.#circuits.set(peer.id, circuit);
    if (circuit.failures < FAILURES_TO_OPEN) return;
    const retryAt = now + this.#backOff(circuit.failures);
    circuit.retryAt = retryAt;
    emit({ type: "peer.circuit", level: "warn", peer: refer(peer), open: true, retryAt: new Date(retryAt) });
  }

  #failAgain(circuit: Circuit): void {
    const now = this.#clock.now();
    circuit.failures += 1;
    circuit.lastFailureAt = now;
    circuit.retryAt = now + this.#backOff(circuit.failures);
  }

  #backOff(failures: number): number {
    const whole = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (failures - FAILURES_TO_OPEN));
    return Math.round(whole * (1 - this.#random() / 2));
  }
}

const refer = ({ id, wwwroot }: CircuitRequest["peer"]): CircuitRequest["peer"] => ({ id, wwwroot });
