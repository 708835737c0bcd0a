import { SsoError } from "../../core/errors.ts";
import type { Peer, PeerRef } from "../../core/peer-snapshot.ts";
import { serveMethod } from "../../host/method.ts";
import { createService, type Service } from "../../host/service.ts";
import type { Attachment, Site } from "../../host/site.ts";
import { subscribes } from "../../peer/service-flags.ts";
import type { Account } from "../../plug-ins/account.ts";
import type { Browser, BrowserSession } from "../../plug-ins/browser.ts";
import { wireUsername } from "../../plug-ins/usernames.ts";
import { administrationOf, type SsoAdministration } from "./administration.ts";
import { Doors } from "./doors.ts";
import { sendsUsersHere } from "./homes.ts";
import { IdentityProvider } from "./identity-provider.ts";
import { Jump } from "./jump.ts";
import { Keepalive } from "./keepalive.ts";
import { Landing } from "./landing.ts";
import { jumpAddress, loginAddress } from "./links.ts";
import { LogoutNotices } from "./logout-notices.ts";
import { Logout } from "./logout.ts";
import { SP, spMethods } from "./methods.ts";
import { configureSso, type SsoConfiguration, type SsoOptions } from "./options.ts";
import { Pages } from "./pages.ts";

/** A site where a user can go. */
export interface NetworkLink {
  readonly peer: Peer;
  /** Text from outside: escape it. */
  readonly name: string;
  readonly href: string;
}

/** Single sign-on with the peers of a host. */
export interface Sso<Raw = unknown> extends SsoAdministration {
  /** The "Network servers" block: where this account may go, by name. Empty for remote accounts. */
  networkServers(account: Account): Promise<readonly NetworkLink[]>;
  /**
   * For the login page: home sites of visitors, by name, with links that come back to `returnTo`, a path of ours (default
   * `/`). Without Maharas, whose jump page cannot be linked to from here (`mahara.md`): their users come from there.
   */
  identityProviders(returnTo?: string): Promise<readonly NetworkLink[]>;
  /** Absolute URL of ours that takes the user to a path on the peer. Holds no token; may be stored and mailed. */
  linkTo(peer: PeerRef, path?: string): string;
  /**
   * Call it when a user logs out, before you destroy the session. Other sites are told in the background (SEC-077).
   * `continueAt`: her home site's front page, for a visitor.
   */
  logout(sessionId: string): Promise<{ readonly continueAt?: string }>;
  /**
   * The jump route as a function: checks, issues a token, returns the URL to send this browser to at once, with a 303 and
   * `Referrer-Policy: no-referrer`. Throws `SsoError`, `MNET_PEER_UNKNOWN`.
   */
  readonly jumpUrl: (browser: Browser<Raw>, peer: PeerRef, path?: string) => Promise<string>;
  /**
   * The land route as a function: everything up to the started session, and the absolute address to go on to. Throws
   * `SsoError`; `MNET_SSO_CONFIRMATION_NEEDED` if somebody else is logged in: only the route can ask.
   */
  readonly land: (
    browser: Browser<Raw>,
  ) => Promise<{ readonly account: Account; readonly session: BrowserSession; readonly continueAt: string }>;
}

/**
 * Single sign-on with Moodle, Mahara and sites of this library, as identity provider and as service provider (spec 9).
 * The host then serves `/auth/mnet/jump.php`, `/auth/mnet/land.php`, Mahara's forms of both, and `/auth/mnet/login.php`.
 *
 * A user of ours may go to a peer if the peer's row subscribes `sso_sp`, and the peer may ask who she is if `sso_idp` is
 * published to it; users of a peer come in if `sso_idp` is subscribed on it, and it may end their sessions if `sso_sp` is
 * published to it.
 *
 * Throws `MNET_CONFIG_INVALID` or `MNET_CONFIG_MISSING` with the path of the option.
 *
 * @example
 * ```ts
 * const host = await createHost({ wwwroot, name, store, services: [sso({ accounts, sessions })] });
 * await host.peers.setServices(moodle, { sso_idp: "both", sso_sp: "both" });
 * const servers = await host.sso.networkServers(account);
 * ```
 */
