import { closeSync, openSync, realpathSync } from "node:fs";
import { StoreError } from "../../core/errors.ts";

const REASONS: { readonly [code: string]: string } = {
  ENOENT: "its directory does not exist",
  ENOTDIR: "its directory is a file",
  EACCES: "its directory cannot be written by this user",
  EPERM: "its directory cannot be written by this user",
  EROFS: "its disk is read-only",
  ENOSPC: "its disk is full",
  ENAMETOOLONG: "its name is too long",
};

/**
 * Makes the file of a new database, for its owner only: it will hold private keys. SQLite gives the same mode to the files beside it.
 * A file that is there is not touched, not even opened: closing it again would drop the locks that SQLite holds on it in this process.
 * Throws `MNET_STORE_UNAVAILABLE`.
 */
export function createDatabaseFile(file: string): void {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    throw new StoreError(
      "MNET_STORE_UNAVAILABLE",
      `The database ${file} cannot be made: ${REASONS[code] ?? `the system says ${code}`}.`,
      { cause: error },
    );
  }
}

/** Which driver has opened which file in this process, by the path without links. */
const drivers = new Map<string, string>();

/**
 * Refuses a file that another driver has opened in this process, even if it has closed it again: each brings an SQLite of
 * its own, and the system takes their locks for one (https://www.sqlite.org/howtocorrupt.html, 2.2.1). Processes may
 * differ. Throws `MNET_STORE_UNAVAILABLE`.
 */
export function claimDatabaseFile(file: string, driver: string): void {
  const path = realpathSync(file);
  const other = drivers.get(path);
  if (other !== undefined && other !== driver) {
    throw new StoreError(
      "MNET_STORE_UNAVAILABLE",
      `The database ${file} was opened by ${other} in this process; ${driver} would destroy it.`,
    );
  }
  drivers.set(path, driver);
}
