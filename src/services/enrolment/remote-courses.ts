import type { PeerId } from "../../core/ids.ts";
import { EnrolmentError } from "../../core/errors.ts";
import type { Exchange } from "../../core/exchange.ts";
import { neutralText } from "../../core/neutral-text.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import type { Accounts } from "../../plug-ins/account.ts";
import { keptFields, timeOf } from "../../plug-ins/course-fields.ts";
import { accountByWireName } from "../../plug-ins/usernames.ts";
import { UntrustedHtml } from "../../plug-ins/untrusted-html.ts";
import type { CachedCourse, CachedEnrolment } from "../../service-stores/remote-course-store.ts";
import { ENROLMENT_METHODS } from "./enrolment-methods.ts";
import type { RemoteCourse, RemoteEnrolmentEntry } from "./remote-enrolment.ts";

/** The account that nobody is, in every Moodle. */
const GUEST = "guest";
/** What our own names can have on the wire at most. */
const LONGEST_USERNAME = 100;
/** Names that are looked up at once. */
const LOOKUPS = 50;

/** What peers tell of their courses, and who of ours is in them: kept, refreshed and pruned (spec 10.4, MNET-127). */
export class RemoteCourses {
  readonly #site: Site;
  readonly #accounts: Accounts | undefined;

  constructor(site: Site, accounts: Accounts | undefined) {
    this.#site = site;
    this.#accounts = accounts;
  }

  /** All courses of a peer that are not older than `maxAgeMs`; with `Infinity` whatever is there. */
  async list(peer: Peer, maxAgeMs: number, exchange: Exchange): Promise<readonly RemoteCourse[]> {
    const { remoteCourses } = this.#site.store;
    const cached = await remoteCourses.courses(peer.id);
    const { courses, fetchedAt } = this.#isFresh(cached.fetchedAt, maxAgeMs)
      ? cached
      : await this.#fetchCourses(peer, exchange);
    return courses.map((course) => remoteCourse(peer, course, fetchedAt ?? 0)).sort(bySortOrder(courses));
  }

