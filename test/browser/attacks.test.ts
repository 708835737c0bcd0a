import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import type { DemoSite } from "../../src/cli/demo/demo-site.ts";
import { PATHS } from "../../src/cli/demo/web/paths.ts";
import { embedding, foreignSite, formTo, linkTo, type ForeignSite } from "./foreign-site.ts";
import { browserRig } from "./rig.ts";
import { follow, jumpLink, landAddress, logInAt, sessionCookie, sessionCookieName, submit, whoIsAt } from "./steps.ts";

const ZOE = "Zoë Ångström";
const JOSE = "José Muñoz Núñez";
const LAND = "/auth/mnet/land.php";

/** A foreign site until the end of the test. */
async function evil(): Promise<ForeignSite> {
  const site = await foreignSite();
  onTestFinished(() => site[Symbol.asyncDispose]());
  return site;
}

/** Opens a page that sends a form by itself, and waits for what comes of it. */
async function openForm(page: Page, site: ForeignSite, origin: string, form: string): Promise<void> {
  site.pages.set("/form", form);
  await page.goto(`${origin}/form`, { waitUntil: "commit" });
  await page.waitForURL((url) => url.origin !== origin);
  await page.waitForLoadState();
}

const heading = (page: Page): Promise<string> => page.getByRole("heading", { level: 1 }).innerText();
const mainText = (page: Page): Promise<string> => page.getByRole("main").innerText();
const refusals = ({ events }: DemoSite) => events.filter((event) => event.type === "sso.refused");

/** José is logged in at Beta, and clicks a link on a foreign site: it brings the attacker's own token. */
async function lure(victim: Page, site: ForeignSite, landing: URL | string): Promise<void> {
  site.pages.set("/lure", linkTo(String(landing)));
  await victim.goto(`${site.origin}/lure`);
  await follow(victim, "Click me");
}

describe("a foreign site against a landing", () => {
  const open = browserRig();

  test("SEC-069 SEC-071 login CSRF: a foreign token does not switch the account before she agrees", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const [attacker, victim] = [await person(), await person()];
    await logInAt(attacker.page, alpha, "zoe");
    await logInAt(victim.page, beta, "jose");
    const before = await sessionCookie(victim.context, beta);
    await lure(victim.page, site, await landAddress(attacker.context, alpha, beta));

    expect(await heading(victim.page)).toBe("Log in to Beta College?");
    expect(await mainText(victim.page)).toContain("You are logged in here as jose");
    expect(await whoIsAt(victim.context, beta)).toBe(JOSE);
    expect(await sessionCookie(victim.context, beta)).toBe(before);

    await submit(victim.page, "Log in");
    expect(victim.page.url()).toBe(`${beta.wwwroot}/`);
    expect(await whoIsAt(victim.context, beta)).toBe(ZOE);
    const after = await sessionCookie(victim.context, beta);
    expect(after).not.toBe(before);
    // The old session opens nothing any more.
    const other = await person();
    await plant(other.context, beta, before!);
    expect(await whoIsAt(other.context, beta)).toBeUndefined();
  });

  test("SEC-069 a foreign page cannot submit the confirmation, even if it knows the address", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const [attacker, victim] = [await person(), await person()];
    await logInAt(attacker.page, alpha, "zoe");
    await logInAt(victim.page, beta, "jose");
    await lure(victim.page, site, await landAddress(attacker.context, alpha, beta));
    const action = await victim.page.locator("form").getAttribute("action");
    const confirmation = new URL(action!, `${beta.wwwroot}${LAND}`);
    expect(confirmation.searchParams.get("confirm")).toMatch(/^[0-9a-f]{40}$/);

    // Another question, that the attacker was asked himself.
    const third = await person();
    await logInAt(third.page, beta, "olena");
    await third.page.goto((await landAddress(attacker.context, alpha, beta)).href);
    const foreign = new URL((await third.page.locator("form").getAttribute("action"))!, `${beta.wwwroot}${LAND}`);

    const tab = await victim.context.newPage();
    // From a neighbour the cookies go along.
    for (const origin of [site.origin, site.neighbour]) {
      for (const address of [confirmation, foreign]) {
        await openForm(tab, site, origin, formTo(address.href));
        expect(await mainText(tab)).toContain("MNET_SSO_CONFIRMATION_NEEDED");
        expect(await whoIsAt(victim.context, beta)).toBe(JOSE);
      }
    }
    // The question itself still holds, for whoever sees it.
    await submit(victim.page, "Log in");
    expect(await whoIsAt(victim.context, beta)).toBe(ZOE);
  });

  test("SEC-070 a token that nobody issued leaves the session as it is", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const { context: browser, page } = await person();
    await logInAt(page, beta, "jose");
    const before = await sessionCookie(browser, beta);
    for (const token of ["0".repeat(40), "x", ""]) {
      await lure(page, site, `${beta.wwwroot}${LAND}?token=${token}&idp=${encodeURIComponent(alpha.wwwroot)}`);
      expect(await mainText(page)).toMatch(/MNET_SSO_(TOKEN_REFUSED|REQUEST_INVALID)/);
      expect(await whoIsAt(browser, beta)).toBe(JOSE);
      expect(await sessionCookie(browser, beta)).toBe(before);
    }
  });

  test.for(["a login", "a landing"])(
    "SEC-071 a session id that was planted is not kept by %s",
    async (way, context) => {
      const { alpha, beta, person } = open(context);
      const planted = "f".repeat(64);
      const { context: browser, page } = await person();
      await plant(browser, beta, planted);
      if (way === "a login") {
        await logInAt(page, beta, "jose");
      } else {
        await logInAt(page, alpha, "nikos");
        await page.goto(await jumpLink(alpha, beta));
      }
      expect(await whoIsAt(browser, beta)).toBeDefined();
      expect(await sessionCookie(browser, beta)).not.toBe(planted);
      const attacker = await person();
      await plant(attacker.context, beta, planted);
      expect(await whoIsAt(attacker.context, beta)).toBeUndefined();
    },
  );

  test("SEC-074 a second idp in the address is refused", async (context) => {
    const { alpha, beta, person } = open(context);
    const { context: browser, page } = await person();
    await logInAt(page, alpha, "zoe");
    const landing = await landAddress(browser, alpha, beta);
    const response = await page.goto(`${landing.href}&idp=http://evil.example`);
    expect(response?.status()).toBe(400);
    expect(await mainText(page)).toContain("MNET_SSO_REQUEST_INVALID");
    expect(await whoIsAt(browser, beta)).toBeUndefined();
  });
});

