import { randomBytes } from "node:crypto";
import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { Emit, MnetEvent, NewEvent, Observer } from "../core/events.ts";
import { LogBudget } from "./log-budget.ts";
import type { LogStore } from "./log-store.ts";
import { loggableEvent, neutralize } from "./neutral-event.ts";

/** More than this waits for a slow store only in memory that we do not have. */
const MAXIMUM_WAITING = 10_000;
/** Events of one transaction. */
const BATCH = 1000;

/** Dates events, tells them to observers at once and writes them to the log soon. */
export class EventHub {
  readonly #clock: Clock;
  readonly #log: LogStore;
  readonly #background: Background;
  readonly #observers = new Set<Observer>();
  readonly #counters: ((event: NewEvent) => void)[] = [];
  readonly #budget = new LogBudget();
  /** Of this process, so that ids differ between the processes of one host. */
  readonly #exchangePrefix = randomBytes(4).toString("hex");
  #exchanges = 0;
  #waiting: MnetEvent[] = [];
  #lost = 0;
  #writing: Promise<void> | undefined;

  constructor(options: { readonly clock: Clock; readonly log: LogStore; readonly background: Background }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#background = options.background;
  }

  /**
   * Tells observers of an event, and the log soon. An observer that throws is its own trouble.
   *
   * Events of level `debug` are not logged. They are the calls that went well, and what only says more about another
   * event: a row for each would make the store the slowest part of a call and bury what was changed, refused or failed
   * (docs/decisions/0005). Calls that went well are counted; see `host.stats`.
   *
   * @param exchange the id of the exchange that it belongs to.
   */
  emit(event: NewEvent, exchange?: string): void {
    for (const count of this.#counters) count(event);
    // The calls that went well: most of what there is, and seldom anybody listens.
    if (event.level === "debug" && this.#observers.size === 0) return;
    this.#tell({ ...event, at: new Date(this.#clock.now()), ...(exchange !== undefined && { exchange }) });
  }

  /** A new exchange: the function tells of what belongs to it. */
  exchange(): Emit {
    let id: string | undefined;
    return (event) => {
      id ??= this.#newId();
      this.emit(event, id);
    };
  }

  /** Has events counted as they come: not dated, and their texts are anybody's. */
  count(counter: (event: NewEvent) => void): void {
    this.#counters.push(counter);
  }

  /** Tells the observer of events from now on. Returns the function that stops it. */
  observe(observer: Observer): () => void {
    // A function of its own for each call, so that one observer given twice is told twice and stopped once.
    const own: Observer = (event) => {
      observer(event);
    };
    this.#observers.add(own);
    return () => this.#observers.delete(own);
  }

  /** Tries to write down all that was emitted so far, and how much was skipped. Never rejects: a log that fails stops nothing. */
  async flush(): Promise<void> {
    await this.#written();
    // Of what did not get in is told when there is room for it.
    if (this.#waiting.length >= MAXIMUM_WAITING) return;
    for (const [of, entries] of this.#budget.takeSkipped()) this.#tellSkipped({ of, entries });
    const entries = this.#lost;
    this.#lost = 0;
    if (entries > 0) this.#tellSkipped({ entries });
    await this.#written();
  }

  /** @param given a copy of ours. */
  #tell(given: MnetEvent): void {
    const event = neutralize(given);
    for (const observer of this.#observers) {
      try {
        observer(event);
      } catch {
        // Nothing could be done about it here.
      }
    }
    if (event.level === "debug" || !this.#budget.allows(event)) return;
    if (this.#waiting.length < MAXIMUM_WAITING) this.#waiting.push(loggableEvent(event));
    else this.#lost += 1;
    this.#write();
  }

  #newId(): string {
    this.#exchanges += 1;
    return `${this.#exchangePrefix}-${this.#exchanges.toString(36)}`;
  }

  #tellSkipped(skipped: { readonly entries: number; readonly of?: MnetEvent["type"] }): void {
    this.#tell({ type: "log.skipped", level: "warn", at: new Date(this.#clock.now()), ...skipped });
  }

  #written(): Promise<void> {
    this.#write();
    return this.#writing ?? Promise.resolve();
  }

  #write(): void {
    if (this.#writing || this.#waiting.length === 0) return;
    const writing = this.#writeAll();
    this.#writing = writing;
    this.#background.run(() => writing);
  }

  /** One transaction for all that came up meanwhile. */
  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const events = this.#waiting.splice(0, BATCH);
        try {
          await this.#log.append(events);
        } catch (error) {
          // A database that is away comes back: the next event, or the next `flush`, tries again.
          if (error instanceof StoreError) {
            this.#waiting.unshift(...events);
            return;
          }
          this.#lost += events.length;
        }
      }
    } finally {
      this.#writing = undefined;
    }
  }
}
