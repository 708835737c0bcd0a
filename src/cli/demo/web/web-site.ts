import type { IncomingMessage, ServerResponse } from "node:http";
import type { NodeExchange } from "../../../adapters/node-handler.ts";
import type { Wwwroot } from "../../../core/ids.ts";
import { localPath } from "../../../peer/local-path.ts";
import type { BrowserSession } from "../../../plug-ins/browser.ts";
import type { SsoPage } from "../../../services/sso/options.ts";
import type { Sso } from "../../../services/sso/sso.ts";
import { Administration, type EnrolmentHost } from "./administration.ts";
import { SiteCourses } from "./courses.ts";
import { Html, html } from "./html.ts";
import { layout, type Viewer } from "./layout.ts";
import {
  coursePage,
  frontPage,
  loggedOutPage,
  loginPage,
  notePage,
  type PageContent,
  type Participant,
  profilePage,
  publicFrontPage,
  type Whereabouts,
} from "./pages.ts";
import { loginPath, PATHS } from "./paths.ts";
import { isFromOwnPage, readForm } from "./request.ts";
import { Sessions } from "./sessions.ts";
import type { SiteContent } from "./site-content.ts";
import { siteIcon, stylesheet } from "./style.ts";
import { Users, type User } from "./users.ts";

/** A host with remote enrolment, and single sign-on behind `node:http`. */
export type WebHost = EnrolmentHost & { readonly sso: Sso<NodeExchange> };

/** Where forms are sent. */
const FORMS: ReadonlySet<string> = new Set([PATHS.login, PATHS.logout, PATHS.remoteCourses]);

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A browser that is logged in, and who it is. */
interface Visit {
  readonly session: BrowserSession;
  readonly user: User;
}

/**
 * No scripts, nothing from elsewhere, and nobody frames it. No `form-action`: browsers apply it to redirects as well, and
 * the login may lead to another site.
 */
const POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/** The pages of a site: an application with users, sessions and courses of its own, into which single sign-on and remote enrolment are plugged. */
export class WebSite {
  readonly content: SiteContent;
  readonly users: Users;
  readonly sessions: Sessions;
  readonly courses: SiteCourses;
  readonly #administration: Administration;
  readonly #name: string;
  readonly #wwwroot: Wwwroot;

  constructor(name: string, wwwroot: Wwwroot, content: SiteContent) {
    this.#name = name;
    this.#wwwroot = wwwroot;
    this.content = content;
    this.users = new Users(content.users);
    this.sessions = new Sessions(Number(new URL(wwwroot).port));
    this.courses = new SiteCourses(content.courses, this.users);
    this.#administration = new Administration(name, this.users);
  }

