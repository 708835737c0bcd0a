import { setImmediate as nextTurn } from "node:timers/promises";

/** Work that can rest wherever it yields. */
export type LongWork<T> = Generator<undefined, T, undefined>;

/** How long others may have to wait for the event loop. */
const TURN_MS = 4;

/** Does it to the end. */
export function atOnce<T>(work: LongWork<T>): T {
  let step = work.next();
  while (!step.done) step = work.next();
  return step.value;
}

/** Does it bit by bit, and whatever else there is to do in between. Rejects with what it throws. */
export async function inTurns<T>(work: LongWork<T>): Promise<T> {
  let started = performance.now();
  let step = work.next();
  while (!step.done) {
    if (performance.now() - started >= TURN_MS) {
      await nextTurn();
      started = performance.now();
    }
    step = work.next();
  }
  return step.value;
}
