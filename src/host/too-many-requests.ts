/** A request that is refused before it is opened. It is no fault of MNet: the sender gets a status 503 (SEC-083). */
export class TooManyRequests extends Error {
  override readonly name = "TooManyRequests";
  /** When it is worth while to try again. */
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super("Too many requests that prove nothing came from there.");
    this.retryAfterMs = retryAfterMs;
  }
}
