import { MnetError } from "./errors.ts";

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** How things go together. */
export interface GatheringOptions<Item, Result> {
  /** Gives the results in the order of the items. Does all of them or, where it rejects, none. */
  go(items: readonly Item[]): Promise<readonly Result[]>;
  /** How many items of a lane go together. */
  readonly atMost: number;
  /** What a lane waits for between two goes, while more than one thing at a time comes. Default: nothing. */
  readonly pause?: (() => Promise<unknown>) | undefined;
  /** Milliseconds after which a lane waits no longer for a go that does not end. Default: it waits. */
  readonly patienceMs?: number | undefined;
}

/**
 * Does things of one kind together. What comes while a lane is busy waits, and goes in one go when it is free: the more
 * there is to do, the more of it shares the cost of a go. What comes to a free lane goes at once.
 */
export class Gathering<Lane, Item, Result> {
  readonly #options: GatheringOptions<Item, Result>;
  /** What waits, of the lanes that are busy. */
  readonly #busy = new Map<Lane, Waiting<Item, Result>[]>();

  constructor(options: GatheringOptions<Item, Result>) {
    this.#options = options;
  }

  /** Rejects as `go` does for this item: where it is not to blame, it goes a second time, alone. */
  add(lane: Lane, item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      const waiting = { item, resolve, reject };
      const others = this.#busy.get(lane);
      if (others) others.push(waiting);
      else void this.#serve(lane, [waiting]);
    });
  }

  async #serve(lane: Lane, waiting: Waiting<Item, Result>[]): Promise<void> {
    this.#busy.set(lane, waiting);
    for (;;) {
      const together = waiting.splice(0, this.#options.atMost);
      const going = this.#outcomeOf(together);
      const settle = await this.#inTime(going);
      if (!settle) void going.then((late) => late());
      if (together.length === 1 && waiting.length === 0) {
        // Nothing to gather. The lane is free before anybody hears of it, and comes again.
        this.#busy.delete(lane);
        settle?.();
        return;
      }
      settle?.();
      await this.#options.pause?.();
      if (waiting.length === 0) {
        this.#busy.delete(lane);
        return;
      }
    }
  }

  /** What comes of it, or `undefined`: it takes too long. */
  async #inTime<T>(going: Promise<T>): Promise<T | undefined> {
    const { patienceMs } = this.#options;
    if (patienceMs === undefined) return going;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        resolve(undefined);
      }, patienceMs);
    });
    const first = await Promise.race([going, late]);
    clearTimeout(timer);
    return first;
  }

  /** Lets them go; returns how to tell them what came of it. */
  async #outcomeOf(together: readonly Waiting<Item, Result>[]): Promise<() => void> {
    try {
      const results = await this.#options.go(together.map(({ item }) => item));
      return () => {
        for (const [n, { resolve }] of together.entries()) resolve(results[n] as Result);
      };
    } catch (error) {
      // What is out of order for a moment is so for each of them.
      if (together.length === 1 || (error instanceof MnetError && error.retryable)) {
        return () => {
          for (const { reject } of together) reject(error);
        };
      }
      const outcomes: (() => void)[] = [];
      for (const one of together) outcomes.push(await this.#outcomeOf([one]));
      return () => {
        for (const settle of outcomes) settle();
      };
    }
  }
}
