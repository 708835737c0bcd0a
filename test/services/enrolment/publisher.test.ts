import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MnetEvent } from "../../../src/core/events.ts";
import type { Host } from "../../../src/host/host.ts";
import type { Store } from "../../../src/host/store.ts";
import type { PeerSettings } from "../../../src/peer/peer-settings.ts";
import type { Courses, Enrolments } from "../../../src/plug-ins/course.ts";
import { UntrustedHtml } from "../../../src/plug-ins/untrusted-html.ts";
import { enrolment } from "../../../src/services/enrolment/enrolment.ts";
import { memoryCourses, type MemoryCourses } from "../../../src/testing/memory-courses.ts";
import { testNetwork, type TestNetwork } from "../../../src/testing/test-network.ts";
import type { XmlRpcValue } from "../../../src/xmlrpc/value.ts";
import { errorOf } from "../../support/code-of.ts";
import { keyedStore } from "../../support/hosts.ts";
import { listedAccounts, type ListedAccounts } from "../../support/listed-accounts.ts";

const STUDENT = { id: 5, shortname: "student", name: "Student" };
const TUTOR = { id: 4, shortname: "tutor", name: "Tutor" };
const HOME = "https://home.example";
const OTHER = "https://other.example";
const SPORT = { id: 2, name: "Sport & <i>Games</i>", description: '<a href="/sport">all</a>' };
const ADA = { username: "ada", email: "ada@home.example", firstname: "Ada", lastname: "Lovelace" };

/** Courses, to be offered as their names say. */
const COURSES = [
  { id: 1, fullname: "For all", shortname: "ALL", category: SPORT, offers: [{ role: STUDENT }] },
  { id: 2, fullname: "For home", shortname: "HOME", category: SPORT, offers: [{ to: HOME, role: TUTOR }] },
  {
    id: 3,
    fullname: "For both",
    shortname: "BOTH",
    idnumber: "B-3",
    summary: '<img src="pix/sail.png"> <script>alert(1)</script> \' or 1=1 --',
    startsAt: new Date("2026-02-01T00:00:00Z"),
    sortOrder: 30,
    category: SPORT,
    offers: [
      { role: STUDENT, cost: "10", currency: "EUR" },
      { to: HOME, role: TUTOR },
    ],
  },
  { id: 4, fullname: "Hidden", shortname: "HID", category: SPORT, visible: false, offers: [{ role: STUDENT }] },
  { id: 5, fullname: "For nobody", shortname: "NOBODY", category: SPORT },
  { id: 6, fullname: "For another", shortname: "OTHER", category: SPORT, offers: [{ to: OTHER, role: STUDENT }] },
];

let network: TestNetwork;
let accounts: ListedAccounts;
let courses: MemoryCourses;
let events: MnetEvent[];
let lms: Host;
let home: Host;
let store: Store;

async function setUp(plugIns: Partial<Courses & Enrolments> = {}): Promise<void> {
  accounts = listedAccounts(["ada"]);
  courses = memoryCourses(COURSES);
  events = [];
  const all = { ...courses, ...plugIns };
  store = await keyedStore("https://lms.example", 0);
  lms = await network.host("https://lms.example", {
    store,
    services: [enrolment({ accounts, courses: all, enrolments: all })],
    observer: (event) => void events.push(event),
  });
  home = await network.host(HOME, { store: await keyedStore(HOME, 1), services: [enrolment()] });
  await network.connect(home, lms, { mnet_enrol: "subscribe" });
}
beforeEach(async () => {
  network = testNetwork();
  await setUp();
});
afterEach(() => network[Symbol.asyncDispose]());

/** What the LMS answers, as it is on the wire. */
const call = async (method: string, ...params: XmlRpcValue[]): Promise<XmlRpcValue> =>
  home.call(await home.peers.get(lms.wwwroot), `enrol/mnet/enrol.php/${method}`, params);
