import type { SsoError } from "../../core/errors.ts";
import type { HttpResponse } from "../../host/http.ts";
import { escapeXml } from "../../xml/escape.ts";
import type { Question } from "./landing.ts";
import type { SsoConfiguration, SsoPage } from "./options.ts";

/** What a user reads of a refusal. What an administrator must look at is in the error's message, which stands below. */
const REFUSALS: Readonly<
  Record<SsoError["code"], { readonly status: number; readonly title: string; readonly text: string }>
> = {
  MNET_SSO_NOT_LOGGED_IN: {
    status: 401,
    title: "You are not logged in",
    text: "Log in here first, then try the link again.",
  },
  MNET_SSO_NOT_PERMITTED: {
    status: 403,
    title: "You may not go to other sites from here",
    text: "Your account here does not have the right to log in at other sites of the network.",
  },
  MNET_SSO_ACTING_AS: {
    status: 403,
    title: "You are logged in as somebody else",
    text: "You cannot go to another site while you use somebody else's account. Return to your own first.",
  },
  MNET_SSO_REMOTE_USER: {
    status: 403,
    title: "Please start from your home site",
    text: "Your account belongs to another site of the network. Log in there and follow the link from there.",
  },
  MNET_SSO_USERNAME_UNSUITABLE: {
    status: 403,
    title: "Your user name is not understood elsewhere",
    text: "Other sites take only lower-case letters, digits and a few signs in user names.",
  },
  MNET_SSO_PROFILE_INCOMPLETE: {
    status: 403,
    title: "Something is missing in your profile",
    text: "Other sites need your first name, your last name and your e-mail address.",
  },
  MNET_SSO_NOT_CONFIGURED: {
    status: 403,
    title: "These two sites are not set up for this",
    text: "Logging in from one site to the other is not switched on between them.",
  },
  MNET_SSO_IDP_UNKNOWN: {
    status: 403,
    title: "This site does not know where you come from",
    text: "Users of that site cannot log in here.",
  },
  MNET_SSO_IDP_FAILED: {
    status: 502,
    title: "Your home site could not be asked",
    text: "It did not say who you are. Try again in a while.",
  },
  MNET_SSO_TOKEN_REFUSED: {
    status: 403,
    title: "This link has been used or is too old",
    text: "Go back to your home site and follow the link again.",
  },
  MNET_SSO_ACCESS_DENIED: {
    status: 403,
    title: "You are not permitted to log in here",
    text: "The administrators of this site have decided so for your account or for your home site.",
  },
  MNET_SSO_CONFIRMATION_NEEDED: {
    status: 403,
    title: "Please try once more",
    text: "Your confirmation did not arrive in time, or did not come from this browser. Follow the link from your home site again.",
  },
  MNET_SSO_REQUEST_INVALID: {
    status: 400,
    title: "This link is not right",
    text: "It has been cut or changed on its way. Go back to the site that it came from.",
  },
  MNET_SSO_TOO_MANY_JUMPS: { status: 429, title: "Too many links at once", text: "Wait a minute, then try again." },
};

/** Pages that the library shows: a question or a refusal. Plain HTML, that a keyboard and a screen reader get along with. */
export class Pages {
  readonly #name: string;
  readonly #layout: SsoConfiguration["page"];

  constructor(name: string, layout: SsoConfiguration["page"]) {
    this.#name = name;
    this.#layout = layout;
  }

  /** The visitor must say whether she wants to be logged in. */
  landingQuestion({ account, home, instead }: Question, address: URL): HttpResponse {
    const now = instead
      ? `<p>You are logged in here as <strong>${escapeXml(instead.username)}</strong>. That will end.</p>\n`
      : "";
    const from = `<strong>${escapeXml(account.username)}</strong> of ${escapeXml(home.name)} (<code>${escapeXml(home.wwwroot)}</code>)`;
    return this.#show(200, {
      kind: "confirm",
      title: `Log in to ${this.#name}?`,
      bodyHtml: `<p>You come as ${from}.</p>\n${now}${form(address, "Log in")}<p>If you did not ask for this, close this page: nothing has changed.</p>\n`,
    });
  }

  /** Another site has sent the user to a jump: does she want it? */
  jumpQuestion(
    username: string,
    peer: { readonly name: string; readonly wwwroot: string },
    address: URL,
  ): HttpResponse {
    return this.#show(200, {
      kind: "confirm",
      title: `Go to ${peer.name}?`,
      bodyHtml: `<p>Another site asks you to log in at ${escapeXml(peer.name)} (<code>${escapeXml(peer.wwwroot)}</code>) with your account <strong>${escapeXml(username)}</strong>.</p>\n${form(address, "Go there")}<p>If you did not ask for this, close this page: nothing has changed.</p>\n`,
    });
  }

  refusal(error: SsoError): HttpResponse {
    const { status, title, text } = REFUSALS[error.code];
    const whose = error.side === "here" || error.peer === undefined ? "this site" : error.peer;
    return this.#show(status, {
      kind: "error",
      title,
      bodyHtml: `<p>${text}</p>\n<p>If that does not help, tell an administrator of ${escapeXml(whose)} this: <code>${error.code}</code> ${escapeXml(error.message)}</p>\n`,
      error,
    });
  }

  /** Sends the browser on. The answer is not kept, and the address that it came from is not told (SEC-075). */
  redirect(location: string): HttpResponse {
    return {
      status: 303,
      headers: [["location", location], ["content-length", "0"], ...PRIVATE],
      body: new Uint8Array(),
    };
  }

  #show(status: number, page: SsoPage): HttpResponse {
    const body = Buffer.from(this.#layout ? this.#layout(page) : plain(page, this.#name), "utf8");
    return {
      status,
      headers: [
        ["content-type", "text/html; charset=utf-8"],
        ["content-length", String(body.length)],
        ["x-content-type-options", "nosniff"],
        ["x-frame-options", "DENY"],
        // An application's layout has styles and scripts of its own.
        ["content-security-policy", this.#layout ? "frame-ancestors 'none'" : STRICT],
        ...PRIVATE,
      ],
      body,
    };
  }
}

const PRIVATE = [
  ["cache-control", "no-store"],
  ["referrer-policy", "no-referrer"],
] as const;

/** No `form-action`: browsers apply it to the redirect to the other site, too. */
const STRICT = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/** To the page's own address, whatever `base` the layout has. */
const form = (address: URL, button: string): string =>
  `<form method="post" action="${escapeXml(address.href)}"><button type="submit">${button}</button></form>\n`;

const plain = ({ title, bodyHtml }: SsoPage, name: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)} | ${escapeXml(name)}</title>
<style>
body { margin: 3rem auto; padding: 0 1rem; max-width: 38rem; font: 1.05rem/1.6 system-ui, sans-serif; color: #1b1b1b; background: #fff; }
button { padding: .5rem 1.25rem; font: inherit; font-weight: 600; color: #fff; background: #0b57a4; border: 0; border-radius: .3rem; cursor: pointer; }
button:focus-visible { outline: 3px solid #f5a300; outline-offset: 2px; }
code { overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>${escapeXml(title)}</h1>
${bodyHtml}</main>
</body>
</html>
`;