export function sso<Raw = unknown>(options: SsoOptions<Raw>): Service<{ readonly sso: Sso<Raw> }> {
  const configuration = configureSso(options);
  return createService<{ readonly sso: Sso<Raw> }>({
    name: "sso",
    methods: [],
    attach: (site) => attach<Raw>(site, configuration),
  });
}

function attach<Raw>(site: Site, configuration: SsoConfiguration): Attachment<{ readonly sso: Sso<Raw> }> {
  const notices = new LogoutNotices(site);
  const logout = new Logout({ site, sessions: configuration.sessions, notices });
  const keepalive = new Keepalive(site, configuration);
  const jump = new Jump(site, configuration);
  const landing = new Landing(site, configuration, logout);
  const pages = new Pages(site.name, configuration.page);
  const doors = new Doors({ site, configuration, jump, landing, pages });
  return {
    api: { sso: createSso<Raw>(site, configuration, { jump, landing, logout }) },
    methods: [
      ...new IdentityProvider(site, configuration, logout).methods(),
      serveMethod(spMethods.kill_child, ({ username, useragent }, { peer }) =>
        logout.atHome(peer.id, username, useragent.toLowerCase()),
      ),
      serveMethod(spMethods.keepalive_client, ({}, { peer }) => {
        site.background.run(() => site.run((exchange) => keepalive.runFor(peer.id, exchange)));
        return true;
      }),
    ],
    pages: doors.pages(),
    tasks: [
      { name: "keep-sessions-alive", counts: "sessionsKept", run: (signal) => keepalive.runIfDue(signal) },
      { name: "tell-of-logouts", counts: "jobsDone", run: (signal) => notices.deliver({ signal }) },
    ],
    peerGone: (peer) => logout.withPeer(peer),
  };
}

function createSso<Raw>(
  site: Site,
  { accounts }: SsoConfiguration,
  { jump, landing, logout }: { readonly jump: Jump; readonly landing: Landing; readonly logout: Logout },
): Sso<Raw> {
  /** Browsers reach only the plug-in that this host was given, whose exchange `Raw` is. */
  const own = (browser: Browser<Raw>): Browser<never> => browser as Browser<never>;

  async function linksTo(
    wanted: (peer: Peer) => Promise<boolean>,
    hrefOf: (peer: Peer) => string,
  ): Promise<readonly NetworkLink[]> {
    const links: NetworkLink[] = [];
    for await (const peer of site.peers()) {
      if (await wanted(peer)) links.push({ peer, name: peer.name, href: hrefOf(peer) });
    }
    return links.sort((one, other) => one.name.localeCompare(other.name) || one.peer.id - other.peer.id);
  }

  return {
    ...administrationOf(site),
    networkServers: (account) =>
      site.withStore(async () => {
        if (account.home !== undefined) return [];
        return linksTo(
          async (peer) =>
            subscribes(await site.flag(peer, SP, "own")) &&
            wireUsername(accounts, account.username, peer) !== undefined &&
            (await accounts.mayRoam(account, peer)),
          (peer) => jumpAddress(site.wwwroot, peer),
        );
      }),
    identityProviders: (returnTo = "/") =>
      site.withStore(() =>
        linksTo(
          (peer) => sendsUsersHere(site, peer),
          (peer) => loginAddress(site.wwwroot, peer, returnTo),
        ),
      ),
    linkTo: (peer, path) => jumpAddress(site.wwwroot, peer, path),
    logout: (sessionId) => site.withStore(() => logout.here(sessionId, site.emit)),
    jumpUrl: (browser, peer, path = "/") =>
      site.run(async ({ emit }) => jump.urlFor(own(browser), await site.peer(peer), path, emit)),
    land: (browser) =>
      site.run(async (exchange) => {
        const landed = await landing.land(own(browser), exchange);
        if (!("query" in landed)) return landed;
        throw new SsoError(
          "MNET_SSO_CONFIRMATION_NEEDED",
          "Somebody else is logged in here, or every landing is asked for.",
          {
            side: "here",
            peer: landed.home.wwwroot,
          },
        );
      }),
  };
}
