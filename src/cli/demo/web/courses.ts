import type { Account } from "../../../plug-ins/account.ts";
import type { Enrolment, Enrolments } from "../../../plug-ins/course.ts";
import type { CourseContent } from "./site-content.ts";

const CATEGORY = { id: 1, name: "Courses" };
const STUDENT = { id: 5, shortname: "student", name: "Student" };

/** The courses of a site, and who is in them. */
export class Courses implements Pick<Enrolments, "ofAccount"> {
  readonly all: readonly CourseContent[];
  readonly #startedAt = new Date();

  constructor(all: readonly CourseContent[]) {
    this.all = all;
  }

  find(id: number): CourseContent | undefined {
    return this.all.find((course) => course.id === id);
  }

  has(course: CourseContent, { home, username }: Account): boolean {
    return home === undefined && course.usernames.includes(username);
  }

  /** For single sign-on: sites tell each other where a user has courses. */
  async ofAccount(account: Account): Promise<readonly Enrolment[]> {
    return this.all
      .filter((course) => this.has(course, account))
      .map(({ id, title, text }) => ({
        account,
        course: { id, fullname: title, shortname: title, summary: text, category: CATEGORY },
        role: STUDENT,
        method: "manual",
        changedAt: this.#startedAt,
      }));
  }
}
