import type { Emit } from "../../core/events.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import { mnetFault, type Fault } from "../../host/fault.ts";
import { serveMethod, type ParamsIn } from "../../host/method.ts";
import type { MethodEntry } from "../../host/service.ts";
import type { Site } from "../../host/site.ts";
import type { Account } from "../../plug-ins/account.ts";
import { exportProfile, isComplete } from "../../plug-ins/profile-fields.ts";
import { accountByWireName, wireUsername } from "../../plug-ins/usernames.ts";
import type { Redemption } from "../../service-stores/token-store.ts";
import type { XmlRpcStruct, XmlRpcValue } from "../../xmlrpc/value.ts";
import { takeEnrolments } from "./enrolment-feedback.ts";
import type { Logout } from "./logout.ts";
import { jumpAddress } from "./links.ts";
import { idpMethods } from "./methods.ts";
import type { SsoConfiguration } from "./options.ts";
import { hashOfToken } from "./tokens.ts";

/** Spec 7.4. */
const NO_SESSION = mnetFault(1, "Authorisation failed: the mnet session does not exist.");
const TIMED_OUT = mnetFault(2, "Authorisation failed: the mnet session has timed out.");
const USER_MISMATCH = mnetFault(3, "Authorisation failed: the user does not match.");

const REFUSALS: Record<
  Exclude<Redemption["outcome"], "redeemed">,
  { readonly fault: Fault; readonly detail: string }
> = {
  absent: {
    fault: NO_SESSION,
    detail:
      "No such token was issued to this site for this browser: it is wrong, another site's, or the browser's User-Agent header was changed on the way.",
  },
  used: { fault: NO_SESSION, detail: "The token was used before." },
  expired: { fault: TIMED_OUT, detail: "The token came too late." },
};

/** Longest list of one call; a site that has more visitors sends several. */
const MOST_USERNAMES = 10_000;

/** What the sites ask that our users visit: the methods of `sso_idp`. */
export class IdentityProvider {
  readonly #site: Site;
  readonly #configuration: SsoConfiguration;
  readonly #logout: Logout;

  constructor(site: Site, configuration: SsoConfiguration, logout: Logout) {
    this.#site = site;
    this.#configuration = configuration;
    this.#logout = logout;
  }

