import type { Share } from "./private-operation.ts";

/** What waits its turn. */
export interface Waiting {
  /** Whose request it is for. Absent: it belongs to a call that has begun. */
  readonly share: Share | undefined;
}

/**
 * Operations that wait for a thread. Those of calls that have begun come first, in their order: an answer frees more than
 * a new request. Then each share in turn, so that nobody waits for another's crowd.
 *
 * Requests are bounded. What exceeds the bound is taken from whoever has most.
 */
export class WaitingOperations<T extends Waiting> {
  readonly #maximum: number;
  readonly #begun: T[] = [];
  /** The share whose turn it is comes first. */
  readonly #requests = new Map<Share, T[]>();
  #requestCount = 0;

  /** @param maximum of requests that wait. */
  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  get size(): number {
    return this.#begun.length + this.#requestCount;
  }

  /** Whether the next request makes somebody give way. */
  get isFull(): boolean {
    return this.#requestCount >= this.#maximum;
  }

  /** @returns what has to give way: this one, or the newest of the share that has most. */
  add(waiting: T): T | undefined {
    const { share } = waiting;
    if (share === undefined) {
      this.#begun.push(waiting);
      return undefined;
    }
    if (this.#requestCount < this.#maximum) {
      this.#addRequest(share, waiting);
      return undefined;
    }
    const crowd = this.#largestCrowd();
    const own = this.#requests.get(share)?.length ?? 0;
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
    const [next] = this.#requests;
    if (!next) return undefined;
    const [share, crowd] = next;
    const request = crowd.shift();
    this.#requestCount -= 1;
    this.#requests.delete(share);
    if (crowd.length > 0) this.#requests.set(share, crowd);
    return request;
  }

  #addRequest(share: Share, waiting: T): void {
    const crowd = this.#requests.get(share);
    if (crowd) crowd.push(waiting);
    else this.#requests.set(share, [waiting]);
    this.#requestCount += 1;
  }

  #largestCrowd(): T[] {
    let largest: T[] = [];
    for (const crowd of this.#requests.values()) if (crowd.length > largest.length) largest = crowd;
    return largest;
  }
}
