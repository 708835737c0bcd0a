import type { Clock } from "../core/clock.ts";
import { EnvelopeError, KeyError, PeerError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import { isLater, type NowOrLater } from "../core/now-or-later.ts";
import { referenceTo } from "../core/peer-snapshot.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { CircuitBreaker } from "../peer/circuit-breaker.ts";
import type { KeyRefresh } from "../peer/key-refresh.ts";
import type { NewKeyNotices } from "../peer/new-key-notices.ts";
import type { PeerDirectory } from "../peer/peer-directory.ts";
import { DEFAULT_DRIFT_TOLERANCE_MS, signedTimeTolerance } from "../peer/peer-settings.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import type { ProfileProofs } from "../peer/profile-proofs.ts";
import type { ReplayGuard } from "../peer/replay-guard.ts";
import type { SelfRegistration } from "../peer/self-registration.ts";
import { secureProfileOf, type AuthenticMessage } from "../secure/authentic-message.ts";
import { FAULT, newKeyFault } from "./fault-table.ts";
import type { Fault } from "./fault.ts";
import type { OpenedRequest } from "./opened-request.ts";
import { Refusal, refuseUnproved, type Wrapping } from "./refusal.ts";
import type { Permit } from "./request-budget.ts";

/** What admission needs of the host. */
export interface AdmissionOptions {
  readonly keys: KeyRing;
  readonly directory: PeerDirectory;
  /** Answer every failure before authentication with the same bytes (SEC-003, SEC-087). */
  readonly hidePeers: boolean;
  readonly clock: Clock;
  readonly refresh: KeyRefresh;
  readonly proofs: ProfileProofs;
  readonly replay: ReplayGuard;
  readonly newKeyNotices: NewKeyNotices;
  /** Hub mode; without it, strangers stay strangers. */
  readonly strangers: SelfRegistration | undefined;
  readonly circuits: CircuitBreaker;
}

/** A message, and the peer that has signed it. */
interface Signed {
  readonly message: AuthenticMessage;
  readonly peer: PeerRecord;
}

/** A request that may be served: signed by a peer, for us, now and for the first time. */
export interface Admitted extends Signed {
  readonly wrapping: Wrapping;
}

/** One whose signature nobody could verify: why, and how that is answered. */
export interface Unverified {
  readonly unverified: EnvelopeError;
  readonly wrapping: Wrapping;
}

/** Decides whether what a key of ours has opened may be served, in either profile (spec 7.1). */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Throws `Refusal`.
   *
   * @param current our key of the moment.
   * @returns why it is not verified, and how to answer that, for whoever may be answered all the same.
   */
  async admit(
    opened: OpenedRequest,
    peer: PeerRecord,
    current: KeyPair,
    permit: Permit,
    emit: Emit,
  ): Promise<Admitted | Unverified> {
    if (opened.openedWith !== current) throw await this.#newKey(opened, current, peer, emit);

    const verifying = this.#verify(opened, peer, permit, emit);
    const verified = isLater(verifying) ? await verifying : verifying;
    if (verified instanceof EnvelopeError) {
      return { unverified: verified, wrapping: opened.wrapping(current, this.#certificateOf(peer)) };
    }
    const { message } = verified;
    const wrapping = opened.wrapping(current, this.#certificateOf(verified.peer));
    await this.#requireFresh(message, verified.peer, current, wrapping, emit);
    const profile = secureProfileOf(message);
    const proved = profile ? await this.#options.proofs.prove(verified.peer, profile, emit) : verified.peer;
    // Anybody can register a key and sign with it, so that alone makes no address known (SEC-083).
    if (proved.state === "pending") this.#options.strangers?.noteSigned(proved, emit);
    else permit.proved();
    this.#options.circuits.heardFrom(proved, emit);
    this.#remark(message, proved, emit);
    return { message, peer: proved, wrapping };
  }

  /**
   * For the call by which a peer finds out whether it knows our current key (spec 7.5): another process of ours may have
   * rotated a moment ago, and shown the new one already. Throws the `Refusal` that brings it, as an archived key would.
   */
  async requireNewest(peer: PeerRecord, wrapping: Wrapping): Promise<void> {
    const { keys, newKeyNotices } = this.#options;
    const { current } = await keys.recent(peer);
    if (current === wrapping.signWith) return;
    newKeyNotices.add(peer.id);
    throw new Refusal(newKeyFault(current.certificate.pem), toArchivedKey(peer), wrapping, peer);
  }

  /**
   * The sender knows us by an old key: it is told the new one, signed with the old one so that it can believe it, and
   * its call is not executed (spec 7.6, MNET-079 to 081). It is told even if its own signature does not verify, or two
   * sites that both rotated would go round in circles (spec 7.5).
   */
  async #newKey(opened: OpenedRequest, current: KeyPair, peer: PeerRecord, emit: Emit): Promise<Refusal> {
    const encryptTo = this.#certificateOf(peer);
    const error = toArchivedKey(peer);
    const { openedWith } = opened;
    const verified = verifyAs(peer, opened, encryptTo);
    const isSigned = !(verified instanceof EnvelopeError);
    // A pending peer is nobody who has to be told before it has shown that it is itself (SEC-052).
    if ((this.#options.hidePeers || peer.state === "pending") && !isSigned) {
      return refuseUnproved(this.#options.hidePeers, FAULT.unreadable, error);
    }
    if (isSigned) await this.#noteNewKey(verified.message, openedWith, peer, emit);
    return new Refusal(newKeyFault(current.certificate.pem), error, opened.wrapping(openedWith, encryptTo), peer);
  }

  /**
   * Only the peer itself can have dropped a call of ours for the news, and only now. Remembering the message keeps another
   * process, which may not have heard of the new key, from executing it.
   */
  async #noteNewKey(message: AuthenticMessage, openedWith: KeyPair, peer: PeerRecord, emit: Emit): Promise<void> {
    const { keys, replay, newKeyNotices } = this.#options;
    try {
      await replay.take(peer, message, keys.forgottenAt(openedWith.certificate), emit);
      newKeyNotices.add(peer.id);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
    }
  }

  /**
   * Verifies with the pinned key. Where that fails, the peer may have another key by now: it is asked once, and the
   * message verified again (spec 7.5, MNET-084, MNET-090).
   */
  #verify(opened: OpenedRequest, peer: PeerRecord, permit: Permit, emit: Emit): NowOrLater<Signed | EnvelopeError> {
    const first = verifyAs(peer, opened, this.#certificateOf(peer));
    if (!(first instanceof EnvelopeError) || first.code !== "MNET_ENVELOPE_SIGNATURE_INVALID") return first;
    // While the peer is asked, many more like it may come.
    permit.failed();
    if (peer.state === "pending") {
      this.#options.strangers?.recheck(peer, emit);
      return first;
    }
    const refreshing = this.#options.refresh.refresh(peer, emit);
    // Who hides its peers does not let a sender wait for one of them; the next message will find the new key.
    if (this.#options.hidePeers) return first;
    return refreshing.then((refreshed) =>
      refreshed ? verifyAs(refreshed, opened, this.#certificateOf(refreshed)) : first,
    );
  }

  /** Taken once, and in time. */
  #requireFresh(
    message: AuthenticMessage,
    peer: PeerRecord,
    openedWith: KeyPair,
    wrapping: Wrapping,
    emit: Emit,
  ): Promise<void> {
    const { keys, replay } = this.#options;
    this.requireInTime(message.timestamp, peer, wrapping, secureProfileOf(message) !== undefined);
    // Messages to a key that is archived by then are answered with 7025 and never executed.
    return replay.take(peer, message, keys.retiredAt(openedWith.certificate), emit).catch((error: unknown) => {
      throw error instanceof EnvelopeError ? new Refusal(FAULT.replayed, error, wrapping, peer) : error;
    });
  }

  /** Where the time is signed, or the peer is so configured: on time; and where it is so configured, not with an expired key. */
  requireInTime(timestamp: Date, peer: PeerRecord, wrapping: Wrapping, isSigned = false): void {
    const { clock } = this.#options;
    const { settings, wwwroot } = peer;
    const { notAfter, fingerprint } = this.#certificateOf(peer);
    if (settings.expiredKey === "refuse" && notAfter.getTime() <= clock.now()) {
      const error = new KeyError("MNET_KEY_EXPIRED", `The certificate of ${wwwroot} has expired.`, {
        peer: wwwroot,
        fingerprint,
      });
      throw new Refusal(FAULT.signatureInvalid, error, wrapping, peer);
    }
    const offsetMs = timestamp.getTime() - clock.now();
    if ((isSigned || settings.clock === "strict") && Math.abs(offsetMs) > signedTimeTolerance(settings)) {
      const code = offsetMs > 0 ? "MNET_PEER_CLOCK_AHEAD" : "MNET_PEER_CLOCK_BEHIND";
      const error = new PeerError(code, `The request of ${wwwroot} is not on time.`, { peer: wwwroot, offsetMs });
      throw new Refusal(FAULT.replayed, error, wrapping, peer);
    }
  }

  /** What is odd about a verified message and no reason to refuse it. */
  #remark(message: AuthenticMessage, peer: PeerRecord, emit: Emit): void {
    const { clock, directory } = this.#options;
    directory.noteKeyUse(peer, this.#certificateOf(peer), emit);
    for (const remark of message.remarks) {
      emit({ type: "envelope.remark", level: "warn", peer: referenceTo(peer), remark });
    }
    const offsetMs = message.timestamp.getTime() - clock.now();
    // What was to be refused has been; in MNet's own profile nobody signed the time, so it would gain nothing (SEC-035).
    if (Math.abs(offsetMs) > DEFAULT_DRIFT_TOLERANCE_MS) {
      emit({ type: "clock.off", level: "warn", peer: referenceTo(peer), offsetMs });
    }
  }

  #certificateOf(peer: PeerRecord): Certificate {
    return this.#options.directory.certificateOf(peer);
  }
}

const toArchivedKey = ({ wwwroot }: PeerRecord): EnvelopeError =>
  new EnvelopeError("MNET_ENVELOPE_DECRYPTION_FAILED", "The request is encrypted to an archived key of ours.", {
    peer: wwwroot,
  });

/** A message that the peer has signed, or why it has not. */
export function verifyAs(peer: PeerRecord, opened: OpenedRequest, certificate: Certificate): Signed | EnvelopeError {
  try {
    return { message: opened.verify(peer, certificate), peer };
  } catch (error) {
    if (error instanceof EnvelopeError) return error;
    throw error;
  }
}

/** What is answered to who is not verified. */
export const faultOf = ({ code }: EnvelopeError): Fault =>
  code === "MNET_ENVELOPE_NOT_SIGNED" ? FAULT.notSigned : FAULT.signatureInvalid;
