import type { CallError, EnvelopeError, KeyError, PeerError, XmlRpcError } from "../core/errors.ts";
import type { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import type { PeerRecord } from "../peer/peer-store.ts";
import type { SecureSealOptions } from "../secure/seal-secure.ts";
import { FAULT } from "./fault-table.ts";
import type { Fault } from "./fault.ts";

/** How an answer is wrapped: a request that was signed is answered signed, one that was encrypted, encrypted (spec 7.4). */
export interface Wrapping {
  readonly signWith?: KeyPair;
  readonly encryptTo?: Certificate;
  /** In the secure profile: for whom, and to which request. */
  readonly secure?: Pick<SecureSealOptions, "profile" | "to" | "inReplyTo">;
}

/** A request that is answered with a fault before any method runs. `error` is for the operator, `fault` for the sender. */
export class Refusal {
  readonly fault: Fault;
  readonly error: EnvelopeError | XmlRpcError | CallError | KeyError | PeerError;
  readonly wrapping: Wrapping;
  readonly peer: PeerRecord | undefined;

  constructor(fault: Fault, error: Refusal["error"], wrapping: Wrapping = {}, peer?: PeerRecord) {
    this.fault = fault;
    this.error = error;
    this.wrapping = wrapping;
    this.peer = peer;
  }
}

/** Refuses somebody who has not proved who it is: where peers are hidden, all of these are one (SEC-003, SEC-087). */
export const refuseUnproved = (
  hidePeers: boolean,
  fault: Fault,
  error: EnvelopeError,
  wrapping: Wrapping = {},
  peer?: PeerRecord,
): Refusal => (hidePeers ? new Refusal(FAULT.unreadable, error, {}, peer) : new Refusal(fault, error, wrapping, peer));