const faultOf = async (method: string, ...params: XmlRpcValue[]): Promise<unknown> => {
  const { code, faultCode, faultString } = (await errorOf(() => call(method, ...params))) as unknown as {
    readonly code: string;
    readonly faultCode: number;
    readonly faultString: string;
  };
  return code === "MNET_REMOTE_FAULT" ? `${faultCode} ${faultString}` : code;
};
const told = (type: MnetEvent["type"]) => events.filter((event) => event.type === type);
const settle = async (settings: PeerSettings): Promise<void> => {
  await lms.peers.set(await lms.peers.get(HOME), settings);
};
const members = async (courseId: number): Promise<readonly string[]> =>
  (await courses.inCourse(courseId, await lms.peers.get(HOME))).map(({ account }) => account.username);

describe("available_courses", () => {
  it("MNET-123 SEC-067 tells what is offered to the caller or to all, each course once, its own offer first", async () => {
    const offered = (await call("available_courses")) as readonly Readonly<Record<string, string>>[];
    expect(Array.isArray(offered)).toBe(true);
    expect(offered.map(({ remoteid, defaultrolename }) => [remoteid, defaultrolename])).toEqual([
      ["1", "Student"],
      ["2", "Tutor"],
      ["3", "Tutor"],
    ]);
    expect(offered[2]).toEqual({
      remoteid: "3",
      fullname: "For both",
      shortname: "BOTH",
      idnumber: "B-3",
      summary: '<img src="https://lms.example/pix/sail.png"> <script>alert(1)</script> \' or 1=1 --',
      summaryformat: "1",
      sortorder: "30",
      startdate: "1769904000",
      cat_id: "2",
      cat_name: "Sport & <i>Games</i>",
      cat_description: '<a href="https://lms.example/sport">all</a>',
      cat_descriptionformat: "1",
      cost: "",
      currency: "",
      defaultroleid: "4",
      defaultrolename: "Tutor",
    });
    for (const value of offered.flatMap(Object.values)) expect(value).toBeTypeOf("string");
  });

  it("MNET-123 is an empty array when nothing is offered", async () => {
    for (const { id } of COURSES) courses.remove(id);
    expect(await call("available_courses")).toEqual([]);
  });
});

