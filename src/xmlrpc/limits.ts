import { ConfigError } from "../core/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../core/limits.ts";

/** Ceilings on a document's structure, enforced while it is parsed (SEC-019). */
export interface XmlRpcLimits {
  /** Nesting of values; a parameter is at depth 1. Default 32. */
  readonly depth?: number;
  /** Values in the document. Default 100,000. */
  readonly nodes?: number;
  /** Members of one struct. Default 4,096. */
  readonly members?: number;
}

/** The limits of a document, complete. */
export type DocumentLimits = Pick<Limits, "depth" | "nodes" | "members">;

/** Fills in the defaults. Throws `MNET_CONFIG_INVALID` for a limit that is not a positive integer. */
export function documentLimits(limits: XmlRpcLimits = {}): DocumentLimits {
  return { depth: limit(limits, "depth"), nodes: limit(limits, "nodes"), members: limit(limits, "members") };
}

function limit(limits: XmlRpcLimits, name: keyof XmlRpcLimits): number {
  const value = limits[name] ?? DEFAULT_LIMITS[name];
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new ConfigError("MNET_CONFIG_INVALID", `limits.${name} must be a positive integer.`, {
      option: `limits.${name}`,
    });
  }
  return value;
}
