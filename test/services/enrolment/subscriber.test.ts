import { afterEach, describe, expect, it } from "vitest";
import { createHost } from "../../../src/create-host.ts";
import type { PeerId, Wwwroot } from "../../../src/core/ids.ts";
import { defineService } from "../../../src/host/define-service.ts";
import { t } from "../../../src/host/wire-type.ts";
import { enrolment } from "../../../src/services/enrolment/enrolment.ts";
import type { RemoteCourse } from "../../../src/services/enrolment/remote-enrolment.ts";
import { memoryCourses } from "../../../src/testing/memory-courses.ts";
import { codeOf, errorOf } from "../../support/code-of.ts";
import { keyedStore } from "../../support/hosts.ts";
import { listedAccounts } from "../../support/listed-accounts.ts";
import { answering, course, HOME, offeringWwwroot, person, sites, STUDENT, type Sites } from "./sites.ts";

const DAY_MS = 86_400_000;
let open: Sites | undefined;
afterEach(async () => {
  await open?.network[Symbol.asyncDispose]();
  open = undefined;
});
const setUp = async (
  options?: Parameters<typeof sites>[0],
): Promise<Sites & { readonly peer: RemoteCourse["peer"] }> => {
  open = await sites(options);
  return { ...open, peer: await open.home.peers.get(offeringWwwroot(0)) };
};
/** A home site and a peer that answers as it is told. */
async function withOddPeer(answers: Readonly<Record<string, unknown>>) {
  open = await sites({ offering: 0 });
  const { network, home } = open;
  const odd = await network.host("https://odd.example", {
    store: await keyedStore("https://odd.example", 3),
    services: [answering(answers)],
  });
  await network.connect(home, odd, { mnet_enrol: "subscribe" });
  return { home, peer: await home.peers.get(odd.wwwroot) };
}

