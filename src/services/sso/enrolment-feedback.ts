import type { Peer } from "../../core/peer-snapshot.ts";
import {
  COURSE_FIELD_NAMES,
  keptFields,
  toldEnrolment,
  USER_ENROLMENT_FIELD_NAMES,
} from "../../plug-ins/course-fields.ts";
import type { RemoteCourseStore } from "../../service-stores/remote-course-store.ts";
import { isStruct, type XmlRpcStruct, type XmlRpcValue } from "../../xmlrpc/value.ts";

/** More courses of one user are not looked at. */
const MOST_COURSES = 10_000;

/**
 * Takes over what a peer tells of a user's courses there (`update_enrolments`, spec 9.9): courses that are known already
 * are brought up to date, and she is in exactly those of them that were told; unknown ones are passed over (SEC-067).
 * `told` is a list, or a struct with the courses' ids for names.
 *
 * @returns how many courses were told.
 */
export async function takeEnrolments(
  store: RemoteCourseStore,
  { id: peer }: Peer,
  username: string,
  told: XmlRpcValue,
): Promise<number> {
  const courses = Object.values(told as XmlRpcStruct)
    .filter(isStruct)
    .slice(0, MOST_COURSES);
  if (courses.length === 0) {
    await store.replaceUser(peer, username, []);
    return 0;
  }
  const known = new Map((await store.ofUser(peer, username)).map(({ course, enrolment }) => [course.id, enrolment]));
  const rows = new Map<number, Parameters<RemoteCourseStore["replaceUser"]>[2][number]>();
  for (const course of courses) {
    const id = Number(textOf(course["id"]));
    if (!Number.isSafeInteger(id) || id < 1) continue;
    if (!(await store.updateCourse(peer, { id, fields: keptFields(pick(course, COURSE_FIELD_NAMES)) }))) continue;
    const said = toldEnrolment(pick(course, USER_ENROLMENT_FIELD_NAMES));
    // A Moodle says no more than that there is one: what is known of it already stays.
    const isDetailed = course["enrol"] !== undefined || course["timemodified"] !== undefined;
    const before = isDetailed ? undefined : known.get(id);
    rows.set(id, { course: id, ...(before ?? said) });
  }
  await store.replaceUser(
    peer,
    username,
    [...rows.values()].map(({ course, roleName, method, changedAt }) => ({ course, roleName, method, changedAt })),
  );
  return courses.length;
}

function pick<Name extends string>(struct: XmlRpcStruct, names: readonly Name[]): { readonly [K in Name]?: string } {
  const picked: { [K in Name]?: string } = {};
  for (const name of names) {
    const text = textOf(struct[name]);
    if (text !== undefined) picked[name] = text;
  }
  return picked;
}

function textOf(value: XmlRpcValue | undefined): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : undefined;
}
