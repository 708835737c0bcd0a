import type { PeerId } from "../core/ids.ts";

/** A course of a peer, as it told us (spec 10.1). */
export interface CachedCourse {
  /** The course's id on the peer. */
  readonly id: number;
  /** By wire name, cut to what Moodle keeps (spec 10.4). */
  readonly fields: Readonly<Record<string, string>>;
}

/** One of our users in a course of a peer. */
export interface CachedEnrolment {
  /** On the wire. */
  readonly username: string;
  /** For people; `""` if the peer did not tell. */
  readonly roleName: string;
  /** The peer's enrolment plug-in, such as `mnet` or `manual`. */
  readonly method: string;
  /** Unix milliseconds. Absent: the peer did not tell. */
  readonly changedAt?: number | undefined;
}

/** What we know of courses at peers, and of who of ours is in them (Moodle's `mnetservice_enrol_*`, spec 10.4). */
export interface RemoteCourseStore {
  /** The peer's list becomes this one, in one step. Enrolments in courses that are gone go, too. */
  replaceCourses(peer: PeerId, courses: readonly CachedCourse[], now: number): Promise<void>;
  /** By id. `fetchedAt`: when the list was replaced, Unix milliseconds; `undefined` if never. */
  courses(peer: PeerId): Promise<{ readonly fetchedAt: number | undefined; readonly courses: readonly CachedCourse[] }>;
  /** Changes those fields of a course that are given. `false`, and no change, if the course is not on the list. */
  updateCourse(peer: PeerId, course: CachedCourse): Promise<boolean>;
  /** All rows of a course become these, in one step. */
  replaceEnrolments(peer: PeerId, course: number, rows: readonly CachedEnrolment[], now: number): Promise<void>;
  /** By username, then method. `fetchedAt` as above, of this course. */
  enrolments(
    peer: PeerId,
    course: number,
  ): Promise<{ readonly fetchedAt: number | undefined; readonly rows: readonly CachedEnrolment[] }>;
  /** Adds a row, or replaces the one of the same username and method. */
  addEnrolment(peer: PeerId, course: number, row: CachedEnrolment): Promise<void>;
  /** Removes the row of this username and method. None there: no change. */
  removeEnrolment(peer: PeerId, course: number, username: string, method: string): Promise<void>;
  /** One user's rows at the peer become these, in one step; other users' rows stay. */
  replaceUser(
    peer: PeerId,
    username: string,
    rows: readonly (Omit<CachedEnrolment, "username"> & { readonly course: number })[],
  ): Promise<void>;
  /** One user's rows at one peer, with those courses that are on its list. By course. */
  ofUser(
    peer: PeerId,
    username: string,
  ): Promise<readonly { readonly course: CachedCourse; readonly enrolment: CachedEnrolment }[]>;
  /** Nothing is known of the peer any more. */
  forget(peer: PeerId): Promise<void>;
}
