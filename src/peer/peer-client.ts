import type { Clock } from "../core/clock.ts";
import { EnvelopeError, MnetError, PeerError, RemoteFault, TransportError, XmlRpcError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { Certificate } from "../crypto/certificate.ts";
import { decryptMessage } from "../envelope/encrypted-message.ts";
import { readEnvelope, type Envelope } from "../envelope/open.ts";
import { seal } from "../envelope/seal.ts";
import type { SignedMessage } from "../envelope/signed-message.ts";
import { VerifiedMessage } from "../envelope/verified-message.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { TransportResponse } from "../transport/transport.ts";
import { decodeResponse } from "../xmlrpc/decode.ts";
import type { XmlRpcDocument } from "../xmlrpc/document.ts";
import { encodeCall } from "../xmlrpc/encode.ts";
import type { XmlRpcValue } from "../xmlrpc/value.ts";
import { rpcUrl } from "./application.ts";
import type { HttpClient } from "./http-exchange.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import type { PeerRecord } from "./peer-store.ts";

/** A responder may be this far ahead of us (MNET-104). */
export const DEFAULT_DRIFT_TOLERANCE_MS = 15_000;

type Response = Exclude<XmlRpcDocument, { readonly kind: "call" }>;

/** What a call needs of the host. */
export interface PeerClientOptions {
  readonly self: Wwwroot;
  readonly keys: KeyRing;
  readonly http: HttpClient;
  readonly directory: PeerDirectory;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly emit: Emit;
  readonly random: ((bytes: number) => Uint8Array) | undefined;
}

/** Calls methods of peers and believes nothing that they did not sign for us (spec 8). */
export class PeerClient {
  readonly #options: PeerClientOptions;

  constructor(options: PeerClientOptions) {
    this.#options = options;
  }

  /**
   * Calls one method. Permission has been checked.
   *
   * Throws `TransportError`, `EnvelopeError`, `XmlRpcError`, `RemoteFault`, `PeerError` `MNET_PEER_CLOCK_AHEAD`; an
   * aborted call rejects with `signal.reason`.
   */
  async call(
    peer: PeerRecord,
    method: string,
    params: readonly XmlRpcValue[],
    signal?: AbortSignal,
  ): Promise<XmlRpcValue> {
    const { clock, directory, emit, self, random } = this.#options;
    const started = clock.now();
    const reference = { id: peer.id, wwwroot: peer.wwwroot };
    let bytesOut = 0;
    try {
      const { current } = await this.#options.keys.active();
      const certificate = directory.certificateOf(peer);
      const body = await seal(encodeCall(method, params), {
        sender: self,
        key: current,
        recipient: certificate,
        timestamp: new Date(started),
        random,
      });
      bytesOut = body.length;
      const response = await this.#post(peer, body, signal);
      const { value, bytesIn } = await this.#read(peer, method, response, certificate, started);
      emit({
        type: "call.sent",
        level: "debug",
        peer: reference,
        method,
        durationMs: clock.now() - started,
        bytesIn,
        bytesOut,
      });
      return value;
    } catch (error) {
      if (MnetError.is(error)) {
        const durationMs = clock.now() - started;
        emit({ type: "call.failed", level: "warn", peer: reference, method, durationMs, code: error.code });
      }
      throw error;
    }
  }

  #post(peer: PeerRecord, body: Uint8Array, signal: AbortSignal | undefined): Promise<TransportResponse> {
    const { http, directory, limits } = this.#options;
    return http.exchange(directory.routeTo(peer), {
      method: "POST",
      url: rpcUrl(peer.wwwroot, peer.application),
      body,
      contentType: "text/xml",
      maxBytes: limits.responseBytes,
      signal,
    });
  }

  /** The checks of spec 8.3, in an order that reads nothing before it is verified. */
  async #read(
    peer: PeerRecord,
    method: string,
    response: TransportResponse,
    certificate: Certificate,
    sentAt: number,
  ): Promise<{ value: XmlRpcValue; bytesIn: number }> {
    const receivedAt = this.#options.clock.now();
    const call = { peer: peer.wwwroot, method };
    const envelope = this.#readOuter(response, peer);
    if (envelope.kind !== "encrypted") throw this.#refusalInClear(envelope, response, peer, method);

    const { current, archived } = await this.#options.keys.active();
    const decrypted = decryptMessage(envelope.message, [current, ...archived]);
    if (decrypted.content.kind === "unsigned") {
      throw (
        this.#faultIn(decrypted.content.document, call) ??
        new EnvelopeError("MNET_ENVELOPE_NOT_SIGNED", `${peer.wwwroot} answered without a signature.`, {
          peer: peer.wwwroot,
        })
      );
    }
    this.#requireSender(decrypted.content.message, peer);
    const message = VerifiedMessage.verify(envelope.message, decrypted, certificate, peer.settings);
    this.#checkClock(message, peer, sentAt, receivedAt);

    const document = decodeResponse(message.document, { limits: this.#options.limits });
    this.#options.directory.noteContact(peer, document.kind === "result" ? document.dialect : undefined);
    if (document.kind === "fault") throw remoteFault(document, call, true);
    return { value: document.value, bytesIn: response.body.length };
  }

  #readOuter({ status, body }: TransportResponse, peer: PeerRecord): Envelope {
    try {
      return readEnvelope(body, this.#options.limits.responseBytes);
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
  #requireSender({ sender }: SignedMessage, peer: PeerRecord): void {
    if (sender === peer.wwwroot) return;
    throw new EnvelopeError(
      "MNET_ENVELOPE_SENDER_MISMATCH",
      `${peer.wwwroot} was asked and ${JSON.stringify(sender.slice(0, 255))} answered.`,
      { peer: peer.wwwroot },
    );
  }

  /** Ahead is refused as a Moodle does; behind is only worth knowing, because nobody signed the time (SEC-035). */
  #checkClock(message: VerifiedMessage, peer: PeerRecord, sentAt: number, receivedAt: number): void {
    const tolerance = peer.settings.driftToleranceMs ?? DEFAULT_DRIFT_TOLERANCE_MS;
    const offsetMs = Math.round(message.timestamp.getTime() - (sentAt + receivedAt) / 2);
    if (Math.abs(offsetMs) <= tolerance) return;
    this.#options.emit({ type: "clock.off", level: "warn", peer: { id: peer.id, wwwroot: peer.wwwroot }, offsetMs });
    if (offsetMs > tolerance) {
      throw new PeerError(
        "MNET_PEER_CLOCK_AHEAD",
        `The clock of ${peer.wwwroot} is ${Math.round(offsetMs / 1000)} s ahead of ours; ${tolerance / 1000} s are tolerated.`,
        { peer: peer.wwwroot, offsetMs },
      );
    }
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
