/** Where something stands among what is under way. */
interface Place<T> {
  readonly value: T;
  index: number;
}

/**
 * What is under way, in no order. For what many requests enter and leave.
 *
 * The platform's sets and maps move into a new table whenever the gaps in theirs are too many. Of one that lives for long,
 * the tables that were left are swept by the next major collection only, and until then they keep what was in them, with
 * everything that was known of the requests (docs/decisions/0067).
 */
export class UnderWay<T> {
  readonly #places: Place<T>[] = [];

  get size(): number {
    return this.#places.length;
  }

  /** What is under way now. */
  get values(): T[] {
    return this.#places.map(({ value }) => value);
  }

  /** Returns the function that says that it is over. */
  enter(value: T): () => void {
    const place = { value, index: this.#places.length };
    this.#places.push(place);
    return () => this.#leave(place);
  }

  #leave(place: Place<T>): void {
    if (this.#places[place.index] !== place) return;
    const last = this.#places.pop();
    if (!last || last === place) return;
    last.index = place.index;
    this.#places[place.index] = last;
  }
}
