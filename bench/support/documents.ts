import type { XmlRpcStruct, XmlRpcValue } from "../../src/xmlrpc/value.ts";

/**
 * What sites really tell each other, as often as fills a document. Only strings, integers and booleans, because the other
 * codecs have their own ideas of the rest.
 */
export const REALISTIC: Readonly<Record<string, (n: number) => XmlRpcStruct>> = {
  // As mnet_enrol's available_courses answers: numbers out of a database are strings.
  course: (n) => ({
    remoteid: String(100 + n),
    cat_id: String(1 + (n % 7)),
    cat_name: ["Naturwissenschaft", "Sciences humaines", "Engineering & Design", "Übungen"][n % 4] ?? "",
    cat_description: "<p>Courses of the winter term</p>",
    sortorder: String(10_000 + n),
    fullname: `Introduction to experimental physics ${n}: “mechanics” & waves`,
    shortname: `PHYS-${n}`,
    idnumber: "",
    summary: `<p>Lectures on Monday, <b>exercises</b> on Thursday. See <a href="https://lms.example.edu/course/view.php?id=${n}">the course</a>.</p>`,
    startdate: String(1_700_000_000 + n * 86_400),
    cost: "",
    currency: "EUR",
    defaultroleid: "5",
    defaultrolename: "Student",
  }),
  // As auth/mnet's user_authorise answers.
  user: (n) => ({
    username: `zoe.angstrom${n}`,
    email: `zoe.angstrom${n}@students.example.edu`,
    firstname: "Zoë",
    lastname: "Ångström",
    city: "Göteborg",
    country: "SE",
    lang: "sv",
    timezone: "99",
    description: "Second year, physics & mathematics; plays the viola.",
    mailformat: 1,
    maildigest: 0,
    maildisplay: 2,
    autosubscribe: true,
    trackforums: false,
    imagehash: "3c1f0a2b9d7e4c5f8a6b1d2e3f4a5b6c7d8e9f00",
    session: { gc_lifetime: 7200 + (n % 10) },
  }),
  // As mnet_enrol's course_enrolments answers.
  enrolment: (n) => ({
    username: `student${n}`,
    email: `student${n}@students.example.edu`,
    fullname: `Introduction to experimental physics ${n % 40}`,
    rolename: "Student",
    roleshortname: "student",
    timemodified: 1_700_000_000 + n,
    enrol: "mnet",
    active: n % 9 !== 0,
  }),
};

/** A list that `encode` makes at least `bytes` bytes of. */
export function listOf(
  item: (n: number) => XmlRpcStruct,
  bytes: number,
  encode: (value: XmlRpcValue) => Uint8Array,
): XmlRpcStruct[] {
  const each = encode([item(0), item(1)]).length - encode([item(0)]).length;
  return Array.from({ length: Math.max(1, Math.ceil(bytes / each)) }, (_, n) => item(n));
}
