/** Does work for one key after the other, in the order in which it came; work for different keys does not wait. */
export class Serial<K> {
  readonly #tails = new Map<K, Promise<unknown>>();

  /** Does the work when all earlier work for this key is over. Rejects as the work does, which does not disturb what comes next. */
  async run<T>(key: K, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const promise = (async () => {
      await before?.catch(() => undefined);
      return work();
    })();
    this.#tails.set(key, promise);
    try {
      return await promise;
    } finally {
      if (this.#tails.get(key) === promise) this.#tails.delete(key);
    }
  }
}
