import { describe, expect, it, vi } from "vitest";
import { enrolment } from "../../../src/services/enrolment/enrolment.ts";
import { sso } from "../../../src/services/sso/sso.ts";
import { memoryAccounts } from "../../../src/testing/memory-accounts.ts";
import { memoryCourses } from "../../../src/testing/memory-courses.ts";
import { memorySessions } from "../../../src/testing/memory-sessions.ts";
import { testNetwork } from "../../../src/testing/test-network.ts";
import { keyedStore } from "../../support/hosts.ts";
import { course } from "./sites.ts";

const SCHOOL = "https://school.example";
const COLLEGE = "https://college.example";
const TUTOR = { id: 4, shortname: "tutor", name: "Tutor" };

describe("with single sign-on", () => {
  it("MNET-118 SEC-067 a returning user brings home where she is, as what and since when, and how to get there", async () => {
    await using network = testNetwork();
    const people = memoryAccounts([{ username: "ada", email: "ada@school.example", firstname: "Ada", lastname: "L" }]);
    const logins = memorySessions({ clock: network.clock });
    const school = await network.host(SCHOOL, {
      store: await keyedStore(SCHOOL, 0),
      services: [sso({ accounts: people, sessions: logins }), enrolment({ accounts: people })],
    });
    const visitors = memoryAccounts();
    const offered = memoryCourses([course(1), course(2, { path: "/rooms/2" }), course(3, { offers: [] })]);
    const college = await network.host(COLLEGE, {
      store: await keyedStore(COLLEGE, 1),
      services: [
        sso({ accounts: visitors, sessions: memorySessions({ clock: network.clock }), enrolments: offered }),
        enrolment({ accounts: visitors, courses: offered, enrolments: offered }),
      ],
    });
    await network.connect(school, college, { sso_idp: "publish", sso_sp: "subscribe", mnet_enrol: "subscribe" });
    const peer = await school.peers.get(COLLEGE);
    const ada = (await people.findByUsername("ada"))!;

    // Her administrator enrols her; she comes for the first time; the college enrols her in more.
    await school.enrolment.enrol(ada, { peer, id: 1 });
    const visitor = (await visitors.findRemote(await college.peers.get(SCHOOL), "ada"))!;
    offered.enrolBy("manual", visitor, 2, TUTOR);
    offered.enrolBy("manual", visitor, 3, TUTOR);
    const browser = network.browser();
    await logins.login(browser, school, ada);
    await browser.get(school.sso.linkTo(peer, "/"));

    // The news travels behind her back.
    const courses = await vi.waitFor(async () => {
      const known = await school.enrolment.coursesFor(ada);
      expect(known.length).toBeGreaterThan(1);
      return known;
    });
    // A course that the college does not offer to us is not known here, and stays so.
    expect(courses.map(({ id, roleName, href }) => [id, roleName, href])).toEqual([
      [1, "Student", `${SCHOOL}/auth/mnet/jump.php?hostid=${peer.id}&wantsurl=%2Fcourse%2Fview.php%3Fid%3D1`],
      [2, "Tutor", `${SCHOOL}/auth/mnet/jump.php?hostid=${peer.id}&wantsurl=%2Frooms%2F2`],
    ]);
    for (const { changedAt } of courses) expect(changedAt).toBeInstanceOf(Date);
    // What is not MNet's is shown, and not undone from here.
    expect(await school.enrolment.enrolmentsOf({ peer, id: 2 }, { maxAgeMs: Infinity })).toMatchObject([
      { username: "ada", method: "manual", roleName: "Tutor" },
    ]);

    // The link works, and she is out where she was taken out.
    const page = await browser.get(courses[1]!.href);
    expect(page.url).toBe(`${COLLEGE}/rooms/2`);
    await school.enrolment.unenrol(ada, { peer, id: 1 });
    expect((await school.enrolment.coursesFor(ada)).map(({ id }) => id)).toEqual([2]);
    await offered.unenrol(visitor, (await offered.offers(await college.peers.get(SCHOOL), 1))[0]!);
    offered.remove(2);
    await browser.get(school.sso.linkTo(peer, "/"));
    await vi.waitFor(async () => expect(await school.enrolment.coursesFor(ada)).toEqual([]));
  });
});
