import type { Clock } from "../core/clock.ts";
import {
  EnvelopeError,
  KeyError,
  MnetError,
  PeerError,
  RemoteFault,
  TransportError,
  XmlRpcError,
} from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { ProfileName, SecureProfileName } from "../core/profile-name.ts";
import type { Limits } from "../core/limits.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { isLarge } from "../crypto/work.ts";
import { type DecryptedMessage, type EncryptedMessage } from "../envelope/encrypted-message.ts";
import { readEnvelope, readingEnvelope, type Envelope } from "../envelope/open.ts";
import { sealingMessage } from "../envelope/seal.ts";
import type { SignedMessage } from "../envelope/signed-message.ts";
import { VerifiedMessage, verifySignature } from "../envelope/verified-message.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { secureProfileOf, type AuthenticMessage } from "../secure/authentic-message.ts";
import { sealSecure } from "../secure/seal-secure.ts";
import { isSecure, readSecureEnvelope } from "../secure/secure-envelope.ts";
import { SecureMessage } from "../secure/secure-message.ts";
import { bestOf, DEFAULT_SECURE_PROFILE } from "../secure/suite.ts";
import type { TransportResponse } from "../transport/transport.ts";
import { decodeResponse, decodeResponseInTurns } from "../xmlrpc/decode.ts";
import type { XmlRpcDocument } from "../xmlrpc/document.ts";
import { encodeCall } from "../xmlrpc/encode.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import { rpcUrl } from "./application.ts";
import type { HttpClient } from "./http-exchange.ts";
import type { KeyAdoption } from "./key-adoption.ts";
import type { NewKeyNotices } from "./new-key-notices.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import { isUndecided, profileToCall } from "./peer-profile.ts";
import { DEFAULT_DRIFT_TOLERANCE_MS, signedTimeTolerance } from "./peer-settings.ts";
import type { PeerRecord } from "./peer-store.ts";
import type { ProfileProofs } from "./profile-proofs.ts";
import type { ReplayGuard } from "./replay-guard.ts";

/** What a call is part of. Without `emit` it is an exchange of its own. */
interface CallScope {
  readonly signal?: AbortSignal | undefined;
  readonly emit?: Emit | undefined;
}

type Response = Exclude<XmlRpcDocument, { readonly kind: "call" }>;

/** What a call needs of the host. */
export interface PeerClientOptions {
  readonly self: Wwwroot;
  readonly keys: KeyRing;
  readonly http: HttpClient;
  readonly directory: PeerDirectory;
  readonly clock: Clock;
  readonly limits: Limits;
  /** A new exchange: the function tells of what belongs to it. */
  readonly newExchange: () => Emit;
  readonly adoption: KeyAdoption;
  readonly proofs: ProfileProofs;
  readonly replay: ReplayGuard;
  readonly newKeyNotices: NewKeyNotices;
  readonly random: ((bytes: number) => Uint8Array) | undefined;
}

/** Calls methods of peers and believes nothing that they did not sign for us (spec 8). */
export class PeerClient {
  readonly #options: PeerClientOptions;

  constructor(options: PeerClientOptions) {
    this.#options = options;
  }

  /**
   * Calls one method. Permission has been checked. Where the peer has a new key by now, the call is made again, once
   * (spec 8.4, MNET-105, MNET-107); and once more where we have.
   *
   * Throws `TransportError`, `EnvelopeError`, `XmlRpcError`, `RemoteFault`, `KeyError`, `PeerError` with a clock code; an
   * aborted call rejects with `signal.reason`.
   */
  call(
    peer: PeerRecord,
    method: string,
    params: readonly XmlRpcValue[],
    exchange: CallScope = {},
  ): Promise<XmlRpcValue> {
    return this.#call(peer, method, params, exchange, {});
  }

