import type { Clock } from "../core/clock.ts";
import type { Emit, EventMap } from "../core/events.ts";
import type { ClientAddress } from "./client-address.ts";

type Reason = EventMap["request.throttled"]["reason"];

/** What is told at once, and then no more for so long. */
const INTERVAL_MS = 60_000;
/** Addresses that get events of their own within one interval; the others are told of together. */
const NAMED_ADDRESSES = 10;
/** Addresses that are counted exactly within one interval. */
const MAXIMUM_ADDRESSES = 10_000;

interface Named {
  readonly reason: Reason;
  readonly remoteAddress: string | undefined;
  /** Not told of yet. */
  requests: number;
}

/**
 * Tells of requests that were refused without being read or opened. A flood of them is a handful of events a minute,
 * whatever it comes from: anything else would let strangers fill the log.
 */
export class ThrottleReport {
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #named = new Map<string, Named>();
  readonly #others = new Map<Reason, { requests: number; readonly blocks: Set<string> }>();
  #cancel: (() => void) | undefined;

  constructor(options: { readonly clock: Clock; readonly emit: Emit }) {
    this.#clock = options.clock;
    this.#emit = options.emit;
  }

  /** One request was refused. */
  add(reason: Reason, { address: remoteAddress, block }: ClientAddress): void {
    this.#cancel ??= this.#clock.after(INTERVAL_MS, () => this.flush());
    const key = `${reason} ${block}`;
    const named = this.#named.get(key);
    if (named) {
      named.requests += 1;
    } else if (this.#named.size < NAMED_ADDRESSES) {
      this.#named.set(key, { reason, remoteAddress, requests: 0 });
      this.#tell(reason, 1, remoteAddress === undefined ? {} : { remoteAddress });
    } else {
      this.#addOther(reason, block);
    }
  }

  /** Tells what is not told yet, and begins a new interval with the next refusal. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const { reason, remoteAddress, requests } of this.#named.values()) {
      if (requests > 0) this.#tell(reason, requests, remoteAddress === undefined ? {} : { remoteAddress });
    }
    for (const [reason, { requests, blocks }] of this.#others) this.#tell(reason, requests, { addresses: blocks.size });
    this.#named.clear();
    this.#others.clear();
  }

  #addOther(reason: Reason, block: string): void {
    let others = this.#others.get(reason);
    if (!others) {
      others = { requests: 0, blocks: new Set() };
      this.#others.set(reason, others);
    }
    others.requests += 1;
    if (others.blocks.size < MAXIMUM_ADDRESSES) others.blocks.add(block);
  }

  #tell(reason: Reason, requests: number, whose: { remoteAddress?: string; addresses?: number }): void {
    this.#emit({ type: "request.throttled", level: "warn", reason, requests, ...whose });
  }
}
