import type { Account } from "./account.ts";

/** A browser's request, the same in every framework. `raw` is what the adapter was given. */
export interface Browser<Raw = unknown> {
  readonly method: string;
  /** Absolute, with our wwwroot's origin: headers do not decide it (SEC-086). */
  readonly url: URL;
  /** One header, by its name in any case. */
  header(name: string): string | undefined;
  /** Adds to the response, for example a cookie. */
  appendHeader(name: string, value: string): void;
  readonly raw: Raw;
}

/** What `browser.raw` is behind `host.fetch`; the context is whatever your framework has, passed along. */
export interface FetchExchange<Context = unknown> {
  readonly request: Request;
  readonly context: Context;
}

/** A browser that is logged in. */
export interface BrowserSession {
  /** Yours: what `end`, `touch` and `activeSince` take. At most 255 characters. */
  readonly id: string;
  readonly accountId: string;
  /** Somebody else uses this account ("log in as"): no jump (SEC-064). Default `false`. */
  readonly actingAs?: boolean | undefined;
}

/** Your sessions of browsers. `Raw` is what your server's adapter hands over. */
export interface BrowserSessions<Raw = unknown> {
  /** Who is this? `undefined`: nobody, or a guest. */
  current: (browser: Browser<Raw>) => Promise<BrowserSession | undefined>;
  /** Path of the login page; it must come back to `returnTo`, a path of ours. */
  loginPath(returnTo: string): string;
  /** Begins a session under a fresh id; the old id must be dead afterwards (SEC-071). */
  start: (browser: Browser<Raw>, account: Account) => Promise<BrowserSession>;
  /** Ends sessions from outside any request. At least one id; unknown ones are no error. */
  end(sessionIds: readonly string[]): Promise<void>;
  /** Counts as activity of the user. At least one id; unknown ones are no error. */
  touch(sessionIds: readonly string[]): Promise<void>;
  /** Those of the ids that were active since `since`; for keepalive (spec 9.10). */
  activeSince(sessionIds: readonly string[], since: Date): Promise<readonly string[]>;
}

/**
 * Something that wants a certain exchange of its server. A host with it goes only with the adapter of that server; the
 * compiler sees to it, and nothing is called by this name.
 */
export interface WantsExchange<Raw> {
  /** A function, so that a narrower exchange does not pass for a wider one. */
  readonly jumpUrl: (browser: Browser<Raw>, ...rest: never[]) => Promise<string>;
}