/** Puts a session cookie into a browser. */
async function plant(context: BrowserContext, site: DemoSite, value: string): Promise<void> {
  await context.addCookies([{ name: sessionCookieName(site), value, url: site.wwwroot }]);
}

/** Addresses that lead to a foreign site, or do in the eyes of some browser; `HOST` stands for it. */
const ASTRAY = [
  "http://HOST/",
  "//HOST/",
  "///HOST/",
  "/\\HOST/",
  "\\\\HOST\\",
  "/\t/HOST/",
  "\n//HOST/",
  "/%09/HOST/",
  ".HOST/",
  "@HOST/",
  ":80@HOST/",
  "/..//HOST/",
  "/./\\HOST/",
  "http:HOST",
  "javascript:location='http://HOST/'",
  "data:text/html,<script>location='http://HOST/'</script>",
];

describe("open redirects", () => {
  const open = browserRig();

  test("SEC-072 no wantsurl of a jump leads to a foreign site", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const { page } = await person();
    await logInAt(page, alpha, "nikos");
    for (const wanted of ASTRAY) {
      const link = await jumpLink(alpha, beta, wanted.replace("HOST", new URL(site.origin).host));
      await page.goto(link);
      expect(new URL(page.url()).origin, wanted).toBe(beta.wwwroot);
    }
    expect(site.visits).toEqual([]);
  });

  test("SEC-072 SEC-073 none of a landing does, nor its remoteurl", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const { context: browser, page } = await person();
    await logInAt(page, alpha, "zoe");
    for (const [n, wanted] of ASTRAY.entries()) {
      const landing = await landAddress(browser, alpha, beta);
      landing.searchParams.set("wantsurl", wanted.replace("HOST", new URL(site.origin).host));
      // With it the target is at the home site.
      const isRemote = n % 2 === 0;
      if (isRemote) landing.searchParams.set("remoteurl", "1");
      await page.goto(landing.href);
      expect(new URL(page.url()).origin, wanted).toBe(isRemote ? alpha.wwwroot : beta.wwwroot);
    }
    expect(site.visits).toEqual([]);
  });

  test("SEC-072 none of the demo's own login does", async (context) => {
    const { alpha, person } = open(context);
    const site = await evil();
    const { page } = await person();
    await logInAt(page, alpha, "trial");
    for (const wanted of ASTRAY) {
      const returnTo = encodeURIComponent(wanted.replace("HOST", new URL(site.origin).host));
      await page.goto(`${alpha.wwwroot}${PATHS.login}?returnTo=${returnTo}`);
      expect(new URL(page.url()).origin, wanted).toBe(alpha.wwwroot);
    }
    expect(site.visits).toEqual([]);
  });
});

