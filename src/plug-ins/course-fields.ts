import type { XmlRpcStruct } from "../xmlrpc/value.ts";
import { withAbsoluteLinks } from "./absolute-links.ts";
import type { Course, CourseOffer, Enrolment } from "./course.ts";

// Everything is text, as it is in the answers of a Moodle, which reads it from its database (spec 5.1, 10.1).

/** Moodle's number for HTML, in `summaryformat`. */
const FORMAT_HTML = "1";

/** A course as `available_courses` tells it (spec 10.1). `wwwroot` is ours: relative links in texts are made absolute. */
export function offerFields(offer: CourseOffer, wwwroot: string): XmlRpcStruct {
  const { category } = offer;
  return {
    remoteid: String(offer.id),
    fullname: offer.fullname,
    shortname: offer.shortname,
    idnumber: offer.idnumber ?? "",
    summary: htmlFor(offer.summary, wwwroot),
    summaryformat: FORMAT_HTML,
    sortorder: String(offer.sortOrder ?? 0),
    startdate: secondsOf(offer.startsAt),
    cat_id: String(category.id),
    cat_name: category.name,
    cat_description: htmlFor(category.description, wwwroot),
    cat_descriptionformat: FORMAT_HTML,
    cost: offer.cost ?? "",
    currency: offer.currency ?? "",
    defaultroleid: String(offer.role.id),
    defaultrolename: offer.role.name,
    ...(offer.path !== undefined && { view_path: offer.path }),
  };
}

/**
 * A user's courses as `update_enrolments` tells them: one struct for each course (spec 9.9).
 *
 * Beside Moodle's members there are those that this library understands: `enrol` and `timemodified` with the meaning
 * that they have in `course_enrolments`, `role_shortname`, `role_name` and `view_path`. None of them is the name of a
 * column in which a Moodle keeps remote courses, so it passes over them, as over the columns that Moodles of other
 * versions add.
 */
export function userCourseFields(enrolments: readonly Enrolment[], wwwroot: string): readonly XmlRpcStruct[] {
  const byCourse = new Map<number, Enrolment>();
  for (const enrolment of enrolments) {
    const known = byCourse.get(enrolment.course.id);
    if (known === undefined || matters(enrolment) > matters(known)) byCourse.set(enrolment.course.id, enrolment);
  }
  return [...byCourse.values()].map((enrolment) => userCourse(enrolment, wwwroot));
}

/** Of several enrolments in a course, the one through MNet is the home site's business; then the latest. */
const matters = ({ method, changedAt }: Enrolment): number => (method === "mnet" ? Infinity : changedAt.getTime());

function userCourse({ course, role, method, changedAt }: Enrolment, wwwroot: string): XmlRpcStruct {
  const { category } = course;
  // What is asked for is the role that the course gives through MNet.
  const given = method === "mnet" ? role : undefined;
  return {
    id: String(course.id),
    cat_id: String(category.id),
    cat_name: category.name,
    cat_description: htmlFor(category.description, wwwroot),
    sortorder: String(course.sortOrder ?? 0),
    fullname: course.fullname,
    shortname: course.shortname,
    idnumber: course.idnumber ?? "",
    summary: htmlFor(course.summary, wwwroot),
    startdate: secondsOf(course.startsAt),
    defaultroleid: String(given?.id ?? 0),
    defaultrolename: given?.name ?? "",
    enrol: method,
    timemodified: secondsOf(changedAt),
    role_shortname: role.shortname,
    role_name: role.name,
    ...(course.path !== undefined && { view_path: course.path }),
  };
}

/** An enrolment as `course_enrolments` tells it (spec 10.1). */
export const enrolmentFields = ({ account, role, method, changedAt }: Enrolment): XmlRpcStruct => ({
  username: account.username,
  shortname: role.shortname,
  name: role.name,
  enrol: method,
  timemodified: secondsOf(changedAt),
});

/** Path of a course's page on its site, below the wwwroot. */
export const coursePath = ({ id, path }: Pick<Course, "id" | "path">): string => path ?? `/course/view.php?id=${id}`;

// ── What a peer tells ───────────────────────────────────────────────────────

/** A column of type INT in a Moodle. */
const INT = "int";
/** What is kept of a peer's course, and how much of it: Moodle's columns, in characters (spec 10.4). */
const KEPT = {
  cat_id: INT,
  cat_name: 255,
  sortorder: INT,
  fullname: 254,
  shortname: 100,
  idnumber: 100,
  summary: Infinity,
  summaryformat: INT,
  startdate: INT,
  defaultroleid: INT,
  defaultrolename: 255,
  view_path: 1333,
} as const satisfies Readonly<Record<string, number | typeof INT>>;

/** Name of a member that is kept of a peer's course. */
export type CourseFieldName = keyof typeof KEPT;

/** The members that are kept of a peer's course, by wire name. All are text, and any may be missing. */
export const COURSE_FIELD_NAMES = Object.keys(KEPT) as readonly CourseFieldName[];

/** What a peer told of a course, as text. */
export type CourseFields = { readonly [name in CourseFieldName]?: string | undefined };

/** The members as they are kept: cut as Moodle cuts them, numbers as PHP reads them. Those that were not told are absent. */
export function keptFields(told: CourseFields): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const name of COURSE_FIELD_NAMES) {
    const text = told[name];
    if (text === undefined) continue;
    const limit = KEPT[name];
    kept[name] = limit === INT ? phpInteger(text) : firstCharacters(text, limit);
  }
  return kept;
}

/** What `update_enrolments` may tell of the user in a course, beside the course, if the peer is this library. */
export const USER_ENROLMENT_FIELD_NAMES = ["enrol", "timemodified", "role_name"] as const;

/** The enrolment that `update_enrolments` tells of. A Moodle says no more than that there is one: it counts as MNet's (spec 9.9). */
export function toldEnrolment(told: {
  readonly [name in (typeof USER_ENROLMENT_FIELD_NAMES)[number]]?: string | undefined;
}): { readonly method: string; readonly roleName: string; readonly changedAt?: number } {
  const changedAt = timeOf(told.timemodified ?? "")?.getTime();
  return {
    method: firstCharacters(told.enrol ?? "mnet", 20),
    roleName: firstCharacters(told.role_name ?? "", 255),
    ...(changedAt !== undefined && { changedAt }),
  };
}

/** The last second of the year 9999. */
const LAST_SECOND = 253_402_300_799;

/** A moment in Unix seconds, as a peer tells it. 0, what is before, and what is no time are none. */
export function timeOf(seconds: string): Date | undefined {
  const number = Number(phpInteger(seconds));
  return number > 0 && number <= LAST_SECOND ? new Date(number * 1000) : undefined;
}

/** As PHP casts text to a number: its beginning, or 0. */
function phpInteger(text: string): string {
  const [digits = "0"] = /^\s*[+-]?[0-9]{1,15}/.exec(text) ?? [];
  return String(Number(digits) + 0);
}

/** Cuts to characters (code points), as a column does. */
function firstCharacters(text: string, limit: number): string {
  if (text.length <= limit) return text;
  // A character is at most two units, so that the rest need not be looked at.
  return [...text.slice(0, 2 * limit)].slice(0, limit).join("");
}

const htmlFor = (html: string | undefined, wwwroot: string): string =>
  html === undefined ? "" : withAbsoluteLinks(html, wwwroot);

/** Unix seconds as text; 0 is Moodle's "never". */
const secondsOf = (time: Date | undefined): string => String(Math.floor((time?.getTime() ?? 0) / 1000));
