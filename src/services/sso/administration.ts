import { ConfigError } from "../../core/errors.ts";
import { listing, type Listing } from "../../core/listing.ts";
import type { Peer, PeerRef } from "../../core/peer-snapshot.ts";
import { createService, type Service } from "../../host/service.ts";
import type { Site } from "../../host/site.ts";
import { isRemoteUsername } from "../../plug-ins/usernames.ts";
import type { AccessRule } from "../../service-stores/access-store.ts";
import type { SessionRecord } from "../../service-stores/session-store.ts";

/** Which users of peers may log in here (spec 9.12). What an unknown one may is the peer's setting `signIn`. */
export interface AccessList {
  /** A rule for one user; `"default"` takes it away. Throws `MNET_PEER_UNKNOWN`, `MNET_CONFIG_INVALID`. */
  set(peer: PeerRef, username: string, rule: AccessRule | "default"): Promise<void>;
  /** By name. */
  list(peer: PeerRef): Listing<{ readonly username: string; readonly rule: AccessRule }>;
}

/** A browser session that is shared with a peer. */
export interface NetworkSession {
  readonly peer: Peer;
  /** `"idp"`: a user of ours is there. `"sp"`: a user of the peer is here. */
  readonly role: "idp" | "sp";
  readonly accountId: string;
  /** On the wire. */
  readonly username: string;
  readonly startedAt: Date;
  readonly expiresAt: Date;
}

/** The part of single sign-on that needs the store alone, and neither accounts nor browsers. */
export interface SsoAdministration {
  readonly access: AccessList;
  /** Sessions that have not expired. */
  sessions(filter?: {
    readonly peer?: PeerRef | undefined;
    readonly accountId?: string | undefined;
  }): Listing<NetworkSession>;
}

/** For a process that administers a site without running its services: serves nothing. */
export function ssoAdministration(): Service<{ readonly sso: SsoAdministration }> {
  return createService<{ readonly sso: SsoAdministration }>({
    name: "sso",
    methods: [],
    attach: (site) => ({ api: { sso: administrationOf(site) } }),
  });
}

/** The administration of one host's single sign-on. */
export function administrationOf(site: Site): SsoAdministration {
  async function sessionOf({ peer: id, ...record }: SessionRecord): Promise<NetworkSession | undefined> {
    const { role, accountId, username, startedAt, expiresAt } = record;
    const peer = await site.find(id);
    return peer && { peer, role, accountId, username, startedAt: new Date(startedAt), expiresAt: new Date(expiresAt) };
  }

  return {
    access: {
      set: (ref, username, rule) =>
        site.withStore(async () => {
          if (!["allow", "deny", "default"].includes(rule)) {
            throw new ConfigError("MNET_CONFIG_INVALID", "A rule is allow, deny or default.", { option: "rule" });
          }
          if (!isRemoteUsername(username)) {
            throw new ConfigError("MNET_CONFIG_INVALID", "This cannot be the name of a user.", { option: "username" });
          }
          const { id, wwwroot } = await site.known(ref);
          await site.store.access.set(id, username, rule === "default" ? undefined : rule);
          site.emit({ type: "sso.access-changed", level: "info", peer: { id, wwwroot }, username, rule });
        }),
      list: ({ id }) => listing((after, limit) => site.withStore(() => site.store.access.list(id, after, limit))),
    },
    sessions: ({ peer, accountId } = {}) =>
      listing((after, limit) =>
        site.withStore(async () => {
          const match = { ...(peer && { peer: peer.id }), ...(accountId !== undefined && { accountId }) };
          const { items, next } = await site.store.sessions.find(match, after, limit);
          const now = site.clock.now();
          const live = items.filter(({ expiresAt }) => expiresAt > now);
          const sessions = await Promise.all(live.map(sessionOf));
          return { items: sessions.filter((session) => session !== undefined), ...(next !== undefined && { next }) };
        }),
      ),
  };
}
