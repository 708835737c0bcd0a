import { EnvelopeError, XmlRpcError } from "../core/errors.ts";
import type { Limits } from "../core/limits.ts";
import { goOn, isLater, type NowOrLater } from "../core/now-or-later.ts";
import { referenceTo } from "../core/peer-snapshot.ts";
import type { Certificate } from "../crypto/certificate.ts";
import { CryptoOverload } from "../crypto/crypto-pool.ts";
import { isLarge } from "../crypto/work.ts";
import { ENCRYPTED_MESSAGE, type EncryptedMessage } from "../envelope/encrypted-message.ts";
import { readEnvelope, readingEnvelope, type Envelope } from "../envelope/open.ts";
import type { SignedMessage } from "../envelope/signed-message.ts";
import { requireOneSender, verifySignature } from "../envelope/verified-message.ts";
import { profilesFor, refusesMnet } from "../peer/peer-profile.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import type { AuthenticMessage } from "../secure/authentic-message.ts";
import { readSecureEnvelope, SECURE_MESSAGE } from "../secure/secure-envelope.ts";
import { rootNameOf } from "../xml/read-document.ts";
import { decodeCall } from "../xmlrpc/decode.ts";
import type { XmlRpcCall } from "../xmlrpc/document.ts";
import { encodeFault } from "../xmlrpc/fault.ts";
import { Admission, faultOf, verifyAs, type AdmissionOptions, type Admitted, type Unverified } from "./admission.ts";
import { Answers, type AnswersOptions } from "./answers.ts";
import type { ClientAddress } from "./client-address.ts";
import { Crowds } from "./crowds.ts";
import type { Caller, Dispatcher } from "./dispatcher.ts";
import { FAULT, secureProfileFault } from "./fault-table.ts";
import { Fault } from "./fault.ts";
import { peerInKeyswap } from "./keyswap.ts";
import { openedMnet, openedSecure, type OpenedRequest } from "./opened-request.ts";
import { Refusal, refuseUnproved, type Wrapping } from "./refusal.ts";
import type { Permit, RequestBudget } from "./request-budget.ts";
import type { RequestContext } from "./request-context.ts";
import { OVERLOADED, TooManyRequests } from "./too-many-requests.ts";
import type { TrustedCall, TrustedMachines } from "./trusted-machines.ts";

const KEYSWAP = "system/keyswap";
/** What we call to see whether a peer takes our word, and has no other key by now. */
const LIST_SERVICES = "system/listServices";
/** Its grammar is refused like any other method's, but it is looked at in clear (spec 7.1, S7). */
const DOTTED_KEYSWAP = "system.keyswap";

/** A wwwroot, a certificate and a word. */
const LARGEST_KEYSWAP = 64 * 1024;

/** What the server needs of the host. */
export interface ReceiverOptions extends AdmissionOptions, AnswersOptions {
  readonly dispatcher: Dispatcher;
  readonly limits: Limits;
  readonly budget: RequestBudget;
  readonly machines: TrustedMachines;
}

/** What is left to do when a request has been opened. It remembers nothing of the envelope. */
type Serve = () => Promise<Uint8Array>;

