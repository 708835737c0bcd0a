import type { Clock } from "../core/clock.ts";
import { TokenBucket } from "../core/token-bucket.ts";

/** A network that joins in one go swaps keys from some dozens of sites; one address stands for one or two, or a proxy. */
const IN_ALL = { capacity: 200, perSecond: 2 };
const PER_ADDRESS = { capacity: 50, perSecond: 0.1 };
/** The longest unused are forgotten first. */
const MAXIMUM_ADDRESSES = 10_000;

/** Bounds how often strangers can make us look at a registration (SEC-043). */
export class RegistrationBudget {
  readonly #clock: Clock;
  readonly #all: TokenBucket;
  readonly #byAddress = new Map<string, TokenBucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#all = new TokenBucket(IN_ALL, clock.now());
  }

  /** Whether one more may be looked at; if so, it is counted. */
  take(address: string): boolean {
    const now = this.#clock.now();
    const own = this.#byAddress.get(address) ?? new TokenBucket(PER_ADDRESS, now);
    // The first entry of a map is the one that was set longest ago.
    this.#byAddress.delete(address);
    const [oldest] = this.#byAddress.size >= MAXIMUM_ADDRESSES ? this.#byAddress.keys() : [];
    if (oldest !== undefined) this.#byAddress.delete(oldest);
    this.#byAddress.set(address, own);
    return this.#all.waitMs(now) === 0 && own.take(now) && this.#all.take(now);
  }
}
