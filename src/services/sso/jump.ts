import { SsoError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import type { PeerId, Wwwroot } from "../../core/ids.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import { localPath } from "../../peer/local-path.ts";
import { subscribes } from "../../peer/service-flags.ts";
import type { Account } from "../../plug-ins/account.ts";
import type { Browser, BrowserSession } from "../../plug-ins/browser.ts";
import { isComplete } from "../../plug-ins/profile-fields.ts";
import { wireUsername } from "../../plug-ins/usernames.ts";
import { JumpBudget } from "./jump-budget.ts";
import { landAddress } from "./links.ts";
import { SP } from "./methods.ts";
import type { SsoConfiguration } from "./options.ts";
import type { SingleParameters } from "./parameters.ts";
import { hashOfToken, newToken, userAgentHash } from "./tokens.ts";

/** Sends users of ours to other sites (spec 9.2, 9.3). */
export class Jump {
  readonly #site: Site;
  readonly #configuration: SsoConfiguration;
  readonly #budget: JumpBudget;

  constructor(site: Site, configuration: SsoConfiguration) {
    this.#site = site;
    this.#configuration = configuration;
    this.#budget = new JumpBudget(site.clock);
  }

  /** Which peer the parameters of a jump mean: `hostid`, else `hostwwwroot`, else Mahara's `wr` (MNET-110). */
  async peerOf(parameters: SingleParameters): Promise<Peer> {
    const id = parameters.get("hostid");
    const wwwroot = parameters.get("hostwwwroot") ?? parameters.get("wr");
    const peer = await (id !== undefined
      ? /^[1-9][0-9]{0,9}$/.test(id) && this.#site.find(Number(id) as PeerId)
      : wwwroot !== undefined && this.#site.find(normalised(wwwroot)));
    if (peer) return peer;
    throw new SsoError("MNET_SSO_NOT_CONFIGURED", "The site that the jump leads to is no peer of this one.", {
      side: "here",
    });
  }

  /**
   * Checks whether this browser may go there (spec 9.3), issues a token that only that peer can redeem, and only for this
   * browser, and returns the URL to send the browser to at once.
   *
   * Throws `SsoError`.
   */
  async urlFor(browser: Browser<never>, peer: Peer, path: string, emit: Emit): Promise<string> {
    const session = await this.#configuration.sessions.current(browser);
    if (!session) throw new SsoError("MNET_SSO_NOT_LOGGED_IN", "Nobody is logged in here.", { side: "here" });
    const account = await this.#accountOf(session);
    const username = await this.#permitted(account, peer);
    const wantsurl = localPath(peer.wwwroot, path)?.path ?? "/";
    if (!this.#budget.take(account.id)) {
      throw new SsoError("MNET_SSO_TOO_MANY_JUMPS", `${account.username} jumps again and again.`, {
        side: "here",
        retryable: true,
        peer: peer.wwwroot,
      });
    }
    const token = await this.#issue(browser, session, account, username, peer);
    const { id, wwwroot } = peer;
    emit({ type: "sso.jumped", level: "info", peer: { id, wwwroot }, accountId: account.id });
    return landAddress(peer, { token, idp: this.#site.wwwroot, wantsurl });
  }

  async #accountOf({ accountId, actingAs }: BrowserSession): Promise<Account> {
    if (actingAs === true) {
      throw new SsoError("MNET_SSO_ACTING_AS", "Somebody is logged in as another user.", { side: "here" });
    }
    const account = await this.#configuration.accounts.find(accountId);
    if (!account) {
      throw new SsoError("MNET_SSO_NOT_PERMITTED", "The account of the session does not exist.", { side: "here" });
    }
    return account;
  }

  /** Resolves with the name by which she travels. */
  async #permitted(account: Account, peer: Peer): Promise<string> {
    const { accounts } = this.#configuration;
    const refuse = (code: SsoError["code"], message: string): never => {
      throw new SsoError(code, message, { side: "here", peer: peer.wwwroot });
    };
    // Chains of identity providers are impossible: no site could tell who vouches for her.
    if (account.home !== undefined) {
      refuse("MNET_SSO_REMOTE_USER", `${account.username} belongs to ${account.home}, and must start from there.`);
    }
    if (peer.state !== "active" || !subscribes(await this.#site.flag(peer, SP, "own"))) {
      refuse("MNET_SSO_NOT_CONFIGURED", `This site does not subscribe to ${SP} on ${peer.wwwroot}.`);
    }
    if (!(await accounts.mayRoam(account, peer))) {
      refuse("MNET_SSO_NOT_PERMITTED", `${account.username} may not roam to ${peer.wwwroot}.`);
    }
    if (!isComplete(await accounts.profile(account))) {
      refuse("MNET_SSO_PROFILE_INCOMPLETE", `${account.username} has no first name, last name or e-mail address.`);
    }
    return (
      wireUsername(accounts, account.username, peer) ??
      refuse(
        "MNET_SSO_USERNAME_UNSUITABLE",
        `The name ${JSON.stringify(account.username)} cannot travel: sites take only a-z, 0-9 and - . _ @. Give \`Accounts.usernames\` a mapping.`,
      )
    );
  }

  async #issue(
    browser: Browser<never>,
    session: BrowserSession,
    account: Account,
    username: string,
    peer: Peer,
  ): Promise<string> {
    const { store, clock, random } = this.#site;
    const { tokenLifetimeMs, sessionLifetimeMs } = this.#configuration;
    const token = newToken(random);
    const now = clock.now();
    const shared = {
      peer: peer.id,
      accountId: account.id,
      sessionId: session.id,
      userAgentHash: userAgentHash(browser),
    };
    // The session first: whoever redeems the token must find it.
    await store.sessions.save({ ...shared, role: "idp", username, startedAt: now, expiresAt: now + sessionLifetimeMs });
    await store.tokens.issue({ ...shared, hash: hashOfToken(token), expiresAt: now + tokenLifetimeMs });
    return token;
  }
}

/** As Moodle does it, but for the scheme that it adds: `http://` for an https site would be another identity (spec 9.2). */
const normalised = (wwwroot: string): Wwwroot => {
  const bare = wwwroot.trim().replace(/\/+$/, "");
  return (bare.startsWith("http") ? bare : `http://${bare}`) as Wwwroot;
};
