import { readFileSync } from "node:fs";
import Database from "libsql";
import { Kysely, SqliteDialect, sql, type SqliteDatabase } from "kysely";
import { afterAll, describe, expect, it } from "vitest";
import { courseStore, enrolmentStore, type Lms } from "../../examples/course-store.ts";
import type { Accounts } from "../../src/plug-ins/account.ts";
import { enrolmentsContract } from "../../src/testing/enrolments-contract.ts";
import { memoryCourses } from "../../src/testing/memory-courses.ts";
import { listedAccounts } from "../support/listed-accounts.ts";

const db = new Kysely<Lms>({
  // Its shape is that of better-sqlite3.
  dialect: new SqliteDialect({ database: new Database(":memory:") as unknown as SqliteDatabase }),
});
afterAll(() => db.destroy());

const guide = readFileSync("docs/plug-in-courses.md", "utf8");
const schema = /^```sql\n([^]*?)^```$/m.exec(guide)?.[1] ?? "";

/** Users of the LMS, as far as courses need them. */
const accounts: Accounts = {
  ...listedAccounts(),
  async createRemote({ wwwroot: home }, username) {
    const found = db.selectFrom("users").select("id").where("home", "=", home).where("username", "=", username);
    const row =
      (await found.executeTakeFirst()) ??
      (await db
        .insertInto("users")
        .values({ id: sql<number>`null`, username, home })
        .returning("id")
        .executeTakeFirstOrThrow());
    return { id: String(row.id), username, home };
  },
};

async function makeLms(): Promise<void> {
  for (const table of ["memberships", "course_offers", "roles", "courses", "users"] as const) {
    await db.schema.dropTable(table).ifExists().execute();
  }
  for (const statement of schema.split(";").filter((text) => text.trim() !== "")) await sql.raw(statement).execute(db);
  const course = { about: "<p>Sea</p>", visible: 1, starts_at: null };
  await db
    .insertInto("courses")
    .values([
      { id: 7, title: "Sailing", code: "S1", ...course },
      { id: 8, title: "Hidden", code: "H1", ...course, visible: 0 },
      { id: 9, title: "Ours", code: "O1", ...course },
    ])
    .execute();
  await db.insertInto("roles").values({ id: 5, code: "student", title: "Student" }).execute();
  await db
    .insertInto("course_offers")
    .values([7, 8].map((course_id) => ({ course_id, peer: null, role_id: 5 })))
    .execute();
}

describe("the guide", () => {
  it("shows the example, the whole of it", () => {
    const programs = [...guide.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, program]) => program);
    expect(programs).toContain(readFileSync("examples/course-store.ts", "utf8"));
    expect(schema).toContain("create table");
  });
});

describe.each([
  [
    "examples/course-store.ts",
    async () => {
      await makeLms();
      return { accounts, courses: courseStore(db), enrolments: enrolmentStore(db), offeredCourse: 7 };
    },
  ],
  [
    "memoryCourses",
    async () => {
      const role = { id: 5, shortname: "student", name: "Student" };
      const category = { id: 1, name: "All" };
      const courses = memoryCourses([{ id: 7, fullname: "Sailing", shortname: "S1", category, offers: [{ role }] }]);
      return { accounts: listedAccounts(), courses, enrolments: courses, offeredCourse: 7 };
    },
  ],
])("SEC-036 SEC-057 SEC-059 %s keeps the promises of courses and enrolments", (_, make) => {
  for (const { name, run } of enrolmentsContract(make)) it(name, run);
});

describe("the contract notices", () => {
  const base = async () => {
    const role = { id: 5, shortname: "student", name: "Student" };
    const category = { id: 1, name: "All" };
    const courses = memoryCourses([{ id: 7, fullname: "Sailing", shortname: "S1", category, offers: [{ role }] }]);
    return { accounts: listedAccounts(), courses, enrolments: courses, offeredCourse: 7 };
  };
  it.each([
    ["who is enrolled twice is enrolled once", { enrol: async () => true }],
    ["who is unenrolled twice is out, and others stay", { unenrol: async () => true }],
    ["each peer sees and counts its own users", { countOf: async () => 3 }],
    ["each peer sees and counts its own users", { inCourse: async () => [] }],
    ["all offers hold the one, and one is no other", { offers: async () => [] }],
  ])("%s: %j", async (name, broken) => {
    const contract = enrolmentsContract(async () => {
      const plugIns = await base();
      return {
        ...plugIns,
        courses: { ...plugIns.courses, ...broken },
        enrolments: { ...plugIns.enrolments, ...broken },
      };
    });
    await expect(contract.find((each) => each.name === name)!.run()).rejects.toThrow();
  });
});
