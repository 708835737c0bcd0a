import { ConfigError } from "../../core/errors.ts";

/**
 * A value that every driver can take: drivers end the process when they are given, say, a boolean, cut text at a NUL, or
 * guess. PostgreSQL has no NUL in text at all, so no engine is given one: a text is kept whole, or refused.
 */
export function bindable(value: unknown): string | number | Uint8Array | null {
  if (typeof value === "string") {
    if (!value.includes("\0")) return value;
    throw new ConfigError("MNET_CONFIG_INVALID", "A text with a NUL character cannot be stored.");
  }
  if (value === null || value instanceof Uint8Array || (typeof value === "number" && Number.isFinite(value)))
    return value;
  throw new TypeError(`A ${typeof value} cannot be stored.`);
}
