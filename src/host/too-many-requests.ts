/** Why a request is refused: its address proved nothing too often, or more is asked of us than can be done in time. */
export type Excess = "private-key" | "overload";

/** A request that is refused before it is opened. It is no fault of MNet: the sender gets a status 503 (SEC-083). */
export class TooManyRequests extends Error {
  override readonly name = "TooManyRequests";
  readonly reason: Excess;
  /** When it is worth while to try again. */
  readonly retryAfterMs: number;

  constructor(reason: Excess, retryAfterMs: number) {
    super("More requests that need a private key came than are served.");
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** More is asked than can be done in time; what waits is done in less than a second. One for all: errors take long to make. */
export const OVERLOADED = new TooManyRequests("overload", 1000);
