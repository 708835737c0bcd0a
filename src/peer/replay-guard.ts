import type { Clock } from "../core/clock.ts";
import { EnvelopeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { AuthenticMessage } from "../secure/authentic-message.ts";
import type { PeerRecord } from "./peer-store.ts";
import type { ReplayStore } from "./replay-store.ts";

/** 112 days of one call every ten seconds. */
const MAXIMUM_ENTRIES = 1_000_000;

/**
 * Takes every message once (SEC-033, SEC-034). What is remembered is the hash of the session key, which the sender drew
 * anew for each message: the same call has the same signature each time, and the timestamp is not signed.
 */
export class ReplayGuard {
  readonly #store: ReplayStore;
  readonly #clock: Clock;

  constructor(options: { readonly store: ReplayStore; readonly clock: Clock }) {
    this.#store = options.store;
    this.#clock = options.clock;
  }

  /**
   * Throws `MNET_ENVELOPE_REPLAYED` if the peer's message was taken before. Only for what was verified, or anybody could
   * fill the memory.
   *
   * @param until when our key that opens the message goes out of use: nothing that was sealed for it is taken after that.
   */
  async take(peer: PeerRecord, message: AuthenticMessage, until: Date, emit: Emit): Promise<void> {
    const now = this.#clock.now();
    const limits = { until: until.getTime(), maxEntries: MAXIMUM_ENTRIES };
    const { seen, evicted } = await this.#store.remember(peer.id, message.replayKey, limits, now);
    const reference = { id: peer.id, wwwroot: peer.wwwroot };
    if (evicted > 0) emit({ type: "replay.evicted", level: "warn", peer: reference, entries: evicted });
    if (seen === "first") return;
    // The log gets the refusal of the request, or the failure of the call: one entry for what happened once (SEC-090).
    emit({ type: "replay.refused", level: "debug", peer: reference });
    throw new EnvelopeError("MNET_ENVELOPE_REPLAYED", `A message of ${peer.wwwroot} came a second time.`, {
      peer: peer.wwwroot,
    });
  }
}