describe("enrol_user", () => {
  it("MNET-124 MNET-115 SEC-059 makes an account of (peer, username) and enrols with the role of the offer", async () => {
    expect(await call("enrol_user", ADA, "3")).toBe(true);
    const made = accounts.all[1]!;
    expect(made).toMatchObject({ username: "ada", home: HOME, profile: { email: "ada@home.example" } });
    // Our own ada is somebody else.
    expect(accounts.all[0]).toMatchObject({ username: "ada" });
    expect(accounts.all[0]).not.toHaveProperty("home");
    expect(await courses.ofAccount(made)).toMatchObject([{ course: { id: 3 }, role: TUTOR, method: "mnet" }]);
    expect(await courses.ofAccount(accounts.all[0]!)).toEqual([]);
    expect(told("enrolment.changed")).toMatchObject([
      { side: "here", courseId: 3, username: "ada", change: "enrolled", peer: { wwwroot: HOME } },
    ]);
    expect(told("enrolment.changed")[0]?.exchange).toBeDefined();
    expect(told("enrolment.changed")[0]?.exchange).toBe(told("call.served").at(-1)?.exchange);
  });

  it.each([
    ["an int", 3],
    ["text", "3"],
    ["text with white space", " 3 "],
  ])("MNET-124 MNET-060 takes the course as %s", async (_, id) => {
    expect(await call("enrol_user", ADA, id)).toBe(true);
    expect(await members(3)).toEqual(["ada"]);
  });

  it("MNET-124 MNET-125 SEC-036 twice is as good as once, there and back", async () => {
    for (let turn = 0; turn < 2; turn += 1) expect(await call("enrol_user", ADA, 1)).toBe(true);
    expect(await members(1)).toEqual(["ada"]);
    expect(accounts.all).toHaveLength(2);
    for (let turn = 0; turn < 2; turn += 1) expect(await call("unenrol_user", "ada", 1)).toBe(true);
    expect(await members(1)).toEqual([]);
    expect(told("enrolment.changed")).toHaveLength(2);
  });

  it("SEC-036 many at once are one account and one enrolment", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => call("enrol_user", ADA, 1)));
    expect(answers).toEqual(Array.from({ length: 8 }, () => true));
    expect(accounts.all).toHaveLength(2);
    expect(await members(1)).toEqual(["ada"]);
    expect(told("enrolment.changed")).toHaveLength(1);
  });

  it("SEC-060 SEC-058 takes over the columns of the import list, and never who she is", async () => {
    await settle({ importFields: ["city", "description", "phone1"] });
    await call(
      "enrol_user",
      {
        ...ADA,
        city: "London",
        description: "<script>alert(1)</script>Hi",
        phone1: "1",
        idnumber: "not on the list",
        id: "1",
        password: "x",
        auth: "manual",
        wwwroot: OTHER,
        mnethostid: "9",
        deleted: "1",
        secret: "y",
      },
      1,
    );
    const { profile, home: from, id } = accounts.all[1]!;
    expect([from, id]).toEqual([HOME, "account-2"]);
    const { description, ...plain } = profile;
    expect(plain).toEqual({
      email: "ada@home.example",
      firstname: "Ada",
      lastname: "Lovelace",
      city: "London",
      other: { phone1: "1" },
    });
    expect(description).toBeInstanceOf(UntrustedHtml);
    expect(String(description as UntrustedHtml)).toBe("Hi");
  });

  it("MNET-124 a name and nothing else is enough, as it is for a Moodle; an account is not changed later", async () => {
    expect(await call("enrol_user", { username: "eve" }, 1)).toBe(true);
    expect(await call("enrol_user", { username: "eve", email: "new@home.example" }, 3)).toBe(true);
    expect(accounts.all[1]).toMatchObject({ username: "eve", profile: { email: "", firstname: "", lastname: "" } });
  });

  it.each([
    ["no username", {}, 1, "5021 enrol_mnet/emptyusername"],
    ["an empty username", { username: "" }, 1, "5021 enrol_mnet/emptyusername"],
    ["a blank username", { username: "  " }, 1, "5021 enrol_mnet/emptyusername"],
    ["an empty struct as PHP has it", [], 1, "5021 enrol_mnet/emptyusername"],
    ["a username that is no text", { username: ["ada"] }, 1, "5021 enrol_mnet/emptyusername"],
    ["a username that cannot be shown", { username: "a\u202eda" }, 1, "5011 enrol_mnet/couldnotcreateuser"],
    ["a username of 300 characters", { username: "a".repeat(300) }, 1, "5011 enrol_mnet/couldnotcreateuser"],
    ["a course that is not there", ADA, 99_999, "5012 enrol_mnet/coursenotfound"],
    ["course 0", ADA, 0, "5012 enrol_mnet/coursenotfound"],
    ["a course below 0", ADA, -3, "5012 enrol_mnet/coursenotfound"],
    ["a course beyond 32 bits", ADA, "99999999999", "5012 enrol_mnet/coursenotfound"],
    ["a hidden course", ADA, 4, "5013 enrol_mnet/courseunavailable"],
    ["a course that nobody may have", ADA, 5, "5013 enrol_mnet/courseunavailable"],
    ["another site's course", ADA, 6, "5013 enrol_mnet/courseunavailable"],
    ["a course by name", ADA, "ALL", "17 Internal server error"],
    ["SQL for a course", ADA, "1 or 1=1", "17 Internal server error"],
    ["no struct", "ada", 1, "17 Internal server error"],
  ])("MNET-124 MNET-130 SEC-067 with %s is refused, and nobody is made", async (_, user, course, fault) => {
    expect(await faultOf("enrol_user", user as XmlRpcValue, course)).toBe(fault);
    expect(accounts.all).toHaveLength(1);
    expect(await courses.countOf(await lms.peers.get(HOME))).toBe(0);
    expect(told("enrolment.refused")).toHaveLength(fault.startsWith("17") ? 0 : 1);
  });

  it("MNET-130 without a course it is an error of the call", async () => {
    expect(await faultOf("enrol_user", ADA)).toBe("17 Internal server error");
    expect(accounts.all).toHaveLength(1);
  });

  it("SEC-067 whatever else the peer says, it cannot choose the role", async () => {
    await call("enrol_user", { ...ADA, role: "manager", roleid: "1", defaultroleid: "1" }, 1);
    await call("enrol_user", ADA, 1, "manager", 1);
    expect(await courses.ofAccount(accounts.all[1]!)).toMatchObject([{ role: STUDENT }]);
  });

  it("SEC-067 beyond the quota of the peer nobody is enrolled, and nobody made; who is in stays", async () => {
    await settle({ maxEnrolments: 2 });
    const names = Array.from({ length: 6 }, (_, index) => `u${index}`);
    const results = await Promise.allSettled(names.map((username) => call("enrol_user", { username }, 1)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    expect(accounts.all).toHaveLength(3);
    const [first = "", second = ""] = await members(1);
    expect(await faultOf("enrol_user", { username: "late" }, 1)).toBe("5019 enrol_mnet/couldnotenrol");
    // Again is no more, another course is.
    expect(await call("enrol_user", { username: first }, 1)).toBe(true);
    expect(await faultOf("enrol_user", { username: first }, 3)).toBe("5019 enrol_mnet/couldnotenrol");
    await call("unenrol_user", second, 1);
    expect(await call("enrol_user", { username: "late" }, 1)).toBe(true);
    await settle({ maxEnrolments: 0 });
    expect(await faultOf("enrol_user", { username: "later" }, 1)).toBe("5019 enrol_mnet/couldnotenrol");
  });

  it.each([{ signIn: "deny" } as const, {}])("who may not log in gets no account (%j)", async (settings) => {
    await settle(settings);
    const peer = await lms.peers.get(HOME);
    if (!("signIn" in settings)) {
      await store.access.set(peer.id, "ada", "deny");
    }
    expect(await faultOf("enrol_user", ADA, 1)).toBe("5011 enrol_mnet/couldnotcreateuser");
    expect(accounts.all).toHaveLength(1);
  });

  it.each([
    ["enrol_user", { enrol: failing }, "5019 enrol_mnet/couldnotenrol"],
    ["unenrol_user", { unenrol: failing }, "5020 enrol_mnet/couldnotunenrol"],
    ["available_courses", { offers: failing }, "17 Internal server error"],
  ])("MNET-124 %s tells by its code that something here failed, and not what", async (method, plugIn, fault) => {
    await network[Symbol.asyncDispose]();
    network = testNetwork();
    await setUp(plugIn);
    await accounts.createRemote(await lms.peers.get(HOME), "ada", ADA);
    const params: Record<string, XmlRpcValue[]> = { enrol_user: [ADA, 1], unenrol_user: ["ada", 1] };
    expect(await faultOf(method, ...(params[method] ?? []))).toBe(fault);
    expect(told("handler.failed")).toMatchObject([{ error: { message: "select * from secrets" } }]);
  });
});

