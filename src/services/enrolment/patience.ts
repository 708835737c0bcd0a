import type { Clock } from "../../core/clock.ts";
import type { AnyMnetError } from "../../core/errors.ts";
import type { PeerId } from "../../core/ids.ts";

/** So long a run waits for a peer that does not answer; then its rows fail at once, until it answers again. */
const PATIENCE_MS = 60_000;
/** Between two attempts, unless the circuit breaker says when. */
const PAUSE_MS = 1000;

/** How long one run waits for each peer. A peer that is away for a moment must not fail hundreds of rows. */
export class Patience {
  readonly #clock: Clock;
  readonly #failingSince = new Map<PeerId, number>();
  readonly #pauses = new Set<() => void>();
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** After a failure that may pass: waits, and resolves with whether to try again. */
  async pause(peer: PeerId, error: AnyMnetError): Promise<boolean> {
    const now = this.#clock.now();
    const failingSince = this.#failingSince.get(peer) ?? now;
    this.#failingSince.set(peer, failingSince);
    const left = failingSince + PATIENCE_MS - now;
    if (left <= 0 || this.#isOver) return false;
    const retryAt = error.code === "MNET_TRANSPORT_CIRCUIT_OPEN" ? error.retryAt?.getTime() : undefined;
    await this.#wait(Math.min(left, Math.max(PAUSE_MS, (retryAt ?? now) - now)));
    return !this.#isOver;
  }

  /** The peer answered, whatever it said. */
  answered(peer: PeerId): void {
    this.#failingSince.delete(peer);
  }

  /** The run ends: nothing is waited for any more. */
  end(): void {
    this.#isOver = true;
    for (const resume of this.#pauses) resume();
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const resume = (): void => {
        cancel();
        this.#pauses.delete(resume);
        resolve();
      };
      const cancel = this.#clock.after(ms, resume);
      this.#pauses.add(resume);
    });
  }
}