describe("what the other server sees", () => {
  const open = browserRig();

  test("SEC-075 no Referer leaks the token, from the target or from a page of refusal", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const { context: browser, page } = await person();
    await logInAt(page, alpha, "zoe");
    const landing = await landAddress(browser, alpha, beta);
    const token = landing.searchParams.get("token")!;
    const referers: string[] = [];
    page.on("request", (request) => {
      const { referer } = request.headers();
      if (referer !== undefined) referers.push(referer);
    });

    await page.goto(landing.href);
    expect(page.url()).toBe(`${beta.wwwroot}/`);
    await leave(page, `${site.origin}/from-target`);
    // A page that lets everything out: the token is not in its address, nor in where it came from.
    await page.goto((await landAddress(browser, alpha, beta)).href);
    await leave(page, `${site.origin}/from-lax-target`, "unsafe-url");
    // Here the token is in the address of the page.
    landing.searchParams.append("idp", "http://again.example");
    await page.goto(landing.href);
    expect(page.url()).toContain(token);
    expect(await mainText(page)).toContain("MNET_SSO_REQUEST_INVALID");
    await leave(page, `${site.origin}/from-refusal`);

    expect(site.visits.map(({ path }) => path)).toEqual(["/from-target", "/from-lax-target", "/from-refusal"]);
    expect(site.visits.map(({ referer }) => referer)).toEqual([undefined, `${beta.wwwroot}/`, undefined]);
    // Pages load their own stylesheet and pictures, and say from where.
    expect(referers).not.toEqual([]);
    expect(referers.filter((referer) => referer.includes("token"))).toEqual([]);
  });

  test("SEC-075 the confirmation page keeps the token to itself", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const { context: browser, page } = await person();
    await logInAt(page, alpha, "zoe");
    await logInAt(page, beta, "jose");
    const landing = await landAddress(browser, alpha, beta);
    const response = await page.goto(landing.href);
    expect(await heading(page)).toBe("Log in to Beta College?");
    expect(response?.headers()).toMatchObject({ "referrer-policy": "no-referrer", "cache-control": "no-store" });
    await leave(page, `${site.origin}/from-question`);
    expect(site.visits).toEqual([{ path: "/from-question", referer: undefined }]);
  });
});

/** Leaves a page by a link that somebody put there. */
async function leave(page: Page, href: string, referrerPolicy = ""): Promise<void> {
  await page.evaluate(
    ([address, policy]) => {
      const { document } = globalThis as unknown as {
        document: { createElement(name: "a"): Record<string, unknown>; body: { append(element: unknown): void } };
      };
      document.body.append(
        Object.assign(document.createElement("a"), { href: address, referrerPolicy: policy, textContent: "Away" }),
      );
    },
    [href, referrerPolicy],
  );
  await follow(page, "Away");
}