  /** The same in a profile of the caller's choice, to find out whether the peer has it: a fault would be no news. */
  probe(
    peer: PeerRecord,
    profile: ProfileName,
    method: string,
    params: readonly XmlRpcValue[],
    signal: AbortSignal | undefined,
  ): Promise<XmlRpcValue> {
    return this.#call(peer, method, params, { signal }, { profile, isProbe: true });
  }

  async #call(
    peer: PeerRecord,
    method: string,
    params: readonly XmlRpcValue[],
    { signal, emit = this.#options.newExchange() }: CallScope,
    { profile, isProbe = false }: { readonly profile?: ProfileName; readonly isProbe?: boolean },
  ): Promise<XmlRpcValue> {
    const { clock } = this.#options;
    const started = clock.now();
    const reference = { id: peer.id, wwwroot: peer.wwwroot };
    const request = encodeCall(method, params);
    try {
      const { value, ...figures } = await this.#attempts({ peer, profile, method, request, signal, emit });
      const durationMs = clock.now() - started;
      emit({ type: "call.sent", level: "debug", peer: reference, method, durationMs, ...figures });
      return value;
    } catch (thrown) {
      const error = thrown instanceof NewKeyShown ? thrown.fault : thrown;
      if (MnetError.is(error)) {
        const durationMs = clock.now() - started;
        emit({
          type: "call.failed",
          level: isProbe ? "debug" : "warn",
          peer: reference,
          method,
          durationMs,
          code: error.code,
          ...(error instanceof RemoteFault && { faultCode: error.faultCode }),
        });
      }
      throw error;
    }
  }