describe("coursesOf", () => {
  it("MNET-127 MNET-123 SEC-068 gives what the peer offers, with text as text and HTML as untrusted", async () => {
    const hostile = `<script>alert('1')</script>"' or 1=1`;
    const { home, peer, offering } = await setUp({
      courses: [
        course(7, {
          fullname: hostile,
          shortname: "b",
          idnumber: hostile,
          summary: `<b onclick=x>Hi</b>${hostile}`,
          sortOrder: 2,
        }),
        course(9, { startsAt: new Date("2026-02-01T00:00:00Z"), sortOrder: 1 }),
      ],
    });
    const [first, second] = await home.enrolment.coursesOf(peer);
    expect(first).toMatchObject({
      id: 9,
      fullname: "Course 9",
      shortname: "C9",
      idnumber: "",
      startsAt: new Date("2026-02-01T00:00:00Z"),
      category: { id: 1, name: "Sport" },
      roleName: "Student",
      peer: { wwwroot: offering[0]!.host.wwwroot },
    });
    expect(second).toMatchObject({ id: 7, fullname: hostile, idnumber: hostile });
    expect(second).not.toHaveProperty("startsAt");
    expect(`${second!.summary}`).toBe("Hi&#34;&#39; or 1=1");
    expect(second!.summary.unsafeHtml()).toContain("<script>");
  });

  it("MNET-127 asks again after a day, or when it is told to, and forgets courses that are gone", async () => {
    const { home, peer, offering, network, store } = await setUp();
    const [lms] = offering;
    expect(await home.enrolment.coursesOf(peer)).toHaveLength(2);
    expect(await home.enrolment.coursesOf(peer)).toHaveLength(2);
    expect(lms!.calls).toEqual(["available_courses"]);

    await home.enrolment.enrol(person("ada"), { peer, id: 1 });
    await home.enrolment.enrolmentsOf({ peer, id: 1 });
    lms!.courses.remove(1);
    await network.clock.advance(DAY_MS - 1);
    expect(await home.enrolment.coursesOf(peer)).toHaveLength(2);
    await network.clock.advance(1);
    expect(await home.enrolment.coursesOf(peer)).toMatchObject([{ id: 2 }]);
    expect((await store.remoteCourses.enrolments(peer.id, 1)).rows).toEqual([]);

    lms!.courses.put(course(2, { fullname: "Renamed" }));
    expect(await home.enrolment.coursesOf(peer)).toMatchObject([{ fullname: "Course 2" }]);
    expect(await home.enrolment.coursesOf(peer, { maxAgeMs: 0 })).toMatchObject([{ fullname: "Renamed" }]);
  });

  it("MNET-127 with any age shows what is there, also of a peer that is away or suspended", async () => {
    const { home, peer, network, offering } = await setUp();
    expect(await home.enrolment.coursesOf(peer, { maxAgeMs: Infinity })).toEqual([]);
    await home.enrolment.coursesOf(peer);
    network.fail(offering[0]!.host.wwwroot, "unreachable");
    await network.clock.advance(2 * DAY_MS);
    const error = await errorOf(() => home.enrolment.coursesOf(peer));
    expect([error.code, error.retryable]).toEqual(["MNET_TRANSPORT_UNREACHABLE", true]);
    expect(await home.enrolment.coursesOf(peer, { maxAgeMs: Infinity })).toHaveLength(2);
    await home.peers.suspend(peer);
    expect(await home.enrolment.coursesOf(peer, { maxAgeMs: Infinity })).toHaveLength(2);
    expect(await codeOf(() => home.enrolment.coursesOf(peer, { maxAgeMs: 0 }))).toBe("MNET_PEER_NOT_ACTIVE");
    await home.peers.remove(peer);
    expect(await codeOf(() => home.enrolment.coursesOf(peer, { maxAgeMs: Infinity }))).toBe("MNET_PEER_UNKNOWN");
  });

  it.each([
    ["a list keyed by the ids", { 7: { remoteid: "7", fullname: "x" } }, [7]],
    ["false for none", false, []],
    ["an empty text for none", "", []],
    ["numbers as numbers", [{ remoteid: 7, fullname: "x", startdate: 0, cat_id: 3 }], [7]],
    [
      "a course twice",
      [
        { remoteid: "7", fullname: "x" },
        { remoteid: "7", fullname: "y" },
      ],
      [7],
    ],
    ["members that nobody knows", [{ remoteid: "7", fullname: "x", groupmode: "1", enrol: { a: "b" } }], [7]],
    ["times that are none", [{ remoteid: "7", fullname: "x", startdate: "999999999999999" }], [7]],
  ])("MNET-127 MNET-060 MNET-061 understands %s", async (_, answer, ids) => {
    const { home, peer } = await withOddPeer({ available_courses: answer });
    expect((await home.enrolment.coursesOf(peer)).map(({ id }) => id)).toEqual(ids);
  });

  it.each([
    ["text", "no courses"],
    ["a course without an id", [{ fullname: "x" }]],
    ["an id that is none", [{ remoteid: "7x", fullname: "x" }]],
    ["an id of 0", [{ remoteid: "0", fullname: "x" }]],
    ["an id beyond 32 bits", [{ remoteid: "4294967296", fullname: "x" }]],
    ["a struct for a name", [{ remoteid: "7", fullname: { a: "b" } }]],
  ])("MNET-127 refuses %s, and keeps what it had", async (_, answer) => {
    const { home, peer } = await withOddPeer({ available_courses: answer });
    expect(await codeOf(() => home.enrolment.coursesOf(peer))).toBe("MNET_CALL_RESULT_INVALID");
    expect(await home.enrolment.coursesOf(peer, { maxAgeMs: Infinity })).toEqual([]);
  });

  it("MNET-100 is refused where the service is not subscribed", async () => {
    const { home, peer } = await setUp();
    await home.peers.setServices(peer, { mnet_enrol: "off" });
    expect(await codeOf(() => home.enrolment.coursesOf(peer))).toBe("MNET_CALL_NOT_SUBSCRIBED");
    expect(await codeOf(() => home.enrolment.coursesOf({ id: 99 as PeerId }))).toBe("MNET_PEER_UNKNOWN");
    for (const maxAgeMs of [-1, NaN, "1" as never]) {
      expect(await codeOf(() => home.enrolment.coursesOf(peer, { maxAgeMs }))).toBe("MNET_CONFIG_INVALID");
    }
    const reason = new Error("enough");
    await expect(home.enrolment.coursesOf(peer, { signal: AbortSignal.abort(reason), maxAgeMs: 0 })).rejects.toBe(
      reason,
    );
  });
});

