import { setImmediate } from "node:timers/promises";
import { abortWith } from "../core/abort.ts";
import type { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import { ConfigError, KeyError, MnetError, StoreError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Attending } from "../core/exchange.ts";
import type { Fingerprint, PeerId, Wwwroot } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { ApplicationName } from "../core/peer-snapshot.ts";
import { Certificate } from "../crypto/certificate.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import { APPLICATIONS } from "./application.ts";
import { fetchTitle, introduceOurselves, type SiteIntroduction } from "./handshake.ts";
import type { HttpClient, Route } from "./http-exchange.ts";
import type { PeerClient } from "./peer-client.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import { minimumKeyBits, type PeerSettings } from "./peer-settings.ts";
import { everyPeer, type PeerRecord, type PeerStore } from "./peer-store.ts";
import { RegistrationBudget } from "./registration-budget.ts";
import { canonicalWwwroot, levelOfJoining, parseWwwroot } from "./wwwroot.ts";

/** What self-registration needs of the host. */
export interface SelfRegistrationOptions {
  readonly self: Wwwroot;
  readonly store: PeerStore;
  readonly directory: PeerDirectory;
  readonly keys: KeyRing;
  readonly http: HttpClient;
  readonly client: PeerClient;
  readonly background: Background;
  readonly clock: Clock;
  readonly limits: Limits;
  /** The host's `peerDefaults`, which apply to a peer that registered itself as to any other. */
  readonly defaults: PeerSettings;
  readonly emit: Emit;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Registrations that wait to be looked at; each may hold a certificate. */
const MAXIMUM_WAITING = 100;
const MAXIMUM_CERTIFICATE_LENGTH = 16 * 1024;
/** A pending peer that is older may have to make room for another registration. */
const PENDING_FOR_MS = 30 * DAY_MS;

/** Sites that are asked at once because of what strangers send; the maintenance asks as many beside them. */
const MAXIMUM_PROOFS = 4;
/** Sites that one maintenance asks, or the next would wait for it. */
const PROOFS_PER_RUN = 50;
const LONGEST_RUN_MS = 45_000;
/** Between two requests to one site. */
const COOLDOWN_MS = MINUTE_MS;
/** Doubled with each attempt in vain: an administrator fills in the second form within minutes, or days. */
const LONGEST_BACK_OFF_MS = 6 * HOUR_MS;
/** For a certificate that was seen to be shown. */
const SHOWN_FOR_MS = HOUR_MS;
/** A site that cannot answer a key swap within that time can ask again. */
const LONGEST_EXCHANGE_MS = 10_000;

/** How far a pending peer has come, in this process. What is lost with it is found out again. */
interface Progress {
  attempts: number;
  /** When the maintenance asks again. */
  nextAt: number;
  lastAttemptAt?: number;
  /** Its own wwwroot showed this certificate. */
  shown?: { readonly fingerprint: Fingerprint; readonly at: number };
  /** It has called us, and the call verified with this key. */
  signedWith?: Fingerprint;
}

/**
 * Hub mode: strangers that swap keys become pending peers, and active ones as soon as they have proved that they control
 * their wwwroot (spec 7.7, SEC-043, SEC-044). Two things are wanted:
 *
 * 1. The wwwroot itself, asked over verified TLS, shows the certificate. What a stranger wrote into a key swap is a claim;
 *    where the site shows another certificate, that one takes its place, so that nobody can occupy another's wwwroot.
 * 2. One signed round trip with that key: a call of the peer's, or ours. A Moodle knows us only after its administrator's
 *    second form, so ours is tried again and again.
 *
 * Nothing of this is seen by the stranger. Whatever it does, one site is asked once a minute at most, which is up to three
 * requests, and few sites at a time (SEC-042). A page is read only of those that have proved themselves.
 */
export class SelfRegistration {
  readonly #options: SelfRegistrationOptions;
  readonly #budget: RegistrationBudget;
  readonly #progress = new Map<PeerId, Progress>();
  readonly #running = new Map<PeerId, Promise<void>>();
  readonly #ending = new AbortController();
  #line: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: SelfRegistrationOptions) {
    this.#options = options;
    this.#budget = new RegistrationBudget(options.clock);
  }

  /**
   * Takes the parameters of a plain `system/keyswap`. Returns at once; what becomes of it is an event.
   *
   * @param address where it came from, for the budget.
   */
  offer([wwwroot, certificate, application]: readonly XmlRpcValue[], address: string, emit: Emit): void {
    if (typeof wwwroot !== "string" || typeof certificate !== "string") return;
    if (certificate.length > MAXIMUM_CERTIFICATE_LENGTH) return;
    if (this.#waiting >= MAXIMUM_WAITING || !this.#budget.take(address)) return;
    this.#waiting += 1;
    // One after the other, so that the number of pending peers is right when the next is judged.
    const registration = this.#line.then(() => this.#register(wwwroot, certificate, application, emit));
    this.#line = registration
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#options.background.run(() => registration);
  }

  /** A message of a pending peer was verified. */
  noteSigned(peer: PeerRecord, emit: Emit): void {
    const progress = this.#progressOf(peer);
    const { fingerprint } = this.#options.directory.certificateOf(peer);
    progress.signedWith = fingerprint;
    if (progress.shown?.fingerprint === fingerprint && this.#now - progress.shown.at <= SHOWN_FOR_MS) {
      this.#inBackground(peer, (signal) => this.#activate(peer, fingerprint, { signal, emit }));
    } else {
      this.recheck(peer, emit);
    }
  }

  /** A message of a pending peer could not be verified, or its key is in doubt: looks what its wwwroot shows, if it is time. */
  recheck(peer: PeerRecord, emit: Emit): void {
    if (this.#isCool(peer) && this.#running.size < MAXIMUM_PROOFS) {
      this.#inBackground(peer, (signal) => this.#prove(peer, false, { signal, emit }));
    } else {
      // Then the next maintenance, as soon as it may.
      this.#progressOf(peer).nextAt = this.#now;
    }
  }

  /**
   * Tries the proofs that are due: asks each pending peer for its certificate, and makes one signed call. For
   * `host.maintain`.
   */
  async retryProofs(signal?: AbortSignal): Promise<void> {
    const pending = await this.#pending();
    const ids = new Set(pending.map(({ id }) => id));
    for (const id of this.#progress.keys()) if (!ids.has(id)) this.#progress.delete(id);

    const due = pending
      .filter((peer) => this.#progressOf(peer).nextAt <= this.#now && this.#isCool(peer))
      .sort((a, b) => this.#progressOf(a).nextAt - this.#progressOf(b).nextAt)
      .slice(0, PROOFS_PER_RUN);
    const controller = new AbortController();
    const unfollow = [
      abortWith(controller, signal),
      abortWith(controller, this.#ending.signal),
      // Strangers' sites may be slow; other work of the maintenance waits for this.
      this.#options.clock.after(LONGEST_RUN_MS, () => {
        controller.abort();
      }),
    ];
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (let peer = due.shift(); peer && !controller.signal.aborted; peer = due.shift()) {
        const next = peer;
        const attempt =
          this.#running.get(next.id) ?? this.#once(next, () => this.#prove(next, true, { signal: controller.signal }));
        // Whatever is wrong with one, the others get their turn.
        await attempt.catch((error: unknown) => failures.push(error));
      }
    };
    await Promise.all(Array.from({ length: MAXIMUM_PROOFS }, worker));
    for (const end of unfollow) end();
    signal?.throwIfAborted();
    if (failures.length > 0) throw failures[0];
  }

  /** Breaks off what runs, because the host closes. */
  stop(): void {
    this.#ending.abort(new Error("The host closes."));
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  // ── Registration ──────────────────────────────────────────────────────────

  async #register(url: string, pem: string, hint: XmlRpcValue | undefined, emit: Emit): Promise<void> {
    const { self, store, defaults } = this.#options;
    // Reading a certificate takes a while; whoever is served at this moment comes first.
    await setImmediate();
    if (this.#ending.signal.aborted) return;
    const wwwroot = readWwwroot(url);
    if (wwwroot === undefined || canonicalWwwroot(wwwroot) === canonicalWwwroot(self)) return;
    // In any state: a key swap changes nobody who is there (SEC-045, MNET-096).
    if (await store.find(wwwroot)) return;

    const refuse = (detail: string): void =>
      emit({ type: "peer.registration-refused", level: "info", wwwroot, detail });
    let certificate: Certificate;
    try {
      certificate = Certificate.parse(pem, { wwwroot, minimumBits: minimumKeyBits(defaults) });
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      refuse(error.message);
      return;
    }

    const candidate: Omit<PeerRecord, "id" | "version"> = {
      wwwroot,
      canonical: canonicalWwwroot(wwwroot),
      // Its title is not asked for before it has proved that it is its own.
      name: new URL(wwwroot).host,
      application: isApplication(hint) ? hint : "moodle",
      state: "pending",
      certificate: certificate.pem,
      retired: [],
      held: { certificate: certificate.pem, reason: "registered-itself", since: this.#now },
      settings: {},
      services: {},
    };
    const peer = await this.#store(candidate, refuse);
    if (!peer) return;
    const level = levelOfJoining(wwwroot);
    emit({ type: "peer.added", level, peer: { id: peer.id, wwwroot }, wwwroot, by: "itself" });
  }

  /** `undefined`: there is no room, or somebody is there already, perhaps under a confusable spelling. */
  async #store(
    candidate: Omit<PeerRecord, "id" | "version">,
    refuse: (detail: string) => void,
  ): Promise<PeerRecord | undefined> {
    const { store, limits } = this.#options;
    const pending = await this.#pending();
    if (pending.length < limits.pendingPeers) {
      const { inserted, peer } = await store.insert(candidate);
      if (inserted) return peer;
      refuse(`${peer.wwwroot} is a peer already (${peer.state}); the two are spellings of one address.`);
      return undefined;
    }
    const [oldest] = pending.sort((a, b) => sinceOf(a) - sinceOf(b));
    if (limits.pendingPeers > 0 && oldest && this.#now - sinceOf(oldest) >= PENDING_FOR_MS) {
      // It never was a peer that anything could refer to, so its id can be another's, and the table does not grow.
      const { id, version } = oldest;
      this.#progress.delete(id);
      return this.#recycle({ ...candidate, id, version });
    }
    refuse(`${pending.length} peers are pending already (limits.pendingPeers).`);
    return undefined;
  }

  async #recycle(record: PeerRecord): Promise<PeerRecord | undefined> {
    try {
      return await this.#options.store.update(record);
    } catch (error) {
      // Another peer has a confusable wwwroot.
      if (error instanceof ConfigError) return undefined;
      throw error;
    }
  }

  async #pending(): Promise<PeerRecord[]> {
    const pending: PeerRecord[] = [];
    for await (const peer of everyPeer(this.#options.store, { state: "pending" })) pending.push(peer);
    return pending;
  }

  // ── Proof ─────────────────────────────────────────────────────────────────

  #progressOf({ id }: PeerRecord): Progress {
    let progress = this.#progress.get(id);
    if (!progress) {
      progress = { attempts: 0, nextAt: this.#now };
      this.#progress.set(id, progress);
    }
    return progress;
  }

  #isCool(peer: PeerRecord): boolean {
    const { lastAttemptAt } = this.#progressOf(peer);
    // A clock that was set back must not keep a peer waiting.
    return lastAttemptAt === undefined || Math.abs(this.#now - lastAttemptAt) >= COOLDOWN_MS;
  }

  #inBackground(peer: PeerRecord, work: (signal: AbortSignal) => Promise<void>): void {
    if (this.#running.has(peer.id)) return;
    this.#options.background.run(() => this.#once(peer, () => work(this.#ending.signal)));
  }

  #once({ id }: PeerRecord, work: () => Promise<void>): Promise<void> {
    const running = work().finally(() => this.#running.delete(id));
    this.#running.set(id, running);
    return running;
  }

  /** One attempt: what its wwwroot shows and, with `probe`, a signed call. */
  async #prove({ id }: PeerRecord, probe: boolean, exchange: Attending): Promise<void> {
    const { directory, client } = this.#options;
    const { signal } = exchange;
    const found = await directory.find(id);
    if (found?.state !== "pending") return;
    const progress = this.#progressOf(found);
    progress.lastAttemptAt = this.#now;
    if (probe) {
      progress.nextAt = this.#now + Math.min(COOLDOWN_MS * 2 ** progress.attempts, LONGEST_BACK_OFF_MS);
      progress.attempts += 1;
    }
    try {
      const shown = await this.#ask(found, exchange);
      const { fingerprint } = shown.certificate;
      const peer = await this.#correct(found, shown, exchange);
      progress.shown = { fingerprint, at: progress.lastAttemptAt };
      if (probe && progress.signedWith !== fingerprint) {
        await client.call(peer, "system/listServices", [], exchange);
        progress.signedWith = fingerprint;
      }
    } catch (error) {
      // Not reached, not verified, not known there yet. What failed has its own event.
      if (!signal.aborted && (!MnetError.is(error) || error instanceof StoreError)) throw error;
    }
    const { shown, signedWith } = progress;
    // The peer may have called us while we asked.
    if (shown?.at === progress.lastAttemptAt && shown.fingerprint === signedWith) {
      await this.#activate(found, shown.fingerprint, exchange);
    }
  }

  /** Asks the peer's own wwwroot for its certificate, with everything verified: an answer that anybody can give proves nothing. */
  async #ask(peer: PeerRecord, { signal, emit }: Attending): Promise<SiteIntroduction> {
    const { self, keys, http, limits } = this.#options;
    const { current } = await keys.active(peer);
    const ourselves = { wwwroot: self, certificate: current.certificate.pem };
    const minimumBits = minimumKeyBits(peer.settings);
    return introduceOurselves(http, this.#routeTo(peer, emit), ourselves, {
      tryFirst: peer.application,
      minimumBits,
      limits,
      signal,
    });
  }

  #routeTo(peer: PeerRecord, emit: Emit | undefined): Route {
    const { legacy: _legacy, ...settings } = peer.settings;
    const route = this.#options.directory.routeFor(peer, settings, emit);
    return { ...route, timeoutMs: Math.min(route.timeoutMs, LONGEST_EXCHANGE_MS) };
  }

  /** The peer with what its wwwroot shows in place of what a stranger claimed. It stays pending. */
  async #correct(
    peer: PeerRecord,
    { certificate, application }: SiteIntroduction,
    { emit = this.#options.emit }: Attending,
  ): Promise<PeerRecord> {
    const { store, directory } = this.#options;
    const { id, wwwroot } = peer;
    for (;;) {
      const latest = await directory.get(id);
      const isSame = latest.certificate === certificate.pem;
      // An id that waited too long may be another site's by now.
      const isStill = latest.state === "pending" && latest.wwwroot === wwwroot;
      if (!isStill || (isSame && latest.application === application)) return latest;
      // What an operator has put there waits for the operator.
      const held =
        latest.held?.reason === "registered-itself" ? { ...latest.held, certificate: certificate.pem } : latest.held;
      const corrected = await store.update({
        ...latest,
        application,
        certificate: certificate.pem,
        ...(held && { held }),
      });
      if (!corrected) continue;
      if (!isSame) {
        emit({ type: "peer.changed", level: "warn", peer: { id, wwwroot }, state: "pending", changed: ["key"] });
      }
      return corrected;
    }
  }

  /** Both proofs are there for this key: the peer has the All Hosts services from now on, and its title for a name. */
  async #activate(
    peer: PeerRecord,
    fingerprint: Fingerprint,
    { signal, emit = this.#options.emit }: Attending,
  ): Promise<void> {
    const { store, directory, http } = this.#options;
    const { id, wwwroot } = peer;
    const title = await fetchTitle(http, this.#routeTo(peer, emit), signal);
    for (;;) {
      const latest = await directory.find(id);
      if (latest?.state !== "pending" || latest.wwwroot !== wwwroot) return;
      if (directory.certificateOf(latest).fingerprint !== fingerprint) return;
      const { held, ...rest } = latest;
      const active = await store.update({
        ...rest,
        ...(held && held.reason !== "registered-itself" && { held }),
        name: title ?? latest.name,
        state: "active",
      });
      if (!active) continue;
      this.#progress.delete(id);
      emit({ type: "peer.changed", level: "info", peer: { id, wwwroot }, state: "active", changed: ["state"] });
      return;
    }
  }
}

const sinceOf = ({ held }: PeerRecord): number => held?.since ?? 0;

const isApplication = (value: XmlRpcValue | undefined): value is ApplicationName =>
  typeof value === "string" && Object.hasOwn(APPLICATIONS, value);

/** `undefined`: no wwwroot. */
function readWwwroot(url: string): Wwwroot | undefined {
  try {
    return parseWwwroot(url);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
