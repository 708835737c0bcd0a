import type { Peer } from "../../../core/peer-snapshot.ts";
import type { Account } from "../../../plug-ins/account.ts";
import type { Course, CourseOffer, Courses, Enrolment, Enrolments, Role } from "../../../plug-ins/course.ts";
import { escapeXml } from "../../../xml/escape.ts";
import type { CourseContent } from "./site-content.ts";
import type { Users } from "./users.ts";

const STUDENT: Role = { id: 5, shortname: "student", name: "Student" };
/** Method of the enrolments that remote enrolment makes, and of those that a site makes itself. */
const MNET = "mnet";
const MANUAL = "manual";

/** Accounts change, so that their id is kept. */
interface Membership extends Pick<Enrolment, "method" | "changedAt"> {
  readonly accountId: string;
  readonly content: CourseContent;
}

/** The courses of a site, each offered to every other site, and who is in them; in memory. */
export class SiteCourses implements Courses, Enrolments {
  readonly all: readonly CourseContent[];
  readonly #users: Users;
  /** By course, account and method: an account is in a course once by each means. */
  readonly #memberships = new Map<string, Membership>();

  constructor(all: readonly CourseContent[], users: Users) {
    this.all = all;
    this.#users = users;
    for (const content of all) {
      for (const username of content.usernames) {
        const user = users.own(username);
        if (user) this.enrolBy(MANUAL, user.account, content);
      }
    }
  }

  find(id: number): CourseContent | undefined {
    return this.all.find((course) => course.id === id);
  }

  has(course: CourseContent, { id }: Account): boolean {
    return this.#enrolments().some(({ account, course: one }) => one.id === course.id && account.id === id);
  }

  /** Everybody in a course, the site's own users first. */
  participants({ id }: CourseContent): readonly Enrolment[] {
    const hers = this.#enrolments().filter(({ course }) => course.id === id);
    return [
      ...hers.filter(({ account }) => account.home === undefined),
      ...hers.filter(({ account }) => account.home !== undefined),
    ];
  }

  /** `false`: she was enrolled by this method already. */
  enrolBy(method: string, { id: accountId }: Account, content: CourseContent): boolean {
    const key = keyOf(content.id, accountId, method);
    if (this.#memberships.has(key)) return false;
    this.#memberships.set(key, { accountId, content, method, changedAt: new Date() });
    return true;
  }

  // ── For remote enrolment, and for single sign-on, by which sites tell each other where a user has courses ──

  async offers(_peer: Peer, courseId?: number): Promise<readonly CourseOffer[]> {
    return this.all
      .filter(({ id }) => courseId === undefined || id === courseId)
      .map((content) => ({ ...courseOf(content), offeredTo: "all-hosts", role: STUDENT }));
  }

  async exists(courseId: number): Promise<boolean> {
    return this.find(courseId) !== undefined;
  }

  async enrol(account: Account, { id }: CourseOffer): Promise<boolean> {
    const content = this.find(id);
    if (!content) throw new Error(`There is no course ${id}.`);
    return this.enrolBy(MNET, account, content);
  }

  async unenrol(account: Account, offer: CourseOffer): Promise<boolean> {
    return this.#memberships.delete(keyOf(offer.id, account.id, MNET));
  }

  async inCourse(courseId: number, home: Peer): Promise<readonly Enrolment[]> {
    return this.#enrolments().filter(({ account, course }) => course.id === courseId && account.home === home.wwwroot);
  }

  async ofAccount({ id }: Account): Promise<readonly Enrolment[]> {
    return this.#enrolments().filter(({ account }) => account.id === id);
  }

  async countOf(home: Peer): Promise<number> {
    return this.#enrolments().filter(({ account, method }) => method === MNET && account.home === home.wwwroot).length;
  }

  #enrolments(): readonly Enrolment[] {
    return [...this.#memberships.values()].flatMap(({ accountId, content, method, changedAt }) => {
      const account = this.#users.get(accountId)?.account;
      return account ? [{ account, course: courseOf(content), role: STUDENT, method, changedAt }] : [];
    });
  }
}

const courseOf = ({ id, title, text, category }: CourseContent): Course => ({
  id,
  fullname: title,
  shortname: title,
  summary: `<p>${escapeXml(text)}</p>`,
  category,
});

const keyOf = (courseId: number, accountId: string, method: string): string =>
  JSON.stringify([courseId, accountId, method]);
