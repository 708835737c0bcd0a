import { describe, expect, it } from "vitest";
import type { Enrolment } from "../../src/plug-ins/course.ts";
import { COURSE_FIELD_NAMES, keptFields, toldEnrolment, userCourseFields } from "../../src/plug-ins/course-fields.ts";

const enrolment = (method: string, changedAt: string, more: Partial<Enrolment> = {}): Enrolment => ({
  account: { id: "1", username: "ada" },
  course: {
    id: 7,
    fullname: "Sailing",
    shortname: "S1",
    summary: '<a href="x">x</a>',
    startsAt: new Date("2026-02-01T00:00:00Z"),
    category: { id: 2, name: "Sport" },
  },
  role: { id: 5, shortname: "student", name: "Student" },
  method,
  changedAt: new Date(changedAt),
  ...more,
});

describe("a user's courses for her home site", () => {
  it("MNET-118 are one struct for each course, all of text, with Moodle's members and ours", () => {
    const [course, ...others] = userCourseFields(
      [enrolment("manual", "2026-03-01T00:00:00Z"), enrolment("mnet", "2026-01-02T00:00:00Z")],
      "https://lms.example.edu",
    );
    expect(others).toEqual([]);
    expect(course).toEqual({
      id: "7",
      cat_id: "2",
      cat_name: "Sport",
      cat_description: "",
      sortorder: "0",
      fullname: "Sailing",
      shortname: "S1",
      idnumber: "",
      summary: '<a href="https://lms.example.edu/x">x</a>',
      startdate: "1769904000",
      defaultroleid: "5",
      defaultrolename: "Student",
      enrol: "mnet",
      timemodified: "1767312000",
      role_shortname: "student",
      role_name: "Student",
    });
  });

  it("MNET-118 a role that was not given through MNet is not told as the course's", () => {
    const [course] = userCourseFields([enrolment("manual", "2026-03-01T00:00:00Z")], "https://lms.example.edu");
    expect(course).toMatchObject({ defaultroleid: "0", defaultrolename: "", role_name: "Student", enrol: "manual" });
  });

  it("MNET-118 no member of ours is a column where a Moodle keeps remote courses", () => {
    // mnetservice_enrol_courses of Moodle 2 and later.
    const columns = "hostid remoteid categoryid categoryname summaryformat roleid rolename".split(" ");
    const [course] = userCourseFields([enrolment("mnet", "2026-03-01T00:00:00Z")], "https://lms.example.edu");
    expect(columns.filter((column) => Object.hasOwn(course!, column))).toEqual([]);
  });

  it("MNET-118 are read back, also where a Moodle tells less", () => {
    expect(toldEnrolment({ enrol: "manual", timemodified: "1767312000", role_name: "Teacher" })).toEqual({
      method: "manual",
      roleName: "Teacher",
      changedAt: 1_767_312_000_000,
    });
    expect(toldEnrolment({})).toEqual({ method: "mnet", roleName: "" });
    expect(toldEnrolment({ timemodified: "soon" })).toEqual({ method: "mnet", roleName: "" });
  });
});

describe("what is kept of a peer's course", () => {
  it("MNET-127 texts are cut as Moodle cuts them, in characters", () => {
    const long = "😀".repeat(300);
    const kept = keptFields(Object.fromEntries(COURSE_FIELD_NAMES.map((name) => [name, long])));
    const lengths = Object.fromEntries(Object.entries(kept).map(([name, text]) => [name, [...text].length]));
    expect(lengths).toMatchObject({
      cat_name: 255,
      fullname: 254,
      shortname: 100,
      idnumber: 100,
      defaultrolename: 255,
    });
    expect(lengths).toMatchObject({ summary: 300, view_path: 300 });
    expect(kept["fullname"]).toBe("😀".repeat(254));
  });

  it.each([
    ["17", "17"],
    [" 17 ", "17"],
    ["-3", "-3"],
    ["17x", "17"],
    ["", "0"],
    ["x", "0"],
    ["1.9", "1"],
    ["-0", "0"],
  ])("MNET-127 the number %j is kept as %s", (text, expected) => {
    expect(keptFields({ sortorder: text })).toEqual({ sortorder: expected });
  });

  it("MNET-127 what was not told is not kept", () => {
    expect(keptFields({ fullname: "x", summary: undefined })).toEqual({ fullname: "x" });
  });
});
