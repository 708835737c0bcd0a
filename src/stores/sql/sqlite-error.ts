import { StoreError } from "../../core/errors.ts";

/** SQLite's primary result codes, as far as somebody can do something about them. */
const REASONS: { readonly [code: number]: string } = {
  5: "is being written by another process",
  6: "is being written by another connection",
  7: "needs more memory than there is",
  8: "cannot be written: the file or its directory is read-only",
  10: "cannot be read or written: the disk reports an error",
  11: "is damaged; restore a backup",
  13: "cannot grow: the disk is full",
  14: "cannot be opened",
  15: "is being opened by too many processes",
  26: "is not an SQLite database, or an encrypted one",
};

const BUSY = 5;
const LOCKED = 6;
const PROTOCOL = 15;
const RETRYABLE: readonly number[] = [BUSY, LOCKED, PROTOCOL];

/** What an SQLite driver threw, as `MNET_STORE_UNAVAILABLE`, or `MNET_STORE_INCOMPLETE` where a table or column is missing. */
export function sqliteError(thrown: unknown, file: string): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const { rawCode, errcode, message } = thrown as { rawCode?: unknown; errcode?: unknown; message?: unknown };
  // libsql and node:sqlite name the same number differently. The lowest byte is the code, the rest its shade.
  const extended = [rawCode, errcode].find((code) => typeof code === "number");
  const code = extended === undefined ? 0 : extended & 0xff;
  if (code === 1 && typeof message === "string" && /no such (table|column)|has no column/i.test(message)) {
    return new StoreError("MNET_STORE_INCOMPLETE", `The database ${file} lacks a part of the schema.`, {
      cause: thrown,
    });
  }
  return new StoreError("MNET_STORE_UNAVAILABLE", `The database ${file} ${REASONS[code] ?? "does not work"}.`, {
    retryable: RETRYABLE.includes(code),
    cause: thrown,
  });
}
