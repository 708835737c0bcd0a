import type { Emit } from "./events.ts";

/**
 * What whoever takes part in an exchange is given. Handed on from function to function: the platform could carry it, but
 * then every promise of the process would cost more, those of the application among them (docs/decisions/0065).
 */
export interface Exchange {
  /** Aborts when nobody waits for it any more. */
  readonly signal: AbortSignal;
  /** Tells of events; those of one exchange have one id. */
  readonly emit: Emit;
}

/** The same for work that may be no exchange; then each call that it makes is one of its own. */
export interface Attending {
  readonly signal: AbortSignal;
  readonly emit?: Emit | undefined;
}