describe("jumps that nobody meant", () => {
  const open = browserRig();

  test.for(["origin", "neighbour"] as const)(
    "SEC-076 an image, a frame or a script that points to a jump creates nothing (%s)",
    async (whose, context) => {
      const { alpha, beta, person } = open(context);
      const site = await evil();
      const { page } = await person();
      await logInAt(page, alpha, "zoe");
      const jump = await jumpLink(alpha, beta);
      const [eventsBefore, refusedBefore] = [alpha.events.length, refusals(alpha).length];
      site.pages.set("/embedding", embedding(jump));
      await page.goto(`${site[whose]}/embedding`, { waitUntil: "load" });
      expect(alpha.events.slice(eventsBefore).filter(({ type }) => type === "sso.jumped")).toEqual([]);
      expect(beta.events.filter(({ type }) => type === "sso.landed")).toEqual([]);
      const sessions = [];
      for await (const session of alpha.host.sso.sessions()) sessions.push(session);
      expect(sessions).toEqual([]);
      // They did ask, and were told why not.
      const told = refusals(alpha).slice(refusedBefore);
      expect(told.length).toBeGreaterThanOrEqual(5);
      expect(new Set(told.map(({ code }) => code))).toEqual(new Set(["MNET_SSO_REQUEST_INVALID"]));
    },
  );

  test("SEC-076 neither does a jump that a script fetches", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const { page } = await person();
    await logInAt(page, alpha, "zoe");
    const jump = await jumpLink(alpha, beta);
    site.pages.set(
      "/fetching",
      `<title>Fetching</title><script>
      fetch(${JSON.stringify(jump)}, { mode: "no-cors", credentials: "include" })
        .catch(() => {}).then(() => { document.title = "Fetched" });
    </script>`,
    );
    await page.goto(`${site.neighbour}/fetching`);
    await page.waitForFunction("document.title === 'Fetched'");
    expect(alpha.events.filter(({ type }) => type === "sso.jumped")).toEqual([]);
  });

  test("forms of other sites log nobody in or out (CSRF)", async (context) => {
    const { alpha, person } = open(context);
    const site = await evil();
    const { context: browser, page } = await person();
    await logInAt(page, alpha, "zoe");
    for (const origin of [site.origin, site.neighbour]) {
      await openForm(page, site, origin, formTo(alpha.wwwroot + PATHS.logout));
      expect(await whoIsAt(browser, alpha)).toBe(ZOE);
      await openForm(
        page,
        site,
        origin,
        formTo(alpha.wwwroot + PATHS.login, { username: "nikos", password: "demo", returnTo: "/" }),
      );
      expect(await mainText(page)).toContain("sent by another site");
      expect(await whoIsAt(browser, alpha)).toBe(ZOE);
    }
  });
});

describe("sites that ask more", () => {
  const open = browserRig({ strictJumps: true, landing: "confirm" });

  test("SEC-076 with strictJumps a foreign link asks before it jumps, and a link of the site's own does not", async (context) => {
    const { alpha, beta, person } = open(context);
    const site = await evil();
    const { page } = await person();
    await logInAt(page, alpha, "zoe");
    const jumped = () => alpha.events.filter(({ type }) => type === "sso.jumped").length;
    const before = jumped();
    const jump = await jumpLink(alpha, beta);
    for (const origin of [site.origin, site.neighbour]) {
      site.pages.set("/link", linkTo(jump));
      await page.goto(`${origin}/link`);
      await follow(page, "Click me");
      expect(await heading(page)).toBe("Go to Beta College?");
      // Nor can the foreign site answer.
      await openForm(page, site, origin, formTo(jump));
      expect(new URL(page.url()).origin).toBe(alpha.wwwroot);
    }
    expect(jumped()).toBe(before);
    await page.goto(`${site.origin}/link`);
    await follow(page, "Click me");
    await submit(page, "Go there");
    expect(jumped()).toBe(before + 1);
    expect(new URL(page.url()).origin).toBe(beta.wwwroot);

    await page.goto(alpha.wwwroot);
    await follow(page, beta.name);
    expect(jumped()).toBe(before + 2);
    expect(new URL(page.url()).origin).toBe(beta.wwwroot);
  });

  test('SEC-069 with landing: "confirm" every landing asks, but not one that began at the login page here', async (context) => {
    const { alpha, beta, person } = open(context);
    const { context: browser, page } = await person();
    await logInAt(page, alpha, "nikos");
    await follow(page, beta.name);
    expect(await heading(page)).toBe("Log in to Beta College?");
    expect(await whoIsAt(browser, beta)).toBeUndefined();
    await submit(page, "Log in");
    expect(await whoIsAt(browser, beta)).toBe("Νίκος Παπαδόπουλος");

    await browser.clearCookies({ name: sessionCookieName(beta) });
    await page.goto(beta.wwwroot + PATHS.login);
    await follow(page, alpha.name);
    // Strict as it is, the home site asks, because the link came from elsewhere.
    expect(await heading(page)).toBe("Go to Beta College?");
    await submit(page, "Go there");
    expect(page.url()).toBe(`${beta.wwwroot}/`);
    expect(await whoIsAt(browser, beta)).toBe("Νίκος Παπαδόπουλος");
  });
});
