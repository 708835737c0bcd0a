import type { Share } from "./private-operation.ts";
import type { QueueBound } from "./queue-bound.ts";

/** What waits its turn. */
export interface Waiting {
  /** Whose request it is for. Absent: it belongs to a call that has begun. */
  readonly share: Share | undefined;
}

/** Shares that are known although nothing of theirs waits, before they are forgotten. */
const MAXIMUM_IDLE = 1000;

/**
 * Operations that wait for a thread. Those of calls that have begun come first, in their order: an answer frees more than
 * a new request. Then each share in turn, so that nobody waits for another's crowd.
 *
 * Requests are bounded. What exceeds the bound is taken from whoever has most.
 */
export class WaitingOperations<T extends Waiting> {
  readonly #bound: QueueBound;
  readonly #begun: T[] = [];
  /**
   * What waits of each share, which may be nothing. Those are kept: a map that shares enter and leave with every request
   * keeps the requests in memory (`UnderWay`).
   */
  readonly #crowds = new Map<Share, T[]>();
  /** The crowds of which something waits. The one whose turn it is comes first. */
  readonly #turns: T[][] = [];
  #requestCount = 0;

  /** @param bound of requests that wait. */
  constructor(bound: QueueBound) {
    this.#bound = bound;
  }

  get size(): number {
    return this.#begun.length + this.#requestCount;
  }

  /** Whether the next request makes somebody give way. */
  get isFull(): boolean {
    return this.#bound.isReachedBy(this.#requestCount);
  }

  /** @returns what has to give way: this one, or the newest of the share that has most. */
  add(waiting: T): T | undefined {
    const { share } = waiting;
    if (share === undefined) {
      this.#begun.push(waiting);
      return undefined;
    }
    if (!this.isFull) {
      this.#addRequest(share, waiting);
      return undefined;
    }
    const crowd = this.#largestCrowd();
    const own = this.#crowds.get(share)?.length ?? 0;
    if (own + 1 >= crowd.length) return waiting;
    const givesWay = crowd.pop();
    this.#requestCount -= 1;
    this.#addRequest(share, waiting);
    return givesWay;
  }

  /** Puts back what was taken and not done. It is the next. */
  addFirst(waiting: T): void {
    this.#begun.unshift(waiting);
  }

  take(): T | undefined {
    const begun = this.#begun.shift();
    if (begun) return begun;
    const crowd = this.#turns.shift();
    const request = crowd?.shift();
    if (!crowd || !request) return undefined;
    this.#requestCount -= 1;
    if (crowd.length > 0) this.#turns.push(crowd);
    return request;
  }

  #addRequest(share: Share, waiting: T): void {
    const crowd = this.#crowdOf(share);
    if (crowd.length === 0) this.#turns.push(crowd);
    crowd.push(waiting);
    this.#requestCount += 1;
    this.#bound.note(this.#requestCount);
  }

  #crowdOf(share: Share): T[] {
    let crowd = this.#crowds.get(share);
    if (!crowd) {
      if (this.#crowds.size >= MAXIMUM_IDLE + this.#turns.length) this.#forgetIdle();
      crowd = [];
      this.#crowds.set(share, crowd);
    }
    return crowd;
  }

  #forgetIdle(): void {
    for (const [share, { length }] of this.#crowds) if (length === 0) this.#crowds.delete(share);
  }

  #largestCrowd(): T[] {
    let largest: T[] = [];
    for (const crowd of this.#turns) if (crowd.length > largest.length) largest = crowd;
    return largest;
  }
}
