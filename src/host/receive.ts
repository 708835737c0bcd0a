import type { Clock } from "../core/clock.ts";
import { EnvelopeError, KeyError, PeerError, XmlRpcError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import { encryptMessage, type EncryptedMessage } from "../envelope/encrypted-message.ts";
import { readEnvelope, type Envelope } from "../envelope/open.ts";
import { signMessage, type SignedMessage } from "../envelope/signed-message.ts";
import { requireOneSender, verifySignature } from "../envelope/verified-message.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { CircuitBreaker } from "../peer/circuit-breaker.ts";
import type { KeyRefresh } from "../peer/key-refresh.ts";
import type { NewKeyNotices } from "../peer/new-key-notices.ts";
import type { PeerDirectory } from "../peer/peer-directory.ts";
import { profilesFor, refusesMnet } from "../peer/peer-profile.ts";
import { DEFAULT_DRIFT_TOLERANCE_MS, signedTimeTolerance } from "../peer/peer-settings.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import type { ProfileProofs } from "../peer/profile-proofs.ts";
import type { ReplayGuard } from "../peer/replay-guard.ts";
import type { SelfRegistration } from "../peer/self-registration.ts";
import { secureProfileOf, type AuthenticMessage } from "../secure/authentic-message.ts";
import { sealSecure } from "../secure/seal-secure.ts";
import { isSecure, readSecureEnvelope } from "../secure/secure-envelope.ts";
import { rootNameOf } from "../xml/read-document.ts";
import { decodeCall } from "../xmlrpc/decode.ts";
import type { XmlRpcCall } from "../xmlrpc/document.ts";
import { encodeResult } from "../xmlrpc/encode.ts";
import { encodeFault } from "../xmlrpc/fault.ts";
import type { ClientAddress } from "./client-address.ts";
import type { Caller, Dispatcher } from "./dispatcher.ts";
import { FAULT, newKeyFault, secureProfileFault } from "./fault-table.ts";
import { Fault } from "./fault.ts";
import { openedMnet, openedSecure, type OpenedRequest } from "./opened-request.ts";
import { Refusal, type Wrapping } from "./refusal.ts";
import type { Permit, RequestBudget } from "./request-budget.ts";
import { TooManyRequests } from "./too-many-requests.ts";
import type { TrustedCall, TrustedMachines } from "./trusted-machines.ts";

const KEYSWAP = "system/keyswap";
/** Its grammar is refused like any other method's, but it is looked at in clear (spec 7.1, S7). */
const DOTTED_KEYSWAP = "system.keyswap";

/** A wwwroot, a certificate and a word. */
const LARGEST_KEYSWAP = 64 * 1024;

/** Where a request came from, and whether anybody still waits for the answer. */
export interface RequestContext {
  readonly client: ClientAddress;
  readonly signal: AbortSignal;
}

/** What the server needs of the host. */
export interface ReceiverOptions {
  readonly self: Wwwroot;
  readonly keys: KeyRing;
  readonly directory: PeerDirectory;
  readonly dispatcher: Dispatcher;
  readonly limits: Limits;
  /** Answer every failure before authentication with the same bytes (SEC-003, SEC-087). */
  readonly hidePeers: boolean;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly refresh: KeyRefresh;
  readonly proofs: ProfileProofs;
  readonly replay: ReplayGuard;
  readonly newKeyNotices: NewKeyNotices;
  /** Hub mode; without it, strangers stay strangers. */
  readonly strangers: SelfRegistration | undefined;
  readonly circuits: CircuitBreaker;
  readonly budget: RequestBudget;
  readonly machines: TrustedMachines;
  readonly random: ((bytes: number) => Uint8Array) | undefined;
}

/** The server's side of a call: from the bytes of a request to the bytes of the answer, in the order of spec 7.1. */
export class Receiver {
  readonly #options: ReceiverOptions;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /**
   * Answers one request. Whatever the bytes are, there is an answer, unless too many of its kind came from there: then
   * it throws `TooManyRequests`.
   */
  async receive(body: Uint8Array, context: RequestContext): Promise<Uint8Array> {
    try {
      if (isSecure(body)) return await this.#serveSecure(body, context);
      const envelope = this.#readOuter(body);
      switch (envelope.kind) {
        case "plain":
          return await this.#servePlain(envelope.document, body.length, context);
        case "signed":
          return await this.#serveSigned(envelope.message, body.length, context);
        case "encrypted":
          return await this.#serveEncrypted(envelope.message, body.length, context);
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#refuse(error, context);
    }
  }

  /** The answer to a body that was too large to be read at all. */
  refuseTooLarge(context: RequestContext): Uint8Array {
    const { requestBytes } = this.#options.limits;
    const error = new EnvelopeError("MNET_ENVELOPE_TOO_LARGE", `The request has more than ${requestBytes} bytes.`);
    return this.#refuse(new Refusal(FAULT.unreadable, error), context);
  }

  // ── In clear ──────────────────────────────────────────────────────────────

  #readOuter(body: Uint8Array): Envelope {
    try {
      return readEnvelope(body, this.#options.limits.requestBytes);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      const isEncrypted = error.code === "MNET_ENVELOPE_TOO_LARGE" || rootNameOf(body) === "encryptedMessage";
      throw this.#refuseUnproved(isEncrypted ? FAULT.unreadable : FAULT.notPermittedTransport, error);
    }
  }

  /** Only `system/keyswap` is answered in clear (MNET-082, MNET-095), and machines that are trusted (SEC-037). */
  async #servePlain(document: Uint8Array, bytesIn: number, context: RequestContext): Promise<Uint8Array> {
    const call = this.#callInClear(document);
    const method = call?.method;
    if (call && method === KEYSWAP) {
      // Whatever becomes of it, the answer is the same (SEC-043).
      this.#options.strangers?.offer(call.params, context.client.block);
      return this.#answerKeyswap({}, context);
    }
    const trusted = await this.#options.machines.admitPlain(document, context.client, this.#options.directory);
    if (trusted) return this.#serveTrusted(trusted, {}, bytesIn, context);
    const error = new EnvelopeError("MNET_ENVELOPE_NOT_ENCRYPTED", "The request is neither encrypted nor signed.");
    throw this.#refuseUnproved(method === DOTTED_KEYSWAP ? FAULT.badMethodName : FAULT.notPermittedTransport, error);
  }

  /** Signed and not encrypted: answered in kind, to those who are who they say. */
  async #serveSigned(message: SignedMessage, bytesIn: number, context: RequestContext): Promise<Uint8Array> {
    const { current } = await this.#options.keys.active();
    if (this.#callInClear(message.document)?.method === KEYSWAP) {
      this.#requirePermit(context).failed();
      return this.#answerKeyswap({ signWith: current }, context);
    }
    const trusted = await this.#options.machines.admitSigned(message, context.client, this.#options.directory);
    if (trusted) {
      this.#requireInTime(new Date(message.timestamp * 1000), trusted.peer, { signWith: current });
      return this.#serveTrusted(trusted, { signWith: current }, bytesIn, context);
    }

    const peer = await this.#options.directory.findSender(message.sender);
    const error = new EnvelopeError("MNET_ENVELOPE_NOT_ENCRYPTED", "The request is signed and not encrypted.");
    if (!peer || !this.#isSigned(message, peer)) throw this.#refuseUnproved(FAULT.notPermittedTransport, error);
    // Anybody can send again what was overheard.
    this.#requirePermit(context).failed();
    throw new Refusal(FAULT.notPermittedTransport, error, { signWith: current }, peer);
  }

  /** The answer is in kind: bare to bare, signed to signed. It says nothing of the peer, which need not even be on. */
  #serveTrusted(
    trusted: TrustedCall,
    wrapping: Wrapping,
    bytesIn: number,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const { dispatcher, emit } = this.#options;
    const { peer, accept, address: remoteAddress } = trusted;
    const call = this.#readCall(trusted, peer, wrapping);
    const method = call.method.slice(0, 255);
    emit({ type: "trusted-machine.used", level: "info", peer: referenceTo(peer), remoteAddress, accept, method });
    return this.#run(call, dispatcher.machineAsCaller(trusted), wrapping, bytesIn, context);
  }

  // ── Encrypted ─────────────────────────────────────────────────────────────

  async #serveEncrypted(encrypted: EncryptedMessage, bytesIn: number, context: RequestContext): Promise<Uint8Array> {
    const permit = this.#requirePermit(context);
    const peer = await this.#findPeer(encrypted.sender, permit);
    try {
      return await this.#serveEncryptedFrom(peer, encrypted, bytesIn, permit, context);
    } finally {
      // Unless it has proved itself.
      permit.failed();
    }
  }

  async #serveEncryptedFrom(
    peer: PeerRecord,
    encrypted: EncryptedMessage,
    bytesIn: number,
    permit: Permit,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const { keys, decrypted } = await this.#decrypt(this.#options.keys.decrypt(encrypted), peer);
    const encryptTo = this.#options.directory.certificateOf(peer);
    const { content } = decrypted;

    if (content.kind === "unsigned") return this.#serveUnsigned(content.document, encryptTo, peer, context);
    if (content.message.signature.length === 0) {
      const error = new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", "The request has no signature.", {
        peer: peer.wwwroot,
      });
      throw this.#refuseUnproved(FAULT.notSigned, error, { encryptTo }, peer);
    }
    this.#requireOneSender(encrypted, content.message, { signWith: keys.current, encryptTo }, peer);
    const opened = openedMnet(encrypted, decrypted, content.message);
    if (refusesMnet(peer)) throw this.#wantsSecure(opened, peer);
    return this.#serveOpened(opened, peer, keys.current, bytesIn, permit, context);
  }

  /**
   * A message in MNet's own profile of a peer that has the secure one: somebody has recorded or made it who can do more
   * with that, or the peer has lost its memory. It is told, so that it can go on; nothing is executed.
   */
  #wantsSecure(opened: OpenedRequest, peer: PeerRecord): Refusal {
    const encryptTo = this.#certificateOf(peer);
    const verified = verifyAs(peer, opened, encryptTo);
    // By the key that the peer knows, or it could not believe it.
    const wrapping = opened.wrapping(opened.openedWith, encryptTo);
    if (verified instanceof EnvelopeError) {
      return this.#refuseUnproved(faultOf(verified), verified, wrapping, peer);
    }
    const error = new EnvelopeError(
      "MNET_ENVELOPE_PROFILE_REFUSED",
      `The request is in MNet's own profile, and ${peer.wwwroot} has the secure one.`,
      { peer: peer.wwwroot },
    );
    return new Refusal(secureProfileFault(profilesFor(peer)), error, wrapping, peer);
  }

  /** In the secure profile (docs/secure-profile.md). */
  async #serveSecure(body: Uint8Array, context: RequestContext): Promise<Uint8Array> {
    const { self, keys, limits } = this.#options;
    const envelope = this.#orUnreadable(() => readSecureEnvelope(body, limits.requestBytes));
    const permit = this.#requirePermit(context);
    const peer = await this.#findPeer(envelope.sender, permit);
    try {
      const { keys: active, decrypted } = await this.#decrypt(keys.decryptSecure(envelope), peer);
      const opened = openedSecure(decrypted, self);
      return await this.#serveOpened(opened, peer, active.current, body.length, permit, context);
    } finally {
      permit.failed();
    }
  }

  #orUnreadable<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof EnvelopeError) throw this.#refuseUnproved(FAULT.unreadable, error);
      throw error;
    }
  }

  // ── In either profile ─────────────────────────────────────────────────────

  /** Opened by one of our keys; from here on, what the profiles have in common. */
  async #serveOpened(
    opened: OpenedRequest,
    peer: PeerRecord,
    current: KeyPair,
    bytesIn: number,
    permit: Permit,
    context: RequestContext,
  ): Promise<Uint8Array> {
    if (opened.openedWith !== current) throw await this.#newKey(opened, current, peer);

    const verified = await this.#verify(opened, peer, permit);
    if (verified instanceof EnvelopeError) {
      const wrapping = opened.wrapping(current, this.#certificateOf(peer));
      const asksForKey = opened.unverified && this.#callInClear(opened.unverified)?.method === KEYSWAP;
      if (asksForKey && !this.#options.hidePeers) return this.#answerKeyswap(wrapping, context);
      throw this.#refuseUnproved(faultOf(verified), verified, wrapping, peer);
    }
    const { message } = verified;
    const wrapping = opened.wrapping(current, this.#certificateOf(verified.peer));
    await this.#requireFresh(message, verified.peer, current, wrapping);
    const profile = secureProfileOf(message);
    const proved = profile ? await this.#options.proofs.prove(verified.peer, profile) : verified.peer;
    // Anybody can register a key and sign with it, so that alone makes no address known (SEC-083).
    if (proved.state === "pending") this.#options.strangers?.noteSigned(proved);
    else permit.proved();
    this.#options.circuits.heardFrom(proved);
    this.#remark(message, proved);
    return this.#serve(message, proved, wrapping, bytesIn, context);
  }

  async #serve(
    message: AuthenticMessage,
    peer: PeerRecord,
    wrapping: Wrapping,
    bytesIn: number,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const { dispatcher, directory } = this.#options;
    const call = this.#readCall(message, peer, wrapping);
    directory.noteContact(peer, call.dialect);
    return this.#run(call, dispatcher.peerAsCaller(peer), wrapping, bytesIn, context);
  }

  async #run(
    call: XmlRpcCall,
    caller: Caller,
    wrapping: Wrapping,
    bytesIn: number,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const { dispatcher, clock, emit } = this.#options;
    const { peer } = caller;
    const started = clock.now();
    const report = (body: Uint8Array, fault?: Fault): void => {
      emit({
        type: "call.served",
        level: "debug",
        peer: referenceTo(peer),
        method: call.method.slice(0, 255),
        durationMs: clock.now() - started,
        bytesIn,
        bytesOut: body.length,
        ...(wrapping.secure?.profile && { profile: wrapping.secure.profile }),
        ...(fault && { faultCode: fault.faultCode }),
      });
    };
    try {
      const body = this.#wrap(await dispatcher.run(call, caller, context.signal), wrapping);
      report(body);
      return body;
    } catch (error) {
      if (error instanceof Refusal) throw new Refusal(error.fault, error.error, wrapping, peer);
      if (!(error instanceof Fault)) throw error;
      const body = this.#wrap(
        encodeFault(error.faultCode, error.faultString, { dialect: call.dialect ?? peer.dialect }),
        wrapping,
      );
      report(body, error);
      return body;
    }
  }

  /** What may need our private key is rationed by where it comes from, whoever it says that it is from (SEC-083). */
  #requirePermit({ client }: RequestContext): Permit {
    const permit = this.#options.budget.take(client.block);
    if (typeof permit === "number") throw new TooManyRequests(permit);
    return permit;
  }

  /** Unknown, suspended and deleted senders are alike (MNET-007, MNET-077). */
  async #findPeer(sender: string, permit: Permit): Promise<PeerRecord> {
    const peer = await this.#options.directory.findEncryptedSender(sender);
    if (peer) return peer;
    // It cost us nothing, but in hiding the price must not tell who is known.
    if (this.#options.hidePeers) permit.failed();
    const error = new EnvelopeError(
      "MNET_ENVELOPE_SIGNER_UNKNOWN",
      `The request claims to be from ${JSON.stringify(sender.slice(0, 255))}, which is no active peer.`,
    );
    throw this.#refuseUnproved(FAULT.unknownSender, error);
  }

  async #decrypt<T>(decrypting: Promise<T>, peer: PeerRecord): Promise<T> {
    try {
      return await decrypting;
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      throw new Refusal(FAULT.unreadable, error, {}, peer);
    }
  }

  /** Encrypted, but nobody signed it: refused, unless it asks for our key (MNET-083, MNET-095). */
  async #serveUnsigned(
    document: Uint8Array,
    encryptTo: Certificate,
    peer: PeerRecord,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const method = this.#callIn(document)?.method;
    const error = new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", "The request is not signed.", { peer: peer.wwwroot });
    if (method === undefined) throw new Refusal(FAULT.unreadable, error, {}, peer);
    if (method === KEYSWAP && !this.#options.hidePeers) return this.#answerKeyswap({ encryptTo }, context);
    throw this.#refuseUnproved(FAULT.notSigned, error, { encryptTo }, peer);
  }

  #requireOneSender(encrypted: EncryptedMessage, signed: SignedMessage, wrapping: Wrapping, peer: PeerRecord): void {
    try {
      requireOneSender(encrypted, signed);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      throw this.#refuseUnproved(FAULT.signatureInvalid, error, wrapping, peer);
    }
  }

  /**
   * The sender knows us by an old key: it is told the new one, signed with the old one so that it can believe it, and
   * its call is not executed (spec 7.6, MNET-079 to 081). It is told even if its own signature does not verify, or two
   * sites that both rotated would go round in circles (spec 7.5).
   */
  async #newKey(opened: OpenedRequest, current: KeyPair, peer: PeerRecord): Promise<Refusal> {
    const encryptTo = this.#certificateOf(peer);
    const error = new EnvelopeError(
      "MNET_ENVELOPE_DECRYPTION_FAILED",
      "The request is encrypted to an archived key of ours.",
      { peer: peer.wwwroot },
    );
    const { openedWith } = opened;
    const verified = verifyAs(peer, opened, encryptTo);
    const isSigned = !(verified instanceof EnvelopeError);
    // A pending peer is nobody who has to be told before it has shown that it is itself (SEC-052).
    if ((this.#options.hidePeers || peer.state === "pending") && !isSigned) {
      return this.#refuseUnproved(FAULT.unreadable, error);
    }
    if (isSigned) await this.#noteNewKey(verified.message, openedWith, peer);
    return new Refusal(newKeyFault(current.certificate.pem), error, opened.wrapping(openedWith, encryptTo), peer);
  }

  /**
   * Only the peer itself can have dropped a call of ours for the news, and only now. Remembering the message keeps another
   * process, which may not have heard of the new key, from executing it.
   */
  async #noteNewKey(message: AuthenticMessage, openedWith: KeyPair, peer: PeerRecord): Promise<void> {
    const { keys, replay, newKeyNotices } = this.#options;
    try {
      await replay.take(peer, message, keys.forgottenAt(openedWith.certificate));
      newKeyNotices.add(peer.id);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
    }
  }

  /**
   * Verifies with the pinned key. Where that fails, the peer may have another key by now: it is asked once, and the
   * message verified again (spec 7.5, MNET-084, MNET-090).
   */
  async #verify(
    opened: OpenedRequest,
    peer: PeerRecord,
    permit: Permit,
  ): Promise<{ readonly message: AuthenticMessage; readonly peer: PeerRecord } | EnvelopeError> {
    const first = verifyAs(peer, opened, this.#certificateOf(peer));
    if (!(first instanceof EnvelopeError) || first.code !== "MNET_ENVELOPE_SIGNATURE_INVALID") return first;
    // While the peer is asked, many more like it may come.
    permit.failed();
    if (peer.state === "pending") {
      this.#options.strangers?.recheck(peer);
      return first;
    }
    const refreshing = this.#options.refresh.refresh(peer);
    // Who hides its peers does not let a sender wait for one of them; the next message will find the new key.
    if (this.#options.hidePeers) return first;
    const refreshed = await refreshing;
    return refreshed ? verifyAs(refreshed, opened, this.#certificateOf(refreshed)) : first;
  }

  /** Taken once, and in time. */
  async #requireFresh(
    message: AuthenticMessage,
    peer: PeerRecord,
    openedWith: KeyPair,
    wrapping: Wrapping,
  ): Promise<void> {
    const { keys, replay } = this.#options;
    this.#requireInTime(message.timestamp, peer, wrapping, secureProfileOf(message) !== undefined);
    try {
      // Messages to a key that is archived by then are answered with 7025 and never executed.
      await replay.take(peer, message, keys.retiredAt(openedWith.certificate));
    } catch (error) {
      if (error instanceof EnvelopeError) throw new Refusal(FAULT.replayed, error, wrapping, peer);
      throw error;
    }
  }

  /** Where the time is signed, or the peer is so configured: on time; and where it is so configured, not with an expired key. */
  #requireInTime(timestamp: Date, peer: PeerRecord, wrapping: Wrapping, isSigned = false): void {
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

  #certificateOf(peer: PeerRecord): Certificate {
    return this.#options.directory.certificateOf(peer);
  }

  #isSigned(message: SignedMessage, peer: PeerRecord): boolean {
    try {
      verifySignature(message, this.#options.directory.certificateOf(peer));
      return true;
    } catch (error) {
      if (error instanceof EnvelopeError) return false;
      throw error;
    }
  }

  #readCall(message: AuthenticMessage | TrustedCall, peer: PeerRecord, wrapping: Wrapping): XmlRpcCall {
    try {
      return this.#options.dispatcher.read(message);
    } catch (error) {
      if (!(error instanceof XmlRpcError)) throw error;
      throw new Refusal(FAULT.notPermittedTransport, error, wrapping, peer);
    }
  }

  /** What is odd about a verified message and no reason to refuse it. */
  #remark(message: AuthenticMessage, peer: PeerRecord): void {
    const { emit, clock, directory } = this.#options;
    directory.noteKeyUse(peer, this.#certificateOf(peer));
    for (const remark of message.remarks) {
      emit({ type: "envelope.remark", level: "warn", peer: referenceTo(peer), remark });
    }
    const offsetMs = message.timestamp.getTime() - clock.now();
    // What was to be refused has been; in MNet's own profile nobody signed the time, so it would gain nothing (SEC-035).
    if (Math.abs(offsetMs) > DEFAULT_DRIFT_TOLERANCE_MS) {
      emit({ type: "clock.off", level: "warn", peer: referenceTo(peer), offsetMs });
    }
  }

  // ── What nobody has verified ──────────────────────────────────────────────

  /**
   * The call in a document that comes from anybody. Looking into it is right for one question only: does it ask for our
   * public key (MNET-039)? Such a request is small; whatever is larger is not looked into.
   */
  #callInClear(document: Uint8Array): XmlRpcCall | undefined {
    return document.length <= LARGEST_KEYSWAP ? this.#callIn(document) : undefined;
  }

  #callIn(document: Uint8Array): XmlRpcCall | undefined {
    try {
      return decodeCall(document, { limits: this.#options.limits });
    } catch (error) {
      if (error instanceof XmlRpcError) return undefined;
      throw error;
    }
  }

  // ── Answers ───────────────────────────────────────────────────────────────

  /** Our certificate is public: whoever asks gets it, wrapped as the request was (MNET-095). Nothing is stored. */
  async #answerKeyswap(
    wrapping: Wrapping,
    { client: { address: remoteAddress } }: RequestContext,
  ): Promise<Uint8Array> {
    // A peer asks because it doubts the key that it has.
    const { current } = await this.#options.keys.recent();
    this.#options.emit({
      type: "keyswap.answered",
      level: "debug",
      ...(remoteAddress !== undefined && { remoteAddress }),
    });
    return this.#wrap(encodeResult(current.certificate.pem), wrapping);
  }

  /** A refusal of somebody who has not proved who it is: in hiding, all of these are one. */
  #refuseUnproved(fault: Fault, error: EnvelopeError, wrapping: Wrapping = {}, peer?: PeerRecord): Refusal {
    return this.#options.hidePeers
      ? new Refusal(FAULT.unreadable, error, {}, peer)
      : new Refusal(fault, error, wrapping, peer);
  }

  #refuse(
    { fault, error, wrapping, peer }: Refusal,
    { client: { address: remoteAddress } }: RequestContext,
  ): Uint8Array {
    this.#options.emit({
      type: "call.refused",
      level: "warn",
      code: error.code,
      faultCode: fault.faultCode,
      detail: detailOf(error),
      ...(peer && { peer: referenceTo(peer) }),
      ...(remoteAddress !== undefined && { remoteAddress }),
    });
    return this.#wrap(encodeFault(fault.faultCode, fault.faultString, { dialect: peer?.dialect }), wrapping);
  }

  #wrap(document: Uint8Array, { signWith, encryptTo, secure }: Wrapping): Uint8Array {
    const { self: sender, clock, random } = this.#options;
    const timestamp = new Date(clock.now());
    if (secure && signWith && encryptTo) {
      return sealSecure(document, { ...secure, sender, key: signWith, recipient: encryptTo, timestamp, random }).body;
    }
    const signed = signWith ? signMessage(document, { sender, key: signWith, timestamp }) : document;
    return encryptTo ? encryptMessage(signed, { sender, recipient: encryptTo, random }) : signed;
  }
}

/** A message that the peer has signed, or why it has not. */
function verifyAs(
  peer: PeerRecord,
  opened: OpenedRequest,
  certificate: Certificate,
): { readonly message: AuthenticMessage; readonly peer: PeerRecord } | EnvelopeError {
  try {
    return { message: opened.verify(peer, certificate), peer };
  } catch (error) {
    if (error instanceof EnvelopeError) return error;
    throw error;
  }
}

const faultOf = ({ code }: EnvelopeError): Fault =>
  code === "MNET_ENVELOPE_NOT_SIGNED" ? FAULT.notSigned : FAULT.signatureInvalid;

const referenceTo = ({ id, wwwroot }: PeerRecord): { id: PeerRecord["id"]; wwwroot: Wwwroot } => ({ id, wwwroot });

/** The message, and for the one error that says the same of everything, its cause. */
function detailOf({ message, cause }: Error): string {
  const reason = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : undefined;
  return reason === undefined ? message : `${message} (${reason})`;
}