  /** Attempts until one succeeds; after each that failed there has to be another reason for the next. */
  async #attempts(call: Omit<Attempt, "signer">): Promise<Answer> {
    const { keys, newKeyNotices } = this.#options;
    const { method, request, signal, emit } = call;
    const noticesBefore = newKeyNotices.count(call.peer.id);
    const taken = new Set<AnotherChance["because"]>();
    let { peer, profile } = call;
    for (;;) {
      const { current: signer } = await keys.active(peer);
      const attempt: Attempt = { peer, profile, signer, method, request, signal, emit };
      try {
        return await this.#attempt(attempt);
      } catch (error) {
        const chance = await this.#anotherChance(attempt, error, taken.has("their-key"), noticesBefore);
        if (!chance || taken.has(chance.because)) throw error;
        taken.add(chance.because);
        peer = chance.peer;
        profile = chance.profile ?? profile;
        const reason = REASONS[chance.because];
        emit({ type: "call.retried", level: "info", peer: { id: peer.id, wwwroot: peer.wwwroot }, method, reason });
      }
    }
  }

  /**
   * Whether and how a failed call deserves another attempt. Each of these reasons is good for one.
   *
   * - The peer has a new key and its old one says so: the new one is pinned.
   * - A Mahara says so itself: held, or pinned, as the peer is configured.
   * - A Mahara learnt *our* new key from us while it had our call, and dropped the call (MNET-129).
   * - We have a new key since the call was signed, and the peer knows that already.
   * - The peer remembers that we have proved the secure profile, and we do not remember that it has.
   */
  async #anotherChance(
    { peer, signer, signal, emit }: Attempt,
    error: unknown,
    isRekeyed: boolean,
    noticesBefore: number,
  ): Promise<AnotherChance | undefined> {
    const { adoption, keys, newKeyNotices } = this.#options;
    if (error instanceof NewKeyShown) {
      // Two new keys in one call are one too many (MNET-107).
      if (isRekeyed) return undefined;
      const { certificate, isProved } = error;
      await (isProved
        ? adoption.adoptProved(peer, certificate, emit)
        : adoption.adoptDoubtful(peer, certificate, emit, signal));
      // Somebody may have suspended it meanwhile.
      return { peer: await this.#options.directory.getActive(peer), because: "their-key" };
    }
    if (!(error instanceof RemoteFault)) return undefined;
    const isDropped = peer.application === "mahara" && !error.authenticated && error.faultCode === DROPPED;
    if (isDropped && newKeyNotices.count(peer.id) > noticesBefore) {
      return { peer, because: "dropped" };
    }
    if (error.authenticated && error.faultCode === WANTS_SECURE_PROFILE && isUndecided(peer)) {
      const profile = bestOf(error.faultString.split(" ")) ?? DEFAULT_SECURE_PROFILE;
      return { peer, because: "secure-profile", profile };
    }
    const isOutdated = error.authenticated && error.faultCode === SIGNATURE_INVALID;
    return isOutdated && (await keys.recent(peer)).current !== signer ? { peer, because: "our-key" } : undefined;
  }

  /** One request and its answer. */
  async #attempt(attempt: Attempt): Promise<Answer> {
    const { peer, profile = profileToCall(peer), signer, method, request, signal, emit } = attempt;
    const { clock, directory, keys, self, random } = this.#options;
    const sentAt = clock.now();
    const recipient = directory.certificateOf(peer);
    this.#checkExpiry(peer, recipient);
    directory.noteKeyUse(peer, recipient, emit);
    const sealing = { sender: self, key: signer, recipient, timestamp: new Date(sentAt), random };
    if (profile === "mnet") {
      const body = await keys.work(sealingMessage(request, sealing));
      const response = await this.#post(peer, body, { signal, emit });
      const receivedAt = clock.now();
      const message = await this.#open(peer, method, response, recipient, emit);
      const value = await this.#read(peer, method, message, { sentAt, receivedAt, emit });
      return { value, bytesIn: response.body.length, bytesOut: body.length };
    }
    const { body, messageId } = sealSecure(request, { ...sealing, profile, to: peer.wwwroot });
    const response = await this.#post(peer, body, { signal, emit });
    const receivedAt = clock.now();
    const message = await this.#openSecure(peer, method, response, recipient, messageId, emit);
    const proved = await this.#options.proofs.prove(peer, message.profile, emit);
    const value = await this.#read(proved, method, message, { sentAt, receivedAt, emit });
    return { value, bytesIn: response.body.length, bytesOut: body.length, profile: message.profile };
  }

  /** An expired key is only talked about, unless the peer is configured otherwise (SEC-048). */
  #checkExpiry(peer: PeerRecord, { notAfter, fingerprint }: Certificate): void {
    if (peer.settings.expiredKey !== "refuse" || notAfter.getTime() > this.#options.clock.now()) return;
    throw new KeyError("MNET_KEY_EXPIRED", `The certificate of ${peer.wwwroot} expired on ${notAfter.toISOString()}.`, {
      peer: peer.wwwroot,
      fingerprint,
    });
  }

  #post(peer: PeerRecord, body: Uint8Array, { signal, emit }: CallScope): Promise<TransportResponse> {
    const { http, directory, limits } = this.#options;
    return http.exchange(directory.routeTo(peer, emit), {
      method: "POST",
      url: rpcUrl(peer.wwwroot, peer.application),
      body,
      contentType: "text/xml",
      maxBytes: limits.responseBytes,
      signal,
    });
  }

  /** The checks of spec 8.3, in an order that reads nothing before it is verified. */
  async #open(
    peer: PeerRecord,
    method: string,
    response: TransportResponse,
    certificate: Certificate,
    emit: Emit,
  ): Promise<VerifiedMessage> {
    const call = { peer: peer.wwwroot, method };
    const envelope = isLarge(response.body) ? await this.#readLarge(response, peer) : this.#readOuter(response, peer);
    if (envelope.kind !== "encrypted") throw this.#refusalInClear(envelope, response, peer, method);

    const { keys, replay } = this.#options;
    const { decrypted } = await keys.decrypt(envelope.message, peer);
    const { content, openedWith } = decrypted;
    if (content.kind === "unsigned") {
      throw (
        this.#faultIn(content.document, call) ??
        new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", `${peer.wwwroot} answered without a signature.`, {
          peer: peer.wwwroot,
        })
      );
    }
    this.#requireSender(content.message, peer);
    const message = this.#verify(envelope.message, decrypted, content.message, certificate, peer, method);
    await replay.take(peer, message, keys.forgottenAt(openedWith.certificate), emit);
    return message;
  }

  /** The same in the secure profile: whatever is not the peer's answer to this very request is none. */
  async #openSecure(
    peer: PeerRecord,
    method: string,
    response: TransportResponse,
    certificate: Certificate,
    inReplyTo: string,
    emit: Emit,
  ): Promise<SecureMessage> {
    const { self, keys, replay, limits } = this.#options;
    if (!isSecure(response.body)) {
      const envelope = this.#readOuter(response, peer);
      if (envelope.kind !== "encrypted") throw this.#refusalInClear(envelope, response, peer, method);
      throw new EnvelopeError(
        "MNET_ENVELOPE_PROFILE_REFUSED",
        `${peer.wwwroot} answered in MNet's own profile to a call in the secure one.`,
        { peer: peer.wwwroot },
      );
    }
    const envelope = readSecureEnvelope(response.body, limits.responseBytes);
    this.#requireSender(envelope, peer);
    const { decrypted } = await keys.decryptSecure(envelope, peer);
    const message = SecureMessage.verify(decrypted, certificate, { self, inReplyTo });
    await replay.take(peer, message, keys.forgottenAt(decrypted.openedWith.certificate), emit);
    return message;
  }

  /** What a verified answer says, if it is on time. */
  async #read(
    peer: PeerRecord,
    method: string,
    message: AuthenticMessage,
    { sentAt, receivedAt, emit }: { readonly sentAt: number; readonly receivedAt: number; readonly emit: Emit },
  ): Promise<XmlRpcValue> {
    const { limits, directory } = this.#options;
    this.#checkClock(message, peer, (sentAt + receivedAt) / 2, emit);
    const document = await decodeResponseInTurns(message.document, { limits });
    directory.noteContact(peer, document.kind === "result" ? document.dialect : undefined);
    if (document.kind === "fault") throw this.#refusal(document, peer, { peer: peer.wwwroot, method });
    return document.value;
  }

  #verify(
    encrypted: EncryptedMessage,
    decrypted: DecryptedMessage,
    signed: SignedMessage,
    certificate: Certificate,
    peer: PeerRecord,
    method: string,
  ): VerifiedMessage {
    try {
      return VerifiedMessage.verify(encrypted, decrypted, certificate, peer.settings);
    } catch (error) {
      const isUnverified = error instanceof EnvelopeError && error.code === "MNET_ENVELOPE_SIGNATURE_INVALID";
      const shown = isUnverified ? this.#selfSignedKey(signed, peer, method) : undefined;
      throw shown ?? error;
    }
  }

  /** Mahara signs the fault that brings its new key with that new key (spec 4.6). It proves possession, and no more. */
  #selfSignedKey(signed: SignedMessage, peer: PeerRecord, method: string): NewKeyShown | undefined {
    // From a Moodle, whose old key vouches for the new one, it would prove nothing and change nothing (SEC-038).
    if (peer.application !== "mahara") return undefined;
    try {
      const document = decodeResponse(signed.document, { limits: this.#options.limits });
      if (document.kind !== "fault" || document.faultCode !== NEW_KEY) return undefined;
      const certificate = this.#options.adoption.parse(peer, document.faultString);
      verifySignature(signed, certificate);
      const call = { peer: peer.wwwroot, method };
      return new NewKeyShown(certificate, { isProved: false, fault: remoteFault(document, call, false) });
    } catch (error) {
      if (MnetError.is(error)) return undefined;
      throw error;
    }
  }

  /** A fault that the peer signed. 7025 brings its new key, or says in prose that it has none for us, which is 7023 (MNET-108). */
  #refusal(fault: Extract<Response, { kind: "fault" }>, peer: PeerRecord, call: CallReference): Error {
    if (fault.faultCode !== NEW_KEY) return remoteFault(fault, call, true);
    if (!fault.faultString.includes("-----BEGIN CERTIFICATE-----")) {
      return remoteFault({ ...fault, faultCode: UNREADABLE }, call, true);
    }
    const certificate = this.#options.adoption.parse(peer, fault.faultString);
    // The key that it was sealed to: nothing would change.
    if (certificate.pem === peer.certificate) return remoteFault(fault, call, true);
    return new NewKeyShown(certificate, { isProved: true, fault: remoteFault(fault, call, true) });
  }

  #readOuter({ status, body }: TransportResponse, peer: PeerRecord): Envelope {
    try {
      return readEnvelope(body, this.#options.limits.responseBytes);
    } catch (error) {
      if (status === 200) throw error;
      throw statusError(status, peer);
    }
  }

  /** The same without holding up others. */
  async #readLarge({ status, body }: TransportResponse, peer: PeerRecord): Promise<Envelope> {
    const { keys, limits } = this.#options;
    try {
      return await keys.work(readingEnvelope(body, limits.responseBytes));
    } catch (error) {
      if (status === 200) throw error;
      throw statusError(status, peer);
    }
  }

  /** An answer in clear is never a result. It may be a fault, which anyone on the way may have written (MNET-101). */
  #refusalInClear(
    envelope: Envelope,
    { status, body }: TransportResponse,
    peer: PeerRecord,
    method: string,
  ): MnetError {
    const fault =
      envelope.kind === "plain" ? this.#faultIn(envelope.document, { peer: peer.wwwroot, method }) : undefined;
    if (fault) return fault;
    if (status !== 200) return statusError(status, peer);
    if (envelope.kind === "signed" || isXmlRpc(body)) {
      return new EnvelopeError("MNET_ENVELOPE_NOT_ENCRYPTED", `${peer.wwwroot} answered without encryption.`, {
        peer: peer.wwwroot,
      });
    }
    const url = rpcUrl(peer.wwwroot, peer.application).href;
    const what = body.length === 0 ? "with nothing" : "with something that is not MNet, such as a page";
    return new TransportError("MNET_TRANSPORT_NOT_MNET", `${url} answered ${what}.`, {
      url,
      status,
      peer: peer.wwwroot,
    });
  }

  #faultIn(document: Uint8Array, call: { peer: Wwwroot; method: string }): RemoteFault | undefined {
    try {
      const response = decodeResponse(document, { limits: this.#options.limits });
      return response.kind === "fault" ? remoteFault(response, call, false) : undefined;
    } catch (error) {
      if (error instanceof XmlRpcError) return undefined;
      throw error;
    }
  }

  /** A response of another site is no response, however well it is signed (MNET-103). */
  #requireSender({ sender }: { readonly sender: string }, peer: PeerRecord): void {
    if (sender === peer.wwwroot) return;
    throw new EnvelopeError(
      "MNET_ENVELOPE_SENDER_MISMATCH",
      `${peer.wwwroot} was asked and ${JSON.stringify(sender.slice(0, 255))} answered.`,
      { peer: peer.wwwroot },
    );
  }

  /**
   * Ahead is refused as a Moodle does; behind is only worth knowing where nobody signed the time, unless the peer is
   * configured otherwise (SEC-035).
   */
  #checkClock(message: AuthenticMessage, peer: PeerRecord, answeredAt: number, emit: Emit): void {
    const tolerance = peer.settings.driftToleranceMs ?? DEFAULT_DRIFT_TOLERANCE_MS;
    const offsetMs = Math.round(message.timestamp.getTime() - answeredAt);
    if (Math.abs(offsetMs) <= tolerance) return;
    emit({ type: "clock.off", level: "warn", peer: { id: peer.id, wwwroot: peer.wwwroot }, offsetMs });
    if (offsetMs > tolerance) {
      throw new PeerError(
        "MNET_PEER_CLOCK_AHEAD",
        `The clock of ${peer.wwwroot} is ${Math.round(offsetMs / 1000)} s ahead of ours; ${tolerance / 1000} s are tolerated.`,
        { peer: peer.wwwroot, offsetMs },
      );
    }
    const tolerated = secureProfileOf(message) === undefined ? Infinity : signedTimeTolerance(peer.settings);
    const behind = peer.settings.clock === "strict" ? tolerance : tolerated;
    if (-offsetMs > behind) {
      throw new PeerError(
        "MNET_PEER_CLOCK_BEHIND",
        `The clock of ${peer.wwwroot} is ${Math.round(-offsetMs / 1000)} s behind ours; ${behind / 1000} s are tolerated.`,
        { peer: peer.wwwroot, offsetMs },
      );
    }
  }
}

