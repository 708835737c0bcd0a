import { SsoError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import type { Exchange } from "../../core/exchange.ts";
import type { HttpResponse } from "../../host/http.ts";
import type { Page, Site } from "../../host/site.ts";
import { APPLICATIONS } from "../../peer/application.ts";
import type { Wwwroot } from "../../core/ids.ts";
import type { Browser } from "../../plug-ins/browser.ts";
import { boundTo, BrowserMark, isSame, newBrowserSecret } from "./browser-mark.ts";
import type { Jump } from "./jump.ts";
import type { Landing } from "./landing.ts";
import { sendsUsersHere } from "./homes.ts";
import { LOGIN_PATH } from "./links.ts";
import type { SsoConfiguration } from "./options.ts";
import type { Pages } from "./pages.ts";
import { SingleParameters } from "./parameters.ts";

/** The pages where browsers leave and arrive, under Moodle's paths and Mahara's (spec 1.2). */
export class Doors {
  readonly #site: Site;
  readonly #configuration: SsoConfiguration;
  readonly #jump: Jump;
  readonly #landing: Landing;
  readonly #pages: Pages;
  readonly #asked: BrowserMark;

  constructor(options: {
    readonly site: Site;
    readonly configuration: SsoConfiguration;
    readonly jump: Jump;
    readonly landing: Landing;
    readonly pages: Pages;
  }) {
    this.#site = options.site;
    this.#configuration = options.configuration;
    this.#jump = options.jump;
    this.#landing = options.landing;
    this.#pages = options.pages;
    this.#asked = new BrowserMark("mnet_jump", options.site.wwwroot);
  }

  pages(): readonly Page[] {
    const applications = Object.values(APPLICATIONS);
    return [
      ...applications.map(({ jumpPath }) =>
        this.#page(jumpPath, ["GET", "POST"], (browser, { emit }) => this.#leave(browser, emit)),
      ),
      ...applications.map(({ landPath }) =>
        this.#page(landPath, ["GET", "POST"], (browser, exchange) => this.#arrive(browser, exchange)),
      ),
      this.#page(LOGIN_PATH, ["GET"], (browser) => this.#begin(browser)),
    ];
  }

  async #leave(browser: Browser<never>, emit: Emit): Promise<HttpResponse> {
    const parameters = new SingleParameters(browser.url);
    const { sessions, accounts, strictJumps } = this.#configuration;
    const session = await sessions.current(browser);
    if (!session) {
      const { pathname, search } = browser.url;
      return this.#pages.redirect(this.#onOwnOrigin(sessions.loginPath(pathname + search)));
    }
    const peer = await this.#jump.peerOf(parameters);
    const isAnswer = browser.method === "POST";
    // The code that stands in the form belongs to the secret in the cookie: a neighbour's page knows neither.
    const codeOf = (secret: string): string => boundTo("jump", String(peer.id), session.id, secret);
    const secret = this.#asked.read(browser);
    const wasAsked =
      isAnswer && isOwnForm(browser) && secret !== undefined && isSame(codeOf(secret), parameters.get("confirm"));
    if (!wasAsked && (isAnswer || (strictJumps && isSentByAnotherSite(browser)))) {
      const account = await accounts.find(session.accountId);
      const fresh = newBrowserSecret(this.#site.random);
      this.#asked.set(browser, fresh);
      const address = new URL(browser.url);
      address.searchParams.set("confirm", codeOf(fresh));
      return this.#pages.jumpQuestion(account?.username ?? "", peer, address);
    }
    if (wasAsked) this.#asked.clear(browser);
    return this.#pages.redirect(await this.#jump.urlFor(browser, peer, parameters.get("wantsurl") ?? "/", emit));
  }

  async #arrive(browser: Browser<never>, exchange: Exchange): Promise<HttpResponse> {
    if (browser.method === "POST" && !isOwnForm(browser)) {
      throw new SsoError("MNET_SSO_CONFIRMATION_NEEDED", "The confirmation came from a page of another site.", {
        side: "there",
      });
    }
    const landed = await (browser.method === "POST"
      ? this.#landing.confirm(browser, exchange.emit)
      : this.#landing.land(browser, exchange));
    if (!("query" in landed)) return this.#pages.redirect(landed.continueAt);
    const address = new URL(browser.url);
    address.search = landed.query;
    return this.#pages.landingQuestion(landed, address);
  }

  /** A login that begins here (spec 9.11). */
  async #begin(browser: Browser<never>): Promise<HttpResponse> {
    const parameters = new SingleParameters(browser.url);
    const home = await this.#jump.peerOf(parameters);
    if (!(await sendsUsersHere(this.#site, home))) {
      throw new SsoError("MNET_SSO_NOT_CONFIGURED", `No users of ${home.wwwroot} log in here by way of this site.`, {
        side: "here",
        peer: home.wwwroot,
      });
    }
    const returnTo = parameters.get("wantsurl") ?? "/";
    // A login that another site began proves nothing about this browser's user (SEC-069).
    return this.#pages.redirect(this.#landing.begin(browser, home, returnTo, { isOwn: !isSentFromElsewhere(browser) }));
  }

  #page(path: string, methods: Page["methods"], answer: Page["answer"]): Page {
    return {
      path,
      methods,
      answer: async (browser, exchange) => {
        try {
          refuseUnlessNavigation(browser);
          return await answer(browser, exchange);
        } catch (error) {
          if (!(error instanceof SsoError)) throw error;
          await this.#tell(error, exchange.emit);
          return this.#pages.refusal(error);
        }
      },
    };
  }

  async #tell({ code, message, cause, peer: wwwroot }: SsoError, emit: Emit): Promise<void> {
    const peer = wwwroot === undefined ? undefined : await this.#site.find(wwwroot);
    emit({
      type: "sso.refused",
      level: "warn",
      ...(peer && { peer: { id: peer.id, wwwroot: peer.wwwroot } }),
      code,
      // What failed below is for the operator alone; the page does not show it.
      detail: cause instanceof Error ? `${message} (${cause.message})` : message,
    });
  }

  /** A plug-in's path, as an address. */
  #onOwnOrigin(path: string): string {
    return new URL(path, this.#site.wwwroot satisfies Wwwroot).href;
  }
}

