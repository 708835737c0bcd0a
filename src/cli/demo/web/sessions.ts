import { createHash, randomBytes } from "node:crypto";
import type { NodeExchange } from "../../../adapters/node-handler.ts";
import type { Account } from "../../../plug-ins/account.ts";
import type { Browser, BrowserSession, BrowserSessions } from "../../../plug-ins/browser.ts";
import { loginPath } from "./paths.ts";

/** Without a request for so long, a session is over; as long as single sign-on keeps one. */
const IDLE_MS = 24 * 60_000;

interface Session extends BrowserSession {
  activeAt: number;
}

/** The sessions of a site's browsers, in memory, and the cookie by which a browser shows its own. */
export class Sessions implements BrowserSessions<NodeExchange> {
  readonly #cookie: string;
  readonly #sessions = new Map<string, Session>();
  readonly loginPath = loginPath;

  /** Cookies do not know ports, so that two sites on this machine need two names. */
  constructor(port: number) {
    this.#cookie = `mnet_demo_${port}`;
  }

  /** Whose cookie this is. */
  of(cookieHeader: string | undefined): BrowserSession | undefined {
    const id = this.#idIn(cookieHeader);
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (!session) return undefined;
    const now = Date.now();
    if (session.activeAt + IDLE_MS < now) {
      this.#sessions.delete(session.id);
      return undefined;
    }
    session.activeAt = now;
    return { id: session.id, accountId: session.accountId };
  }

  /** Begins a session under a fresh id; that of the browser's last one is dead (SEC-071). */
  begin(
    cookieHeader: string | undefined,
    account: Account,
  ): { readonly session: BrowserSession; readonly setCookie: string } {
    const before = this.#idIn(cookieHeader);
    if (before !== undefined) this.#sessions.delete(before);
    const secret = randomBytes(32).toString("hex");
    const session = { id: idOf(secret), accountId: account.id };
    this.#sessions.set(session.id, { ...session, activeAt: Date.now() });
    return { session, setCookie: `${this.#cookie}=${secret}; Path=/; HttpOnly; SameSite=Lax` };
  }

  // ── For single sign-on ────────────────────────────────────────────────────

  readonly current = async (browser: Browser<NodeExchange>): Promise<BrowserSession | undefined> =>
    this.of(browser.header("cookie"));

  readonly start = async (browser: Browser<NodeExchange>, account: Account): Promise<BrowserSession> => {
    const { session, setCookie } = this.begin(browser.header("cookie"), account);
    browser.appendHeader("set-cookie", setCookie);
    return session;
  };

  async end(sessionIds: readonly string[]): Promise<void> {
    for (const id of sessionIds) this.#sessions.delete(id);
  }

  async touch(sessionIds: readonly string[]): Promise<void> {
    for (const id of sessionIds) {
      const session = this.#sessions.get(id);
      if (session) session.activeAt = Date.now();
    }
  }

  async activeSince(sessionIds: readonly string[], since: Date): Promise<readonly string[]> {
    return sessionIds.filter((id) => (this.#sessions.get(id)?.activeAt ?? 0) >= since.getTime());
  }

  #idIn(cookieHeader = ""): string | undefined {
    const pairs = cookieHeader.split(";").map((pair) => pair.trim());
    const mine = pairs.find((pair) => pair.startsWith(`${this.#cookie}=`));
    return mine === undefined ? undefined : idOf(mine.slice(this.#cookie.length + 1));
  }
}

/** Ids stand in the store beside other sites' names; whoever reads them there must not be able to use them. */
const idOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");
