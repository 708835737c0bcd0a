import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import type { DemoSite } from "../../src/cli/demo/demo-site.ts";
import { PATHS } from "../../src/cli/demo/web/paths.ts";
import { violations } from "./axe.ts";
import { foreignSite, formTo } from "./foreign-site.ts";
import { browserRig } from "./rig.ts";
import { follow, logInAt, submit } from "./steps.ts";

const ZOE = "Zoë Ångström";
const NIKOS = "Νίκος Παπαδόπουλος";
const BOATS = "Boat Building";
const STARS = "Celestial Navigation";

const heading = (page: Page): Promise<string> => page.getByRole("heading", { level: 1 }).innerText();
const course = (page: Page, title: string) => page.getByRole("region", { name: title });

/** The administrator's page, as the menu leads to it. */
async function openRemoteCourses(page: Page, site: DemoSite): Promise<void> {
  await logInAt(page, site, "admin");
  await follow(page, "Remote courses");
  expect(await heading(page)).toBe("Remote courses");
}

async function choose(page: Page, title: string, ...names: readonly string[]): Promise<void> {
  for (const name of names) await course(page, title).getByRole("checkbox", { name, exact: true }).check();
}

/** What stands beside a user's name. */
const statusOf = async (page: Page, title: string, name: string): Promise<string> =>
  course(page, title).getByRole("row").filter({ hasText: name }).getByRole("cell").last().innerText();

/** Who is in a course at its own site, to the eyes of an administrator there. */
async function participantsAt(page: Page, site: DemoSite, id: number): Promise<readonly string[]> {
  await page.goto(`${site.wwwroot}${PATHS.course}?id=${id}`);
  const rows = await page.getByRole("table", { name: "Participants" }).getByRole("row").all();
  const cells = await Promise.all(rows.slice(1).map((row) => row.getByRole("cell").allInnerTexts()));
  return cells.map((texts) => texts.join(" | "));
}