describe("enrolmentsOf", () => {
  it("MNET-127 gives our users by whatever means, asks again after ten minutes, and forgets who is gone", async () => {
    const { home, peer, offering, network } = await setUp();
    const [lms] = offering;
    await home.enrolment.enrol(person("ada"), { peer, id: 1 });
    await home.enrolment.enrol(person("eve"), { peer, id: 1 });
    lms!.courses.enrolBy("manual", lms!.accounts.all[1]!, 1, { ...STUDENT, name: "Tutor" });
    const rows = await home.enrolment.enrolmentsOf({ peer, id: 1 });
    expect(rows).toMatchObject([
      { username: "ada", method: "mnet", roleName: "Student" },
      { username: "eve", method: "manual", roleName: "Tutor" },
      { username: "eve", method: "mnet", roleName: "Student" },
    ]);
    expect(rows[0]!.changedAt).toBeInstanceOf(Date);

    await lms!.courses.unenrol(
      lms!.accounts.all[0]!,
      (await lms!.courses.offers(await lms!.host.peers.get(HOME), 1))[0]!,
    );
    await network.clock.advance(599_999);
    expect(await home.enrolment.enrolmentsOf({ peer, id: 1 })).toHaveLength(3);
    await network.clock.advance(1);
    expect((await home.enrolment.enrolmentsOf({ peer, id: 1 })).map(({ username }) => username)).toEqual([
      "eve",
      "eve",
    ]);
  });

  it("MNET-127 leaves out names that no user here has, and nobody's account", async () => {
    const accounts = listedAccounts(["ada"]);
    const { home, peer, offering } = await setUp({ home: { accounts } });
    const [lms] = offering;
    const atLms = await lms!.host.peers.get(HOME);
    for (const name of ["ada", "stranger", "guest", "Ada"]) {
      const account = await lms!.accounts.createRemote(atLms, name, person(name));
      lms!.courses.enrolBy("manual", account, 1, STUDENT);
    }
    expect(await home.enrolment.enrolmentsOf({ peer, id: 1 })).toMatchObject([{ username: "ada" }]);
  });

  it("MNET-127 asks for courses on the list only, after one more look at the list", async () => {
    const { home, peer, offering } = await setUp();
    const [lms] = offering;
    await home.enrolment.coursesOf(peer);
    expect(await codeOf(() => home.enrolment.enrolmentsOf({ peer, id: 3 }))).toBe("MNET_ENROLMENT_COURSE_UNKNOWN");
    expect(lms!.calls).toEqual(["available_courses", "available_courses"]);
    lms!.courses.put(course(3));
    expect(await home.enrolment.enrolmentsOf({ peer, id: 3 })).toEqual([]);
    expect(await home.enrolment.enrolmentsOf({ peer, id: 3 }, { maxAgeMs: Infinity })).toEqual([]);
  });

  it.each([
    ["the text of a Moodle 1.9", "no course"],
    ["a struct keyed by name, as Moodle 1.9 has it", { ada: { shortname: "student" } }],
    ["a row without a name", [{ shortname: "student", name: "", enrol: "mnet", timemodified: "1" }]],
  ])("MNET-127 refuses %s", async (_, answer) => {
    const { home, peer } = await withOddPeer({
      available_courses: [{ remoteid: "7", fullname: "x" }],
      course_enrolments: answer,
    });
    expect(await codeOf(() => home.enrolment.enrolmentsOf({ peer, id: 7 }))).toBe("MNET_CALL_RESULT_INVALID");
  });

  it("MNET-127 understands rows without role and time, and control characters in them", async () => {
    const { home, peer } = await withOddPeer({
      available_courses: [{ remoteid: "7", fullname: "x\u0009y" }],
      course_enrolments: [
        { username: "ada", enrol: "mnet" },
        { username: "eve", name: "a\nb", enrol: "manual", timemodified: 1_767_312_000 },
        { username: "", enrol: "mnet" },
        { username: "guest", enrol: "mnet" },
      ],
    });
    expect(await home.enrolment.enrolmentsOf({ peer, id: 7 })).toEqual([
      { username: "ada", roleName: "", method: "mnet" },
      { username: "eve", roleName: "a\\u000ab", method: "manual", changedAt: new Date("2026-01-02T00:00:00Z") },
    ]);
  });
});

