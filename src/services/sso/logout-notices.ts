import { MnetError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import type { Attending } from "../../core/exchange.ts";
import type { PeerId } from "../../core/ids.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import type { Job } from "../../service-stores/outbox-store.ts";
import type { SessionRecord } from "../../service-stores/session-store.ts";
import type { XmlRpcValue } from "../../xmlrpc/value.ts";
import { idpMethods, spMethods } from "./methods.ts";

/** What the jobs in the outbox are called. */
const KIND = "sso.logout";
/** Jobs of one claim; they are done beside each other. */
const AT_ONCE = 16;
/** Longer than a call can take, so that nobody else does it meanwhile. */
const LEASE_MS = 5 * 60_000;
/** The peer's session has ended by itself by then (spec 9.13). */
const GIVE_UP_AFTER_MS = 24 * 60 * 60_000;
const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 60 * 60_000;
/** As long as a landing may take that has begun; then a site that knew of no session is told once more. */
const LANDING_MS = 60_000;

interface Notice {
  /** Who is told: a site where she was, or her home. */
  readonly to: "sp" | "idp";
  readonly username: string;
  readonly userAgentHash: string;
  readonly since: number;
  /** She had only just set out: the other site may not have been done with letting her in. */
  readonly isOnHerWay: boolean;
}

/**
 * Tells other sites that a user has logged out (spec 9.10). What is to be told is written down first, so that her own
 * logout waits for nobody and a crash forgets nobody (SEC-077); then it is told in the background, and again by the
 * periodic work as long as a site does not answer.
 */
export class LogoutNotices {
  readonly #site: Site;
  #round: Promise<unknown> = Promise.resolve();

  constructor(site: Site) {
    this.#site = site;
  }

  /** Writes down who must hear that these sessions are over, and begins to tell. Resolves with how many. */
  async put(sessions: readonly SessionRecord[]): Promise<number> {
    const { store, clock, random, background } = this.#site;
    if (sessions.length === 0) return 0;
    const now = clock.now();
    const jobs = sessions.map(({ role, peer, username, userAgentHash, startedAt }) => {
      // A row of ours as the home site is about a session over there, and the other way round.
      const to = role === "idp" ? "sp" : "idp";
      const isOnHerWay = to === "sp" && now < startedAt + LANDING_MS;
      const notice: Notice = { to, username, userAgentHash, since: now, isOnHerWay };
      return { id: Buffer.from(random(16)).toString("hex"), kind: KIND, peer, data: JSON.stringify(notice) };
    });
    await store.outbox.put(jobs, now);
    background.run(() => this.#site.run((exchange) => this.deliver(exchange)));
    return jobs.length;
  }

  /** Tells whatever is due; one round after the other. Resolves with how many notices need not be told any more. */
  deliver(exchange: Attending): Promise<number> {
    const round = this.#round.then(() => this.#deliverDue(exchange));
    this.#round = round.catch(() => undefined);
    return round;
  }

  async #deliverDue(exchange: Attending): Promise<number> {
    const { store, clock, enabled } = this.#site;
    let done = 0;
    while (enabled && !exchange.signal.aborted) {
      const now = clock.now();
      const jobs = await store.outbox.claim(KIND, AT_ONCE, now + LEASE_MS, now);
      if (jobs.length === 0) break;
      const outcomes = await Promise.all(jobs.map((job) => this.#deliver(job, exchange)));
      done += outcomes.filter(Boolean).length;
    }
    return done;
  }

  async #deliver(job: Job, exchange: Attending): Promise<boolean> {
    const { store, clock } = this.#site;
    const notice = JSON.parse(job.data) as Notice;
    try {
      const answer = await this.#tell(job.peer, notice, exchange);
      if (answer === false && notice.isOnHerWay && job.attempts === 0) {
        await store.outbox.retry(job.id, clock.now() + LANDING_MS);
        return false;
      }
    } catch (error) {
      // The lease ends by itself, or another process takes over.
      if (exchange.signal.aborted) return false;
      const now = clock.now();
      if (isTransient(error) && now < notice.since + GIVE_UP_AFTER_MS) {
        await store.outbox.retry(job.id, now + Math.min(FIRST_RETRY_MS * 4 ** job.attempts, LONGEST_RETRY_MS));
        return false;
      }
      await this.#giveUp(job.peer, notice, error, exchange.emit);
    }
    await store.outbox.done([job.id]);
    return true;
  }

  /** Resolves with what the site says to it. */
  async #tell(
    id: PeerId,
    { to, username, userAgentHash: useragent }: Notice,
    exchange: Attending,
  ): Promise<XmlRpcValue> {
    const method = to === "sp" ? spMethods.kill_child : idpMethods.kill_children;
    return this.#site.call({ id }, method, { username, useragent }, exchange);
  }

  async #giveUp(id: PeerId, { username }: Notice, error: unknown, emit: Emit = this.#site.emit): Promise<void> {
    const peer: Peer | undefined = await this.#site.find(id);
    emit({
      type: "sso.logout-untold",
      level: "warn",
      ...(peer && { peer: { id: peer.id, wwwroot: peer.wwwroot } }),
      username,
      detail: error instanceof Error ? error.message : String(error),
    });
  }
}

/** A site that is away may come back; one that says no, or that we may not call, has said all it will. */
const isTransient = (error: unknown): boolean =>
  MnetError.is(error) &&
  (error.retryable || error.code === "MNET_TRANSPORT_UNREACHABLE" || error.code === "MNET_KEY_HELD");
