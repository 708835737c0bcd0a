/** What was borrowed, until it is given back. */
export interface Borrowed<T> {
  readonly value: T;
  giveBack(): Promise<void>;
}

/** Something that all who want the same have in common, for as long as one of them has it. */
export class Shared<K, T extends { close(): Promise<void> }> {
  readonly #make: (key: K) => T;
  readonly #inUse = new Map<K, { readonly value: T; users: number }>();

  /** @param make makes it for the first who wants it. */
  constructor(make: (key: K) => T) {
    this.#make = make;
  }

  /** Whoever is the last to give it back closes it. */
  borrow(key: K): Borrowed<T> {
    const lent = this.#inUse.get(key) ?? { value: this.#make(key), users: 0 };
    this.#inUse.set(key, lent);
    lent.users += 1;
    return {
      value: lent.value,
      giveBack: async () => {
        lent.users -= 1;
        if (lent.users > 0) return;
        this.#inUse.delete(key);
        await lent.value.close();
      },
    };
  }
}
