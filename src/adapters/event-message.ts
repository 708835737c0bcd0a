import type { EventMap, MnetEvent } from "../core/events.ts";

type EventOf<T extends keyof EventMap> = Extract<MnetEvent, { readonly type: T }>;

/** One sentence for each type of event. The type makes forgetting a new one an error of the compiler. */
const MESSAGES: { readonly [T in keyof EventMap]: (event: EventOf<T>) => string } = {
  "call.served": (event) =>
    event.faultCode === undefined
      ? `${peerOf(event)} called ${event.method}`
      : `${peerOf(event)} called ${event.method} and got fault ${event.faultCode}`,
  "call.refused": (event) => `refused a request of ${senderOf(event)} with fault ${event.faultCode}: ${event.detail}`,
  "request.throttled": (event) =>
    `turned away ${count(event.requests, "request")} of ${throttledSenderOf(event)}: ${THROTTLE_REASONS[event.reason]}`,
  "trusted-machine.used": (event) =>
    `the trusted machine ${event.remoteAddress} called ${event.method}, ${event.accept === "plain" ? "in clear" : "signed only"}`,
  "keyswap.answered": (event) => `gave our certificate to ${senderOf(event)}`,
  "call.sent": (event) => `called ${event.method} on ${peerOf(event)}`,
  "call.failed": (event) =>
    event.faultCode === undefined
      ? `calling ${event.method} on ${peerOf(event)} failed: ${event.code}`
      : `calling ${event.method} on ${peerOf(event)} failed: ${event.code} ${event.faultCode}`,
  "call.retried": (event) =>
    event.reason === "rekeyed"
      ? `calling ${event.method} on ${peerOf(event)} again, with its new key`
      : event.reason === "secure-profile"
        ? `calling ${event.method} on ${peerOf(event)} again, in the secure profile that it asks for`
        : `calling ${event.method} on ${peerOf(event)} again, because it has just learnt our new key`,
  "call.unchecked": (event) => `calling ${event.method} on ${peerOf(event)} unchecked`,
  "envelope.remark": (event) => `odd but accepted of ${peerOf(event)}: ${event.remark}`,
  "request.failed": () => "a request could not be answered",
  "handler.failed": (event) => `our handler of ${event.method} failed when ${peerOf(event)} called it`,
  "clock.off": (event) =>
    `the clock of ${peerOf(event)} is ${seconds(Math.abs(event.offsetMs))} ${event.offsetMs > 0 ? "ahead of" : "behind"} ours`,
  "peer.added": (event) =>
    event.by === "operator" ? `added the peer ${event.wwwroot}` : `${event.wwwroot} registered itself as a peer`,
  "peer.registration-refused": (event) => `${event.wwwroot} could not register itself: ${event.detail}`,
  "peer.changed": (event) =>
    event.peer
      ? `changed ${list(event.changed)} of ${event.peer.wwwroot}, which is ${event.state}`
      : `changed ${list(event.changed)} for all hosts`,
  "peer.circuit": (event) =>
    event.open
      ? `${peerOf(event)} does not answer and is left alone${event.retryAt ? ` until ${event.retryAt.toISOString()}` : ""}`
      : `${peerOf(event)} answers again`,
  "peer.key-held": (event) =>
    `a key of ${peerOf(event)} waits for approval (${event.reason.replaceAll("-", " ")}): ${event.fingerprint}`,
  "peer.key-changed": (event) =>
    event.how === "rekey"
      ? `${peerOf(event)} has proved a new key: ${event.to}`
      : `approved a new key of ${peerOf(event)}: ${event.to}`,
  "peer.profile": (event) => `${peerOf(event)} has proved the profile ${event.profile}`,
  "peer.key-expiring": (event) =>
    event.daysLeft < 0
      ? `the key of ${peerOf(event)} expired ${days(-event.daysLeft)} ago`
      : `the key of ${peerOf(event)} expires in ${days(event.daysLeft)}`,
  "key.created": (event) => `made our first key: ${event.fingerprint}`,
  "key.rewrapped": (event) => `encrypted ${event.keys} private key(s) in the store anew`,
  "key.rotated": (event) => `made a new key of ours: ${event.to}`,
  "key.revoked": (event) => `revoked a key of ours (${event.reason}): ${event.fingerprint}`,
  "sso.jumped": (event) => `sent account ${event.accountId} to ${peerOf(event)}`,
  "sso.landed": (event) =>
    `logged account ${event.accountId} of ${peerOf(event)} in${event.created ? ", for the first time" : ""}`,
  "sso.refused": (event) => `refused single sign-on with ${peerOf(event)}: ${event.detail}`,
  "sso.logged-out": (event) =>
    `account ${event.accountId} logged out; ${count(event.told, "other site")} will hear of it`,
  "sso.access-changed": (event) => `the user ${event.username} of ${peerOf(event)}: ${event.rule} from now on`,
  "sso.logout-untold": (event) =>
    `${peerOf(event)} could not be told that ${event.username} has logged out: ${event.detail}`,
  "enrolment.changed": (event) =>
    `${event.change} ${event.username} in course ${event.courseId} ${courseSiteOf(event)}`,
  "enrolment.refused": (event) =>
    `no enrolment of ${event.username} in course ${event.courseId} ${courseSiteOf(event)}: fault ${event.faultCode}`,
  "replay.refused": (event) => `a message of ${peerOf(event)} came a second time`,
  "replay.evicted": (event) =>
    `the replay memory of ${peerOf(event)} is full: forgot its ${event.entries} oldest messages`,
  "legacy.used": (event) =>
    `made use of a weakness that is allowed for ${event.peer?.wwwroot ?? event.wwwroot ?? "all peers"}: ${event.setting}`,
  "maintenance.failed": (event) => `the periodic task ${event.task} failed: ${event.detail}`,
  "log.skipped": (event) =>
    event.of === undefined
      ? `the log took ${event.entries} events less than there were, because the store is away or slow`
      : `the log took ${event.entries} events less than there were: too many ${event.of}`,
};

/** The event as a sentence for people, on one line. */
export function eventMessage(event: MnetEvent): string {
  // A host of a newer version may know types that this one does not.
  const message = MESSAGES[event.type] as ((event: MnetEvent) => string) | undefined;
  return message?.(event) ?? event.type;
}

const peerOf = ({ peer }: MnetEvent): string => peer?.wwwroot ?? "an unknown site";

const senderOf = ({ peer, remoteAddress }: EventOf<"call.refused"> | EventOf<"keyswap.answered">): string =>
  peer?.wwwroot ?? remoteAddress ?? "a stranger";

const throttledSenderOf = ({ remoteAddress, addresses }: EventOf<"request.throttled">): string =>
  remoteAddress ?? (addresses === undefined ? "strangers" : count(addresses, "further address", "further addresses"));

const courseSiteOf = (event: EventOf<"enrolment.changed"> | EventOf<"enrolment.refused">): string =>
  event.side === "here" ? `here, for ${peerOf(event)}` : `at ${peerOf(event)}`;

const THROTTLE_REASONS: { readonly [Reason in EventOf<"request.throttled">["reason"]]: string } = {
  "private-key": "too many that needed our private key and proved nothing",
  bodies: "too many bodies at once",
  "slow-body": "bodies that did not come to their end",
  overload: "requests that could not be served in time",
};

const list = (names: readonly string[]): string => (names.length === 0 ? "nothing" : names.join(" and "));
const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;
const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
const days = (number: number): string => count(number, "day");
