import type { Clock } from "../core/clock.ts";

/** Registrations of one address, or of all together: so many at once, then one more after each `refillMs`. */
interface Rate {
  readonly burst: number;
  readonly refillMs: number;
}

/** A network that joins in one go swaps keys from some dozens of sites; one address stands for one or two, or a proxy. */
const IN_ALL: Rate = { burst: 200, refillMs: 500 };
const PER_ADDRESS: Rate = { burst: 50, refillMs: 10_000 };
/** The longest unused are forgotten first. */
const MAXIMUM_ADDRESSES = 10_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Bounds how often strangers can make us look at a registration (SEC-043). */
export class RegistrationBudget {
  readonly #clock: Clock;
  readonly #all: Bucket;
  readonly #byAddress = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#all = { tokens: IN_ALL.burst, filledAt: clock.now() };
  }

  /** Whether one more may be looked at; if so, it is counted. */
  take(address: string): boolean {
    const now = this.#clock.now();
    const own = this.#byAddress.get(address) ?? { tokens: PER_ADDRESS.burst, filledAt: now };
    // The first entry of a map is the one that was set longest ago.
    this.#byAddress.delete(address);
    const [oldest] = this.#byAddress.size >= MAXIMUM_ADDRESSES ? this.#byAddress.keys() : [];
    if (oldest !== undefined) this.#byAddress.delete(oldest);
    this.#byAddress.set(address, own);
    fill(own, PER_ADDRESS, now);
    fill(this.#all, IN_ALL, now);
    if (own.tokens < 1 || this.#all.tokens < 1) return false;
    own.tokens -= 1;
    this.#all.tokens -= 1;
    return true;
  }
}

function fill(bucket: Bucket, { burst, refillMs }: Rate, now: number): void {
  // A clock that was set back must not stop everything.
  bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, now - bucket.filledAt) / refillMs);
  bucket.filledAt = now;
}