describe("unenrol_user", () => {
  it("MNET-125 undoes what MNet made, of either offer, and nothing else", async () => {
    await call("enrol_user", ADA, 3);
    const [, ada] = accounts.all;
    courses.enrolBy("manual", ada!, 3, STUDENT);
    // The offer of then is withdrawn; the one for all is left.
    courses.put({ ...COURSES[2]!, offers: [{ role: STUDENT }] });
    expect(await call("unenrol_user", "ada", "3")).toBe(true);
    expect(await courses.ofAccount(ada!)).toMatchObject([{ method: "manual" }]);
    expect(await call("unenrol_user", "ada", 3)).toBe(true);
    expect(await courses.ofAccount(ada!)).toHaveLength(1);
  });

  it.each([
    ["nobody known", "eve", 1, "5014 enrol_mnet/usernotfound"],
    ["no name", "", 1, "5014 enrol_mnet/usernotfound"],
    ["nobody, in a course that is not there", "eve", 99_999, "5014 enrol_mnet/usernotfound"],
    ["a course that is not there", "ada", 99_999, "5012 enrol_mnet/coursenotfound"],
    ["a course that is not offered", "ada", 5, "5013 enrol_mnet/courseunavailable"],
  ])("MNET-124 with %s is refused in Moodle's order", async (_, username, course, fault) => {
    await accounts.createRemote(await lms.peers.get(HOME), "ada", ADA);
    expect(await faultOf("unenrol_user", username, course)).toBe(fault);
  });

  it("SEC-059 reaches no user of this site or of another one", async () => {
    const elsewhere = await network.host(OTHER, { store: await keyedStore(OTHER, 2), services: [enrolment()] });
    await network.connect(elsewhere, lms, { mnet_enrol: "subscribe" });
    const peer = await elsewhere.peers.get(lms.wwwroot);
    await elsewhere.call(peer, "enrol/mnet/enrol.php/enrol_user", [{ ...ADA, username: "bob" }, 1]);
    courses.enrolBy("mnet", accounts.all[0]!, 1, STUDENT);
    for (const name of ["bob", "ada", "ADA", "ada ", "a\u200bda"]) {
      expect(await faultOf("unenrol_user", name, 1)).toBe("5014 enrol_mnet/usernotfound");
    }
    expect(await courses.ofAccount(accounts.all[0]!)).toHaveLength(1);
  });
});

