import type { Clock } from "../core/clock.ts";
import { RecentMap } from "../core/recent-map.ts";
import { TokenBucket, type Allowance } from "../core/token-bucket.ts";

/** What a request costs that needed our private key and proved nothing. While nobody knows yet, it costs one. */
export const PRICE_OF_FAILURE = 10;
/** One address from which nothing was proved lately: 30 failures at once, then 5 a second. */
export const STRANGER: Allowance = { capacity: 300, perSecond: 50 };
/** All of those together: 40 failures at once, then 20 a second. */
export const ALL_STRANGERS: Allowance = { capacity: 400, perSecond: 200 };
/** One address from which a peer called lately: 100 failures at once, then 20 a second; 1,000 requests under way. */
export const KNOWN: Allowance = { capacity: 1000, perSecond: 200 };
/** Everybody together: 200 failures at once, then 50 a second. What strangers cannot have of it is reserved for the known. */
export const EVERYBODY: Allowance = { capacity: 2000, perSecond: 500 };
/** An address is known for so long after a peer called from it: quiet sites call about once a day. */
export const KNOWN_FOR_MS = 7 * 24 * 60 * 60 * 1000;
/** Each takes some 300 bytes. A stranger that is forgotten begins anew, but still draws on what all strangers have. */
const MAXIMUM_ADDRESSES = 10_000;

/** A request that may use our private key. */
export interface Permit {
  /** It was a fresh message that a peer had signed: it cost nothing, and its address is known from now on. */
  proved(): void;
  /** It was anything else, or is about to need something expensive to find out. May still turn out `proved`. */
  failed(): void;
  /** It was not used. */
  returned(): void;
}

/**
 * Rations operations with our private key, which anybody can make us do (SEC-083): one takes a thousand times longer
 * than refusing does.
 *
 * Only failures cost something: what proves itself gets its token back, so no number of honest calls is ever refused.
 * Tokens belong to addresses (`ClientAddress.block`) and never to the site that a message claims to be from, because
 * anybody can claim that. Addresses from which a peer called lately have a share that strangers cannot use up.
 *
 * Five hundred forged messages a second from anywhere so take at most some 7 % of one core (20 of them are opened, each
 * with up to four private keys of 0.7 ms, and answered); the whole budget is some 17 %. The limit of honest calls is
 * what RSA-2048 costs, about 700 a second on one core.
 */
export class RequestBudget {
  readonly #clock: Clock;
  readonly #addresses = new RecentMap<string, TokenBucket>(MAXIMUM_ADDRESSES);
  readonly #knownSince = new RecentMap<string, number>(MAXIMUM_ADDRESSES);
  readonly #strangers: TokenBucket;
  readonly #everybody: TokenBucket;

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
    this.#strangers = new TokenBucket(ALL_STRANGERS, clock.now());
    this.#everybody = new TokenBucket(EVERYBODY, clock.now());
  }

  /** Whether a peer called from there lately. */
  isKnown(block: string): boolean {
    const since = this.#knownSince.get(block);
    return since !== undefined && this.#clock.now() - since < KNOWN_FOR_MS;
  }

  /** Asks for one request that needs our private key. A number: over budget for so many milliseconds. */
  take(block: string): Permit | number {
    const now = this.#clock.now();
    const isKnown = this.isKnown(block);
    const own = this.#bucketOf(block, isKnown ? KNOWN : STRANGER, now);
    const buckets = isKnown ? [own, this.#everybody] : [own, this.#strangers, this.#everybody];
    const waitMs = Math.max(...buckets.map((bucket) => bucket.waitMs(now)));
    if (waitMs > 0) return waitMs;
    let paid = 1;
    for (const bucket of buckets) bucket.add(-paid, now);
    const pay = (price: number): void => {
      for (const bucket of buckets) bucket.add(paid - price, this.#clock.now());
      paid = price;
    };
    return {
      returned: () => {
        pay(0);
      },
      proved: () => {
        pay(0);
        this.#knownSince.set(block, this.#clock.now());
      },
      failed: () => {
        if (paid > 0) pay(PRICE_OF_FAILURE);
      },
    };
  }

  #bucketOf(block: string, allowance: Allowance, now: number): TokenBucket {
    const known = this.#addresses.get(block);
    const bucket = known?.allowance === allowance ? known : new TokenBucket(allowance, now);
    this.#addresses.set(block, bucket);
    return bucket;
  }
}
