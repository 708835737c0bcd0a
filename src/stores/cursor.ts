import { ConfigError } from "../core/errors.ts";
import type { Cursor } from "../core/ids.ts";

/** A cursor behind the row with this number. */
export const cursorAt = (number: number): Cursor => String(number) as Cursor;

/** The number in a cursor. Throws `MNET_CONFIG_INVALID` for a text that `cursorAt` did not make: cursors travel in URLs. */
export function numberOf(cursor: Cursor): number {
  const number = /^[0-9]{1,16}$/.test(cursor) ? Number(cursor) : NaN;
  if (!Number.isSafeInteger(number)) throw wrongCursor();
  return number;
}

/** A cursor behind the row with this name. */
export const cursorAtName = (name: string): Cursor => `n${Buffer.from(name).toString("base64url")}` as Cursor;

/** The name in a cursor. Throws as `numberOf`. */
export function nameOf(cursor: Cursor): string {
  const name = Buffer.from(cursor.slice(1), "base64url").toString();
  if (cursorAtName(name) !== cursor) throw wrongCursor();
  return name;
}

const wrongCursor = (): ConfigError =>
  new ConfigError("MNET_CONFIG_INVALID", "The cursor is not one that this list gave.", { option: "after" });
