/**
 * What is there already, or will be. For what every call asks: each promise that nobody has to wait for costs it as much
 * as checking a digest, and a call would have eighty of them.
 */
export type NowOrLater<T> = T | Promise<T>;

/** Whether it has to be waited for. By what it can do: the promises of async functions are not always of the global class. */
export const isLater = <T>(value: NowOrLater<T>): value is Promise<T> =>
  typeof (value as { readonly then?: unknown } | undefined)?.then === "function";

/** Goes on with it: at once, if it is there. */
export const goOn = <T, R>(value: NowOrLater<T>, next: (value: T) => R): R | Promise<Awaited<R>> =>
  isLater(value) ? (value.then(next) as Promise<Awaited<R>>) : next(value);
