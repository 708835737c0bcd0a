import { StoreError } from "../../core/errors.ts";
import { serverError, type Reason } from "./server-error.ts";

const REFUSED: Reason = { text: "refuses this user or password" };
const FORBIDDEN: Reason = { text: "does not let this user do that" };
const FULL: Reason = { text: "cannot grow: the disk is full" };
const READ_ONLY: Reason = { text: "is read-only: a replica, or set so" };
const BUSY: Reason = { text: "has no room for more work", retryable: true };
const SLOW: Reason = { text: "took too long", retryable: true };
const STOPPING: Reason = { text: "is stopping", retryable: true };
const CHANGED: Reason = { text: "was changed by others at the same time", retryable: true };
const DAMAGED: Reason = { text: "is damaged; look at its log" };

/** By the number that MariaDB and MySQL both give (https://mariadb.com/kb/en/mariadb-error-code-reference/). */
const REASONS: { readonly [errno: number]: Reason } = {
  1020: CHANGED,
  1021: FULL,
  1026: { text: "cannot be written: the system reports an error" },
  1030: { text: "cannot be read or written: the system reports an error" },
  1034: DAMAGED,
  1040: BUSY,
  1044: FORBIDDEN,
  1045: REFUSED,
  1049: { text: "does not exist" },
  1053: STOPPING,
  1062: { text: "refused a row that contradicts another" },
  1114: FULL,
  1129: { text: "refuses this machine after too many failures" },
  1130: { text: "refuses this machine" },
  1142: FORBIDDEN,
  1143: FORBIDDEN,
  1194: DAMAGED,
  1203: BUSY,
  1205: { text: "is locked by somebody else", retryable: true },
  1213: CHANGED,
  1226: BUSY,
  1227: FORBIDDEN,
  1264: { text: "refused a value" },
  1290: READ_ONLY,
  1317: SLOW,
  1366: { text: "refused a value" },
  1406: { text: "refused a value: it is too long" },
  1698: REFUSED,
  1792: READ_ONLY,
  1836: READ_ONLY,
  1927: STOPPING,
  1969: SLOW,
  3024: SLOW,
};
const DEADLOCK = 1213;
const CHANGED_SINCE_READ = 1020;
const UNKNOWN_COLUMN = 1054;
const UNKNOWN_TABLE = 1146;

/** What the driver threw, as a `StoreError`. `database` is for people. */
export function mysqlError(thrown: unknown, database: string): StoreError {
  const errno = errnoOf(thrown);
  if (errno === UNKNOWN_TABLE || errno === UNKNOWN_COLUMN) {
    return serverError("MNET_STORE_INCOMPLETE", thrown, database, { text: "lacks a part of the schema" });
  }
  return serverError("MNET_STORE_UNAVAILABLE", thrown, database, errno === undefined ? undefined : REASONS[errno]);
}

/** Whether the connection may be used again. */
export function survives(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno !== undefined && REASONS[errno] !== STOPPING && !(thrown as { readonly fatal?: unknown }).fatal;
}

/** Whether a `StoreError` of here tells of a deadlock. */
export const isDeadlock = (error: unknown): boolean => {
  const errno = error instanceof StoreError ? errnoOf(error.cause) : undefined;
  return errno === DEADLOCK || errno === CHANGED_SINCE_READ;
};

/** The number of what the server said. The system's own numbers are negative. */
function errnoOf(thrown: unknown): number | undefined {
  const { errno } = (thrown ?? {}) as { readonly errno?: unknown };
  return typeof errno === "number" && errno > 0 ? errno : undefined;
}
