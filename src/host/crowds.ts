/** How many requests are under way from where, by the `block` of a `ClientAddress`. */
export class Crowds {
  readonly #sizes = new Map<string, number>();
  #all = 0;

  /** One more is under way. Returns the function that says that it is no more. */
  enter(block: string): () => void {
    this.#sizes.set(block, (this.#sizes.get(block) ?? 0) + 1);
    this.#all += 1;
    return () => {
      const left = (this.#sizes.get(block) ?? 0) - 1;
      if (left > 0) this.#sizes.set(block, left);
      else this.#sizes.delete(block);
      this.#all -= 1;
    };
  }

  /**
   * Whether half as many are under way from there as from the others on average, or more: who has less is let in, although
   * another has to give way then, and what has been done for that one is lost.
   */
  isCrowd(block: string): boolean {
    const size = this.#sizes.get(block) ?? 0;
    return size > 0 && 2 * size * this.#sizes.size >= this.#all;
  }
}
