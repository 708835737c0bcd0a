import type { SessionMatch } from "../service-stores/session-store.ts";

/** For `SessionStore.take`: without a restriction it would end every session of the site. */
export function requireRestriction(match: SessionMatch): void {
  const given: readonly unknown[] = Object.values(match);
  if (given.every((value) => value === undefined)) throw new TypeError("Which sessions to take must be said.");
}
