import { setImmediate } from "node:timers/promises";
import type { Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";

/** A clock that stands still until it is moved. */
export interface FakeClock extends Clock {
  /**
   * Moves time by `ms` and runs what falls due, in order, each at its own moment.
   * Promise chains settle before the first timer, between timers, and after the last.
   * What a timer throws, this rejects with; time then stands at that timer.
   */
  advance(ms: number): Promise<void>;
}

interface Timer {
  readonly dueAt: number;
  readonly run: () => void;
}

/** Turns of the event loop that a chain of promises gets. One settles any chain; more let it pass through `setImmediate`. */
const SETTLING_TURNS = 3;

/**
 * A clock for tests. Starts at 2026-01-01T00:00:00Z unless told.
 *
 * @example
 * const clock = fakeClock();
 * clock.after(1000, () => console.log(clock.now()));
 * await clock.advance(1000);
 */
export function fakeClock(startAt: Date = new Date("2026-01-01T00:00:00Z")): FakeClock {
  let now = startAt.getTime();
  let target = now;
  const timers = new Set<Timer>();

  return {
    now: () => now,
    after(delayMs, run) {
      const timer: Timer = { dueAt: now + Math.max(0, delayMs), run };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    async advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) {
        throw new ConfigError("MNET_CONFIG_INVALID", "Time moves by a number of milliseconds, forwards.", {
          option: "ms",
        });
      }
      // Two calls that were not awaited add up, as two sleeps do.
      target = Math.max(target, now) + ms;
      const until = target;
      await settle();
      for (let timer = nextDue(until); timer; timer = nextDue(until)) {
        timers.delete(timer);
        now = Math.max(now, timer.dueAt);
        try {
          timer.run();
        } catch (error) {
          target = now;
          throw error;
        }
        await settle();
      }
      now = Math.max(now, until);
    },
  };

  /** The earliest; of several at one moment the first set, because a `Set` keeps the order. */
  function nextDue(until: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueAt <= until && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLING_TURNS; turn += 1) await setImmediate();
}
