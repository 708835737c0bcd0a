import { KeyError, MnetError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { HeldKey } from "../core/peer-snapshot.ts";
import type { Clock } from "../core/clock.ts";
import { Certificate } from "../crypto/certificate.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { introduceOurselves } from "./handshake.ts";
import type { HttpClient } from "./http-exchange.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import { minimumKeyBits } from "./peer-settings.ts";
import type { PeerRecord, PeerStore } from "./peer-store.ts";

/** More retired fingerprints than a peer has in four years. */
const REMEMBERED_RETIRED = 50;

/** What key adoption needs of the host. */
export interface KeyAdoptionOptions {
  readonly self: Wwwroot;
  readonly store: PeerStore;
  readonly directory: PeerDirectory;
  readonly keys: KeyRing;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly emit: Emit;
}

/** Decides what becomes of a certificate that a peer shows in place of the pinned one. */
export class KeyAdoption {
  readonly #options: KeyAdoptionOptions;

  constructor(options: KeyAdoptionOptions) {
    this.#options = options;
  }

  /**
   * Pins a certificate that came in a fault 7025 which the pinned key has signed (spec 7.6, SEC-038). That is proof
   * enough, unless it is another site's, weak, or one that was pinned before.
   *
   * Throws `KeyError`; the peer is unchanged then, apart from a held key: `MNET_KEY_NOT_FOR_WWWROOT`, `MNET_KEY_WEAK`,
   * `MNET_KEY_ROLLBACK`, `MNET_KEY_HELD` for one that is older than the pinned one (SEC-040).
   *
   * @returns the peer as it is now. If somebody else was faster, as he left it (SEC-041).
   */
  async adoptProved(peer: PeerRecord, certificate: Certificate, emit: Emit): Promise<PeerRecord> {
    this.#refuseRollback(peer, certificate);
    if (this.#isOlder(peer, certificate)) return this.hold(peer, certificate, "older-than-pinned", emit);
    return this.pin(peer, certificate, "rekey", emit);
  }

  /**
   * A certificate that only its own key vouches for, as Mahara sends it: held for approval, or pinned where the peer is
   * so configured and its verified https site shows the same one (SEC-039).
   *
   * Throws `KeyError` as `adoptProved` does.
   */
  async adoptDoubtful(
    peer: PeerRecord,
    certificate: Certificate,
    emit: Emit,
    signal?: AbortSignal,
  ): Promise<PeerRecord> {
    this.#refuseRollback(peer, certificate);
    if (this.#isOlder(peer, certificate)) return this.hold(peer, certificate, "older-than-pinned", emit);
    if (peer.settings.legacy?.adoptKeyOverHttps && (await this.#isShownOverHttps(peer, certificate, emit, signal))) {
      const { id, wwwroot } = peer;
      emit({ type: "legacy.used", level: "warn", peer: { id, wwwroot }, setting: "adoptKeyOverHttps" });
      return this.pin(peer, certificate, "rekey", emit);
    }
    return this.hold(peer, certificate, "signed-by-new-key", emit);
  }

  /** Reads a certificate that a peer sent. Throws `KeyError` if it is unusable or another site's (MNET-106). */
  parse(peer: PeerRecord, pem: string): Certificate {
    return Certificate.parse(pem, { wwwroot: peer.wwwroot, minimumBits: minimumKeyBits(peer.settings) });
  }

  /** Keeps the certificate for an operator to compare, and throws `MNET_KEY_HELD`. */
  async hold(
    peer: PeerRecord,
    certificate: Certificate,
    reason: HeldKey["reason"],
    emit: Emit = this.#options.emit,
  ): Promise<never> {
    const { store, directory, clock } = this.#options;
    const { fingerprint, pem } = certificate;
    const since = clock.now();
    for (;;) {
      const latest = await directory.get(peer.id);
      // What an operator has put there is not pushed aside by what comes over the wire.
      if (latest.held?.certificate === pem || (latest.held?.reason === "operator" && reason !== "operator")) break;
      if (await store.update({ ...latest, held: { certificate: pem, reason, since } })) {
        const { id, wwwroot } = latest;
        emit({ type: "peer.key-held", level: "error", peer: { id, wwwroot }, fingerprint, reason });
        break;
      }
    }
    throw new KeyError(
      "MNET_KEY_HELD",
      `${peer.wwwroot} shows another certificate, ${fingerprint}; compare it with their administrator, then approve it.`,
      { peer: peer.wwwroot, fingerprint },
    );
  }

  /**
   * Pins the certificate in place of the one in `peer`, once: a concurrent change wins, and what it left is returned.
   *
   * An approved certificate is pinned only while it is the one that waits, and makes a pending peer active.
   */
  async pin(
    peer: PeerRecord,
    certificate: Certificate,
    how: "rekey" | "approved",
    emit: Emit = this.#options.emit,
  ): Promise<PeerRecord> {
    const { store, directory } = this.#options;
    const { id, wwwroot } = peer;
    for (;;) {
      const found = await directory.get(id);
      const { held, ...latest } = found;
      const isWaiting = how === "rekey" || held?.certificate === certificate.pem;
      if (latest.certificate !== peer.certificate || !isWaiting) return found;
      const from = directory.certificateOf(latest).fingerprint;
      const retired = latest.retired.filter((other) => other !== from && other !== certificate.fingerprint);
      const pinned = await store.update({
        ...latest,
        ...(how === "approved" && latest.state === "pending" && { state: "active" }),
        certificate: certificate.pem,
        retired: [...retired, from].slice(-REMEMBERED_RETIRED),
      });
      if (!pinned) continue;
      directory.noteKeyUse(pinned, certificate, emit);
      emit({ type: "peer.key-changed", level: "warn", peer: { id, wwwroot }, from, to: certificate.fingerprint, how });
      return pinned;
    }
  }

  /** A key that was given up may be in somebody else's hands by now (SEC-040). */
  #refuseRollback(peer: PeerRecord, { fingerprint }: Certificate): void {
    if (!peer.retired.includes(fingerprint)) return;
    throw new KeyError("MNET_KEY_ROLLBACK", `${peer.wwwroot} shows a certificate that it gave up before.`, {
      peer: peer.wwwroot,
      fingerprint,
    });
  }

  #isOlder(peer: PeerRecord, { notBefore }: Certificate): boolean {
    return notBefore < this.#options.directory.certificateOf(peer).notBefore;
  }

  async #isShownOverHttps(
    peer: PeerRecord,
    certificate: Certificate,
    emit: Emit,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { self, keys, http, directory, limits } = this.#options;
    const route = directory.routeTo(peer, emit);
    if (!peer.wwwroot.startsWith("https:") || route.tls !== "verify") return false;
    const { current } = await keys.active(peer);
    const ourselves = { wwwroot: self, certificate: current.certificate.pem };
    const minimumBits = minimumKeyBits(peer.settings);
    try {
      const options = { application: peer.application, minimumBits, limits, signal };
      const shown = await introduceOurselves(http, route, ourselves, options);
      return shown.certificate.fingerprint === certificate.fingerprint;
    } catch (error) {
      // A site that shows nothing has not confirmed the key; that goes to the operator like any other doubtful one.
      if (MnetError.is(error)) return false;
      throw error;
    }
  }
}
