import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import type { MnetEvent, NewEvent, Observer } from "../core/events.ts";
import type { LogStore } from "./log-store.ts";

/** More than this waits for a slow store only in memory that we do not have. */
const MAXIMUM_WAITING = 10_000;

/** Dates events, tells them to observers at once and writes them to the log soon. */
export class EventHub {
  readonly #clock: Clock;
  readonly #log: LogStore;
  readonly #background: Background;
  readonly #observers = new Set<Observer>();
  #waiting: MnetEvent[] = [];
  #isWriting = false;

  constructor(options: { readonly clock: Clock; readonly log: LogStore; readonly background: Background }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#background = options.background;
  }

  /** An observer that throws is its own trouble. Events of level `debug` are too many for the log. */
  emit(event: NewEvent): void {
    const dated = { ...event, at: new Date(this.#clock.now()) } as MnetEvent;
    for (const observer of this.#observers) {
      try {
        observer(dated);
      } catch {
        // Nothing could be done about it here.
      }
    }
    if (event.level === "debug") return;
    if (this.#waiting.length < MAXIMUM_WAITING) this.#waiting.push(dated);
    this.#write();
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

  /** One transaction for all that came up meanwhile. */
  #write(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#background.run(async () => {
      try {
        while (this.#waiting.length > 0) {
          const events = this.#waiting;
          this.#waiting = [];
          await this.#log.append(events);
        }
      } finally {
        this.#isWriting = false;
      }
    });
  }
}
