import { abortWith } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { MnetError, RemoteFault, StoreError } from "../core/errors.ts";
import type { PeerId } from "../core/ids.ts";
import { bestOf } from "../secure/suite.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import type { PeerClient } from "./peer-client.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import { isUndecided, PROFILES_METHOD, profilesFor } from "./peer-profile.ts";
import { everyPeer, type PeerRecord, type PeerStore } from "./peer-store.ts";
import type { ProfileProofs } from "./profile-proofs.ts";

const MINUTE_MS = 60_000;
/** A peer that said that it has no other may have been updated since. */
const ASK_AGAIN_MS = 24 * 60 * MINUTE_MS;
/** After one that did not answer, or not so that it can be believed; doubled each time. */
const FIRST_PAUSE_MS = 10 * MINUTE_MS;
/** At once, and in one maintenance, for which others wait. */
const MAXIMUM_AT_ONCE = 4;
const MAXIMUM_PER_RUN = 50;
const LONGEST_RUN_MS = 45_000;

/**
 * Finds out which peers have the secure profile (docs/secure-profile.md, 7).
 *
 * A peer is asked in MNet's own profile, which a Moodle answers with a fault. What it says is only a reason to try; the
 * proof is an exchange in the secure profile. Who stands between us can hinder the question, and no more.
 */
export class ProfileNegotiation {
  readonly #store: PeerStore;
  readonly #directory: PeerDirectory;
  readonly #client: PeerClient;
  readonly #proofs: ProfileProofs;
  readonly #clock: Clock;
  /** Peers that gave no answer that counts, in this process. */
  readonly #pauses = new Map<PeerId, { readonly until: number; readonly ms: number }>();

  constructor(options: {
    readonly store: PeerStore;
    readonly directory: PeerDirectory;
    readonly client: PeerClient;
    readonly proofs: ProfileProofs;
    readonly clock: Clock;
  }) {
    this.#store = options.store;
    this.#directory = options.directory;
    this.#client = options.client;
    this.#proofs = options.proofs;
    this.#clock = options.clock;
  }

  /**
   * Asks one peer now, if it has proved nothing yet: two exchanges, or one if it has no other profile. That it does not
   * answer is no error here. An aborted one rejects with `signal.reason`.
   */
  async negotiate(peer: PeerRecord, signal: AbortSignal | undefined): Promise<void> {
    if (!isUndecided(peer)) return;
    try {
      const best = bestOf(listIn(await this.#ask(peer, "mnet", signal)));
      // The client writes down what an answer in the secure profile proves.
      if (best) await this.#ask(await this.#directory.getActive(peer), best, signal);
      else await this.#proofs.noteNone(peer);
      this.#pauses.delete(peer.id);
    } catch (error) {
      signal?.throwIfAborted();
      if (!MnetError.is(error) || error instanceof StoreError) throw error;
      if (error instanceof RemoteFault && error.authenticated) await this.#proofs.noteNone(peer);
      else this.#pause(peer.id);
    }
  }

  /** Asks the peers that it is time to ask, some at a time. For `host.maintain`. */
  async negotiateAll(signal: AbortSignal): Promise<void> {
    const due: PeerRecord[] = [];
    for await (const peer of everyPeer(this.#store, { state: "active" })) {
      if (isUndecided(peer) && this.#isDue(peer)) due.push(peer);
      if (due.length >= MAXIMUM_PER_RUN) break;
    }
    const run = new AbortController();
    const ends = [abortWith(run, signal), this.#clock.after(LONGEST_RUN_MS, () => run.abort(new Error("Too slow.")))];
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (let peer = due.shift(); peer && !run.signal.aborted; peer = due.shift()) {
        // Whatever is wrong with one, the others get their turn.
        await this.negotiate(peer, run.signal).catch((error: unknown) => failures.push(error));
      }
    };
    await Promise.all(Array.from({ length: MAXIMUM_AT_ONCE }, worker));
    for (const end of ends) end();
    signal.throwIfAborted();
    if (failures.length > 0 && !run.signal.aborted) throw failures[0];
  }

  #ask(peer: PeerRecord, profile: Parameters<PeerClient["probe"]>[1], signal: AbortSignal | undefined) {
    return this.#client.probe(peer, profile, PROFILES_METHOD, [profilesFor(peer)], signal);
  }

  #isDue({ id, profile }: PeerRecord): boolean {
    const now = this.#clock.now();
    const askedAt = profile?.askedAt ?? -Infinity;
    // A clock that was set back must not keep a peer from being asked.
    return Math.abs(now - askedAt) >= ASK_AGAIN_MS && now >= (this.#pauses.get(id)?.until ?? 0);
  }

  #pause(id: PeerId): void {
    const ms = Math.min(2 * (this.#pauses.get(id)?.ms ?? FIRST_PAUSE_MS / 2), ASK_AGAIN_MS);
    if (this.#pauses.size >= 10_000) this.#pauses.clear();
    this.#pauses.set(id, { until: this.#clock.now() + ms, ms });
  }
}

/** A list of names, as far as it is one. */
const listIn = (answer: XmlRpcValue): readonly XmlRpcValue[] =>
  Array.isArray(answer) ? (answer as readonly XmlRpcValue[]) : [];
