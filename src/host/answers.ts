import type { Clock } from "../core/clock.ts";
import type { Wwwroot } from "../core/ids.ts";
import type { NowOrLater } from "../core/now-or-later.ts";
import { referenceTo } from "../core/peer-snapshot.ts";
import { encryptMessage } from "../envelope/encrypted-message.ts";
import { sealingMessage } from "../envelope/seal.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import { sealSecure } from "../secure/seal-secure.ts";
import { encodeResult } from "../xmlrpc/encode.ts";
import { encodeFault } from "../xmlrpc/fault.ts";
import type { Refusal, Wrapping } from "./refusal.ts";
import type { RequestContext } from "./request-context.ts";

/** What answers need of the host. */
export interface AnswersOptions {
  readonly self: Wwwroot;
  readonly keys: KeyRing;
  readonly clock: Clock;
  readonly random: ((bytes: number) => Uint8Array) | undefined;
}

/** Makes answers of documents: wrapped as their requests were. */
export class Answers {
  readonly #options: AnswersOptions;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** The document is gone afterwards if it is large. */
  wrap(document: Uint8Array, { signWith, encryptTo, secure }: Wrapping): NowOrLater<Uint8Array> {
    const { self: sender, keys, clock, random } = this.#options;
    if (!signWith) return encryptTo ? encryptMessage(document, { sender, recipient: encryptTo, random }) : document;
    const sealing = { sender, key: signWith, recipient: encryptTo, timestamp: new Date(clock.now()), random };
    if (secure && encryptTo) return sealSecure(document, { ...sealing, ...secure, recipient: encryptTo }).body;
    return keys.work(sealingMessage(document, sealing), true);
  }

  /**
   * Our certificate is public: whoever asks gets it, wrapped as the request was (MNET-095). Nothing is stored.
   *
   * @param peer whom the request says that it is from; it may have a key of its own.
   */
  async keyswap(
    wrapping: Wrapping,
    { client: { address: remoteAddress }, emit }: RequestContext,
    peer: PeerRecord | undefined,
  ): Promise<Uint8Array> {
    // A peer asks because it doubts the key that it has.
    const { current } = await this.#options.keys.recent(peer);
    emit({
      type: "keyswap.answered",
      level: "debug",
      ...(remoteAddress !== undefined && { remoteAddress }),
    });
    return this.wrap(encodeResult(current.certificate.pem), wrapping);
  }

  /** A fault; the operator hears why. */
  refuse(
    { fault, error, wrapping, peer }: Refusal,
    { client: { address: remoteAddress }, emit }: RequestContext,
  ): NowOrLater<Uint8Array> {
    emit({
      type: "call.refused",
      level: "warn",
      code: error.code,
      faultCode: fault.faultCode,
      detail: detailOf(error),
      ...(peer && { peer: referenceTo(peer) }),
      ...(remoteAddress !== undefined && { remoteAddress }),
    });
    return this.wrap(encodeFault(fault.faultCode, fault.faultString, { dialect: peer?.dialect }), wrapping);
  }
}

/** The message, and for the one error that says the same of everything, its cause. */
function detailOf({ message, cause }: Error): string {
  const reason = cause instanceof Error ? cause.message : typeof cause === "string" ? cause : undefined;
  return reason === undefined ? message : `${message} (${reason})`;
}
