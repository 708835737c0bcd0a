import { MnetError, type MnetErrorCode } from "../core/errors.ts";
import { printable } from "./printable.ts";
import { UsageError } from "./usage-error.ts";

/** What to do, where the message does not say it already. Every code is explained in docs/errors.md. */
const HINTS: { readonly [code in MnetErrorCode]?: string } = {
  MNET_TRANSPORT_UNREACHABLE: "is the site running, and does its name resolve from here?",
  MNET_TRANSPORT_TIMEOUT: "is the site busy, or is a firewall dropping the connection?",
  MNET_TRANSPORT_TLS: "look at the site's TLS certificate with a browser from this machine.",
  MNET_TRANSPORT_REDIRECT: "the site's wwwroot is another than the one given, often with https or www.",
  MNET_TRANSPORT_NOT_MNET: "is networking switched on at the site?",
  MNET_KEY_NOT_FOR_WWWROOT: "give the site's wwwroot exactly as the site itself writes it.",
  MNET_PEER_CLOCK_AHEAD: "set both clocks by NTP; more than 15 seconds ahead is refused.",
  MNET_STORE_KEY_WRONG: "give the passphrase in MNET_KEY or with --key-file; the one before in MNET_OLD_KEY.",
  MNET_STORE_UNAVAILABLE: "does the server run, may this user write there, and is the disk full?",
};

/**
 * An error as a person at a terminal wants it: one line, and a hint where there is one. The stack is for those who set
 * `MNET_DEBUG`.
 */
export function describeError(error: unknown, env: Readonly<Record<string, string | undefined>>): string {
  const lines = MnetError.is(error)
    ? [`${error.code}: ${printable(error.message, 1000)}`, ...(HINTS[error.code] ? [`hint: ${HINTS[error.code]}`] : [])]
    : [`mnet: ${printable(messageOf(error), 1000)}`];
  if (!(error instanceof UsageError) && !MnetError.is(error) && !env["MNET_DEBUG"]) {
    lines.push("hint: set MNET_DEBUG=1 to see where it happened.");
  }
  if (env["MNET_DEBUG"] && error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  return `${lines.join("\n")}\n`;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
