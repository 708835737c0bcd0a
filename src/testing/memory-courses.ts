import type { Account } from "../plug-ins/account.ts";
import type { Course, CourseOffer, Courses, Enrolment, Enrolments, Role } from "../plug-ins/course.ts";

/** A course, and to whom it is offered. */
export interface MemoryCourse extends Course {
  /** Default `true`. */
  readonly visible?: boolean | undefined;
  /** Default none. */
  readonly offers?:
    | readonly {
        /** Wwwroot of the peer. Left out: all hosts. */
        readonly to?: string | undefined;
        readonly role: Role;
        readonly cost?: string | undefined;
        readonly currency?: string | undefined;
      }[]
    | undefined;
}

/** Courses and enrolments in memory. */
export interface MemoryCourses extends Courses, Enrolments {
  /** Adds a course, or replaces the one with its id. */
  put(course: MemoryCourse): void;
  /** Removes a course, and who is in it. */
  remove(courseId: number): void;
  /** Enrols by other means than MNet, such as `manual`. */
  enrolBy(method: string, account: Account, courseId: number, role: Role): void;
}

/**
 * Courses and enrolments in memory, to test with and to read before writing your own.
 *
 * @example
 * const student = { id: 5, shortname: "student", name: "Student" };
 * const courses = memoryCourses([
 *   { id: 7, fullname: "Sailing", shortname: "S1", category: { id: 1, name: "Sport" }, offers: [{ role: student }] },
 * ]);
 * enrolment({ accounts, courses, enrolments: courses });
 */
export function memoryCourses(initial: readonly MemoryCourse[] = []): MemoryCourses {
  const courses = new Map(initial.map((course) => [course.id, course]));
  /** By course, account and method: an account is in a course once by each means. */
  const enrolments = new Map<string, Enrolment>();
  const keyOf = (courseId: number, { id }: Account, method: string): string => JSON.stringify([courseId, id, method]);
  const all = (): Enrolment[] => [...enrolments.values()];

  function offersOf({ visible = true, offers = [], ...course }: MemoryCourse, wwwroot: string): CourseOffer[] {
    if (!visible) return [];
    return offers
      .filter(({ to }) => to === undefined || to === wwwroot)
      .map(({ to, ...offer }) => ({ ...course, ...offer, offeredTo: to === undefined ? "all-hosts" : "this-peer" }));
  }

  return {
    async offers({ wwwroot }, courseId) {
      const wanted = courseId === undefined ? [...courses.values()] : [courses.get(courseId)];
      return wanted.flatMap((course) => (course ? offersOf(course, wwwroot) : []));
    },
    async exists(courseId) {
      return courses.has(courseId);
    },
    async enrol(account, offer) {
      const course = courses.get(offer.id);
      if (!course) throw new Error("The course is gone.");
      const key = keyOf(offer.id, account, "mnet");
      if (enrolments.has(key)) return false;
      enrolments.set(key, { account, course, role: offer.role, method: "mnet", changedAt: new Date() });
      return true;
    },
    async unenrol(account, offer) {
      return enrolments.delete(keyOf(offer.id, account, "mnet"));
    },
    async inCourse(courseId, home) {
      return all().filter(({ course, account }) => course.id === courseId && account.home === home.wwwroot);
    },
    async ofAccount({ id }) {
      return all().filter(({ account, course }) => account.id === id && courses.get(course.id)?.visible !== false);
    },
    async countOf(home) {
      return all().filter(({ account, method }) => method === "mnet" && account.home === home.wwwroot).length;
    },
    put(course) {
      courses.set(course.id, course);
    },
    remove(courseId) {
      courses.delete(courseId);
      for (const [key, { course }] of enrolments) if (course.id === courseId) enrolments.delete(key);
    },
    enrolBy(method, account, courseId, role) {
      const course = courses.get(courseId);
      if (!course) throw new Error(`There is no course ${courseId}.`);
      enrolments.set(keyOf(courseId, account, method), { account, course, role, method, changedAt: new Date() });
    },
  };
}
