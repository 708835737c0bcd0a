import type { MnetErrorCode, SsoError } from "./errors.ts";
import type { Fingerprint, PeerId, Wwwroot } from "./ids.ts";
import type { HeldKey, PeerState } from "./peer-snapshot.ts";
import type { SecureProfileName } from "./profile-name.ts";

/** What each type of event says beside `EventBase`. Nothing in it is secret. */
export interface EventMap {
  /** A peer's call was answered; `faultCode` if with a fault of the method. */
  "call.served": {
    method: string;
    durationMs: number;
    bytesIn: number;
    bytesOut: number;
    faultCode?: number;
    /** Absent: in MNet's own profile. */
    profile?: SecureProfileName;
  };
  /** A request was refused before any method ran. `detail` is for the operator; the sender saw the fault only. */
  "call.refused": { code: MnetErrorCode; faultCode: number; remoteAddress?: string; detail: string };
  /**
   * Requests were refused unread or unopened: too many that needed our private key and proved nothing, too many bodies
   * at once, bodies that did not come to their end, or honest ones that this process cannot serve in time (`overload`). The first of an address is told at once, what follows within a
   * minute together; without `remoteAddress`, of so many `addresses` more. The sender saw a status 503 or 408.
   */
  "request.throttled": {
    reason: "private-key" | "bodies" | "slow-body" | "overload";
    requests: number;
    remoteAddress?: string;
    addresses?: number;
  };
  /** A machine that need not encrypt made use of that. */
  "trusted-machine.used": { remoteAddress: string; accept: "signed" | "plain"; method: string };
  /** Somebody asked for our certificate, in clear or without a signature that proves who. */
  "keyswap.answered": { remoteAddress?: string };
  /** A call of ours succeeded. */
  "call.sent": {
    method: string;
    durationMs: number;
    bytesIn: number;
    bytesOut: number;
    /** Absent: in MNet's own profile. */
    profile?: SecureProfileName;
  };
  /** A call of ours failed; `faultCode` if the peer refused it. */
  "call.failed": { method: string; durationMs: number; code: MnetErrorCode; faultCode?: number };
  /** A call of ours was made a second time, because the peer or we had a new key, or the peer wants the secure profile. */
  "call.retried": { method: string; reason: "rekeyed" | "mahara-learned-our-key" | "secure-profile" };
  /** A method was called that no described service has (`unchecked: true`). */
  "call.unchecked": { method: string };
  /** Odd but accepted, such as a digest that does not match. */
  "envelope.remark": { remark: string };
  /** A handler of the application threw. */
  "handler.failed": { method: string; error: unknown };
  /** A request could not be answered, because of something here: the store is away, or there is a defect. */
  "request.failed": { error: unknown };
  /** A peer's clock differs from ours; positive if it is ahead. */
  "clock.off": { offsetMs: number };
  /** A peer was added. At level `warn` if it has no https: RC4 alone does not keep what is sent there secret (SEC-010). */
  "peer.added": { wwwroot: string; by: "operator" | "itself" };
  /** A site registered itself in vain (hub mode). `detail` is for the operator; the site saw nothing of it. */
  "peer.registration-refused": { wwwroot: string; detail: string };
  /**
   * A peer's `"state"`, `"key"`, `"name"`, `"services"` or settings (`"settings.timeoutMs"`) changed; nothing, if a refresh
   * found it as it was. Without `peer`: our boxes for all hosts.
   */
  "peer.changed": { state: PeerState; changed: readonly string[] };
  /** A certificate of a peer waits for an operator: compare the fingerprint, then `peers.approve`. */
  "peer.key-held": { fingerprint: Fingerprint; reason: HeldKey["reason"] };
  /** The peer did not answer several times and is left alone until `retryAt`, or it answers again. */
  "peer.circuit": { open: boolean; retryAt?: Date };
  /** Another certificate is pinned now: proved by the old key, or approved. */
  "peer.key-changed": { from: Fingerprint; to: Fingerprint; how: "rekey" | "approved" };
  /** The peer has proved the secure profile: from now on, nothing less is sent to it or taken from it. */
  "peer.profile": { profile: SecureProfileName };
  /** A peer's certificate is about to expire, or has (then `daysLeft` is negative). */
  "peer.key-expiring": { notAfter: Date; daysLeft: number };
  /** We have our first key; with `peer`, the first that is only for that peer. */
  "key.created": { fingerprint: Fingerprint };
  /** We have a new key; the old one opens late messages. With `peer`, one that is only for that peer. */
  "key.rotated": { from: Fingerprint; to: Fingerprint };
  /** So many of our private keys are stored encrypted with another key than before, or no longer plain (SEC-051). */
  "key.rewrapped": { keys: number };
  /** A key of ours opens nothing any more. */
  "key.revoked": { fingerprint: Fingerprint; reason: string };
  /** A user of ours was sent to a peer with a token. */
  "sso.jumped": { accountId: string };
  /** A user of a peer was logged in here. `created`: she was new. */
  "sso.landed": { accountId: string; created: boolean };
  /** A jump, a landing, or the redemption of a token was refused. */
  "sso.refused": { code: SsoError["code"]; username?: string; detail: string };
  /** A user logged out here, or was logged out by a peer; `told` other sites will hear of it. */
  "sso.logged-out": { accountId: string; told: number };
  /** The rule for one user of a peer was changed. */
  "sso.access-changed": { username: string; rule: "allow" | "deny" | "default" };
  /** Sites could not be told of a logout: they did not answer for too long, or are no peers any more. */
  "sso.logout-untold": { username: string; detail: string };
  /** A peer's user was enrolled in a course here, or one of ours there; `course` is the id at the site that has the course. */
  "enrolment.changed": {
    side: "here" | "there";
    courseId: number;
    username: string;
    change: "enrolled" | "unenrolled";
  };
  /** A peer's call was refused, or ours by a peer. */
  "enrolment.refused": { side: "here" | "there"; courseId: number; username: string; faultCode: number };
  /** A message came a second time. */
  "replay.refused": { method?: string };
  /** The replay memory is full for this peer: that many of its oldest entries are forgotten. */
  "replay.evicted": { entries: number };
  /**
   * A weakness that is allowed was made use of. Without `peer`: for `wwwroot`, which is no peer yet; or, at the start of a
   * host, by its `peerDefaults`.
   */
  "legacy.used": { setting: string; wwwroot?: string };
  /** A part of the periodic work failed. The other parts were done, and this one will be tried again. */
  "maintenance.failed": { task: string; code: MnetErrorCode; detail: string };
  /** So many events did not get into the log: too many of type `of`; without it, because the store is away or slow. */
  "log.skipped": { entries: number; of?: keyof EventMap };
}

/** What every event says. */
export interface EventBase {
  /** When. */
  readonly at: Date;
  /** How much it matters. */
  readonly level: "debug" | "info" | "warn" | "error";
  /** The other site, where one is known. */
  readonly peer?: { readonly id: PeerId; readonly wwwroot: Wwwroot };
  /** Joins the events of one exchange: of a request that we got, or of a call that we made. */
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