describe("the administrator's page", () => {
  const open = browserRig();

  test("MNET-124 MNET-125 users chosen at Alpha are in the course at Beta, find it at home, and are taken out again", async (context) => {
    const { alpha, beta, person } = open(context);
    const [{ page: office }, { page: college }, { page: zoe }] = [await person(), await person(), await person()];
    await openRemoteCourses(office, alpha);
    expect(await office.getByRole("heading", { level: 3 }).allInnerTexts()).toEqual([STARS, BOATS]);
    expect(await course(office, BOATS).innerText()).toContain(
      "Category: Crafts · Role: Student\n\nOne dinghy, from the keel up.",
    );
    expect(await statusOf(office, BOATS, ZOE)).toBe("No");

    await choose(office, BOATS, ZOE, NIKOS);
    await submit(office, `Enrol in ${BOATS}`);
    expect(await office.getByRole("status").innerText()).toBe(
      `${ZOE} is enrolled in ${BOATS}.\n\n${NIKOS} is enrolled in ${BOATS}.`,
    );
    expect(await office.evaluate("document.activeElement.textContent")).toContain(`${ZOE} is enrolled`);
    expect(await statusOf(office, BOATS, ZOE)).toMatch(/^Student, through remote enrolment since \d{4}-/);
    expect(await statusOf(office, STARS, ZOE)).toBe("No");

    await logInAt(college, beta, "admin");
    const own = ["Олена Шевченко | Beta College | by hand", "José Muñoz Núñez | Beta College | by hand"];
    const [hers, his] = [ZOE, NIKOS].map((name) => `${name} | Alpha University | through remote enrolment`);
    const there = await participantsAt(college, beta, 7);
    expect(there.slice(0, 2)).toEqual(own);
    expect(there.slice(2).sort()).toEqual([hers, his].sort());

    await logInAt(zoe, alpha, "zoe");
    const mine = zoe.getByRole("list", { name: "My courses" });
    expect(await mine.getByRole("link").allInnerTexts()).toEqual(["Waves and Tides", "Marine Biology", BOATS]);
    expect(await mine.getByRole("listitem").last().innerText()).toContain("Student at Beta College");
    await follow(zoe, BOATS);
    expect(zoe.url()).toBe(`${beta.wwwroot}${PATHS.course}?id=7`);
    expect(await zoe.locator("header").innerText()).toContain(ZOE);
    expect(await zoe.getByRole("main").innerText()).toContain("You take part in this course.");
    await zoe.goto(beta.wwwroot);
    expect(await zoe.getByRole("list", { name: "My courses" }).getByRole("link").allInnerTexts()).toEqual([BOATS]);

    await choose(office, BOATS, ZOE, NIKOS);
    await submit(office, `Unenrol from ${BOATS}`);
    expect(await office.getByRole("status").innerText()).toBe(
      `${ZOE} is no longer in ${BOATS}.\n\n${NIKOS} is no longer in ${BOATS}.`,
    );
    expect(await statusOf(office, BOATS, ZOE)).toBe("No");
    expect(await participantsAt(college, beta, 7)).toEqual(own);
    await zoe.goto(alpha.wwwroot);
    expect(await mine.getByRole("link").allInnerTexts()).toEqual(["Waves and Tides", "Marine Biology"]);
  });

  test("the other way round: Beta's administrator enrols in courses of Alpha", async (context) => {
    const { alpha, beta, person } = open(context);
    const { page } = await person();
    await openRemoteCourses(page, beta);
    await choose(page, "Weather at Sea", "Олена Шевченко");
    await submit(page, "Enrol in Weather at Sea");
    expect(await statusOf(page, "Weather at Sea", "Олена Шевченко")).toContain("through remote enrolment");
    await logInAt(page, alpha, "admin");
    expect(await participantsAt(page, alpha, 9)).toContain("Олена Шевченко | Beta College | through remote enrolment");
  });

  test("MNET-125 SEC-067 what cannot be done is said in words, and for each user", async (context) => {
    const { alpha, beta, person } = open(context);
    const { page } = await person();
    await openRemoteCourses(page, alpha);
    const alert = page.getByRole("alert");
    await submit(page, `Enrol in ${STARS}`);
    expect(await alert.innerText()).toBe("Choose at least one user.");
    expect(await course(page, STARS).getByRole("checkbox", { name: "Trial Account" }).count()).toBe(0);
    expect(await statusOf(page, STARS, "Trial Account")).toBe("May not go to other sites");

    const toAlpha = await beta.host.peers.get(alpha.wwwroot);
    const { maxEnrolments } = await beta.host.peers.settings(toAlpha);
    await beta.host.peers.set(toAlpha, { maxEnrolments: 0 });
    await choose(page, STARS, ZOE);
    await submit(page, `Enrol in ${STARS}`);
    expect(await alert.innerText()).toContain(`${ZOE}: Beta College refuses (fault 5019): the enrolment could not be`);
    expect(await statusOf(page, STARS, ZOE)).toBe("No");
    await beta.host.peers.set(toAlpha, { maxEnrolments });

    // Beta enrols her itself. That is not Alpha's to undo.
    await choose(page, BOATS, ZOE);
    await submit(page, `Enrol in ${BOATS}`);
    const account = await beta.web.users.findRemote(toAlpha, "zoe");
    beta.web.courses.enrolBy("manual", account!, beta.web.courses.find(5)!);
    await page.reload();
    expect(await statusOf(page, STARS, ZOE)).toContain("by hand");
    await choose(page, STARS, ZOE);
    await submit(page, `Unenrol from ${STARS}`);
    expect(await alert.innerText()).toBe(`${ZOE} stays in ${STARS}: Beta College enrolled this user itself.`);

    const toBeta = await alpha.host.peers.get(beta.wwwroot);
    await alpha.host.peers.setServices(toBeta, { mnet_enrol: "publish" });
    await page.goto(alpha.wwwroot + PATHS.remoteCourses);
    expect(await alert.innerText()).toBe("Remote enrolment with Beta College is not switched on here.");
    await alpha.host.peers.setServices(toBeta, { mnet_enrol: "both" });
    await beta.stop();
    await page.reload();
    expect(await alert.innerText()).toBe("Beta College does not answer now. Try again later.");
    await beta.start();
    await page.reload();
    expect(await alert.count()).toBe(0);
  });

  test("forms that no page of ours makes do no harm", async (context) => {
    const { alpha, beta, person } = open(context);
    const { page } = await person();
    await openRemoteCourses(page, alpha);
    const send = async (fields: Readonly<Record<string, string>>): Promise<string> => {
      const query = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
      await page.evaluate(`(() => {
        const form = document.createElement("form");
        form.method = "post";
        form.action = "${PATHS.remoteCourses}";
        form.innerHTML = ${JSON.stringify(query.join(""))};
        document.body.append(form);
        setTimeout(() => form.submit());
      })()`);
      await page.waitForEvent("load");
      return page.getByRole("alert").innerText();
    };
    const peer = beta.wwwroot;
    expect(await send({ action: "enrol" })).toBe("The form is not complete.");
    expect(await send({ action: "enrol", peer: "nonsense" })).toBe("The form is not complete.");
    expect(await send({ action: "destroy", peer, course: "7", user: "zoe" })).toBe("The form is not complete.");
    expect(await send({ action: "enrol", peer, course: "8", user: "zoe" })).toContain("does not offer this course");
    expect(await send({ action: "enrol", peer, course: "7", user: "nobody" })).toBe("Choose at least one user.");
    expect(await send({ action: "enrol", peer, course: "7", user: "trial" })).toContain(
      "may not log in at other sites",
    );
  });

  test("it is the administrator's alone, and no other site can send its form", async (context) => {
    const { alpha, beta, person } = open(context);
    const [{ page }, { page: office }] = [await person(), await person()];
    const site = await foreignSite();
    onTestFinished(() => site[Symbol.asyncDispose]());
    await page.goto(alpha.wwwroot + PATHS.remoteCourses);
    expect(new URL(page.url()).pathname).toBe(PATHS.login);
    const fields = { action: "enrol", peer: beta.wwwroot, course: "5", user: "nikos" };
    await logInAt(page, alpha, "zoe");
    expect(await page.getByRole("link", { name: "Remote courses" }).count()).toBe(0);
    expect((await page.goto(alpha.wwwroot + PATHS.remoteCourses))?.status()).toBe(403);
    expect(await heading(page)).toBe("Not for you");
    const sent = await page.request.post(alpha.wwwroot + PATHS.remoteCourses, {
      form: fields,
      headers: { origin: alpha.wwwroot },
    });
    expect(sent.status()).toBe(403);

    await openRemoteCourses(office, alpha);
    site.pages.set("/form", formTo(alpha.wwwroot + PATHS.remoteCourses, fields));
    for (const origin of [site.origin, site.neighbour]) {
      await office.goto(`${origin}/form`, { waitUntil: "commit" });
      await office.waitForURL(alpha.wwwroot + PATHS.remoteCourses);
      expect(await heading(office)).toBe("Please try here");
    }
    expect(
      beta.web.courses.participants(beta.web.courses.find(5)!).map(({ account }) => account.username),
    ).not.toContain("nikos");
  });

  test("axe-core finds nothing wrong, nothing is cut off on a narrow screen, and the keyboard suffices", async (context) => {
    const { alpha, beta, person } = open(context);
    const { page } = await person();
    await openRemoteCourses(page, alpha);
    expect(await violations(page)).toEqual([]);
    await course(page, STARS).getByRole("checkbox", { name: NIKOS }).focus();
    await page.keyboard.press("Space");
    await page.keyboard.press("Tab");
    await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
    expect(await page.getByRole("status").innerText()).toBe(`${NIKOS} is enrolled in ${STARS}.`);
    expect(await violations(page)).toEqual([]);
    await submit(page, `Enrol in ${BOATS}`);
    expect(await violations(page)).toEqual([]);
    await page.setViewportSize({ width: 320, height: 640 });
    await logInAt(page, beta, "admin");
    for (const address of [alpha.wwwroot + PATHS.remoteCourses, `${beta.wwwroot}${PATHS.course}?id=5`]) {
      await page.goto(address);
      expect(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")).toBe(
        0,
      );
    }
    expect(await violations(page)).toEqual([]);
  });
});
