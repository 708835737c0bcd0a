import { describeMethod } from "../../host/method.ts";
import { t, Wire, WireMismatch, wireOf, type WireType } from "../../host/wire-type.ts";
import { COURSE_FIELD_NAMES, type CourseFieldName } from "../../plug-ins/course-fields.ts";
import type { XmlRpcStruct, XmlRpcValue } from "../../xmlrpc/value.ts";

/** Name of the service (spec 1.3). */
export const ENROLMENT_SERVICE = "mnet_enrol";
const PATH = "enrol/mnet/enrol.php";

/** Largest id of a course: peers keep it in a signed column of 32 bits (spec 10.1). */
const MAXIMUM_ID = 0x7fffffff;
const text = t.string().optional();

/** A course of a peer, as far as it is kept. All members but its id may be missing: Moodle 1.9 has fewer. */
const course = t.struct({
  remoteid: t.int({ min: 1, max: MAXIMUM_ID }),
  ...(Object.fromEntries(COURSE_FIELD_NAMES.map((name) => [name, text])) as Record<CourseFieldName, typeof text>),
});

/** An enrolment in a course of a peer. Without a username it is from an old server, which is an error (spec 10.4). */
const enrolment = t.struct({ username: t.string(), name: text, enrol: text, timemodified: text });

/**
 * The five methods of the service, with the words of Moodle's own signatures (spec 10.1). What we answer is made by
 * `course-fields.ts`, text by text, so that only reading is checked here.
 */
export const ENROLMENT_METHODS = {
  availableCourses: describeMethod(ENROLMENT_SERVICE, `${PATH}/available_courses`, {
    help: "Returns the courses in which users of the calling site can be enrolled.",
    returns: answers(listOrNone(course)),
  }),
  userEnrolments: describeMethod(ENROLMENT_SERVICE, `${PATH}/user_enrolments`, {
    help: "Not implemented by any site; returns an empty list.",
    returns: t.list(t.value()),
  }),
  enrolUser: describeMethod(ENROLMENT_SERVICE, `${PATH}/enrol_user`, {
    help: "Enrols a user of the calling site in a course of this site. A user who is new here gets an account.",
    params: {
      userdata: userStruct().describe("user details, as exported to this site"),
      courseid: t.int().describe("our local course id"),
    },
    returns: t.boolean().describe("true if the enrolment has been successful, a fault otherwise"),
  }),
  unenrolUser: describeMethod(ENROLMENT_SERVICE, `${PATH}/unenrol_user`, {
    help: "Ends the enrolment of a user of the calling site that was made by enrol_user; other enrolments stay.",
    params: {
      username: t.string().describe("name of the user at her home site"),
      courseid: t.int().describe("our local course id"),
    },
    returns: t.boolean().describe("true if she is not enrolled any more, a fault otherwise"),
  }),
  courseEnrolments: describeMethod(ENROLMENT_SERVICE, `${PATH}/course_enrolments`, {
    help: "Returns the users of the calling site who are enrolled in a course of this site, by whatever means.",
    params: {
      courseid: t.int().describe("ID of our course"),
      roles: roleNames().describe("comma separated list of role shortnames (or array of them)").optional(),
    },
    returns: answers(t.list(enrolment)),
  }),
};

/** Reads like the given type; writes what a handler returns as it is. */
function answers<T>(type: WireType<readonly T[]>): WireType<readonly T[]> {
  const inner = wireOf(type, "returns");
  return new Wire("list", "array", {
    decode: (value) => inner.decode(value),
    encode: (value) => value as readonly XmlRpcValue[],
  });
}

/**
 * A list, or `false` for none, as Moodle 1.9 answers (spec 10.1). It also keys the list by the ids, which `t.list`
 * understands.
 */
function listOrNone<T>(of: WireType<T>): WireType<readonly T[]> {
  const list = wireOf(t.list(of), "of");
  return new Wire("list", "array", {
    decode: (value) => (value === false ? [] : list.decode(value)),
    encode: (value) => list.encode(value),
  });
}

/** A struct with whatever columns a site exports; who imports it knows what they are. */
function userStruct(): WireType<XmlRpcStruct> {
  const isStruct = (value: unknown): value is XmlRpcStruct =>
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === null;
  return new Wire<XmlRpcStruct>("struct", "array", {
    decode(value) {
      // An empty struct of PHP is an empty list.
      if (Array.isArray(value) && value.length === 0) return {};
      if (!isStruct(value)) throw new WireMismatch("must be a struct with the columns of a user");
      return value;
    },
    encode: (value) => value as XmlRpcStruct,
  });
}

/** Short names of roles: a list of them, or one text with commas. */
function roleNames(): WireType<readonly string[]> {
  const list = wireOf(t.list(t.string()), "roles");
  return new Wire("value", "string|array", {
    decode: (value) =>
      (typeof value === "string" ? value.split(",") : list.decode(value)).map((name) => name.trim()).filter(Boolean),
    encode: (value) => list.encode(value),
  });
}
