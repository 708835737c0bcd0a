import { MnetError } from "../../core/errors.ts";
import type { Attending } from "../../core/exchange.ts";
import type { PeerId } from "../../core/ids.ts";
import type { Site } from "../../host/site.ts";
import { subscribes } from "../../peer/service-flags.ts";
import type { SessionRecord } from "../../service-stores/session-store.ts";
import { IDP, idpMethods } from "./methods.ts";
import type { SsoConfiguration } from "./options.ts";

/** As often as Moodle does it. */
const INTERVAL_MS = 5 * 60_000;
/** Who was active within it is still there. */
const ACTIVE_WITHIN_MS = 300_000;
/** Sessions that are looked at, and usernames of one call. */
const AT_ONCE = 500;
/** In the store's journal of long work: whoever holds it keeps alive; all other processes need not. */
const LEASE = "sso.keepalive";

/** Keeps the home sites' sessions of visitors alive as long as they are active here, in batches (spec 9.10). */
export class Keepalive {
  readonly #site: Site;
  readonly #configuration: SsoConfiguration;
  readonly #asked = new Set<PeerId>();

  constructor(site: Site, configuration: SsoConfiguration) {
    this.#site = site;
    this.#configuration = configuration;
  }

  /** The periodic work of all processes together: every five minutes, in one of them. Resolves with how many sessions were kept. */
  async runIfDue(signal: AbortSignal): Promise<number> {
    const { store, clock, random, enabled } = this.#site;
    if (!enabled) return 0;
    const now = clock.now();
    // An owner of its own each time: the lease is not given back, so that nobody begins again before it has ended.
    const owner = Buffer.from(random(16)).toString("hex");
    if (!(await store.runs.acquire(LEASE, owner, now + INTERVAL_MS, now))) return 0;
    return this.run(undefined, { signal });
  }

  /** A peer has asked for it. However often it does, one run at a time goes on for it. */
  async runFor(peer: PeerId, exchange: Attending): Promise<void> {
    if (this.#asked.has(peer)) return;
    this.#asked.add(peer);
    await this.run(peer, exchange).finally(() => this.#asked.delete(peer));
  }

  /** Does it now: for the visitors of one peer, or of all. */
  async run(peer: PeerId | undefined, exchange: Attending): Promise<number> {
    const { store } = this.#site;
    let kept = 0;
    let after;
    // A peer that failed once is left alone for the rest of this run.
    const failed = new Set<PeerId>();
    do {
      exchange.signal.throwIfAborted();
      const page = await store.sessions.find({ role: "sp", ...(peer !== undefined && { peer }) }, after, AT_ONCE);
      kept += await this.#keep(page.items, failed, exchange);
      after = page.next;
    } while (after !== undefined);
    return kept;
  }

  async #keep(sessions: readonly SessionRecord[], failed: Set<PeerId>, exchange: Attending): Promise<number> {
    const { store, clock } = this.#site;
    if (sessions.length === 0) return 0;
    const now = clock.now();
    const ids = sessions.map(({ sessionId }) => sessionId);
    const since = new Date(now - ACTIVE_WITHIN_MS);
    const active = new Set(await this.#configuration.sessions.activeSince(ids, since));
    const byPeer = new Map<PeerId, Set<string>>();
    for (const { peer, sessionId, username } of sessions) {
      if (!active.has(sessionId) || failed.has(peer)) continue;
      byPeer.set(peer, (byPeer.get(peer) ?? new Set()).add(username));
    }
    let kept = 0;
    for (const [peer, usernames] of byPeer) {
      const names = [...usernames];
      await store.sessions.extend(
        { role: "sp", peer, usernames: names },
        now + this.#configuration.sessionLifetimeMs,
        now,
      );
      try {
        if (!subscribes(await this.#site.flag({ id: peer }, IDP))) continue;
        // A Mahara answers true and does nothing.
        await this.#site
          .call({ id: peer }, idpMethods.keepalive_server, { array: names }, exchange)
          .catch(ignoreResult);
        kept += names.length;
      } catch (error) {
        if (exchange.signal.aborted) throw error;
        failed.add(peer);
      }
    }
    return kept;
  }
}

/** What the answer says is of no use, and so is whether it has the right form. */
function ignoreResult(error: unknown): void {
  if (MnetError.is(error) && (error.code === "MNET_CALL_RESULT_INVALID" || error.code === "MNET_REMOTE_FAULT")) return;
  throw error;
}
