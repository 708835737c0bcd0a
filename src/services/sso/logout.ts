import type { Emit } from "../../core/events.ts";
import type { PeerId } from "../../core/ids.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import type { BrowserSessions } from "../../plug-ins/browser.ts";
import type { SessionRecord } from "../../service-stores/session-store.ts";
import type { LogoutNotices } from "./logout-notices.ts";

/** Session ids of one call to the application. */
const AT_ONCE = 500;

/** Ends sessions that are shared with other sites, wherever the logout began (spec 9.10). */
export class Logout {
  readonly #site: Site;
  readonly #sessions: BrowserSessions<never>;
  readonly #notices: LogoutNotices;

  constructor(options: {
    readonly site: Site;
    readonly sessions: BrowserSessions<never>;
    readonly notices: LogoutNotices;
  }) {
    this.#site = options.site;
    this.#sessions = options.sessions;
    this.#notices = options.notices;
  }

  /** A browser logs out here. The application ends its session itself. */
  async here(sessionId: string, emit: Emit): Promise<{ readonly continueAt?: string }> {
    const rows = await this.#site.store.sessions.take({ sessionId });
    await this.#announce(rows, emit);
    const visit = rows.find(({ role }) => role === "sp");
    const home = visit && (await this.#site.find(visit.peer));
    return home ? { continueAt: home.wwwroot } : {};
  }

  /**
   * `kill_children`: a user of ours logged out at a peer. Ends the sessions of the browser that jumped there, and tells the
   * other sites where it went, but not the caller (MNET-119). Only what the caller has a part in can be ended by it
   * (SEC-065): another user, or another browser of hers, stays. Resolves with whether there was one.
   */
  async atVisitedSite(caller: PeerId, username: string, userAgentHash: string, emit: Emit): Promise<boolean> {
    const { store } = this.#site;
    const ended = [...(await store.sessions.take({ role: "idp", peer: caller, username, userAgentHash }))];
    // A name can have been given to somebody else meanwhile: then there are two.
    for (const accountId of new Set(ended.map((row) => row.accountId))) {
      const others = await store.sessions.take({ role: "idp", accountId, userAgentHash });
      await this.#announce(others, emit);
      ended.push(...others);
    }
    await this.#end(ended);
    return ended.length > 0;
  }

  /** `kill_child`: a visitor logged out elsewhere. Ends her session of that browser (MNET-120). Resolves with whether there was one. */
  async atHome(caller: PeerId, username: string, userAgentHash: string): Promise<boolean> {
    const ended = await this.#site.store.sessions.take({ role: "sp", peer: caller, username, userAgentHash });
    await this.#end(ended);
    return ended.length > 0;
  }

  /** A peer is none any more: its users are logged out, and what ours had there is forgotten (SEC-054). */
  async withPeer(peer: Peer): Promise<void> {
    const ended = await this.#site.store.sessions.take({ peer: peer.id });
    await this.#end(ended.filter(({ role }) => role === "sp"));
  }

  async #announce(rows: readonly SessionRecord[], emit: Emit): Promise<void> {
    const [first] = rows;
    if (!first) return;
    const told = await this.#notices.put(rows);
    emit({ type: "sso.logged-out", level: "info", accountId: first.accountId, told });
  }

  async #end(rows: readonly SessionRecord[]): Promise<void> {
    const ids = [...new Set(rows.map(({ sessionId }) => sessionId))];
    for (let from = 0; from < ids.length; from += AT_ONCE) await this.#sessions.end(ids.slice(from, from + AT_ONCE));
  }
}
