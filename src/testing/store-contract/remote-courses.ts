import assert from "node:assert/strict";
import type { PeerId } from "../../core/ids.ts";
import type { CachedCourse, CachedEnrolment } from "../../service-stores/remote-course-store.ts";
import { type Checks, CONTENDERS, HOSTILE_TEXTS, race, START } from "./check.ts";

const [ONE, TWO] = [1 as PeerId, 2 as PeerId];

/** Courses of peers, and who of ours is in them. */
export const REMOTE_COURSE_CHECKS: Checks = {
  "remote courses: nothing is known at first": async ({ remoteCourses }) => {
    assert.deepEqual(await remoteCourses.courses(ONE), { fetchedAt: undefined, courses: [] });
    assert.deepEqual(await remoteCourses.enrolments(ONE, 7), { fetchedAt: undefined, rows: [] });
    assert.deepEqual(await remoteCourses.ofUser(ONE, "ada"), []);
  },
  "MNET-127 remote courses: a list replaces the one before, of its peer only, and is read by id": async (
    { remoteCourses },
    { remoteCourses: other },
  ) => {
    await remoteCourses.replaceCourses(ONE, [course(10), course(9), course(2)], START);
    await remoteCourses.replaceCourses(TWO, [course(1)], START + 1);
    assert.deepEqual(await other.courses(ONE), { fetchedAt: START, courses: [course(2), course(9), course(10)] });
    const newer = { id: 9, fields: { fullname: "New" } };
    await other.replaceCourses(ONE, [newer, course(11)], START + 2);
    assert.deepEqual(await remoteCourses.courses(ONE), { fetchedAt: START + 2, courses: [newer, course(11)] });
    await other.replaceCourses(ONE, [], START + 3);
    assert.deepEqual(await remoteCourses.courses(ONE), { fetchedAt: START + 3, courses: [] });
    assert.deepEqual(await remoteCourses.courses(TWO), { fetchedAt: START + 1, courses: [course(1)] });
  },
  "remote courses: of two with one id the later counts": async ({ remoteCourses }) => {
    await remoteCourses.replaceCourses(ONE, [course(1), { id: 1, fields: { fullname: "Later" } }], START);
    assert.deepEqual((await remoteCourses.courses(ONE)).courses, [{ id: 1, fields: { fullname: "Later" } }]);
  },
  "MNET-127 remote courses: enrolments in courses that are gone go, too": async (
    { remoteCourses },
    { remoteCourses: other },
  ) => {
    await remoteCourses.replaceCourses(ONE, [course(1), course(2)], START);
    for (const peer of [ONE, TWO]) {
      for (const id of [1, 2, 3]) await remoteCourses.replaceEnrolments(peer, id, [row("ada")], START + id);
    }
    await other.replaceCourses(ONE, [course(2), course(4)], START + 9);
    assert.deepEqual(await remoteCourses.enrolments(ONE, 1), { fetchedAt: undefined, rows: [] });
    assert.deepEqual(await remoteCourses.enrolments(ONE, 2), { fetchedAt: START + 2, rows: [row("ada")] });
    assert.deepEqual(await remoteCourses.enrolments(ONE, 3), { fetchedAt: undefined, rows: [] });
    assert.deepEqual(await remoteCourses.enrolments(TWO, 1), { fetchedAt: START + 1, rows: [row("ada")] });
  },
  "remote courses: an update changes the fields that are given, of a course on the list": async (
    { remoteCourses },
    { remoteCourses: other },
  ) => {
    await remoteCourses.replaceCourses(ONE, [course(1), course(2)], START);
    assert.equal(await other.updateCourse(ONE, { id: 1, fields: { shortname: "NEW", summary: "more" } }), true);
    assert.equal(await other.updateCourse(ONE, { id: 3, fields: { shortname: "NEW" } }), false);
    assert.equal(await other.updateCourse(TWO, { id: 1, fields: { shortname: "NEW" } }), false);
    assert.deepEqual(await remoteCourses.courses(ONE), {
      fetchedAt: START,
      courses: [{ id: 1, fields: { fullname: "Course 1", shortname: "NEW", summary: "more" } }, course(2)],
    });
    assert.deepEqual(await other.courses(TWO), { fetchedAt: undefined, courses: [] });
  },
  "remote courses: of concurrent updates of one course none is lost": async (store, other) => {
    await store.remoteCourses.replaceCourses(ONE, [course(1)], START);
    await race(
      ({ remoteCourses }, index) => remoteCourses.updateCourse(ONE, { id: 1, fields: { [`f${index}`]: "x" } }),
      store,
      other,
    );
    const [only] = (await store.remoteCourses.courses(ONE)).courses;
    assert.equal(Object.keys(only?.fields ?? {}).length, CONTENDERS + 2);
  },
  "remote courses: of lists that replace each other at once, one is there as a whole": async (store, other) => {
    await race(
      ({ remoteCourses }, index) => remoteCourses.replaceCourses(ONE, listOf(index, 3), START + index),
      store,
      other,
    );
    const { fetchedAt, courses } = await store.remoteCourses.courses(ONE);
    assert.ok(fetchedAt !== undefined);
    assert.deepEqual(courses, listOf(fetchedAt - START, 3));
  },
  "remote courses: whoever reads while a list is replaced sees one or the other": async (store, other) => {
    await store.remoteCourses.replaceCourses(ONE, listOf(0, 5), START);
    await race(
      async ({ remoteCourses }, index) => {
        if (index % 4 === 0) return remoteCourses.replaceCourses(ONE, listOf(index, 5), START + index);
        const { fetchedAt = 0, courses } = await remoteCourses.courses(ONE);
        assert.deepEqual(courses, listOf(fetchedAt - START, 5));
      },
      store,
      other,
    );
  },
  "remote courses: rows of a course are replaced, and read by name and method, byte by byte": async (
    { remoteCourses },
    { remoteCourses: other },
  ) => {
    const rows = [
      row("A", "mnet"),
      { ...row("a", "manual"), changedAt: START, roleName: "" },
      row("a", "mnet"),
      row("b", "mnet"),
      row("\u{ffee}", "mnet"),
      row("\u{1f600}", "mnet"),
    ];
    await remoteCourses.replaceEnrolments(ONE, 1, [row("gone")], START);
    await other.replaceEnrolments(ONE, 1, [...rows].reverse(), START + 1);
    await other.replaceEnrolments(ONE, 2, [row("a")], START + 2);
    const found = await remoteCourses.enrolments(ONE, 1);
    assert.deepEqual(found, { fetchedAt: START + 1, rows });
    assert.ok(!("changedAt" in (found.rows[0] ?? {})));
    await other.replaceEnrolments(ONE, 1, [row("a"), { ...row("a"), roleName: "Later" }], START + 3);
    assert.deepEqual((await remoteCourses.enrolments(ONE, 1)).rows, [{ ...row("a"), roleName: "Later" }]);
    await other.replaceEnrolments(ONE, 1, [], START + 4);
    assert.deepEqual(await remoteCourses.enrolments(ONE, 1), { fetchedAt: START + 4, rows: [] });
    assert.deepEqual((await remoteCourses.enrolments(ONE, 2)).rows, [row("a")]);
  },
  "remote courses: one row is added, replaced and removed; the others and the age stay": async (
    { remoteCourses },
    { remoteCourses: other },
  ) => {
    await remoteCourses.replaceEnrolments(ONE, 1, [row("ada"), row("bea")], START);
    await other.addEnrolment(ONE, 1, row("ada", "manual"));
    await other.addEnrolment(ONE, 1, { ...row("bea"), roleName: "Teacher", changedAt: START });
    await other.addEnrolment(TWO, 1, row("cia"));
    const bea = { ...row("bea"), roleName: "Teacher", changedAt: START };
    assert.deepEqual(await remoteCourses.enrolments(ONE, 1), {
      fetchedAt: START,
      rows: [row("ada", "manual"), row("ada"), bea],
    });
    await remoteCourses.removeEnrolment(ONE, 1, "ada", "mnet");
    await remoteCourses.removeEnrolment(ONE, 1, "ada", "none");
    await remoteCourses.removeEnrolment(ONE, 2, "ada", "manual");
    await remoteCourses.removeEnrolment(TWO, 1, "bea", "mnet");
    assert.deepEqual((await other.enrolments(ONE, 1)).rows, [row("ada", "manual"), bea]);
    assert.deepEqual(await other.enrolments(TWO, 1), { fetchedAt: undefined, rows: [row("cia")] });
  },
  "remote courses: of many rows that are added at once, each is there once": async (store, other) => {
    await race(({ remoteCourses }, index) => remoteCourses.addEnrolment(ONE, 1, row(`u${index >> 1}`)), store, other);
    assert.equal((await store.remoteCourses.enrolments(ONE, 1)).rows.length, CONTENDERS / 2);
  },
  "remote courses: one user's rows are replaced; those of others stay": async (
    { remoteCourses },
    { remoteCourses: other },
  ) => {
    await remoteCourses.replaceCourses(ONE, [course(1), course(2), course(3)], START);
    for (const id of [1, 2]) await remoteCourses.replaceEnrolments(ONE, id, [row("ada"), row("Ada")], START + id);
    await remoteCourses.addEnrolment(TWO, 1, row("ada"));
    const rest = { roleName: "Student", method: "mnet" };
    await other.replaceUser(ONE, "ada", [
      { ...rest, course: 3, changedAt: START },
      { ...rest, course: 2, roleName: "Teacher" },
      { ...rest, course: 4 },
    ]);
    assert.deepEqual(await remoteCourses.enrolments(ONE, 1), { fetchedAt: START + 1, rows: [row("Ada")] });
    assert.deepEqual(await remoteCourses.ofUser(ONE, "ada"), [
      { course: course(2), enrolment: { ...row("ada"), roleName: "Teacher" } },
      { course: course(3), enrolment: { ...row("ada"), changedAt: START } },
    ]);
    assert.deepEqual((await remoteCourses.enrolments(ONE, 4)).rows, [row("ada")]);
    await other.replaceUser(ONE, "ada", []);
    assert.deepEqual(await remoteCourses.ofUser(ONE, "ada"), []);
    assert.equal((await remoteCourses.ofUser(ONE, "Ada")).length, 2);
    assert.deepEqual((await remoteCourses.enrolments(TWO, 1)).rows, [row("ada")]);
  },
  "remote courses: of a peer that is forgotten nothing is known, and it can begin again": async (
    { remoteCourses },
    { remoteCourses: other },
  ) => {
    for (const peer of [ONE, TWO]) {
      await remoteCourses.replaceCourses(peer, [course(1)], START);
      await remoteCourses.replaceEnrolments(peer, 1, [row("ada")], START);
    }
    await other.forget(ONE);
    await other.forget(9 as PeerId);
    assert.deepEqual(await remoteCourses.courses(ONE), { fetchedAt: undefined, courses: [] });
    assert.deepEqual(await remoteCourses.enrolments(ONE, 1), { fetchedAt: undefined, rows: [] });
    assert.equal((await remoteCourses.ofUser(TWO, "ada")).length, 1);
    await remoteCourses.replaceCourses(ONE, [course(2)], START + 1);
    assert.deepEqual(await other.courses(ONE), { fetchedAt: START + 1, courses: [course(2)] });
  },
  "remote courses: many courses and rows in one go": async ({ remoteCourses }, { remoteCourses: other }) => {
    const courses = listOf(0, 450);
    await remoteCourses.replaceCourses(ONE, courses, START);
    assert.deepEqual((await other.courses(ONE)).courses, courses);
    const rows = Array.from({ length: 450 }, (_, index) => row(`u${1000 + index}`));
    await remoteCourses.replaceEnrolments(ONE, 1, rows, START);
    assert.deepEqual((await other.enrolments(ONE, 1)).rows, rows);
  },
  "remote courses: what a caller does to its copy does not reach the store": async ({ remoteCourses }) => {
    const given = { id: 1, fields: { fullname: "Course 1", shortname: "C1" } };
    await remoteCourses.replaceCourses(ONE, [given], START);
    await remoteCourses.addEnrolment(ONE, 1, row("ada"));
    given.fields.fullname = "Changed";
    const [found] = (await remoteCourses.courses(ONE)).courses;
    Object.assign(found?.fields ?? {}, { fullname: "Changed" });
    const [mine] = await remoteCourses.ofUser(ONE, "ada");
    Object.assign(mine?.course.fields ?? {}, { fullname: "Changed" });
    assert.deepEqual((await remoteCourses.courses(ONE)).courses, [course(1)]);
  },
  "SEC-057 remote courses: quotes, backslashes and Unicode come back from every text as they were": async (
    { remoteCourses },
    { remoteCourses: other },
  ) => {
    for (const text of HOSTILE_TEXTS) {
      const given = { id: 1, fields: { fullname: text, [text]: text } };
      await remoteCourses.replaceCourses(ONE, [given], START);
      const rows = [{ username: text, roleName: text, method: text }];
      await remoteCourses.replaceEnrolments(ONE, 1, rows, START);
      assert.deepEqual((await other.courses(ONE)).courses, [given]);
      assert.deepEqual((await other.enrolments(ONE, 1)).rows, rows);
      await other.replaceUser(ONE, text, [{ course: 1, roleName: text, method: text }]);
      assert.deepEqual(await remoteCourses.ofUser(ONE, text), [{ course: given, enrolment: rows[0] }]);
      await other.removeEnrolment(ONE, 1, text, text);
      assert.deepEqual((await remoteCourses.enrolments(ONE, 1)).rows, []);
    }
  },
  "remote courses: the longest values fit": async ({ remoteCourses }, { remoteCourses: other }) => {
    const long = "\u{1f600}".repeat(255);
    const given = { id: 2 ** 31 - 1, fields: { summary: "s".repeat(100_000) } };
    await remoteCourses.replaceCourses(ONE, [given], START);
    const rows = [{ username: long, roleName: long, method: "m".repeat(100), changedAt: Number.MAX_SAFE_INTEGER }];
    await remoteCourses.replaceEnrolments(ONE, given.id, rows, START);
    assert.deepEqual(await other.ofUser(ONE, long), [{ course: given, enrolment: rows[0] }]);
  },
};

const course = (id: number): CachedCourse => ({ id, fields: { fullname: `Course ${id}`, shortname: `C${id}` } });

/** A list that can be told apart, in the order of its ids. */
const listOf = (mark: number, length: number): readonly CachedCourse[] =>
  Array.from({ length }, (_, index) => ({ id: index + 1, fields: { fullname: `${mark}` } }));

const row = (username: string, method = "mnet"): CachedEnrolment => ({ username, roleName: "Student", method });
