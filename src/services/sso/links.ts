import type { Wwwroot } from "../../core/ids.ts";
import type { Peer, PeerRef } from "../../core/peer-snapshot.ts";
import { APPLICATIONS } from "../../peer/application.ts";

/** Half a pair of surrogates becomes U+FFFD, as in every URL. */
const encode = (text: string): string => encodeURIComponent(new TextDecoder().decode(new TextEncoder().encode(text)));

/** Where users of ours leave from to a peer, and where to on it (spec 9.2). Holds no token. */
export function jumpAddress(self: Wwwroot, peer: PeerRef, path?: string): string {
  const wanted = path === undefined ? "" : `&wantsurl=${encode(path)}`;
  return `${self}${APPLICATIONS.moodle.jumpPath}?hostid=${peer.id}${wanted}`;
}

/** Where a user's home site sends her back to us from (spec 9.11). */
export const homeJumpAddress = (home: Peer, self: Wwwroot, path: string): string =>
  `${home.wwwroot}${APPLICATIONS[home.application].jumpPath}?hostwwwroot=${encode(self)}&wantsurl=${encode(path)}&remoteurl=1`;

/** Where a user arrives at a peer (spec 9.4). Everything is encoded; all receivers decode it (H-18, SEC-074). */
export const landAddress = (
  peer: Peer,
  query: { readonly token: string; readonly idp: Wwwroot; readonly wantsurl: string },
): string =>
  `${peer.wwwroot}${APPLICATIONS[peer.application].landPath}?token=${query.token}&idp=${encode(query.idp)}&wantsurl=${encode(query.wantsurl)}`;

/** Where a login begins that comes back from the user's home site. */
export const LOGIN_PATH = "/auth/mnet/login.php";

/** For our login page: goes by way of this site, so that the browser is known when it comes back (SEC-069). */
export const loginAddress = (self: Wwwroot, home: PeerRef, returnTo: string): string =>
  `${self}${LOGIN_PATH}?hostid=${home.id}&wantsurl=${encode(returnTo)}`;
