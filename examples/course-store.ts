import type { Account, CourseOffer, Courses, Enrolment, Enrolments } from "mnet";
import type { Kysely } from "kysely";

/** The tables of an LMS: what it had before, and `course_offers`, which says to whom a course is offered. */
export interface Lms {
  users: { id: number; username: string; home: string | null };
  courses: { id: number; title: string; code: string; about: string; visible: number; starts_at: number | null };
  roles: { id: number; code: string; title: string };
  /** `peer`: a wwwroot; null is for all. */
  course_offers: { course_id: number; peer: string | null; role_id: number };
  memberships: { user_id: number; course_id: number; role_id: number; method: string; changed_at: number };
}

const CATEGORY = { id: 1, name: "All courses" };

interface CourseRow {
  readonly course_id: number;
  readonly title: string;
  readonly code: string;
  readonly about: string;
  readonly starts_at: number | null;
  readonly role_id: number;
  readonly role_code: string;
  readonly role_title: string;
}
const courseIn = (row: CourseRow) => ({
  id: row.course_id,
  fullname: row.title,
  shortname: row.code,
  summary: row.about,
  startsAt: row.starts_at === null ? undefined : new Date(row.starts_at),
  category: CATEGORY,
  path: `/courses/${row.course_id}`,
});
const roleIn = (row: CourseRow) => ({ id: row.role_id, shortname: row.role_code, name: row.role_title });

/** The courses that the LMS offers. Which offer counts, and what becomes of links in texts, is the library's business. */
export const courseStore = (db: Kysely<Lms>): Courses => ({
  async offers(peer, courseId) {
    let query = db
      .selectFrom("course_offers")
      .innerJoin("courses", "courses.id", "course_offers.course_id")
      .innerJoin("roles", "roles.id", "course_offers.role_id")
      .select(["course_id", "courses.title", "courses.code", "about", "starts_at", "course_offers.peer"])
      .select(["role_id", "roles.code as role_code", "roles.title as role_title"])
      .where("visible", "=", 1)
      .where((where) => where.or([where("peer", "=", peer.wwwroot), where("peer", "is", null)]));
    if (courseId !== undefined) query = query.where("course_id", "=", courseId);
    return (await query.execute()).map((row): CourseOffer => ({
      ...courseIn(row),
      role: roleIn(row),
      offeredTo: row.peer === null ? "all-hosts" : "this-peer",
    }));
  },
  async exists(courseId) {
    const row = await db.selectFrom("courses").select("id").where("id", "=", courseId).executeTakeFirst();
    return row !== undefined;
  },
});

/** Who is in which course. Rows with the method `mnet` are those that other sites made; nothing else is ever removed. */
export function enrolmentStore(db: Kysely<Lms>): Enrolments {
  const memberships = () =>
    db
      .selectFrom("memberships")
      .innerJoin("users", "users.id", "memberships.user_id")
      .innerJoin("courses", "courses.id", "memberships.course_id")
      .innerJoin("roles", "roles.id", "memberships.role_id")
      .select(["users.id as user_id", "username", "home", "method", "changed_at"])
      .select(["course_id", "courses.title", "courses.code", "about", "starts_at"])
      .select(["role_id", "roles.code as role_code", "roles.title as role_title"]);
  type Membership = Awaited<ReturnType<ReturnType<typeof memberships>["execute"]>>[number];
  const enrolmentIn = (row: Membership): Enrolment => ({
    account: { id: String(row.user_id), username: row.username, home: row.home ?? undefined },
    course: courseIn(row),
    role: roleIn(row),
    method: row.method,
    changedAt: new Date(row.changed_at),
  });
  const idOf = ({ id }: Account): number => Number(id);

  return {
    async enrol(account, offer) {
      // A unique index on (user_id, course_id, method) decides, however many come at once.
      const { numInsertedOrUpdatedRows } = await db
        .insertInto("memberships")
        .values({
          user_id: idOf(account),
          course_id: offer.id,
          role_id: offer.role.id,
          method: "mnet",
          changed_at: Date.now(),
        })
        .onConflict((conflict) => conflict.columns(["user_id", "course_id", "method"]).doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },
    async unenrol(account, offer) {
      const { numDeletedRows } = await db
        .deleteFrom("memberships")
        .where("user_id", "=", idOf(account))
        .where("course_id", "=", offer.id)
        .where("method", "=", "mnet")
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },
    async inCourse(courseId, home) {
      const rows = await memberships().where("course_id", "=", courseId).where("home", "=", home.wwwroot).execute();
      return rows.map(enrolmentIn);
    },
    async ofAccount(account) {
      const rows = await memberships().where("users.id", "=", idOf(account)).where("visible", "=", 1).execute();
      return rows.map(enrolmentIn);
    },
    async countOf(home) {
      const { count } = await db
        .selectFrom("memberships")
        .innerJoin("users", "users.id", "memberships.user_id")
        .select((select) => select.fn.countAll<number>().as("count"))
        .where("method", "=", "mnet")
        .where("home", "=", home.wwwroot)
        .executeTakeFirstOrThrow();
      return count;
    },
  };
}