describe("course_enrolments", () => {
  beforeEach(async () => {
    await call("enrol_user", ADA, 1);
    await call("enrol_user", { username: "eve" }, 1);
    courses.enrolBy("manual", accounts.all[1]!, 1, TUTOR);
    courses.enrolBy("manual", accounts.all[0]!, 1, TUTOR);
  });

  it("MNET-126 tells of the caller's users only, by whatever means they are in", async () => {
    const rows = (await call("course_enrolments", 1)) as readonly Readonly<Record<string, string>>[];
    expect(rows.map(({ username, shortname, name, enrol }) => [username, shortname, name, enrol])).toEqual([
      ["ada", "student", "Student", "mnet"],
      ["eve", "student", "Student", "mnet"],
      ["ada", "tutor", "Tutor", "manual"],
    ]);
    for (const { timemodified } of rows) expect(timemodified).toMatch(/^[0-9]{10}$/);
  });

  it.each([
    ["none", undefined, 3],
    ["empty text", "", 3],
    ["an empty list", [], 3],
    ["one", "student", 2],
    ["text with commas", "student, tutor", 3],
    ["a list", ["tutor", "teacher"], 1],
    ["a struct with numbers, as PHP may have it", { 0: "tutor", 3: "student" }, 3],
    ["one that nobody has", "manager", 0],
  ])("MNET-126 MNET-061 of roles, as %s", async (_, roles, count) => {
    const params = roles === undefined ? ["1"] : ["1", roles as XmlRpcValue];
    expect(await call("course_enrolments", ...params)).toHaveLength(count);
  });

  it.each([99_999, 0, 4, 5, 6])("MNET-126 SEC-067 course %d, which is not offered, has nobody", async (id) => {
    expect(await call("course_enrolments", id)).toEqual([]);
  });
});

it("user_enrolments is always empty", async () => {
  expect(await call("user_enrolments")).toEqual([]);
  expect(await call("user_enrolments", "7")).toEqual([]);
});

it("SEC-057 quotes, markup and SQL in names are text, to the account and back", async () => {
  const names = ["o'hara", 'a"b', "a\\'; drop table users; --", "<script>alert(1)</script>", "x%", "日本"];
  for (const username of names) expect(await call("enrol_user", { username }, 1)).toBe(true);
  const rows = (await call("course_enrolments", 1)) as readonly Readonly<Record<string, string>>[];
  expect(rows.map(({ username }) => username)).toEqual(names);
  for (const username of names) expect(await call("unenrol_user", username, 1)).toBe(true);
  expect(await members(1)).toEqual([]);
});

it("MNET-130 a site without courses serves nothing of it", async () => {
  const gateway = await network.host("https://gateway.example", { services: [enrolment()] });
  await network.connect(gateway, lms, {});
  expect(gateway.enrolment).toBeDefined();
  const peer = await gateway.peers.get(lms.wwwroot);
  expect((await errorOf(() => gateway.peers.setServices(peer, { mnet_enrol: "publish" }))).code).toBe(
    "MNET_CONFIG_INVALID",
  );
});

function failing(): Promise<never> {
  return Promise.reject(new Error("select * from secrets"));
}