/**
 * An image, a frame or a script that points here is no click, and neither is a browser that guesses where its user goes
 * next (SEC-076). Browsers before 2020 do not tell.
 */
function refuseUnlessNavigation(browser: Browser<never>): void {
  const destination = browser.header("sec-fetch-dest") ?? "document";
  const isAhead = /prefetch|preview/i.test(browser.header("sec-purpose") ?? browser.header("purpose") ?? "");
  if (destination === "document" && !isAhead) return;
  const use = isAhead ? "fetched ahead" : `used as ${destination}`;
  throw new SsoError("MNET_SSO_REQUEST_INVALID", `The address was ${use}, not followed as a link.`, { side: "there" });
}

/** `none`: typed, or from a bookmark or a mail. */
const isSentFromElsewhere = (browser: Browser<never>): boolean =>
  !["same-origin", "none", undefined].includes(browser.header("sec-fetch-site"));

/** The same, in doubt yes: a browser that does not tell may come from anywhere. */
const isSentByAnotherSite = (browser: Browser<never>): boolean =>
  !["same-origin", "none"].includes(browser.header("sec-fetch-site") ?? "unknown");

/**
 * Whether an answer was given on our own page. A neighbour, such as another port or subdomain, is another site, although
 * cookies with `SameSite` go along from there. A browser that does not tell has proved enough with the cookie.
 */
const isOwnForm = (browser: Browser<never>): boolean =>
  ["same-origin", undefined].includes(browser.header("sec-fetch-site"));