/** Why a call is made again, and how the event says it. */
const REASONS = {
  "their-key": "rekeyed",
  "our-key": "rekeyed",
  dropped: "mahara-learned-our-key",
  "secure-profile": "secure-profile",
} as const;

interface CallReference {
  readonly peer: Wwwroot;
  readonly method: string;
}

interface Attempt {
  readonly peer: PeerRecord;
  /** Default: as the peer is to be called. */
  readonly profile: ProfileName | undefined;
  readonly signer: KeyPair;
  readonly method: string;
  readonly request: Uint8Array;
  readonly signal: AbortSignal | undefined;
  readonly emit: Emit;
}

interface Answer {
  readonly value: XmlRpcValue;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Absent: MNet's own. */
  readonly profile?: SecureProfileName;
}

/** How a failed call is made again. */
interface AnotherChance {
  readonly peer: PeerRecord;
  readonly because: keyof typeof REASONS;
  /** Default: as before. */
  readonly profile?: ProfileName;
}

/** "You used my old key; here is the new one" (spec 7.6). */
const NEW_KEY = 7025;
const UNREADABLE = 7023;
/** Of this library: "you have proved the secure profile to me" (docs/secure-profile.md, 7). Nothing was executed. */
const WANTS_SECURE_PROFILE = 7026;
/** "The signature verification failed": nothing was executed. */
const SIGNATURE_INVALID = 710;
/** Mahara's code for whatever fails inside, such as the call during which it learnt our key (MNET-129). */
const DROPPED = 0;

