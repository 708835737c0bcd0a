import type { Wwwroot } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import type { PeerFilter, PeerRecord } from "../../peer/peer-store.ts";
import { everyPage, START } from "./check.ts";
import { fingerprint } from "./sample-keys.ts";

/** With no more than it must have. */
export function peer(number: number): Omit<PeerRecord, "id" | "version"> {
  return {
    wwwroot: `https://${number}.test` as Wwwroot,
    canonical: `https://${number}.test/canonical`,
    name: `Peer ${number}`,
    application: "moodle",
    state: "active",
    certificate: `certificate of ${number}`,
    retired: [],
    settings: {},
    services: {},
  };
}

/** With everything. */
export function fullPeer(number: number): Omit<PeerRecord, "id" | "version"> {
  return {
    ...peer(number),
    application: "mahara",
    state: "pending",
    retired: [fingerprint("b"), fingerprint("a")],
    held: { certificate: `held of ${number}`, reason: "registered-itself", since: START + number },
    settings: { timeoutMs: 5000, driftToleranceMs: 100, allowAddresses: ["10.0.0.0/8", "::1/128"] },
    services: { sso_idp: "both", sso_sp: "publish", mnet_enrol: "subscribe", own: "off" },
    dialect: "pxr",
    profile: { proved: "secure/1", provedAt: START + 6, askedAt: START + 4 },
    lastContactAt: START + 5,
  };
}

export const everyPeer = (store: Store, filter: PeerFilter = {}, limit = 50): Promise<readonly PeerRecord[]> =>
  everyPage((after) => store.peers.list(filter, after, limit));
