import { isLater, type NowOrLater } from "../core/now-or-later.ts";
import { perform, type PrivateOperation, type PrivateOperator, type Share } from "./private-operation.ts";

/** Messages of more bytes are gone over in another thread, where there is one. */
const LARGE = 1024 * 1024;

/** Whether going over it would hold up whatever else this thread has to do. */
export const isLarge = (bytes: Uint8Array): boolean => bytes.length > LARGE;

/** A pure function over the bytes of a large message, which needs no private key, and its arguments. */
export interface BulkStep {
  readonly kind: "bulk";
  readonly work: (...args: never[]) => unknown;
  readonly args: readonly unknown[];
}

/**
 * Work that needs private operations or goes over large messages on its way, and leaves to others where that is done. A
 * step gives bytes if it is a private operation, and else what its function gives.
 */
export type Work<T> = Generator<PrivateOperation | BulkStep, T, unknown>;

/** A function over a large message as a step of work. */
export function* inBulk<Args extends unknown[], T>(work: (...args: Args) => T, ...args: Args): Work<T> {
  return (yield { kind: "bulk", work, args }) as T;
}

/** Where bulk steps are done. */
export interface BulkOperator {
  /**
   * Gives what the function gives, or throws what it throws; or a promise of that.
   *
   * @param gives whether nobody needs the large arguments any more. Their memory is given away then, rather than copied;
   *   where it is lost on the way, the step rejects with `CryptoOverload`.
   */
  perform(step: BulkStep, gives: boolean): unknown;
  /** Whether more large messages wait than can be read in time. */
  readonly isFull: boolean;
}

/** Where the steps of work are done. */
export interface Operators {
  readonly privately: PrivateOperator;
  readonly bulk: BulkOperator;
}

/** Does a bulk step in this thread, now. */
export const performBulk = ({ work, args }: BulkStep): unknown => work(...(args as never[]));

/** This thread. */
export const HERE: Operators = { privately: { perform }, bulk: { perform: performBulk, isFull: false } };

/** Does work to its end in this thread. */
export function workHere<T>(work: Work<T>): T {
  let step = work.next();
  while (!step.done) step = work.next(step.value.kind === "bulk" ? performBulk(step.value) : perform(step.value));
  return step.value;
}

/**
 * Does work to its end, its steps by somebody; at once, if all of them are done at once. Throws, or rejects with, what
 * either throws.
 *
 * @param share see `PrivateOperator.perform`.
 * @param gives see `BulkOperator.perform`. Unless told, requests do, which may be refused anyway.
 */
export function workBy<T>(
  { privately, bulk }: Operators,
  work: Work<T>,
  share?: Share,
  gives = share !== undefined,
): NowOrLater<T> {
  const perform = (step: PrivateOperation | BulkStep): unknown =>
    step.kind === "bulk" ? bulk.perform(step, gives) : privately.perform(step, share);
  let step = work.next();
  while (!step.done) {
    const result = perform(step.value);
    if (isLater(result)) return workLater(work, result, perform);
    step = work.next(result);
  }
  return step.value;
}

async function workLater<T>(
  work: Work<T>,
  first: Promise<unknown>,
  perform: (step: PrivateOperation | BulkStep) => unknown,
): Promise<T> {
  let step = work.next(await first);
  while (!step.done) {
    const result = perform(step.value);
    step = work.next(isLater(result) ? await result : result);
  }
  return step.value;
}