/** The peer has another key by now. Proved: the pinned key says so. Never leaves this file. */
class NewKeyShown extends Error {
  readonly certificate: Certificate;
  readonly isProved: boolean;
  /** What it is where no new key can be taken any more. */
  readonly fault: RemoteFault;

  constructor(
    certificate: Certificate,
    { isProved, fault }: { readonly isProved: boolean; readonly fault: RemoteFault },
  ) {
    super("The peer shows a new key.");
    this.certificate = certificate;
    this.isProved = isProved;
    this.fault = fault;
  }
}

function remoteFault(
  fault: Extract<Response, { readonly kind: "fault" }>,
  { peer, method }: { peer: Wwwroot; method: string },
  authenticated: boolean,
): RemoteFault {
  const { faultCode, faultString } = fault;
  const shown = JSON.stringify(faultString.slice(0, 200));
  return new RemoteFault(`${peer} answered ${method} with fault ${faultCode}: ${shown}`, {
    peer,
    method,
    faultCode,
    faultString,
    authenticated,
  });
}

function statusError(status: number, peer: PeerRecord): TransportError {
  const url = rpcUrl(peer.wwwroot, peer.application).href;
  return new TransportError("MNET_TRANSPORT_STATUS", `${url} answered with status ${status}.`, {
    url,
    status,
    peer: peer.wwwroot,
    retryable: status >= 500 || status === 429,
  });
}

const isXmlRpc = (body: Uint8Array): boolean => Buffer.from(body.subarray(0, 512)).includes("<methodResponse");
