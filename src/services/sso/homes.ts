import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import { publishes } from "../../peer/service-flags.ts";
import { SP } from "./methods.ts";

/**
 * Whether a login that begins here can go by way of this peer (spec 9.11). Not with a Mahara, whose jump page cannot be
 * linked to from here (`mahara.md`).
 */
export const sendsUsersHere = async (site: Site, peer: Peer): Promise<boolean> =>
  peer.state === "active" && peer.application !== "mahara" && publishes(await site.flag(peer, SP, "own"));
