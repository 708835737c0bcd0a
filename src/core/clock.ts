/** Where time comes from. Tests pass their own; nothing else in the library reads a clock. */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number;
  /** Calls back once, after `delayMs`; returns the function that cancels. */
  after(delayMs: number, run: () => void): () => void;
}

/** Longest delay that timers can keep; a longer one would fire at once. */
export const MAXIMUM_DELAY_MS = 2 ** 31 - 1;

/** The machine's clock. Its timers do not keep a process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
