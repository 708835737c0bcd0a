import { StoreError } from "../../core/errors.ts";
import { serverError, type Reason } from "./server-error.ts";

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), the whole code before its class. */
const REASONS: { readonly [code: string]: Reason } = {
  "08": { text: "has lost the connection", retryable: true },
  "22": { text: "refused a value" },
  "23": { text: "refused a row that contradicts another" },
  "25006": { text: "is read-only: a standby, or set so" },
  "28": { text: "refuses this user or password" },
  "3D000": { text: "does not exist" },
  "3F000": { text: "has no such schema" },
  "40": { text: "was changed by others at the same time", retryable: true },
  "42501": { text: "does not let this user do that" },
  "53": { text: "has no room for more work", retryable: true },
  "53100": { text: "cannot grow: the disk is full" },
  "55P03": { text: "is locked by somebody else", retryable: true },
  "57014": { text: "took too long", retryable: true },
  "57P": { text: "is starting or stopping", retryable: true },
  "57P04": { text: "was dropped" },
  "58": { text: "cannot be read or written: the system reports an error" },
  XX: { text: "is damaged, or has met an error of its own; look at its log" },
};
const SERIALIZATION_FAILURE = "40001";
const DEADLOCK = "40P01";
const UNDEFINED_TABLE = "42P01";
const UNDEFINED_COLUMN = "42703";

/** What the driver threw, as a `StoreError`. `database` is for people. */
export function postgresError(thrown: unknown, database: string): StoreError {
  const state = sqlStateOf(thrown);
  if (state === UNDEFINED_TABLE || state === UNDEFINED_COLUMN) {
    return serverError("MNET_STORE_INCOMPLETE", thrown, database, { text: "lacks a part of the schema" });
  }
  const reason =
    state === undefined ? undefined : (REASONS[state] ?? REASONS[state.slice(0, 3)] ?? REASONS[state.slice(0, 2)]);
  return serverError("MNET_STORE_UNAVAILABLE", thrown, database, reason);
}

/** Whether the connection may be used again: the server has answered, and goes on. */
export function survives(thrown: unknown): boolean {
  const state = sqlStateOf(thrown);
  return state !== undefined && !/^(08|57P)/.test(state);
}

/** Whether a `StoreError` of here tells of a deadlock. */
export const isDeadlock = (error: unknown): boolean => {
  const state = error instanceof StoreError ? sqlStateOf(error.cause) : undefined;
  return state === SERIALIZATION_FAILURE || state === DEADLOCK;
};

/** The driver has codes of the system in the same field, such as `EPIPE`: the severity tells. */
function sqlStateOf(thrown: unknown): string | undefined {
  const { code, severity } = (thrown ?? {}) as { readonly code?: unknown; readonly severity?: unknown };
  return typeof code === "string" && severity !== undefined ? code : undefined;
}
