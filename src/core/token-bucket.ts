/** So many at once, and then one more as often as that. */
export interface Allowance {
  readonly capacity: number;
  readonly perSecond: number;
}

/** Bounds how often something happens, with room for a burst. */
export class TokenBucket {
  readonly allowance: Allowance;
  #tokens: number;
  #filledAt: number;

  /** @param now milliseconds, as everywhere here. */
  constructor(allowance: Allowance, now: number) {
    this.allowance = allowance;
    this.#tokens = allowance.capacity;
    this.#filledAt = now;
  }

  /** Until there is a token. 0: there is one. */
  waitMs(now: number): number {
    this.add(0, now);
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.allowance.perSecond);
  }

  /** Takes a token if there is one. */
  take(now: number): boolean {
    if (this.waitMs(now) > 0) return false;
    this.add(-1, now);
    return true;
  }

  /** Never more than fit; debts are limited, too, so that nobody is locked out for long. */
  add(tokens: number, now: number): void {
    const { capacity, perSecond } = this.allowance;
    // A clock that was set back must not lock anybody out.
    const refill = (Math.max(0, now - this.#filledAt) * perSecond) / 1000;
    this.#tokens = Math.min(capacity, Math.max(-capacity, this.#tokens + refill + tokens));
    this.#filledAt = now;
  }
}
