import type { Clock } from "./clock.ts";
import type { NowOrLater } from "./now-or-later.ts";

/** Something that others may change and that is asked for all the time, so that it may be a little old. */
export class RecentValue<T> {
  readonly #clock: Clock;
  readonly #load: () => Promise<T>;
  #last: { readonly at: number; value: NowOrLater<T> } | undefined;

  constructor(clock: Clock, load: () => Promise<T>) {
    this.#clock = clock;
    this.#load = load;
  }

  /** As it was at most so long ago: at once, if it is there. What could not be loaded is loaded again the next time. */
  noOlderThan(ageMs: number): NowOrLater<T> {
    const now = this.#clock.now();
    // A clock that was set back must not keep what is old.
    if (!this.#last || Math.abs(now - this.#last.at) >= ageMs) this.#last = this.#loadAt(now);
    return this.#last.value;
  }

  /** As it is now. */
  fresh(): NowOrLater<T> {
    this.#last = undefined;
    return this.noOlderThan(0);
  }

  #loadAt(at: number): { readonly at: number; value: NowOrLater<T> } {
    const loading = this.#load();
    const last: { readonly at: number; value: NowOrLater<T> } = { at, value: loading };
    loading.then(
      (value) => {
        last.value = value;
      },
      () => {
        if (this.#last === last) this.#last = undefined;
      },
    );
    return last;
  }
}
