import { randomBytes } from "node:crypto";
import { systemClock, type Clock } from "../core/clock.ts";
import type { Host } from "../host/host.ts";
import type { Account } from "../plug-ins/account.ts";
import type { Browser, BrowserSession, BrowserSessions } from "../plug-ins/browser.ts";
import type { TestBrowser } from "./test-browser.ts";

/** Sessions in memory, and what a test may do with them. */
export interface MemorySessions extends BrowserSessions {
  /** Logs a browser in at this host. */
  login(
    browser: TestBrowser,
    host: Pick<Host, "wwwroot">,
    account: Account,
    options?: { readonly actingAs?: boolean | undefined },
  ): Promise<BrowserSession>;
  /** Every session that lives, in the order in which they began. */
  all(): readonly BrowserSession[];
}

const COOKIE = "session";

/**
 * Sessions of browsers in memory, by the cookie `session`, to test with and to read before writing your own.
 *
 * @param options `clock` dates their activity, default the machine's.
 */
export function memorySessions({ clock = systemClock }: { readonly clock?: Clock } = {}): MemorySessions {
  const sessions = new Map<string, BrowserSession & { readonly activeAt: number }>();

  function begin(accountId: string, actingAs = false): BrowserSession {
    // Of its own, always: whoever knows an id from before the login must not be in.
    const id = randomBytes(16).toString("hex");
    sessions.set(id, { id, accountId, actingAs, activeAt: clock.now() });
    return { id, accountId, actingAs };
  }

  function refresh(id: string): void {
    const session = sessions.get(id);
    if (session) sessions.set(id, { ...session, activeAt: clock.now() });
  }

  return {
    async current(browser) {
      const id = cookieOf(browser);
      const session = id === undefined ? undefined : sessions.get(id);
      if (!session) return undefined;
      refresh(session.id);
      return publicOf(session);
    },
    loginPath: (returnTo) => `/login?next=${encodeURIComponent(returnTo)}`,
    async start(browser, account) {
      const old = cookieOf(browser);
      if (old !== undefined) sessions.delete(old);
      const session = begin(account.id);
      const secure = browser.url.protocol === "https:" ? "; Secure" : "";
      browser.appendHeader("set-cookie", `${COOKIE}=${session.id}; Path=/; HttpOnly; SameSite=Lax${secure}`);
      return session;
    },
    async end(ids) {
      for (const id of ids) sessions.delete(id);
    },
    async touch(ids) {
      ids.forEach(refresh);
    },
    async activeSince(ids, since) {
      return ids.filter((id) => (sessions.get(id)?.activeAt ?? -Infinity) >= since.getTime());
    },
    async login(browser, { wwwroot }, account, { actingAs } = {}) {
      const session = begin(account.id, actingAs);
      browser.setCookie(wwwroot, COOKIE, session.id);
      return session;
    },
    all: () => [...sessions.values()].map(publicOf),
  };
}

const publicOf = ({ id, accountId, actingAs }: BrowserSession): BrowserSession => ({ id, accountId, actingAs });

function cookieOf(browser: Browser): string | undefined {
  const pairs = (browser.header("cookie") ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
}
