import type { Clock } from "../../core/clock.ts";
import { RecentMap } from "../../core/recent-map.ts";

/** Nobody clicks more often; whoever does is sent in circles, or is a page that jumps in frames (SEC-076). */
const MOST = 30;
const WITHIN_MS = 60_000;
const USERS = 10_000;

/** Bounds how often one user jumps, in this process. */
export class JumpBudget {
  readonly #clock: Clock;
  readonly #users = new RecentMap<string, { readonly since: number; jumps: number }>(USERS);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether she may; if so, it is counted. */
  take(accountId: string): boolean {
    const now = this.#clock.now();
    let user = this.#users.get(accountId);
    // A clock that was set back must not lock anybody out.
    if (!user || now - user.since >= WITHIN_MS || now < user.since) user = { since: now, jumps: 0 };
    user.jumps += 1;
    this.#users.set(accountId, user);
    return user.jumps <= MOST;
  }
}
