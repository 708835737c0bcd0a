import { setTimeout } from "node:timers/promises";
import { StoreError } from "../../core/errors.ts";

const PATIENCE_MS = 60_000;
const PAUSE_MS = 50;

/**
 * Tries until it has the lock. Asked again and again rather than waited for, because nothing that waits for a server
 * waits without an end. Throws `MNET_STORE_UNAVAILABLE`, retryable, after a minute.
 */
export async function waitForMigrationLock(tryToLock: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !(await tryToLock());) {
    if (performance.now() > end) {
      throw new StoreError("MNET_STORE_UNAVAILABLE", "Another process is migrating the database.", { retryable: true });
    }
    await setTimeout(PAUSE_MS);
  }
}