describe("enrol and unenrol", () => {
  it("MNET-124 MNET-125 SEC-036 both ways, twice each, with the cache following", async () => {
    const { home, peer, offering, events } = await setUp();
    const [lms] = offering;
    const [first] = await home.enrolment.coursesOf(peer);
    const ada = person("ada");
    for (let turn = 0; turn < 2; turn += 1) await home.enrolment.enrol(ada, first!);
    expect(lms!.accounts.all).toMatchObject([{ username: "ada", home: HOME, profile: { email: "ada@home.example" } }]);
    expect(await home.enrolment.enrolmentsOf(first!, { maxAgeMs: Infinity })).toEqual([
      { username: "ada", roleName: "", method: "mnet" },
    ]);
    // A row that says more is not made to say less.
    await home.enrolment.enrolmentsOf(first!, { maxAgeMs: 0 });
    await home.enrolment.enrol(ada, first!);
    expect(await home.enrolment.enrolmentsOf(first!, { maxAgeMs: Infinity })).toMatchObject([{ roleName: "Student" }]);
    for (let turn = 0; turn < 2; turn += 1) await home.enrolment.unenrol(ada, first!);
    expect(await home.enrolment.enrolmentsOf(first!, { maxAgeMs: Infinity })).toEqual([]);
    const changes = events.flatMap((event) => (event.type === "enrolment.changed" ? [event.change] : []));
    expect(changes).toEqual(["enrolled", "enrolled", "enrolled", "unenrolled", "unenrolled"]);
  });

  it("SEC-060 sends the columns of the export list only", async () => {
    const described = defineService({
      name: "mnet_enrol",
      path: "enrol/mnet/enrol.php",
      methods: {
        available_courses: { returns: t.value() },
        enrol_user: { params: { user: t.value(), course: t.int() }, returns: t.value() },
      },
    });
    let sent: unknown;
    const { network, home } = (open = await sites({ offering: 0 }));
    const odd = await network.host("https://odd.example", {
      store: await keyedStore("https://odd.example", 3),
      services: [
        described.implement({
          available_courses: () => [{ remoteid: "7", fullname: "x" }],
          enrol_user: ({ user }) => {
            sent = user;
            return true;
          },
        }),
      ],
    });
    await network.connect(home, odd, { mnet_enrol: "subscribe" });
    const peer = await home.peers.get(odd.wwwroot);
    await home.peers.set(peer, { exportFields: ["city", "phone1"] });
    const ada = { ...person("ada"), city: "London", idnumber: "17", other: { phone1: "1", icq: "2", password: "x" } };
    await home.enrolment.enrol(ada, { peer, id: 7 });
    expect(sent).toEqual({ auth: "mnet", ...person("ada"), city: "London", phone1: "1" });
  });

  it("MNET-124 users of this site are looked up, and only those who may roam are sent", async () => {
    const accounts = listedAccounts(["ada", "stays", "bare", "Odd User"], {
      profiles: { ada: { city: "London" }, bare: { email: "" } },
      async mayRoam({ username }) {
        return username !== "stays";
      },
    });
    const { home, peer, offering } = await setUp({ home: { accounts } });
    const to = { peer, id: 1 };
    await home.enrolment.enrol((await accounts.findByUsername("ada"))!, to);
    // What is said of her besides is not believed.
    await home.enrolment.enrol({ ...person("ada"), email: "other@x.example" }, { peer, id: 2 });
    expect(offering[0]!.accounts.all).toMatchObject([{ profile: { email: "ada@home.example", city: "London" } }]);
    for (const name of ["eve", "stays", "bare", "Odd User", ""]) {
      expect(await codeOf(() => home.enrolment.enrol(person(name), to))).toBe("MNET_ENROLMENT_PERSON_UNSUITABLE");
    }
    const visitor = { id: "v", username: "ada", home: "https://elsewhere.example" };
    expect(await codeOf(() => home.enrolment.enrol(visitor, to))).toBe("MNET_ENROLMENT_PERSON_UNSUITABLE");
    // Who is gone here can still be taken out there.
    await home.enrolment.unenrol(person("left.us"), to).catch((error: unknown) => {
      expect(error).toMatchObject({ faultCode: 5014 });
    });
  });

  it.each(["", " ", "Ada", "ada lovelace", "zoë", "a".repeat(101), "a'b", "a\nb"])(
    "MNET-124 the name %j, which a Moodle refuses, is not sent",
    async (username) => {
      const { home, peer, offering } = await setUp();
      const to = { peer, id: 1 };
      await home.enrolment.coursesOf(peer);
      expect(await codeOf(() => home.enrolment.enrol(person(username), to))).toBe("MNET_ENROLMENT_PERSON_UNSUITABLE");
      expect(await codeOf(() => home.enrolment.unenrol(person(username), to))).toBe("MNET_ENROLMENT_PERSON_UNSUITABLE");
      expect(offering[0]!.calls).toEqual(["available_courses"]);
    },
  );

  it("names travel as the mapping makes them, and come back", async () => {
    const usernames = {
      toPeer: (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      fromPeer: (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    };
    const { home, peer, offering } = await setUp({ home: { accounts: listedAccounts(["McAda"], { usernames }) } });
    await home.enrolment.enrol(person("McAda"), { peer, id: 1 });
    expect(offering[0]!.accounts.all).toMatchObject([{ username: "_mc_ada" }]);
    expect(await home.enrolment.enrolmentsOf({ peer, id: 1 })).toMatchObject([{ username: "_mc_ada" }]);
  });

  it("MNET-124 a fault of the peer is thrown and told, and changes nothing", async () => {
    const { home, peer, offering, events } = await setUp();
    await home.enrolment.coursesOf(peer);
    await offering[0]!.host.peers.set(await offering[0]!.host.peers.get(HOME), { maxEnrolments: 0 });
    expect(await errorOf(() => home.enrolment.enrol(person("ada"), { peer, id: 1 }))).toMatchObject({
      faultCode: 5019,
    });
    offering[0]!.courses.put(course(2, { offers: [] }));
    expect(await errorOf(() => home.enrolment.enrol(person("ada"), { peer, id: 2 }))).toMatchObject({
      faultCode: 5013,
    });
    expect(events.filter(({ type }) => type === "enrolment.refused")).toMatchObject([
      { side: "there", courseId: 1, username: "ada", faultCode: 5019 },
      { side: "there", courseId: 2, faultCode: 5013 },
    ]);
    // With the call that was refused.
    const exchangesOf = (type: string): unknown[] =>
      events.flatMap((event) => (event.type === type ? [event.exchange ?? "none"] : []));
    expect(new Set(exchangesOf("enrolment.refused")).size).toBe(2);
    expect(exchangesOf("call.failed")).toEqual(exchangesOf("enrolment.refused"));
    expect(await home.enrolment.enrolmentsOf({ peer, id: 1 })).toEqual([]);
  });

  it("MNET-124 a Moodle 1.9 that says false is believed", async () => {
    const { home, peer } = await withOddPeer({
      available_courses: [{ remoteid: "7", fullname: "x" }],
      enrol_user: false,
      unenrol_user: "",
    });
    const to = { peer, id: 7 };
    expect(await codeOf(() => home.enrolment.enrol(person("ada"), to))).toBe("MNET_ENROLMENT_REFUSED");
    expect(await codeOf(() => home.enrolment.unenrol(person("ada"), to))).toBe("MNET_ENROLMENT_REFUSED");
  });
});

describe("coursesFor", () => {
  const jump = defineService({
    name: "sso_idp",
    path: "auth/mnet/auth.php",
    methods: { user_authorise: { returns: t.value() } },
  }).implement({ user_authorise: () => "" });
  const land = defineService({
    name: "sso_sp",
    path: "auth/mnet/auth.php",
    methods: { kill_child: { returns: t.value() } },
  });

  it("gives her courses here and elsewhere, with links through our jump page where there is one", async () => {
    const accounts = listedAccounts(["ada"]);
    const own = memoryCourses([course(1, { fullname: "Here", path: "/c/1" }), course(2, { visible: false })]);
    const { home, peer, offering } = await setUp({
      home: { accounts, courses: own, enrolments: own },
      services: [jump, land],
    });
    const [ada] = accounts.all;
    own.enrolBy("manual", ada!, 1, STUDENT);
    own.enrolBy("self", ada!, 1, { ...STUDENT, name: "Tutor" });
    own.enrolBy("manual", ada!, 2, STUDENT);
    await home.enrolment.enrol(ada!, { peer, id: 2 });
    expect(await home.enrolment.coursesFor(ada!)).toMatchObject([
      { id: 1, fullname: "Here", href: `${HOME}/c/1`, roleName: "Student, Tutor" },
      {
        id: 2,
        fullname: "Course 2",
        href: "https://lms0.example/moodle/course/view.php?id=2",
        roleName: "Student",
        peer: { wwwroot: offering[0]!.host.wwwroot },
      },
    ]);
    await home.peers.setServices(peer, { sso_sp: "subscribe" });
    await home.enrolment.enrolmentsOf({ peer, id: 2 }, { maxAgeMs: 0 });
    const [, there] = await home.enrolment.coursesFor(ada!);
    expect(there?.href).toBe(`${HOME}/auth/mnet/jump.php?hostid=${peer.id}&wantsurl=%2Fcourse%2Fview.php%3Fid%3D2`);
    expect(there?.changedAt).toBeInstanceOf(Date);
    await home.peers.suspend(peer);
    expect(await home.enrolment.coursesFor(ada!)).toHaveLength(1);
    expect(await home.enrolment.coursesFor({ id: "v", username: "ada", home: "https://x.example" })).toEqual([]);
  });

  it.each([
    ["/c/7?x=1#y", "https://lms0.example/moodle/c/7?x=1#y"],
    ["//evil.example/x", "https://lms0.example/moodle/course/view.php?id=1"],
    ["/\\evil.example", "https://lms0.example/moodle/course/view.php?id=1"],
    ["@evil.example", "https://lms0.example/moodle/course/view.php?id=1"],
    ["/../../evil", "https://lms0.example/moodle/course/view.php?id=1"],
    ["javascript:alert(1)", "https://lms0.example/moodle/course/view.php?id=1"],
    ["/a\nb", "https://lms0.example/moodle/course/view.php?id=1"],
  ])("SEC-068 SEC-072 the path %j that a peer gives leads to no other site", async (path, href) => {
    const { home, peer } = await setUp({ courses: [course(1, { path })] });
    await home.enrolment.enrol(person("ada"), { peer, id: 1 });
    expect(await home.enrolment.coursesFor({ id: "1", username: "ada" })).toMatchObject([{ href }]);
  });
});

describe("options", () => {
  it.each([
    [{ coursesMaxAgeMs: -1 }, "coursesMaxAgeMs"],
    [{ enrolmentsMaxAgeMs: NaN }, "enrolmentsMaxAgeMs"],
    [{ accounts: {} }, "accounts"],
    [{ courses: memoryCourses() }, "accounts"],
    [{ accounts: listedAccounts(), courses: memoryCourses() }, "enrolments"],
    [{ accounts: listedAccounts(), enrolments: memoryCourses() }, "courses"],
    [{ acounts: listedAccounts() }, "acounts"],
  ])("%# are checked", async (options, option) => {
    const error = await errorOf(() => enrolment(options as never));
    expect([error.code, (error as { option?: string }).option]).toEqual(["MNET_CONFIG_INVALID", option]);
  });

  it("enrolment is of the host that it was given to only", async () => {
    const bare = await createHost({
      wwwroot: HOME,
      name: "Bare",
      store: await keyedStore(HOME as Wwwroot, 0),
      maintenance: "manual",
    });
    expect(bare).not.toHaveProperty("enrolment");
    await bare.close();
  });
});
