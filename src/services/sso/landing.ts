import { SsoError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import type { Exchange } from "../../core/exchange.ts";
import type { Wwwroot } from "../../core/ids.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import { localPath } from "../../peer/local-path.ts";
import type { Account } from "../../plug-ins/account.ts";
import type { Browser, BrowserSession } from "../../plug-ins/browser.ts";
import { Arrivals, type Arrival } from "./arrival.ts";
import { boundTo, BrowserMark, isSame, newBrowserSecret } from "./browser-mark.ts";
import { homeJumpAddress } from "./links.ts";
import type { Logout } from "./logout.ts";
import type { SsoConfiguration } from "./options.ts";
import { SingleParameters } from "./parameters.ts";
import { newToken, userAgentHash } from "./tokens.ts";

/** Somebody has to read the question. */
const QUESTION_LIFETIME_MS = 5 * 60_000;
/** What Moodle lets through as a token (spec 9.4). */
const TOKEN = /^[A-Za-z0-9/+=_]{1,255}$/;

/** A visitor is logged in. */
export interface Landed {
  readonly account: Account;
  readonly session: BrowserSession;
  /** Where to go on to: an absolute address. */
  readonly continueAt: string;
}

/** The visitor has proved who she is, but must say that she wants to be logged in. */
export interface Question {
  readonly account: Account;
  readonly home: Peer;
  /** Who is logged in here now, if somebody is. */
  readonly instead: Account | undefined;
  /** Query of the form's address, which is the page's own. */
  readonly query: string;
}

/** Takes users of other sites in (spec 9.4, 9.7). */
export class Landing {
  readonly #site: Site;
  readonly #configuration: SsoConfiguration;
  readonly #logout: Logout;
  readonly #arrivals: Arrivals;
  readonly #began: BrowserMark;
  readonly #asked: BrowserMark;

  constructor(site: Site, configuration: SsoConfiguration, logout: Logout) {
    this.#site = site;
    this.#configuration = configuration;
    this.#logout = logout;
    this.#arrivals = new Arrivals(site, configuration);
    this.#began = new BrowserMark("mnet_login", site.wwwroot);
    this.#asked = new BrowserMark("mnet_landing", site.wwwroot);
  }

  /** A login that begins here: marks the browser as our `own`, and returns where its home site sends it back from (spec 9.11). */
  begin(browser: Browser<never>, home: Peer, returnTo: string, { isOwn }: { readonly isOwn: boolean }): string {
    if (isOwn) this.#began.set(browser, boundTo("login", home.wwwroot));
    return homeJumpAddress(home, this.#site.wwwroot, localPath(this.#site.wwwroot, returnTo)?.path ?? "/");
  }

  /**
   * A browser arrives with a token. Whoever is logged in here stays so until the visitor is proved and has agreed
   * (SEC-070). Throws `SsoError`.
   */
  async land(browser: Browser<never>, exchange: Exchange): Promise<Landed | Question> {
    const parameters = new SingleParameters(browser.url);
    const home = await this.#homeOf(parameters.get("idp"));
    const target = this.#target(home, parameters);
    const current = await this.#configuration.sessions.current(browser);
    const token = parameters.get("token");
    if (token === undefined || !TOKEN.test(token)) {
      throw new SsoError("MNET_SSO_REQUEST_INVALID", "The address holds no token.", {
        side: "there",
        peer: home.wwwroot,
      });
    }
    const arrival = await this.#arrivals.welcome(home, token, userAgentHash(browser), exchange);
    if (this.#mustAsk(browser, home, arrival, current)) {
      return this.#ask(browser, home, arrival, current, parameters);
    }
    return this.#logIn(browser, home, arrival, { continueAt: target, before: current }, exchange.emit);
  }

  /** The visitor has said yes. Throws `SsoError`. */
  async confirm(browser: Browser<never>, emit: Emit): Promise<Landed> {
    const parameters = new SingleParameters(browser.url);
    const home = await this.#homeOf(parameters.get("idp"));
    const target = this.#target(home, parameters);
    const [secret, code] = [this.#asked.read(browser), parameters.get("confirm")];
    const current = await this.#configuration.sessions.current(browser);
    const { store, clock } = this.#site;
    const redemption =
      secret !== undefined && code !== undefined
        ? await store.tokens.redeem(
            boundTo("landing", code, secret),
            { peer: home.id, userAgentHash: userAgentHash(browser) },
            { uses: 1, withinMs: 0 },
            clock.now(),
          )
        : undefined;
    const isAnswer = redemption?.outcome === "redeemed" && redemption.token.sessionId === (current?.id ?? "");
    const account = isAnswer && (await this.#configuration.accounts.find(redemption.token.accountId));
    if (!account || account.home !== home.wwwroot) {
      throw new SsoError("MNET_SSO_CONFIRMATION_NEEDED", "This browser was not asked, or the question is too old.", {
        side: "there",
        peer: home.wwwroot,
        retryable: true,
      });
    }
    this.#asked.clear(browser);
    const arrival = { account, created: parameters.get("created") === "1" };
    return this.#logIn(browser, home, arrival, { continueAt: target, before: current }, emit);
  }

  /** Compared byte by byte; a deleted or suspended peer is none (MNET-114). */
  async #homeOf(idp: string | undefined): Promise<Peer> {
    const home = idp === undefined ? undefined : await this.#site.find(idp as Wwwroot);
    if (home?.state === "active") return home;
    throw new SsoError(
      "MNET_SSO_IDP_UNKNOWN",
      home ? `${home.wwwroot} is ${home.state}.` : "The site that the visitor comes from is no peer of this one.",
      { side: "here", ...(home && { peer: home.wwwroot }) },
    );
  }

  /** Never off this site; with `remoteurl`, never off hers (SEC-072, SEC-073). */
  #target(home: Peer, parameters: SingleParameters): string {
    const isRemote = !["", "0", "false", undefined].includes(parameters.get("remoteurl"));
    const wwwroot = isRemote ? home.wwwroot : this.#site.wwwroot;
    const wanted = localPath(wwwroot, parameters.get("wantsurl") ?? "/");
    return wanted?.address ?? `${wwwroot}/`;
  }

  #mustAsk(browser: Browser<never>, home: Peer, { account }: Arrival, current: BrowserSession | undefined): boolean {
    const beganHere = isSame(boundTo("login", home.wwwroot), this.#began.read(browser));
    if (beganHere) this.#began.clear(browser);
    if (current) return current.accountId !== account.id;
    return this.#configuration.landing === "confirm" && !beganHere;
  }

  async #ask(
    browser: Browser<never>,
    home: Peer,
    { account, created }: Arrival,
    current: BrowserSession | undefined,
    parameters: SingleParameters,
  ): Promise<Question> {
    const { store, clock, random } = this.#site;
    const code = newToken(random);
    const secret = newBrowserSecret(random);
    await store.tokens.issue({
      hash: boundTo("landing", code, secret),
      peer: home.id,
      accountId: account.id,
      sessionId: current?.id ?? "",
      userAgentHash: userAgentHash(browser),
      expiresAt: clock.now() + QUESTION_LIFETIME_MS,
    });
    this.#asked.set(browser, secret);
    const query = new URLSearchParams({ confirm: code, idp: home.wwwroot });
    for (const name of ["wantsurl", "remoteurl"] as const) {
      const value = parameters.get(name);
      if (value !== undefined) query.set(name, value);
    }
    if (created) query.set("created", "1");
    const instead = current && (await this.#configuration.accounts.find(current.accountId));
    return { account, home, instead, query: query.toString() };
  }

  /** A peer that was suspended meanwhile has ended the sessions that it found, and this one was not among them (SEC-054). */
  async #stillPeer(home: Peer, session: BrowserSession): Promise<void> {
    try {
      await this.#homeOf(home.wwwroot);
    } catch (error) {
      await this.#logout.withPeer(home);
      await this.#configuration.sessions.end([session.id]);
      throw error;
    }
  }

  /** The session here first: without the shared one she is logged in all the same, and is not told of a logout at home. */
  async #logIn(
    browser: Browser<never>,
    home: Peer,
    { account, created }: Arrival,
    { continueAt, before }: { readonly continueAt: string; readonly before: BrowserSession | undefined },
    emit: Emit,
  ): Promise<Landed> {
    const { store, clock } = this.#site;
    const session = await this.#configuration.sessions.start(browser, account);
    // Another user has given way, and so does what she shares with other sites.
    if (before && before.accountId !== account.id) await this.#logout.here(before.id, emit);
    const now = clock.now();
    await store.sessions.save({
      role: "sp",
      peer: home.id,
      accountId: account.id,
      username: account.username,
      userAgentHash: userAgentHash(browser),
      sessionId: session.id,
      startedAt: now,
      expiresAt: now + this.#configuration.sessionLifetimeMs,
    });
    await this.#stillPeer(home, session);
    const { id, wwwroot } = home;
    emit({ type: "sso.landed", level: "info", peer: { id, wwwroot }, accountId: account.id, created });
    return { account, session, continueAt };
  }
}
