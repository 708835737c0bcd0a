import type { PeerDirectory } from "../peer/peer-directory.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";

/**
 * The peer that a `system/keyswap` says it is from: the wwwroot is its first parameter (spec 7.7), and selects the key that
 * is shown (SEC-032). Anybody can name any peer; what is shown is public.
 */
export async function peerInKeyswap(
  [wwwroot]: readonly XmlRpcValue[],
  directory: PeerDirectory,
): Promise<PeerRecord | undefined> {
  return typeof wwwroot === "string" ? directory.findSender(wwwroot.replace(/\/$/, "")) : undefined;
}
