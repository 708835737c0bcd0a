/** Work that nobody waits for now, but that must be over before the host closes. What fails is dropped: it is best effort. */
export class Background {
  readonly #running = new Set<Promise<unknown>>();

  /** Starts the work. */
  run(work: () => Promise<unknown>): void {
    const promise = work()
      .catch(() => undefined)
      .finally(() => this.#running.delete(promise));
    this.#running.add(promise);
  }

  /** Waits until nothing runs any more. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
