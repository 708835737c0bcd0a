import { UnderWay } from "./under-way.ts";

/** Work that nobody waits for now, but that must be over before the host closes. What fails is dropped: it is best effort. */
export class Background {
  readonly #running = new UnderWay<Promise<unknown>>();

  /** Starts the work. */
  run(work: () => Promise<unknown>): void {
    const promise = work().catch(() => undefined);
    void promise.then(this.#running.enter(promise));
  }

  /** Waits until nothing runs any more. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values);
  }
}
