import type { MnetErrorCode } from "../../core/errors.ts";
import type { Peer, PeerRef } from "../../core/peer-snapshot.ts";
import type { CallOptions } from "../../host/host.ts";
import type { Account, Profile } from "../../plug-ins/account.ts";
import type { UntrustedHtml } from "../../plug-ins/untrusted-html.ts";

/** Somebody who has no account here. */
export interface PersonDetails extends Profile {
  /** Moodle's `[-._@a-z0-9]+`, or what `Accounts.usernames` makes that of. */
  readonly username: string;
}

/**
 * One of your accounts, or somebody whom only you describe. Where `accounts` is plugged in, everybody is a user of this
 * site: who is described is looked up by her username, and what her account says is sent.
 */
export type Person = Account | PersonDetails;

/** A course of a peer, as it last told us. Texts are plain and come from outside: escape them. */
export interface RemoteCourse {
  readonly peer: Peer;
  /** The course's id on the peer. */
  readonly id: number;
  readonly fullname: string;
  readonly shortname: string;
  /** `""` if it has none. */
  readonly idnumber: string;
  readonly summary: UntrustedHtml;
  readonly startsAt?: Date;
  readonly category: { readonly id: number; readonly name: string };
  /** Name of the role that users get; `""` if the peer does not tell, as most Moodles. */
  readonly roleName: string;
  /** When the peer told us. */
  readonly fetchedAt: Date;
}

/** A course of a peer by its id there. A `RemoteCourse` is one. */
export interface RemoteCourseRef {
  readonly peer: PeerRef;
  readonly id: number;
}

/** One of our users in a course of a peer. */
export interface RemoteEnrolmentEntry {
  /** As it travels. */
  readonly username: string;
  /** Text from outside; `""` if the peer did not tell. */
  readonly roleName: string;
  /** The peer's enrolment plug-in. Only `mnet` can be undone from here. */
  readonly method: string;
  /** Absent: the peer did not tell. */
  readonly changedAt?: Date;
}

/** How old what is known may be. */
export interface CacheOptions extends CallOptions {
  /** In milliseconds; what is older is fetched again. 0: now. `Infinity`: the peer is not asked. Default: that of the service. */
  readonly maxAgeMs?: number | undefined;
}

/** One thing to do. */
export interface BulkRow {
  readonly action: "enrol" | "unenrol";
  readonly person: Person;
  /** A remote course; or the wwwroot of its peer and its id, else its short name, else its id number. */
  readonly course: RemoteCourseRef | { readonly peer: string; readonly course: string };
}

/** How many rows are worked on. */
export interface BulkOptions extends CallOptions {
  /** Names the run, at most 255 characters. The same key goes on where it stopped. One process at a time. */
  readonly key: string;
  /** Calls at once, per peer, 1 to 100. Default 4. */
  readonly concurrency?: number | undefined;
  /** Says what would change, and sends nothing that changes. Default `false`. */
  readonly dryRun?: boolean | undefined;
}

/** What became of one row. */
export interface BulkOutcome {
  /** From 1, in the order of the input. Outcomes come in the order of completion. */
  readonly row: number;
  readonly action: "enrol" | "unenrol";
  /** As it was given. */
  readonly username: string;
  /** The peer's wwwroot, as far as it is known. */
  readonly peer?: string;
  /** The course's id on the peer, as far as it is known. */
  readonly courseId?: number;
  /** `"no-change"`: it was so before. In a dry run, `"done"` is what would be done. */
  readonly result: "done" | "no-change" | "failed";
  /** It was done when the run was started before. */
  readonly resumed: boolean;
  /** With `"failed"`. */
  readonly error?: BulkError;
}

/** Why a row failed: what can be said of an `MnetError` in a journal. */
export interface BulkError {
  readonly code: MnetErrorCode;
  readonly message: string;
  /** The same row may succeed later without anybody acting; it is tried again when the run is started again. */
  readonly retryable: boolean;
  /** With `MNET_REMOTE_FAULT`. */
  readonly faultCode?: number;
}