  /** The layout of the questions and refusals of single sign-on. */
  readonly ssoPage = ({ title, bodyHtml }: SsoPage): string =>
    layout(this.#frame, {
      title,
      viewer: "unknown",
      body: html`<div class="card narrow">
        <h1>${title}</h1>
        ${new Html(bodyHtml)}
      </div> `,
    });

  /** Answers whatever is not MNet's. */
  async handle(host: WebHost, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { status, headers, body = "" } = await this.#answer(host, req);
    res.writeHead(status, {
      "cache-control": "no-store",
      "content-security-policy": POLICY,
      "referrer-policy": "same-origin",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "content-length": String(Buffer.byteLength(body)),
      ...headers,
    });
    res.end(req.method === "HEAD" ? undefined : body);
  }

  async #answer(host: WebHost, req: IncomingMessage): Promise<Reply> {
    const url = new URL(this.#wwwroot + (req.url?.startsWith("/") ? req.url : "/"));
    if (req.method === "POST") return this.#post(host, req, url);
    if (req.method !== "GET" && req.method !== "HEAD") {
      return { ...this.#page(notePage("Not allowed", "This page can be read only.")), status: 405 };
    }
    const visit = this.#visitOf(req);
    switch (url.pathname) {
      case PATHS.front:
        return this.#front(host, visit);
      case PATHS.login:
        return this.#login(host, visit, url.searchParams.get("returnTo"));
      case PATHS.course:
        return visit ? this.#course(host, visit, url) : toLogin(url);
      case PATHS.remoteCourses:
        return visit ? this.#remoteCourses(host, visit) : toLogin(url);
      case PATHS.profile:
        return visit ? this.#profile(host, visit) : toLogin(url);
      case PATHS.picture:
        return visit?.user.picture ? file(visit.user.picture.type, visit.user.picture.bytes) : this.#notFound(visit);
      case PATHS.style:
        return file("text/css; charset=utf-8", stylesheet(this.content.color));
      case PATHS.icon:
        return file("image/svg+xml", siteIcon(this.#name.slice(0, 1), this.content.color));
      default:
        return this.#notFound(visit);
    }
  }

  async #post(host: WebHost, req: IncomingMessage, { origin, pathname }: URL): Promise<Reply> {
    if (!FORMS.has(pathname)) return this.#notFound(undefined);
    if (!isFromOwnPage(req, origin)) {
      const page = notePage("Please try here", "This form was sent by another site, so nothing was done.");
      return { ...this.#page(page), status: 403 };
    }
    const form = await readForm(req);
    if (!form) return { ...this.#page(notePage("Too long", "The form is too long.")), status: 413 };
    if (pathname === PATHS.login) return this.#logIn(host, req, form);
    if (pathname === PATHS.logout) return this.#logOut(host, req);
    const visit = this.#visitOf(req);
    return visit ? this.#remoteCourses(host, visit, form) : redirect(loginPath(pathname));
  }

  async #front(host: WebHost, visit: Visit | undefined): Promise<Reply> {
    if (!visit) return this.#page(publicFrontPage(this.#name, this.content));
    const { user } = visit;
    const mine = await host.enrolment.coursesFor(user.account);
    const others = this.courses.all.filter((course) => !this.courses.has(course, user.account));
    return this.#page(frontPage(user, { mine, others }, await this.#whereabouts(host, user)), visit);
  }

  async #login(host: WebHost, visit: Visit | undefined, wanted: string | null, refused?: string): Promise<Reply> {
    const returnTo = this.#ownPath(wanted);
    if (visit && refused === undefined) return redirect(returnTo);
    const homeSites = await host.sso.identityProviders(returnTo);
    const page = this.#page(loginPage(this.#name, { users: this.content.users, homeSites, returnTo, refused }), visit);
    return refused === undefined ? page : { ...page, status: 403 };
  }

  async #logIn(host: WebHost, req: IncomingMessage, form: URLSearchParams): Promise<Reply> {
    const username = form.get("username") ?? "";
    const account = this.users.logIn(username, form.get("password") ?? "");
    if (!account) return this.#login(host, undefined, form.get("returnTo"), username);
    const before = this.#visitOf(req);
    if (before && before.user.account.id !== account.id) await host.sso.logout(before.session.id);
    const { setCookie } = this.sessions.begin(req.headers.cookie, account);
    const reply = redirect(this.#ownPath(form.get("returnTo")));
    return { ...reply, headers: { ...reply.headers, "set-cookie": setCookie } };
  }

  async #logOut(host: WebHost, req: IncomingMessage): Promise<Reply> {
    const session = this.sessions.of(req.headers.cookie);
    if (!session) return redirect(PATHS.front);
    // While the session is there, so that other sites can be told; nobody waits for them.
    const { continueAt } = await host.sso.logout(session.id);
    await this.sessions.end([session.id]);
    const home = continueAt === undefined ? undefined : await this.#homeSite(host, continueAt);
    return this.#page(
      loggedOutPage(this.#name, home && continueAt !== undefined ? { name: home.name, continueAt } : undefined),
    );
  }

  async #course(host: WebHost, visit: Visit, url: URL): Promise<Reply> {
    const course = this.courses.find(Number(url.searchParams.get("id")));
    if (!course) return this.#notFound(visit);
    const isHers = this.courses.has(course, visit.user.account);
    const participants =
      isHers || visit.user.isAdministrator
        ? await Promise.all(
            this.courses.participants(course).map(async ({ account, method }): Promise<Participant> => ({
              name: this.users.nameOf(account),
              home: account.home === undefined ? undefined : await this.#homeSite(host, account.home),
              method,
            })),
          )
        : undefined;
    return this.#page(coursePage(this.#name, course, isHers, participants), visit);
  }

  /** With a form, what it asks for is done before. */
  async #remoteCourses(host: WebHost, visit: Visit, form?: URLSearchParams): Promise<Reply> {
    if (!visit.user.isAdministrator) {
      const page = notePage("Not for you", `This page is for the administrator of ${this.#name}.`);
      return { ...this.#page(page, visit), status: 403 };
    }
    const outcome = form && (await this.#administration.change(host, form));
    return this.#page(await this.#administration.page(host, outcome), visit);
  }

  async #profile(host: WebHost, visit: Visit): Promise<Reply> {
    const { home } = await this.#whereabouts(host, visit.user);
    return this.#page(profilePage(this.#name, visit.user, home), visit);
  }

  async #whereabouts(host: WebHost, { account }: User): Promise<Whereabouts> {
    if (account.home === undefined) return { home: undefined, servers: await host.sso.networkServers(account) };
    return { home: await this.#homeSite(host, account.home), servers: [] };
  }

  async #homeSite(host: WebHost, wwwroot: string): Promise<{ readonly name: string; readonly wwwroot: string }> {
    const peer = await host.peers.find(wwwroot);
    return { name: peer?.name ?? wwwroot, wwwroot };
  }

  #visitOf({ headers }: IncomingMessage): Visit | undefined {
    const session = this.sessions.of(headers.cookie);
    const user = session && this.users.get(session.accountId);
    return user && { session, user };
  }

  /** Where a login leads; never to another site. */
  #ownPath(wanted: string | null): string {
    return localPath(this.#wwwroot, wanted ?? PATHS.front)?.path ?? PATHS.front;
  }

  #notFound(visit: Visit | undefined): Reply {
    return { ...this.#page(notePage("Not found", "There is no such page here."), visit), status: 404 };
  }

  #page({ title, body }: PageContent, visit?: Visit): Reply {
    const viewer: Viewer | undefined = visit && {
      name: this.users.nameOf(visit.user.account),
      hasPicture: visit.user.picture !== undefined,
      isAdministrator: visit.user.isAdministrator,
    };
    return file("text/html; charset=utf-8", layout(this.#frame, { title, viewer, body }));
  }

  get #frame(): { readonly name: string; readonly wwwroot: string } {
    return { name: this.#name, wwwroot: this.#wwwroot };
  }
}

const file = (type: string, body: string | Uint8Array): Reply => ({
  status: 200,
  headers: { "content-type": type },
  body,
});

const redirect = (location: string): Reply => ({ status: 303, headers: { location } });

const toLogin = ({ pathname, search }: URL): Reply => redirect(loginPath(pathname + search));
