/** What an `ExpiryHeap` holds. */
export interface Expiring {
  /** Unix milliseconds. */
  readonly until: number;
  /** Where it stands in its heap; the heap's own. */
  place: number;
}

/** Tells which of many things expires first, and forgets any of them, in logarithmic time. */
export class ExpiryHeap<T extends Expiring> {
  readonly #nodes: T[] = [];

  /** What expires first. */
  get first(): T | undefined {
    return this.#nodes[0];
  }

  add(node: T): void {
    this.#nodes.push(node);
    this.#settle(node, this.#nodes.length - 1);
  }

  /** `node` must be one that was added. */
  remove(node: T): void {
    const last = this.#nodes.pop();
    if (last !== undefined && last !== node) this.#settle(last, node.place);
  }

  /** Puts `node` into the gap at `place`, after moving the gap to where nothing above expires later and nothing below earlier. */
  #settle(node: T, place: number): void {
    for (let gap = place; ;) {
      const next = this.#better(node, gap);
      if (next === undefined) {
        node.place = gap;
        this.#nodes[gap] = node;
        return;
      }
      const hole = next.place;
      next.place = gap;
      this.#nodes[gap] = next;
      gap = hole;
    }
  }

  /** Whoever should stand in the gap rather than `node`. */
  #better(node: T, gap: number): T | undefined {
    const above = gap > 0 ? this.#nodes[(gap - 1) >> 1] : undefined;
    if (above !== undefined && above.until > node.until) return above;
    const [left, right] = [this.#nodes[2 * gap + 1], this.#nodes[2 * gap + 2]];
    const below = left !== undefined && right !== undefined && right.until < left.until ? right : left;
    return below !== undefined && below.until < node.until ? below : undefined;
  }
}
