import type { Clock } from "../core/clock.ts";
import { TransportError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Exchange } from "../core/exchange.ts";
import type { PeerId, Wwwroot } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { introduceOurselves } from "./handshake.ts";
import type { HttpClient } from "./http-exchange.ts";
import type { PeerClient } from "./peer-client.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import { minimumKeyBits } from "./peer-settings.ts";
import type { PeerRecord } from "./peer-store.ts";

/** After a refresh that changed nothing, so that bad signatures cannot make us call somebody all the time (SEC-042). */
const COOLDOWN_MS = 60_000;
/** After one that got no answer, which may be there in a moment. */
const COOLDOWN_UNASKED_MS = 10_000;
/** For the whole refresh. The sender of the message waits for it, a Moodle for 59 seconds at most (spec 12, H-38). */
const DEADLINE_MS = 20_000;

/** What key refresh needs of the host. */
export interface KeyRefreshOptions {
  readonly self: Wwwroot;
  readonly keys: KeyRing;
  readonly http: HttpClient;
  readonly client: PeerClient;
  readonly directory: PeerDirectory;
  readonly clock: Clock;
  readonly limits: Limits;
}

/**
 * Finds out whether a peer whose signature does not verify has a new key (spec 7.5, MNET-090, MNET-091).
 *
 * The certificate that it shows a stranger is only a hint. If it is another than the pinned one, the peer is called with
 * the pinned key; if it has rotated, the old key answers with 7025 and proves the new one.
 */
export class KeyRefresh {
  readonly #options: KeyRefreshOptions;
  readonly #running = new Map<PeerId, Promise<PeerRecord | undefined>>();
  readonly #coolUntil = new Map<PeerId, number>();

  constructor(options: KeyRefreshOptions) {
    this.#options = options;
  }

  /**
   * At most three requests, one refresh at a time and, after one that changed nothing, none for a minute (SEC-042).
   *
   * @param emit of the exchange that gave rise to it.
   * @returns the peer with its new key; `undefined` if there is none, or none that is proved.
   */
  refresh(peer: PeerRecord, emit: Emit): Promise<PeerRecord | undefined> {
    const running = this.#running.get(peer.id);
    if (running) return running;
    const refresh = this.#run(peer, emit).finally(() => this.#running.delete(peer.id));
    this.#running.set(peer.id, refresh);
    return refresh;
  }

  async #run(peer: PeerRecord, emit: Emit): Promise<PeerRecord | undefined> {
    const { client, directory, clock } = this.#options;
    const deadline = new AbortController();
    const exchange = { signal: deadline.signal, emit };
    const cancel = clock.after(DEADLINE_MS, () => {
      deadline.abort(
        new TransportError("MNET_TRANSPORT_TIMEOUT", `${peer.wwwroot} did not show its key within ${DEADLINE_MS} ms.`, {
          url: peer.wwwroot,
          peer: peer.wwwroot,
          retryable: true,
        }),
      );
    });
    try {
      // Another process, or another request, may have learnt the key already.
      const before = await directory.getActive(peer);
      if (before.certificate !== peer.certificate) return before;
      if (clock.now() < (this.#coolUntil.get(peer.id) ?? 0)) return undefined;
      if (await this.#showsAnotherKey(peer, exchange)) {
        await client.call(peer, "system/listServices", [], exchange);
      }
      const after = await directory.getActive(peer);
      if (after.certificate !== peer.certificate) return after;
      this.#coolDown(peer, COOLDOWN_MS);
    } catch {
      // Whatever kept us from asking, the signature is as wrong as it was.
      this.#coolDown(peer, COOLDOWN_UNASKED_MS);
    } finally {
      cancel();
    }
    return undefined;
  }

  #coolDown({ id }: PeerRecord, ms: number): void {
    if (this.#coolUntil.size >= 10_000) this.#coolUntil.clear();
    this.#coolUntil.set(id, this.#options.clock.now() + ms);
  }

  async #showsAnotherKey(peer: PeerRecord, { signal, emit }: Exchange): Promise<boolean> {
    const { self, keys, http, directory, limits } = this.#options;
    const { current } = await keys.active(peer);
    const { certificate } = await introduceOurselves(
      http,
      // Not through the circuit: who sends us messages is there again, whatever we have seen of it.
      directory.routeFor(peer, peer.settings, emit),
      { wwwroot: self, certificate: current.certificate.pem },
      { application: peer.application, minimumBits: minimumKeyBits(peer.settings), limits, signal },
    );
    return certificate.pem !== peer.certificate;
  }
}
