import type { MnetErrorCode } from "./errors.ts";
import type { Fingerprint, PeerId, Wwwroot } from "./ids.ts";
import type { HeldKey, PeerState } from "./peer-snapshot.ts";

/** What each type of event says beside `EventBase`. Nothing in it is secret. */
export interface EventMap {
  /** A peer's call was answered; `faultCode` if with a fault of the method. */
  "call.served": { method: string; durationMs: number; bytesIn: number; bytesOut: number; faultCode?: number };
  /** A request was refused before any method ran. `detail` is for the operator; the sender saw the fault only. */
  "call.refused": { code: MnetErrorCode; faultCode: number; remoteAddress?: string; detail: string };
  /** Somebody asked for our certificate, in clear or without a signature that proves who. */
  "keyswap.answered": { remoteAddress?: string };
  /** A call of ours succeeded. */
  "call.sent": { method: string; durationMs: number; bytesIn: number; bytesOut: number };
  /** A call of ours failed. */
  "call.failed": { method: string; durationMs: number; code: MnetErrorCode };
  /** A call of ours was made a second time, because the peer or we had a new key. */
  "call.retried": { method: string; reason: "rekeyed" | "mahara-learned-our-key" };
  /** A method was called that no described service has (`unchecked: true`). */
  "call.unchecked": { method: string };
  /** Odd but accepted, such as a digest that does not match. */
  "envelope.remark": { remark: string };
  /** A handler of the application threw. */
  "handler.failed": { method: string; error: unknown };
  /** A peer's clock differs from ours; positive if it is ahead. */
  "clock.off": { offsetMs: number };
  /** A peer was added. */
  "peer.added": { wwwroot: string; by: "operator" | "itself" };
  /** A peer's state, settings or services changed. Without `peer`: our boxes for all hosts. */
  "peer.changed": { state: PeerState; changed: readonly string[] };
  /** A certificate of a peer waits for an operator: compare the fingerprint, then `peers.approve`. */
  "peer.key-held": { fingerprint: Fingerprint; reason: HeldKey["reason"] };
  /** Another certificate is pinned now: proved by the old key, or approved. */
  "peer.key-changed": { from: Fingerprint; to: Fingerprint; how: "rekey" | "approved" };
  /** A peer's certificate is about to expire, or has (then `daysLeft` is negative). */
  "peer.key-expiring": { notAfter: Date; daysLeft: number };
  /** We have our first key. */
  "key.created": { fingerprint: Fingerprint };
  /** We have a new key; the old one opens late messages. */
  "key.rotated": { from: Fingerprint; to: Fingerprint };
  /** A key of ours opens nothing any more. */
  "key.revoked": { fingerprint: Fingerprint; reason: string };
  /** A message came a second time. */
  "replay.refused": { method?: string };
  /** The replay memory is full for this peer: that many of its oldest entries are forgotten. */
  "replay.evicted": { entries: number };
  /** A weakness that is allowed for this peer was made use of. */
  "legacy.used": { setting: string };
}

/** What every event says. */
export interface EventBase {
  /** When. */
  readonly at: Date;
  /** How much it matters. */
  readonly level: "debug" | "info" | "warn" | "error";
  /** The other site, where one is known. */
  readonly peer?: { readonly id: PeerId; readonly wwwroot: Wwwroot };
  /** Joins the events of one exchange. */
  readonly exchange?: string;
}

/** Everything that happens, to one `Observer` function; the same records are the audit log. */
export type MnetEvent = {
  [T in keyof EventMap]: { readonly type: T } & EventBase & Readonly<EventMap[T]>;
}[keyof EventMap];

/** Told of every event, at once and in order. What it throws is dropped. */
export type Observer = (event: MnetEvent) => void;

type Omitted<Event> = Event extends MnetEvent ? Omit<Event, "at"> : never;

/** An event before it is dated. */
export type NewEvent = Omitted<MnetEvent>;

/** Tells the host's observers. Low layers are given one, so that none of them has to know a logger. */
export type Emit = (event: NewEvent) => void;
