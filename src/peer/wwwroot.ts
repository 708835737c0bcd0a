import { ConfigError } from "../core/errors.ts";
import type { Wwwroot } from "../core/ids.ts";

/** Longest wwwroot that a Moodle can store (spec 1.1). */
const MAXIMUM_LENGTH = 255;

/**
 * Takes a URL as a site's identity: drops one trailing slash and changes nothing else, because peers compare it byte by
 * byte (spec 1.1, MNET-001, MNET-002).
 *
 * Throws `MNET_CONFIG_INVALID` with `option`.
 */
export function parseWwwroot(url: string, option = "wwwroot"): Wwwroot {
  const wwwroot = url.replace(/\/$/, "");
  const reason = whyNot(wwwroot);
  if (reason) {
    throw new ConfigError(
      "MNET_CONFIG_INVALID",
      `${JSON.stringify(url.slice(0, MAXIMUM_LENGTH))} is not a wwwroot: ${reason}.`,
      {
        option,
      },
    );
  }
  return wwwroot as Wwwroot;
}

function whyNot(wwwroot: string): string | undefined {
  const [, authority] = /^https?:\/\/([^/?#]*)/.exec(wwwroot) ?? [];
  if (authority === undefined) return "it must begin with https:// or http://";
  if (wwwroot.length > MAXIMUM_LENGTH) return `it has more than ${MAXIMUM_LENGTH} characters`;
  if (!/^[!-~]+$/.test(wwwroot)) return "it must be ASCII without spaces (a domain in its xn-- form)";
  // A URL parser takes the first part of the path for a missing host.
  if (authority === "" || !URL.canParse(wwwroot)) return "it is not a URL";
  if (authority.includes("@")) return "it holds a user name";
  if (/[?#]/.test(wwwroot)) return "it has a query or fragment";
  if (/[<>"'\\^`{|}]/.test(wwwroot)) return "it has characters that do not belong in a URL";
  return undefined;
}

/**
 * The form in which confusable wwwroots are equal: scheme and host in lower case and without a final dot, the domain in
 * its xn-- form, no default port, no trailing slash, dot segments resolved, the case of the path kept (SEC-085). Only
 * for refusing near-duplicates; peers are never looked up by it.
 */
export function canonicalWwwroot(wwwroot: Wwwroot): string {
  const url = new URL(wwwroot);
  const host = url.host.replace(/\.(?=$|:)/, "");
  return `${url.protocol}//${host}${url.pathname.replace(/\/+$/, "")}`;
}

/** How much it matters that a site joins: without https nothing but RC4 keeps what is sent there from being read (SEC-010). */
export const levelOfJoining = (wwwroot: Wwwroot): "info" | "warn" => (wwwroot.startsWith("https:") ? "info" : "warn");
