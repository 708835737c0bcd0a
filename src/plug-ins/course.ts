import type { Peer } from "../core/peer-snapshot.ts";
import type { Account } from "./account.ts";

/** What a user is in a course. */
export interface Role {
  readonly id: number;
  /** Such as `student`; peers ask by it. */
  readonly shortname: string;
  /** For people. */
  readonly name: string;
}

/** A course of ours. */
export interface Course {
  /** Positive 32-bit integer: peers keep it in an integer column (spec 10.1). */
  readonly id: number;
  readonly fullname: string;
  readonly shortname: string;
  readonly idnumber?: string | undefined;
  /** HTML; relative links are made absolute. */
  readonly summary?: string | undefined;
  readonly startsAt?: Date | undefined;
  readonly sortOrder?: number | undefined;
  readonly category: { readonly id: number; readonly name: string; readonly description?: string | undefined };
  /** Path of its page on this site, for the user's list of courses. Default `/course/view.php?id=` and its id, as Moodle has it. */
  readonly path?: string | undefined;
}

/** A course that a peer's users may be enrolled in. */
export interface CourseOffer extends Course {
  readonly offeredTo: "this-peer" | "all-hosts";
  /** The only role that the peer can give (SEC-067). */
  readonly role: Role;
  /** Price, as text. */
  readonly cost?: string | undefined;
  /** Its currency, ISO 4217. */
  readonly currency?: string | undefined;
}

/** Your catalogue of courses. */
export interface Courses {
  /**
   * Visible courses offered to this peer or to all hosts; one, if `courseId` is given. Both kinds may be returned: the
   * library prefers the peer's own (spec 10.2).
   */
  offers(peer: Peer, courseId?: number): Promise<readonly CourseOffer[]>;
  /** Whether there is such a course at all, offered or not. It decides between faults 5012 and 5013. Left out: nobody knows, so 5013. */
  exists?(courseId: number): Promise<boolean>;
}

/** A user in a course. */
export interface Enrolment {
  readonly account: Account;
  readonly course: Course;
  readonly role: Role;
  /** `"mnet"` for those that `enrol` made. */
  readonly method: string;
  readonly changedAt: Date;
}

/** Who is in which course. */
export interface Enrolments {
  /** Enrols through MNet with the offer's role. `false`: she was enrolled through MNet already, and nothing was changed. */
  enrol(account: Account, offer: CourseOffer): Promise<boolean>;
  /** Removes what `enrol` made in this course, of either kind of offer, and nothing else. `false`: there was nothing to remove. */
  unenrol(account: Account, offer: CourseOffer): Promise<boolean>;
  /** By any method, of users whose home is this peer. */
  inCourse(courseId: number, home: Peer): Promise<readonly Enrolment[]>;
  /** By any method, visible courses only. */
  ofAccount(account: Account): Promise<readonly Enrolment[]>;
  /** How many enrolments through MNet the users of this peer hold, for the quota (SEC-067). */
  countOf(home: Peer): Promise<number>;
}
