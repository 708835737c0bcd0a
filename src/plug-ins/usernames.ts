import type { Peer } from "../core/peer-snapshot.ts";
import type { Account, Accounts } from "./account.ts";

/** Names that every Moodle makes an account for (spec 9.4); its column holds 100 characters. */
const SUITABLE = /^[-._@a-z0-9]{1,100}$/;

/**
 * The name by which a user of ours travels to a peer. `undefined` if a Moodle would refuse it, or if the mapping cannot
 * turn it back: then somebody else might be meant.
 */
export function wireUsername(
  { usernames }: Pick<Accounts, "usernames">,
  username: string,
  peer: Peer,
): string | undefined {
  if (!usernames) return SUITABLE.test(username) ? username : undefined;
  const wire = usernames.toPeer(username, peer);
  return SUITABLE.test(wire) && usernames.fromPeer(wire, peer) === username ? wire : undefined;
}

/** The user of ours whom a peer means by a name. */
export async function accountByWireName(accounts: Accounts, wire: string, peer: Peer): Promise<Account | undefined> {
  if (!SUITABLE.test(wire)) return undefined;
  const username = accounts.usernames ? accounts.usernames.fromPeer(wire, peer) : wire;
  if (wireUsername(accounts, username, peer) !== wire) return undefined;
  const account = await accounts.findByUsername(username);
  return account?.home === undefined ? account : undefined;
}

/** Longest name of another site's user that is taken over: what databases keep of a name. */
const LONGEST_REMOTE = 255;

/**
 * Whether a name that another site gives to its user can be hers here. Other software than Moodle allows more characters;
 * what is refused is what cannot be shown or compared: nothing, control and invisible characters, white space at an end.
 */
export function isRemoteUsername(name: string): boolean {
  return name !== "" && name.length <= LONGEST_REMOTE && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|^\s|\s$/u.test(name);
}
