import type { Store } from "../host/store.ts";
import type { ContractCase } from "./contract-case.ts";
import { REPLAY_CHECKS } from "./replay-contract.ts";
import { onFreshPlace, type Check, type Checks } from "./store-contract/check.ts";
import { ACCESS_CHECKS } from "./store-contract/access.ts";
import { KEY_CHECKS } from "./store-contract/keys.ts";
import { LOG_CHECKS } from "./store-contract/log.ts";
import { OUTBOX_CHECKS } from "./store-contract/outbox.ts";
import { PEER_CHECKS } from "./store-contract/peers.ts";
import { REMOTE_COURSE_CHECKS } from "./store-contract/remote-courses.ts";
import { RESTORE_CHECKS } from "./store-contract/restore.ts";
import { RUN_CHECKS } from "./store-contract/runs.ts";
import { SESSION_CHECKS } from "./store-contract/sessions.ts";
import { STATS_CHECKS } from "./store-contract/stats.ts";
import { TOKEN_CHECKS } from "./store-contract/tokens.ts";
import { wholeStoreChecks } from "./store-contract/whole-store.ts";

/**
 * What every `Store` promises, as cases for any test runner.
 *
 * `open` is called with a fresh name of a place per run, safe in file names, URLs and identifiers. Nothing may be there yet.
 * Two calls with one name must give stores that see the same data, as two processes would; they may be the same object.
 * The suite opens and closes them; removing the place is up to the caller.
 *
 * @example
 * for (const { name, run } of storeContract(async (place) => openStore(`sqlite:${directory}/${place}.db`))) test(name, run);
 */
export function storeContract(open: (place: string) => Promise<Store>): readonly ContractCase[] {
  const checks: Checks = {
    ...wholeStoreChecks(open),
    ...KEY_CHECKS,
    ...PEER_CHECKS,
    ...ofStore("replay", REPLAY_CHECKS),
    ...STATS_CHECKS,
    ...LOG_CHECKS,
    ...TOKEN_CHECKS,
    ...SESSION_CHECKS,
    ...ACCESS_CHECKS,
    ...OUTBOX_CHECKS,
    ...REMOTE_COURSE_CHECKS,
    ...RUN_CHECKS,
    ...RESTORE_CHECKS,
  };
  return Object.entries(checks).map(([name, check]) => ({
    name,
    run: () => onFreshPlace(open, (_place, store, other) => check(store, other)),
  }));
}

/** Checks of one concern, as checks of the stores that have it. */
function ofStore<Concern extends keyof Store>(
  concern: Concern,
  checks: Readonly<Record<string, (one: Store[Concern], other: Store[Concern]) => Promise<void>>>,
): Checks {
  return Object.fromEntries(
    Object.entries(checks).map(([name, check]): [string, Check] => [
      name,
      (store, other) => check(store[concern], other[concern]),
    ]),
  );
}