  /** A course that must be on the peer's list; the peer is asked once more before it is called unknown. */
  async require(peer: Peer, id: number, maxAgeMs: number, exchange: Exchange): Promise<void> {
    const { remoteCourses } = this.#site.store;
    const { courses, fetchedAt } = await remoteCourses.courses(peer.id);
    if (this.#isFresh(fetchedAt, maxAgeMs) && courses.some((course) => course.id === id)) return;
    if (maxAgeMs !== Infinity) {
      const fetched = await this.#fetchCourses(peer, exchange);
      if (fetched.courses.some((course) => course.id === id)) return;
    }
    throw unknownCourse(peer, String(id));
  }

  /** Our users in a course of a peer, not older than `maxAgeMs`. Those whom nobody here knows are left out (spec 10.4). */
  async enrolments(
    peer: Peer,
    course: number,
    maxAgeMs: number,
    exchange: Exchange,
  ): Promise<readonly RemoteEnrolmentEntry[]> {
    const { rows } = await this.members(peer, course, maxAgeMs, exchange);
    return (await this.#known(peer, rows)).map(({ changedAt, ...row }) => ({
      ...row,
      ...(changedAt !== undefined && { changedAt: new Date(changedAt) }),
    }));
  }

  /** The same as it is kept: also of names that nobody here has any more. */
  async members(
    peer: Peer,
    course: number,
    maxAgeMs: number,
    exchange: Exchange,
  ): Promise<{ readonly rows: readonly CachedEnrolment[]; readonly fetchedAt: number | undefined }> {
    const cached = await this.#site.store.remoteCourses.enrolments(peer.id, course);
    return this.#isFresh(cached.fetchedAt, maxAgeMs) ? cached : this.#fetchEnrolments(peer, course, exchange);
  }

  /** After a successful `enrol_user`: a row without role and time, unless there is one that says more (spec 10.4). */
  async added(peer: PeerId, course: number, username: string): Promise<void> {
    const { remoteCourses } = this.#site.store;
    const { rows } = await remoteCourses.enrolments(peer, course);
    if (rows.some((row) => row.username === username && row.method === "mnet")) return;
    await remoteCourses.addEnrolment(peer, course, { username, roleName: "", method: "mnet" });
  }

  /** After a successful `unenrol_user`. */
  async removed(peer: PeerId, course: number, username: string): Promise<void> {
    await this.#site.store.remoteCourses.removeEnrolment(peer, course, username, "mnet");
  }

  async #fetchCourses(
    peer: Peer,
    exchange: Exchange,
  ): Promise<{ readonly courses: readonly CachedCourse[]; readonly fetchedAt: number }> {
    const answer = await this.#site.call(peer, ENROLMENT_METHODS.availableCourses, {}, exchange);
    // One that is told twice is the later one, as in a Moodle.
    const byId = new Map(answer.map(({ remoteid: id, ...told }) => [id, { id, fields: keptFields(told) }]));
    const courses = [...byId.values()].sort((a, b) => a.id - b.id);
    const fetchedAt = this.#site.clock.now();
    await this.#site.store.remoteCourses.replaceCourses(peer.id, courses, fetchedAt);
    return { courses, fetchedAt };
  }

  async #fetchEnrolments(
    peer: Peer,
    course: number,
    exchange: Exchange,
  ): Promise<{ readonly rows: readonly CachedEnrolment[]; readonly fetchedAt: number }> {
    const answer = await this.#site.call(peer, ENROLMENT_METHODS.courseEnrolments, { courseid: course }, exchange);
    const byKey = new Map<string, CachedEnrolment>();
    for (const { username, name = "", enrol = "", timemodified } of answer) {
      if (username === "" || username.length > LONGEST_USERNAME || username === GUEST) continue;
      const method = plain(enrol, 20);
      const changedAt = timeOf(timemodified ?? "")?.getTime();
      const row = { username, roleName: plain(name, 255), method, ...(changedAt !== undefined && { changedAt }) };
      byKey.set(JSON.stringify([username, method]), row);
    }
    const rows = [...byKey.values()].sort(byNameAndMethod);
    const fetchedAt = this.#site.clock.now();
    await this.#site.store.remoteCourses.replaceEnrolments(peer.id, course, rows, fetchedAt);
    return { rows, fetchedAt };
  }

  async #known(peer: Peer, rows: readonly CachedEnrolment[]): Promise<readonly CachedEnrolment[]> {
    const accounts = this.#accounts;
    if (!accounts) return rows;
    const known: CachedEnrolment[] = [];
    for (let start = 0; start < rows.length; start += LOOKUPS) {
      const some = rows.slice(start, start + LOOKUPS);
      const found = await Promise.all(some.map(({ username }) => accountByWireName(accounts, username, peer)));
      known.push(...some.filter((_row, index) => found[index] !== undefined));
    }
    return known;
  }

  #isFresh(fetchedAt: number | undefined, maxAgeMs: number): boolean {
    if (maxAgeMs === Infinity) return true;
    return fetchedAt !== undefined && this.#site.clock.now() - fetchedAt < maxAgeMs;
  }
}

/** Says that a peer has no such course for us; `named` as it was asked for. */
export const unknownCourse = ({ wwwroot }: Peer, named: string, why = "offers us no course"): EnrolmentError =>
  new EnrolmentError("MNET_ENROLMENT_COURSE_UNKNOWN", `${wwwroot} ${why} ${JSON.stringify(named.slice(0, 255))}.`, {
    peer: wwwroot,
  });

function remoteCourse(peer: Peer, { id, fields }: CachedCourse, fetchedAt: number): RemoteCourse {
  const text = (name: string): string => plain(fields[name] ?? "", 255);
  const startsAt = timeOf(fields["startdate"] ?? "");
  return {
    peer,
    id,
    fullname: text("fullname"),
    shortname: text("shortname"),
    idnumber: text("idnumber"),
    summary: new UntrustedHtml(fields["summary"] ?? ""),
    ...(startsAt && { startsAt }),
    category: { id: Number(fields["cat_id"] ?? 0), name: text("cat_name") },
    roleName: text("defaultrolename"),
    fetchedAt: new Date(fetchedAt),
  };
}

/** As the store gives them. */
const byNameAndMethod = (a: CachedEnrolment, b: CachedEnrolment): number =>
  a.username === b.username ? (a.method < b.method ? -1 : 1) : a.username < b.username ? -1 : 1;

/** The peer's own order, then by id. */
function bySortOrder(courses: readonly CachedCourse[]): (a: RemoteCourse, b: RemoteCourse) => number {
  const place = new Map(courses.map(({ id, fields }) => [id, Number(fields["sortorder"] ?? 0)]));
  return (a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0) || a.id - b.id;
}

/** Text from outside, without what a terminal or a database would obey. */
const plain = (text: string, maximum: number): string => neutralText(text, maximum).slice(0, maximum);
