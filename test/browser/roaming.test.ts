import { describe, expect, test, type TestContext } from "vitest";
import { PATHS } from "../../src/cli/demo/web/paths.ts";
import { browserRig } from "./rig.ts";
import { fillLogin, follow, jumpLink, loggedOutAt, logInAt, sessionCookieName, submit, whoIsAt } from "./steps.ts";

const DEEP_LINK = "/course/view.php?id=7&note=Gr%C3%B6%C3%9Fe%26mehr";

describe.each([
  { from: "alpha", to: "beta", username: "zoe", name: "Zoë Ångström", course: "Boat Building" },
  { from: "beta", to: "alpha", username: "olena", name: "Олена Шевченко", course: "Marine Biology" },
] as const)("single sign-on from $from to $to", ({ from, to, username, name, course }) => {
  const open = browserRig();
  const openBetween = (context: TestContext) => {
    const rig = open(context);
    return { ...rig, home: rig[from], other: rig[to] };
  };

  test("MNET-111 MNET-113 she clicks in the block and is there as herself, with her name and picture", async (context) => {
    const { home, other, person } = openBetween(context);
    const { page } = await person();
    await logInAt(page, home, username);
    const atHome = await page.request.get(home.wwwroot + PATHS.picture);
    const block = page.getByRole("navigation", { name: "Network servers" });
    await block.getByRole("link", { name: other.name }).click();
    await page.waitForURL(`${other.wwwroot}/`);
    await follow(page, name);
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe(name);
    expect(await page.getByText(`Visitor from ${home.name}`).isVisible()).toBe(true);
    const picture = page.getByRole("img", { name: `Picture of ${name}` });
    expect(await picture.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth)).toBe(128);
    const there = await page.request.get(other.wwwroot + PATHS.picture);
    expect(there.headers()).toMatchObject({ "content-type": "image/png", "x-content-type-options": "nosniff" });
    expect((await there.body()).equals(await atHome.body())).toBe(true);
  });

  test("MNET-116 a deep link is kept, through the login at home, too", async (context) => {
    const { home, other, person } = openBetween(context);
    const { page } = await person();
    await page.goto(await jumpLink(home, other, DEEP_LINK));
    expect(page.url()).toContain(`${home.wwwroot}/login?returnTo=`);
    await fillLogin(page, username);
    expect(page.url()).toBe(other.wwwroot + DEEP_LINK);
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe(course);
  });

  test("she comes back later from the other site's login page, in one bounce", async (context) => {
    const { home, other, person } = openBetween(context);
    const { context: browser, page } = await person();
    await logInAt(page, home, username);
    await page.goto(await jumpLink(home, other));
    await browser.clearCookies({ name: sessionCookieName(other) });
    await page.goto(other.wwwroot + DEEP_LINK);
    expect(page.url()).toContain(`${other.wwwroot}/login?returnTo=`);
    const way: string[] = [];
    page.on("request", (request) => {
      if (request.isNavigationRequest()) way.push(new URL(request.url()).origin + new URL(request.url()).pathname);
    });
    await follow(page, home.name);
    expect(page.url()).toBe(other.wwwroot + DEEP_LINK);
    expect(way).toEqual([
      `${other.wwwroot}/auth/mnet/login.php`,
      `${home.wwwroot}/auth/mnet/jump.php`,
      `${other.wwwroot}/auth/mnet/land.php`,
      `${other.wwwroot}/course/view.php`,
    ]);
    expect(await whoIsAt(browser, other)).toBe(name);
  });

  test("whoever is logged in nowhere logs in at home on the way", async (context) => {
    const { home, other, person } = openBetween(context);
    const { page } = await person();
    await page.goto(other.wwwroot + DEEP_LINK);
    await follow(page, home.name);
    expect(page.url()).toContain(`${home.wwwroot}/login?returnTo=`);
    await fillLogin(page, username);
    expect(page.url()).toBe(other.wwwroot + DEEP_LINK);
  });

  test("MNET-120 she logs out at home, and is out at the other site; another browser of hers stays", async (context) => {
    const { home, other, person } = openBetween(context);
    const [{ context: browser, page }, { context: phone, page: phonePage }] = [
      await person(),
      await person("Mozilla/5.0 (her telephone)"),
    ];
    for (const one of [page, phonePage]) {
      await logInAt(one, home, username);
      await one.goto(await jumpLink(home, other));
    }
    expect(await whoIsAt(browser, other)).toBe(name);
    await page.goto(home.wwwroot);
    await submit(page, "Log out");
    expect(await whoIsAt(browser, home)).toBeUndefined();
    await loggedOutAt(browser, other);
    expect(await whoIsAt(phone, home)).toBe(name);
    expect(await whoIsAt(phone, other)).toBe(name);
  });

  test("MNET-119 she logs out at the other site, and is out at home", async (context) => {
    const { home, other, person } = openBetween(context);
    const { context: browser, page } = await person();
    await logInAt(page, home, username);
    await page.goto(await jumpLink(home, other));
    await submit(page, "Log out");
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("You are logged out");
    expect(await whoIsAt(browser, other)).toBeUndefined();
    await loggedOutAt(browser, home);
    await follow(page, `Continue to ${home.name}`);
    expect(page.url()).toBe(`${home.wwwroot}/`);
    expect(await page.getByRole("link", { name: "Log in" }).count()).toBe(2);
  });
});

describe("who may not go", () => {
  const open = browserRig();

  test("an account without the right to roam sees no link, and its jump says why", async (context) => {
    const { alpha, beta, person } = open(context);
    const { page } = await person();
    await logInAt(page, alpha, "trial");
    const block = page.getByRole("navigation", { name: "Network servers" });
    expect(await block.getByRole("link").count()).toBe(0);
    const response = await page.goto(await jumpLink(alpha, beta));
    expect(response?.status()).toBe(403);
    expect(await page.getByRole("main").innerText()).toContain("MNET_SSO_NOT_PERMITTED");
    expect(await page.locator("header").innerText()).toBe(alpha.name);
  });

  test("a visitor starts from her home site", async (context) => {
    const { alpha, beta, person } = open(context);
    const { page } = await person();
    await logInAt(page, alpha, "nikos");
    await page.goto(await jumpLink(alpha, beta));
    const block = page.getByRole("navigation", { name: "Network servers" });
    expect(await block.getByRole("link").allInnerTexts()).toEqual([alpha.name]);
    const response = await page.goto(await jumpLink(beta, alpha));
    expect(response?.status()).toBe(403);
    expect(await page.getByRole("main").innerText()).toContain("MNET_SSO_REMOTE_USER");
  });
});