/** A course of a user, here or elsewhere. */
export interface MyCourse {
  /** Absent: here. */
  readonly peer?: Peer;
  /** Its id at its site. */
  readonly id: number;
  /** Escape it. */
  readonly fullname: string;
  /** Escape it. */
  readonly shortname: string;
  /** Absolute. Through our jump page where single sign-on leads to the peer. */
  readonly href: string;
  /** What she is in it, as far as it is known. Escape it. */
  readonly roleName?: string;
  readonly startsAt?: Date;
  /** When her enrolment was last changed, as far as it is known. */
  readonly changedAt?: Date;
}

/** `host.enrolment`: users of ours in courses of peers (spec 10.4). */
export interface RemoteEnrolment {
  /**
   * Courses in which a peer lets our users be enrolled, by its own order. From the cache, fetched when older than
   * `maxAgeMs`.
   *
   * Throws `PeerError`, and what `host.call` throws.
   */
  coursesOf(peer: PeerRef, options?: CacheOptions): Promise<readonly RemoteCourse[]>;
  /**
   * Users of ours in a course of a peer, by username. From the cache likewise. Where `accounts` is plugged in, names that
   * no user here has are left out.
   *
   * Throws `MNET_ENROLMENT_COURSE_UNKNOWN` for a course that is not on the peer's list, and as `coursesOf`.
   */
  enrolmentsOf(course: RemoteCourseRef, options?: CacheOptions): Promise<readonly RemoteEnrolmentEntry[]>;
  /**
   * Enrols one person. Enrolled already: nothing happens.
   *
   * Throws `EnrolmentError` (`MNET_ENROLMENT_COURSE_UNKNOWN`, `MNET_ENROLMENT_PERSON_UNSUITABLE`,
   * `MNET_ENROLMENT_REFUSED`), `RemoteFault` with a code of spec 10.3, and as `host.call`.
   */
  enrol(person: Person, course: RemoteCourseRef, options?: CallOptions): Promise<void>;
  /** Ends an enrolment that was made through MNet. There is none: nothing happens. Throws as `enrol`. */
  unenrol(person: Person, course: RemoteCourseRef, options?: CallOptions): Promise<void>;
  /**
   * Works off rows, as fast as you iterate, and stops when you stop: after the calls in flight. Rows of one person at one
   * peer are done in their order. A row's failure is an outcome; a peer that does not answer is waited for, a minute at
   * most, before its rows fail.
   *
   * What was done is in a journal under `key`. Started again with the same rows, the run goes on: outcomes of before come
   * back with `resumed`, in the order of the rows; those that failed for a reason that passes are tried again. A journal is
   * kept for 90 days after anybody worked on its run.
   *
   * Throws `MNET_ENROLMENT_RUN_ACTIVE` while another run has the key (up to 10 s after that was killed), and
   * `MNET_ENROLMENT_RUN_CHANGED` if the rows are others than before; nothing is sent then.
   */
  bulk(rows: Iterable<BulkRow> | AsyncIterable<BulkRow>, options: BulkOptions): AsyncIterable<BulkOutcome>;
  /**
   * Makes those whom MNet enrolled in the course equal to `people`: enrols who is missing, unenrols who is too many.
   * Enrolments by other means stay. With `dryRun` it is a preview.
   *
   * Nothing is unenrolled before `people` has come to its end. No journal is needed to go on: what is right already is no
   * change. Throws as `bulk` and `enrolmentsOf`.
   */
  reconcile(
    course: RemoteCourseRef,
    people: Iterable<Person> | AsyncIterable<Person>,
    options: BulkOptions,
  ): AsyncIterable<BulkOutcome>;
  /** Her courses here, and for a user of ours those at peers, as they last told us. */
  coursesFor(account: Account): Promise<readonly MyCourse[]>;
}
