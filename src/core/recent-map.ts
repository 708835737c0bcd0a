/**
 * A map that keeps at most `capacity` entries, at least the half of them that were set last.
 *
 * In two generations: one map of which the oldest entry is taken out each time has to look for it among the holes that
 * the others left, which takes longer the larger it is.
 */
export class RecentMap<K, V> {
  #newer = new Map<K, V>();
  #older = new Map<K, V>();
  readonly #generation: number;

  constructor(capacity: number) {
    this.#generation = Math.max(1, Math.floor(capacity / 2));
  }

  /** The value, or `undefined` if it was never set, or too many others were set since. */
  get(key: K): V | undefined {
    return this.#newer.get(key) ?? this.#older.get(key);
  }

  /** Sets the value, or says that it is still in use. */
  set(key: K, value: V): void {
    if (this.#newer.size >= this.#generation && !this.#newer.has(key)) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, value);
  }

  delete(key: K): void {
    this.#newer.delete(key);
    this.#older.delete(key);
  }
}
