import { describe, expect, it } from "vitest";
import { LASTING_MS, OVER_AFTER_MS, QueueBound } from "../../src/crypto/queue-bound.ts";
import { type Waiting, WaitingOperations } from "../../src/crypto/waiting-operations.ts";

const MAXIMUM = 30;
const LASTING = 6;

/** A queue at a time of its own. */
class Queue {
  now = 1000;
  readonly #waiting = new WaitingOperations<Waiting>(
    new QueueBound({ maximum: MAXIMUM, lasting: LASTING }, () => this.now),
  );
  #shares = 0;

  /** So many more come, each from somebody else; how many of all that wait there is room for. */
  come(count: number): number {
    for (let n = 0; n < count; n += 1) this.#waiting.add({ share: `peer${(this.#shares += 1)}` });
    return this.#waiting.size;
  }

  take(count: number): void {
    for (let n = 0; n < count; n += 1) this.#waiting.take();
  }

  /** For so long, more come than are taken. */
  overload(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += 10) {
      this.take(2);
      this.come(6);
    }
  }

  get isFull(): boolean {
    return this.#waiting.isFull;
  }
}

describe("QueueBound", () => {
  it("SEC-083 takes bursts whole, and is short under lasting overload", () => {
    const queue = new Queue();
    expect(queue.come(100)).toBe(MAXIMUM);
    queue.overload(LASTING_MS - 10);
    expect(queue.come(100)).toBe(MAXIMUM);
    queue.overload(20);
    expect(queue.isFull).toBe(true);
    queue.take(MAXIMUM);
    expect(queue.come(100)).toBe(LASTING);
    // And stays so, although it is empty now and then.
    queue.overload(10 * LASTING_MS);
    queue.take(MAXIMUM);
    expect(queue.isFull).toBe(false);
    expect(queue.come(100)).toBe(LASTING);
  });

  it("SEC-083 takes bursts again when the overload is over", () => {
    const queue = new Queue();
    queue.overload(2 * LASTING_MS);
    queue.take(MAXIMUM);
    queue.now += OVER_AFTER_MS;
    expect(queue.come(100)).toBe(MAXIMUM);
    queue.overload(LASTING_MS - 10);
    queue.take(MAXIMUM);
    expect(queue.come(100)).toBe(MAXIMUM);
  });

  it("SEC-083 turns nobody away for a burst now and then, nor for a queue that is long and never full", () => {
    const queue = new Queue();
    for (let n = 0; n < 20; n += 1) {
      expect(queue.come(100)).toBe(MAXIMUM);
      queue.take(MAXIMUM);
      queue.now += OVER_AFTER_MS;
    }
    queue.come(MAXIMUM - 2);
    for (let n = 0; n < 100; n += 1) {
      queue.take(1);
      expect(queue.come(1)).toBe(MAXIMUM - 2);
      queue.now += 10;
    }
  });
});