  /** The methods, served. */
  methods(): readonly MethodEntry[] {
    const { user_authorise, fetch_user_image, update_enrolments } = idpMethods;
    const { keepalive_server, kill_children, refresh_log, fetch_theme_info } = idpMethods;
    return [
      serveMethod(user_authorise, (params, { peer }, emit) => this.#authorise(params, { peer, emit })),
      serveMethod(fetch_user_image, ({ username }, { peer }) => this.#image(username, peer)),
      serveMethod(update_enrolments, (params, { peer }, emit) => this.#updateEnrolments(params, { peer, emit })),
      serveMethod(keepalive_server, ({ array }, { peer }) => this.#keepAlive(array, peer)),
      serveMethod(kill_children, (params, { peer }, emit) => this.#killChildren(params, { peer, emit })),
      // Stock sites stopped keeping logs of others in 2014 (spec 9.10); nobody reads them (MNET-122).
      serveMethod(refresh_log, () => ({ code: 0, message: "All ok" })),
      serveMethod(fetch_theme_info, () => ({ themename: this.#site.name, logourl: "" })),
    ];
  }

  async #authorise({ token, useragent }: Authorise, caller: Caller): Promise<XmlRpcStruct> {
    const { peer } = caller;
    const { store, clock } = this.#site;
    const { accounts, tokenGrace } = this.#configuration;
    const by = { peer: peer.id, userAgentHash: useragent.toLowerCase() };
    const redemption = await store.tokens.redeem(hashOfToken(token), by, tokenGrace, clock.now());
    if (redemption.outcome !== "redeemed") {
      const { fault, detail } = REFUSALS[redemption.outcome];
      throw refused(caller, fault, detail);
    }
    const { accountId, userAgentHash } = redemption.token;
    // Whoever has logged out since she jumped must not arrive logged in, where nobody would end that.
    const sharing = await store.sessions.find({ role: "idp", peer: peer.id, accountId, userAgentHash }, undefined, 1);
    if (sharing.items.length === 0) throw refused(caller, NO_SESSION, "The user has logged out meanwhile.");
    const account = await accounts.find(accountId);
    const username = account && this.#nameOf(account, peer);
    if (!account || username === undefined) throw refused(caller, USER_MISMATCH, "The account is gone.");
    return this.#describe(account, username, caller);
  }

  /** What a site is told of a user of ours who arrives there (spec 9.5, MNET-113). */
  async #describe(account: Account, username: string, caller: Caller): Promise<XmlRpcStruct> {
    const { peer } = caller;
    const { accounts, sessionLifetimeMs } = this.#configuration;
    const [profile, { exportFields }] = await Promise.all([accounts.profile(account), this.#site.settings(peer)]);
    if (!isComplete(profile)) throw refused(caller, USER_MISMATCH, "The account has no name or no e-mail address.");
    return {
      ...exportProfile(username, profile, exportFields),
      wwwroot: this.#site.wwwroot,
      "session.gc_maxlifetime": String(Math.floor(sessionLifetimeMs / 1000)),
      ...(exportFields.includes("picture") && (await this.#pictureColumns(account))),
      myhosts: await this.#courseSites(account, username, peer),
    };
  }

  async #pictureColumns(account: Account): Promise<XmlRpcStruct> {
    const picture = await this.#configuration.accounts.picture?.(account);
    if (!picture) return { picture: "0" };
    return {
      picture: "1",
      ...(account.pictureChangedAt && {
        _mnet_userpicture_timemodified: String(Math.floor(account.pictureChangedAt.getTime() / 1000)),
      }),
      _mnet_userpicture_mimetype: picture.type,
    };
  }

  /** `myhosts`: this site, if she has courses here, and the caller, if we know of courses there (spec 9.5). */
  async #courseSites(account: Account, username: string, peer: Peer): Promise<readonly XmlRpcStruct[]> {
    const { store, name, wwwroot } = this.#site;
    const here = (await this.#configuration.enrolments?.ofAccount(account)) ?? [];
    const there = await store.remoteCourses.ofUser(peer.id, username);
    const courses = new Set(there.map(({ course }) => course.id)).size;
    return [
      ...(here.length > 0 ? [{ name, url: wwwroot, count: new Set(here.map(({ course }) => course.id)).size }] : []),
      ...(courses > 0 ? [{ name: peer.name, url: jumpAddress(wwwroot, peer), count: String(courses) }] : []),
    ];
  }

  /** Only of users with a session at the caller, or an enrolment there (SEC-066). */
  async #image(username: string, peer: Peer): Promise<XmlRpcValue> {
    const account = await this.#visitorAt(peer, username);
    if (!account) return false;
    const { exportFields } = await this.#site.settings(peer);
    const picture = exportFields.includes("picture") && (await this.#configuration.accounts.picture?.(account));
    if (!picture) return [];
    const image = Buffer.from(picture.bytes).toString("base64");
    // Two sizes in Moodle, of which sites use the first and Maharas the second; here there is one.
    return { f1: image, f1_mimetype: picture.type, f2: image, f2_mimetype: picture.type };
  }

  async #visitorAt(peer: Peer, username: string): Promise<Account | undefined> {
    const { store, clock } = this.#site;
    const { accounts } = this.#configuration;
    const { items } = await store.sessions.find({ role: "idp", peer: peer.id, username }, undefined, 100);
    const session = items.find(({ expiresAt }) => expiresAt > clock.now());
    if (session) return accounts.find(session.accountId);
    const enrolled = await store.remoteCourses.ofUser(peer.id, username);
    if (enrolled.length === 0) return undefined;
    return accountByWireName(accounts, username, peer);
  }

  async #updateEnrolments({ username, courses }: Enrolled, caller: Caller): Promise<XmlRpcValue> {
    const { peer } = caller;
    if (username === "" || typeof courses !== "object" || courses === null) return false;
    const { items } = await this.#site.store.sessions.find({ role: "idp", peer: peer.id, username }, undefined, 100);
    // Whoever has no session there is none of its business (SEC-067).
    const accounts = new Set(items.map(({ accountId }) => accountId));
    if (accounts.size !== 1) {
      throw refused(caller, USER_MISMATCH, `It told of courses of ${username}, who has not been sent there.`);
    }
    const told = await takeEnrolments(this.#site.store.remoteCourses, peer, username, courses);
    return told === 0 ? true : "";
  }

  async #keepAlive(names: readonly string[], peer: Peer): Promise<XmlRpcStruct> {
    const { store, clock } = this.#site;
    const usernames = [...new Set(names.slice(0, MOST_USERNAMES))];
    const now = clock.now();
    const kept = await store.sessions.extend(
      { role: "idp", peer: peer.id, usernames },
      now + this.#configuration.sessionLifetimeMs,
      now,
    );
    const ids = [...new Set(kept.map(({ sessionId }) => sessionId))];
    if (ids.length > 0) await this.#configuration.sessions.touch(ids);
    const found = new Set(kept.map(({ username }) => username));
    const failed = usernames.filter((username) => !found.has(username));
    return {
      code: failed.length === 0 ? 0 : 1,
      message:
        failed.length === 0
          ? "All ok"
          : `We failed to refresh the session for the following usernames: \n${failed.join("\n")}\n\n`,
      "last log id": "0",
    };
  }

  async #killChildren({ username, useragent }: OfBrowser, { peer, emit }: Caller): Promise<string> {
    const ended = await this.#logout.atVisitedSite(peer.id, username, useragent.toLowerCase(), emit);
    return ended ? "" : "Could find no remote sessions\n";
  }

  #nameOf(account: Account, peer: Peer): string | undefined {
    if (account.home !== undefined) return undefined;
    return wireUsername(this.#configuration.accounts, account.username, peer);
  }
}

/** Who asks, and whom to tell what becomes of it. */
interface Caller {
  readonly peer: Peer;
  readonly emit: Emit;
}

function refused({ peer: { id, wwwroot }, emit }: Caller, fault: Fault, detail: string): Fault {
  emit({ type: "sso.refused", level: "warn", peer: { id, wwwroot }, code: "MNET_SSO_TOKEN_REFUSED", detail });
  return fault;
}

type Authorise = ParamsIn<typeof idpMethods.user_authorise>;
type Enrolled = ParamsIn<typeof idpMethods.update_enrolments>;
type OfBrowser = ParamsIn<typeof idpMethods.kill_children>;