/** The server's side of a call: from the bytes of a request to the bytes of the answer, in the order of spec 7.1. */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #admission: Admission;
  readonly #answers: Answers;
  readonly #crowds = new Crowds();

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#admission = new Admission(options);
    this.#answers = new Answers(options);
  }

  /**
   * Answers one request. Whatever the bytes are, there is an answer, unless too many of its kind came from there: then
   * it rejects with `TooManyRequests`.
   */
  receive(body: Uint8Array, context: RequestContext): Promise<Uint8Array> {
    const leave = this.#crowds.enter(context.client.block);
    // Opened first and then served, in functions of their own: a large message is not kept while its call runs.
    return this.#open(body, context)
      .then((serve) => serve())
      .then(
        (answer) => {
          leave();
          return answer;
        },
        (error: unknown) => this.#fail(error, context).finally(leave),
      );
  }

  async #fail(error: unknown, context: RequestContext): Promise<Uint8Array> {
    if (error instanceof Refusal) return this.#answers.refuse(error, context);
    throw error instanceof CryptoOverload ? OVERLOADED : error;
  }

  /** Whether more is asked than can be done in time. */
  get isOverloaded(): boolean {
    return this.#options.keys.isOverloaded;
  }

  /** Whether a request from there would be refused then, so that nobody need read it. */
  isCrowd({ block }: ClientAddress): boolean {
    return this.#crowds.isCrowd(block);
  }

  async #open(body: Uint8Array, context: RequestContext): Promise<Serve> {
    const { length } = body;
    const root = rootNameOf(body);
    if (root === SECURE_MESSAGE) return await this.#openSecure(body, context);
    const envelope = isLarge(body) ? await this.#readLarge(body, root) : this.#readOuter(body, root);
    // Awaited, which takes less than a promise of a promise.
    switch (envelope.kind) {
      case "plain":
        return await this.#openPlain(envelope.document, length, context);
      case "signed":
        return await this.#openSigned(envelope.message, length, context);
      case "encrypted":
        return await this.#openEncrypted(envelope.message, length, context);
    }
  }

  /** The answer to a body that was too large to be read at all. */
  refuseTooLarge(context: RequestContext): NowOrLater<Uint8Array> {
    const { requestBytes } = this.#options.limits;
    const error = new EnvelopeError("MNET_ENVELOPE_TOO_LARGE", `The request has more than ${requestBytes} bytes.`);
    return this.#answers.refuse(new Refusal(FAULT.unreadable, error), context);
  }

  // ── In clear ──────────────────────────────────────────────────────────────

  #readOuter(body: Uint8Array, root: string | undefined): Envelope {
    try {
      return readEnvelope(body, this.#options.limits.requestBytes, root);
    } catch (error) {
      throw this.#unread(error, root);
    }
  }

  /** The same without holding up others. The body is gone afterwards. */
  async #readLarge(body: Uint8Array, root: string | undefined): Promise<Envelope> {
    const { keys, limits } = this.#options;
    if (keys.isOverloadedByLarge) throw OVERLOADED;
    try {
      return await keys.work(readingEnvelope(body, limits.requestBytes), true);
    } catch (error) {
      throw this.#unread(error, root);
    }
  }

  #unread(error: unknown, root: string | undefined): unknown {
    if (!(error instanceof EnvelopeError)) return error;
    const isEncrypted = error.code === "MNET_ENVELOPE_TOO_LARGE" || root === ENCRYPTED_MESSAGE;
    return this.#refuseUnproved(isEncrypted ? FAULT.unreadable : FAULT.notPermittedTransport, error);
  }

  /** Only `system/keyswap` is answered in clear (MNET-082, MNET-095), and machines that are trusted (SEC-037). */
  async #openPlain(document: Uint8Array, bytesIn: number, context: RequestContext): Promise<Serve> {
    const call = this.#callInClear(document);
    const method = call?.method;
    if (call && method === KEYSWAP) {
      // Whatever becomes of it, the answer is the same (SEC-043).
      this.#options.strangers?.offer(call.params, context.client.block, context.emit);
      const named = await this.#namedIn(call);
      return () => this.#answers.keyswap({}, context, named);
    }
    const trusted = await this.#options.machines.admitPlain(document, context.client, this.#options.directory);
    if (trusted) return () => this.#serveTrusted(trusted, {}, bytesIn, context);
    const error = new EnvelopeError("MNET_ENVELOPE_NOT_ENCRYPTED", "The request is neither encrypted nor signed.");
    throw this.#refuseUnproved(method === DOTTED_KEYSWAP ? FAULT.badMethodName : FAULT.notPermittedTransport, error);
  }

  /** Signed and not encrypted: answered in kind, to those who are who they say. */
  async #openSigned(message: SignedMessage, bytesIn: number, context: RequestContext): Promise<Serve> {
    const { keys } = this.#options;
    const call = this.#callInClear(message.document);
    if (call?.method === KEYSWAP) {
      this.#requirePermit(context).failed();
      const named = await this.#namedIn(call);
      const { current: signWith } = await keys.active(named);
      return () => this.#answers.keyswap({ signWith }, context, named);
    }
    const trusted = await this.#options.machines.admitSigned(message, context.client, this.#options.directory);
    if (trusted) {
      const signWith = (await keys.active(trusted.peer)).current;
      this.#admission.requireInTime(new Date(message.timestamp * 1000), trusted.peer, { signWith });
      return () => this.#serveTrusted(trusted, { signWith }, bytesIn, context);
    }

    const peer = await this.#options.directory.findSender(message.sender);
    const error = new EnvelopeError("MNET_ENVELOPE_NOT_ENCRYPTED", "The request is signed and not encrypted.");
    if (!peer || !this.#isSigned(message, peer)) throw this.#refuseUnproved(FAULT.notPermittedTransport, error);
    // Anybody can send again what was overheard.
    this.#requirePermit(context).failed();
    throw new Refusal(FAULT.notPermittedTransport, error, { signWith: (await keys.active(peer)).current }, peer);
  }

  /** The answer is in kind: bare to bare, signed to signed. It says nothing of the peer, which need not even be on. */
  async #serveTrusted(
    trusted: TrustedCall,
    wrapping: Wrapping,
    bytesIn: number,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const { dispatcher } = this.#options;
    const { peer, accept, address: remoteAddress } = trusted;
    const call = await this.#readCall(trusted, peer, wrapping);
    const method = call.method.slice(0, 255);
    context.emit({
      type: "trusted-machine.used",
      level: "info",
      peer: referenceTo(peer),
      remoteAddress,
      accept,
      method,
    });
    return this.#run(call, dispatcher.machineAsCaller(trusted), wrapping, bytesIn, context);
  }

  // ── Encrypted ─────────────────────────────────────────────────────────────

  async #openEncrypted(encrypted: EncryptedMessage, bytesIn: number, context: RequestContext): Promise<Serve> {
    const permit = this.#requirePermit(context);
    const peer = await this.#findPeer(encrypted.sender, permit);
    try {
      const decrypting = this.#options.keys.decrypt(encrypted, peer, peer.id);
      const { keys, decrypted } = await this.#orRefused(decrypting, peer, permit);
      const encryptTo = this.#options.directory.certificateOf(peer);
      const { content } = decrypted;

      if (content.kind === "unsigned") return await this.#openUnsigned(content.document, encryptTo, peer, context);
      if (content.message.signature.length === 0) {
        const error = new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", "The request has no signature.", {
          peer: peer.wwwroot,
        });
        throw this.#refuseUnproved(FAULT.notSigned, error, { encryptTo }, peer);
      }
      this.#requireOneSender(encrypted, content.message, { signWith: keys.current, encryptTo }, peer);
      const opened = openedMnet(encrypted, decrypted, content.message);
      if (refusesMnet(peer)) throw this.#wantsSecure(opened, peer);
      const admitted = await this.#admission.admit(opened, peer, keys.current, permit, context.emit);
      return this.#servable(admitted, opened, peer, bytesIn, context);
    } finally {
      // Unless it has proved itself.
      permit.failed();
    }
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
  async #openSecure(body: Uint8Array, context: RequestContext): Promise<Serve> {
    const { self, keys, limits } = this.#options;
    const envelope = this.#orUnreadable(() => readSecureEnvelope(body, limits.requestBytes));
    const permit = this.#requirePermit(context);
    const peer = await this.#findPeer(envelope.sender, permit);
    try {
      const { keys: active, decrypted } = await this.#orRefused(keys.decryptSecure(envelope, peer), peer, permit);
      const opened = openedSecure(decrypted, self);
      const admitted = await this.#admission.admit(opened, peer, active.current, permit, context.emit);
      return this.#servable(admitted, opened, peer, body.length, context);
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

  /** Opened by one of our keys, and judged; from here on, what the profiles have in common. */
  #servable(
    admitted: Admitted | Unverified,
    opened: OpenedRequest,
    peer: PeerRecord,
    bytesIn: number,
    context: RequestContext,
  ): Serve {
    if ("message" in admitted) return () => this.#serve(admitted, bytesIn, context);
    const { unverified, wrapping } = admitted;
    const asksForKey = opened.unverified && this.#callInClear(opened.unverified)?.method === KEYSWAP;
    if (asksForKey && !this.#options.hidePeers) return () => this.#answers.keyswap(wrapping, context, peer);
    throw this.#refuseUnproved(faultOf(unverified), unverified, wrapping, peer);
  }

  #serve({ message, peer, wrapping }: Admitted, bytesIn: number, context: RequestContext): Promise<Uint8Array> {
    const { dispatcher, directory } = this.#options;
    return goOn(this.#readCall(message, peer, wrapping), (call) => {
      directory.noteContact(peer, call.dialect);
      const run = (): Promise<Uint8Array> => this.#run(call, dispatcher.peerAsCaller(peer), wrapping, bytesIn, context);
      return call.method === LIST_SERVICES ? this.#admission.requireNewest(peer, wrapping).then(run) : run();
    });
  }

  async #run(
    call: XmlRpcCall,
    caller: Caller,
    wrapping: Wrapping,
    bytesIn: number,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const { dispatcher, clock } = this.#options;
    const { peer } = caller;
    const started = clock.now();
    const report = (body: Uint8Array, fault?: Fault): void => {
      const { profile } = wrapping.secure ?? {};
      const served = {
        type: "call.served",
        level: "debug",
        peer: referenceTo(peer),
        method: call.method.slice(0, 255),
        durationMs: clock.now() - started,
        bytesIn,
        bytesOut: body.length,
      } as const;
      context.emit(
        profile || fault
          ? { ...served, ...(profile && { profile }), ...(fault && { faultCode: fault.faultCode }) }
          : served,
      );
    };
    try {
      const wrapped = this.#answers.wrap(await dispatcher.run(call, caller, context), wrapping);
      const body = isLater(wrapped) ? await wrapped : wrapped;
      report(body);
      return body;
    } catch (error) {
      if (error instanceof Refusal) throw new Refusal(error.fault, error.error, wrapping, peer);
      if (!(error instanceof Fault)) throw error;
      const body = await this.#answers.wrap(
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
    if (typeof permit === "number") throw new TooManyRequests("private-key", permit);
    return permit;
  }

  /** Unknown, suspended and deleted senders are alike (MNET-007, MNET-077). */
  #findPeer(sender: string, permit: Permit): Promise<PeerRecord> {
    return this.#options.directory.findEncryptedSender(sender).then((peer) => {
      if (peer) return peer;
      // It cost us nothing, but in hiding the price must not tell who is known.
      if (this.#options.hidePeers) permit.failed();
      const error = new EnvelopeError(
        "MNET_ENVELOPE_SIGNER_UNKNOWN",
        `The request claims to be from ${JSON.stringify(sender.slice(0, 255))}, which is no active peer.`,
      );
      throw this.#refuseUnproved(FAULT.unknownSender, error);
    });
  }

  /** What none of our keys opens is refused; what could not be tried in time has cost nothing. */
  #orRefused<T>(decrypting: Promise<T>, peer: PeerRecord, permit: Permit): Promise<T> {
    return decrypting.catch((error: unknown) => {
      if (error instanceof CryptoOverload) permit.returned();
      throw error instanceof EnvelopeError ? new Refusal(FAULT.unreadable, error, {}, peer) : error;
    });
  }

  /** Encrypted, but nobody signed it: refused, unless it asks for our key (MNET-083, MNET-095). */
  async #openUnsigned(
    document: Uint8Array,
    encryptTo: Certificate,
    peer: PeerRecord,
    context: RequestContext,
  ): Promise<Serve> {
    const method = this.#callIn(document)?.method;
    const error = new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", "The request is not signed.", { peer: peer.wwwroot });
    if (method === undefined) throw new Refusal(FAULT.unreadable, error, {}, peer);
    if (method === KEYSWAP && !this.#options.hidePeers) {
      return () => this.#answers.keyswap({ encryptTo }, context, peer);
    }
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

  #readCall(message: AuthenticMessage | TrustedCall, peer: PeerRecord, wrapping: Wrapping): NowOrLater<XmlRpcCall> {
    const refuse = (error: unknown): never => {
      if (!(error instanceof XmlRpcError)) throw error;
      throw new Refusal(FAULT.notPermittedTransport, error, wrapping, peer);
    };
    try {
      const call = this.#options.dispatcher.read(message);
      return isLater(call) ? call.catch(refuse) : call;
    } catch (error) {
      return refuse(error);
    }
  }

  // ── What nobody has verified ──────────────────────────────────────────────

  /** Another key than all others get would tell that this is a peer (SEC-087); in hiding it learns its own by 7025 only. */
  async #namedIn({ params }: XmlRpcCall): Promise<PeerRecord | undefined> {
    return this.#options.hidePeers ? undefined : peerInKeyswap(params, this.#options.directory);
  }

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

  #refuseUnproved(fault: Fault, error: EnvelopeError, wrapping?: Wrapping, peer?: PeerRecord): Refusal {
    return refuseUnproved(this.#options.hidePeers, fault, error, wrapping, peer);
  }
}
