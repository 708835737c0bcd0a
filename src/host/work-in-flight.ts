import type { Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import { Task } from "../core/task.ts";
import { UnderWay } from "../core/under-way.ts";

/** What heeds its signal may tidy up for so long; what does not is left behind. */
const GRACE_MS = 1000;

/** Knows what a host is doing, so that it can be closed without tearing anything. */
export class WorkInFlight {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #running = new UnderWay<{ readonly promise: Promise<unknown>; readonly task: Task }>();
  readonly #withStore = new UnderWay<Promise<unknown>>();
  #isClosing = false;
  #isStoreClosed = false;

  /** `name` is the host's, for the error. */
  constructor(name: string, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
  }

  /**
   * Does work that may take its time. Its signal aborts when the caller's does, and when the host cannot wait any longer.
   * Throws `MNET_HOST_CLOSED` once the host is closing.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.runTask((task) => work(task.signal), { signal });
  }

  /** The same for work that seldom needs a signal. */
  async runTask<T>(
    work: (task: Task) => Promise<T>,
    parent: { readonly signal?: AbortSignal | undefined },
  ): Promise<T> {
    if (this.#isClosing) throw this.#closed();
    const task = new Task(parent);
    const promise = work(task);
    const leave = this.#running.enter({ promise, task });
    try {
      return await promise;
    } finally {
      leave();
      task.end();
    }
  }

  /** Does work with the store alone. What is in flight may still need it while the host closes. */
  async withStore<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isStoreClosed) throw this.#closed();
    const promise = work();
    const leave = this.#withStore.enter(promise.catch(() => undefined));
    try {
      return await promise;
    } finally {
      leave();
    }
  }

  /** Takes nothing new, waits for what runs, aborts what runs too long. */
  async end(patienceMs: number): Promise<void> {
    this.#isClosing = true;
    const quiet = Promise.allSettled(this.#running.values.map(({ promise }) => promise));
    if (!(await this.#isWithin(quiet, patienceMs))) {
      for (const { task } of this.#running.values) task.abort(this.#closed());
      await this.#isWithin(quiet, GRACE_MS);
    }
    this.#isStoreClosed = true;
    await this.#isWithin(Promise.all(this.#withStore.values), GRACE_MS);
  }

  #isWithin(event: Promise<unknown>, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        resolve(false);
      });
      void event.then(() => {
        cancel();
        resolve(true);
      });
    });
  }

  #closed(): ConfigError {
    return new ConfigError("MNET_HOST_CLOSED", `The host ${this.#name} is closed.`);
  }
}
