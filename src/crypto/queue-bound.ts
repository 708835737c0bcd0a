/** How many may wait in a queue. */
export interface QueueBounds {
  readonly maximum: number;
  /** Under lasting overload: what keeps busy those who work. More than that is as good as none; it only waits longer. */
  readonly lasting: number;
}

/** A queue that is full for longer does not just have a burst in it; one of 300 requests is done within half of that. */
export const LASTING_MS = 500;
/** Overload is over when the queue was not full for so long. */
export const OVER_AFTER_MS = 250;

/**
 * The bound of a queue that takes bursts whole, and is short while there is more to do than can be done: whoever comes in
 * then waits less for the same rate of answers, and what waits holds less memory.
 */
export class QueueBound {
  readonly #bounds: QueueBounds;
  readonly #now: () => number;
  /** Since when it has been full again and again. */
  #since = -Infinity;
  #lastFullAt = -Infinity;

  /** @param now in milliseconds, from any beginning. */
  constructor(bounds: QueueBounds, now: () => number = () => performance.now()) {
    this.#bounds = bounds;
    this.#now = now;
  }

  /** Whether so many are all that may wait. */
  isReachedBy(count: number): boolean {
    const { maximum, lasting } = this.#bounds;
    if (count < lasting || count >= maximum) return count >= maximum;
    const lasts = this.#lastFullAt - this.#since >= LASTING_MS;
    return lasts && this.#now() - this.#lastFullAt < OVER_AFTER_MS;
  }

  /** So many wait from now on. */
  note(count: number): void {
    if (!this.isReachedBy(count)) return;
    const now = this.#now();
    if (now - this.#lastFullAt >= OVER_AFTER_MS) this.#since = now;
    this.#lastFullAt = now;
  }
}
