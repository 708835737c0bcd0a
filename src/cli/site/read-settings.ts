import type { PeerSettings } from "../../peer/peer-settings.ts";
import { UsageError } from "../usage-error.ts";

type Change = { [K in keyof PeerSettings]?: PeerSettings[K] | null };

/**
 * Settings as a person writes them: `timeoutMs=60000`, `clock=strict`, `allowAddresses=10.0.0.0/8,fd00::/8`,
 * `legacy.tls=none`; an empty value returns a setting to its default. The host checks names and values.
 */
export function readSettings(pairs: readonly (readonly [name: string, value: string])[]): Change {
  const change: Record<string, unknown> = {};
  for (const [name, text] of pairs) {
    const [outer = "", inner, ...rest] = name.split(".");
    if (rest.length > 0) throw new UsageError(`${name} is no setting.`);
    const value = text === "" ? null : readValue(outer, text);
    if (inner === undefined) change[outer] = value;
    else if (value !== null) change[outer] = { ...(change[outer] as object | undefined), [inner]: value };
    else throw new UsageError(`Return all of ${outer} to the default with ${outer}=`);
  }
  return change;
}

const LISTS = new Set(["allowAddresses", "exportFields", "importFields"]);

function readValue(name: string, text: string): unknown {
  if (LISTS.has(name)) return text.split(",");
  if (text === "true" || text === "false") return text === "true";
  return /^[0-9]+$/.test(text) ? Number(text) : text;
}
