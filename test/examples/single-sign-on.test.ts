import type Database from "libsql";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import * as expressSite from "../../examples/express-sso.ts";
import * as fastifySite from "../../examples/fastify-sso.ts";
import * as honoSite from "../../examples/hono-sso.ts";
import { addUser, localPath } from "../../examples/small-lms.ts";
import { openDatabase, sqlAccounts } from "../../examples/sql-plug-ins.ts";
import type { Host } from "../../src/host/host.ts";
import { cookieJar, type CookieJar } from "../support/cookie-jar.ts";
import { freePort } from "../support/http-site.ts";

const EXAMPLES = { "express-sso": expressSite, "fastify-sso": fastifySite, "hono-sso": honoSite };
type Example = keyof typeof EXAMPLES;
interface Site {
  readonly host: Pick<Host, "wwwroot" | "peers">;
  readonly db: Database.Database;
  close(): Promise<void>;
}

const ADA = { username: "ada", password: "correct horse", email: "ada@alpha.test", firstName: "Ada", lastName: "L" };

async function startSite(example: Example, name: string): Promise<Site> {
  const db = openDatabase(":memory:");
  const site = await EXAMPLES[example].start(await freePort(), name, db);
  return { ...site, db };
}

const login = (browser: CookieJar, { host }: Site, next = "/", password = ADA.password) =>
  browser.post(`${host.wwwroot}/login`, { username: ADA.username, password, next });

/** The address behind a link of a page, by its text. */
function linkTo(html: string, text: string): string {
  const [, href] = new RegExp(`<a href="([^"]+)">${text}</a>`).exec(html) ?? [];
  if (href === undefined) throw new Error(`There is no link ${text}.`);
  return href.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

// Each is the home of users once, and a visited site once.
const PAIRS: readonly (readonly [Example, Example])[] = [
  ["express-sso", "fastify-sso"],
  ["fastify-sso", "hono-sso"],
  ["hono-sso", "express-sso"],
];

describe.each(PAIRS)("users of examples/%s.ts at examples/%s.ts", (here, there) => {
  let alpha: Site;
  let beta: Site;
  let browser: CookieJar;

  beforeAll(async () => {
    [alpha, beta] = await Promise.all([startSite(here, "Alpha University"), startSite(there, "Beta College")]);
    await addUser(alpha.db, ADA);
    const [toBeta, toAlpha] = await Promise.all([
      alpha.host.peers.add(beta.host.wwwroot),
      beta.host.peers.add(alpha.host.wwwroot),
    ]);
    await alpha.host.peers.setServices(toBeta, { sso_idp: "both", sso_sp: "both" });
    await beta.host.peers.setServices(toAlpha, { sso_idp: "both", sso_sp: "both" });
  });
  beforeEach(() => {
    browser = cookieJar();
  });
  afterAll(async () => {
    for (const site of [alpha, beta]) {
      await site.close();
      site.db.close();
    }
  });

  const at = ({ host }: Site, path = "/"): string => host.wwwroot + path;
  const asAda = () => `You are ada of ${alpha.host.wwwroot}.`;
  const text = async (site: Site, path = "/"): Promise<string> => (await browser.get(at(site, path))).text;

  test("MNET-110 a user logs in, follows the link, and arrives at the deep link as herself", async () => {
    expect((await login(browser, alpha, "/", "wrong")).status).toBe(403);
    expect((await login(browser, alpha)).text).toContain("You are ada.");
    const href = linkTo(await text(alpha), "Beta College");
    expect((await browser.get(href)).url).toBe(at(beta));

    const deep = await browser.get(`${href}&wantsurl=${encodeURIComponent("/course/7?tab=2")}`);
    expect(deep).toMatchObject({ url: at(beta, "/course/7?tab=2"), status: 200 });
    expect(deep.text).toContain(asAda());
    // A visitor goes nowhere from here.
    expect(await text(beta)).not.toContain("Network servers");
    const home = await beta.host.peers.get(alpha.host.wwwroot);
    const account = await sqlAccounts(beta.db).findRemote(home, "ada");
    expect(await sqlAccounts(beta.db).profile(account!)).toMatchObject({ email: ADA.email, firstname: "Ada" });
  });

  test("a visitor begins at the other site's login page, and comes back to where she wanted to go", async () => {
    const question = await browser.get(at(beta, "/course/7"));
    expect(question.url).toBe(at(beta, "/login?next=%2Fcourse%2F7"));
    const form = await browser.get(linkTo(question.text, "Alpha University"));
    const next = new URL(form.url).searchParams.get("next") ?? "";
    expect(form.url.startsWith(at(alpha, "/login?"))).toBe(true);
    const arrived = await login(browser, alpha, next);
    expect(arrived.url).toBe(at(beta, "/course/7"));
    expect(arrived.text).toContain(asAda());
  });

  test("SEC-071 whoever planted a session id is not logged in by it", async () => {
    const thief = cookieJar();
    await addUser(beta.db, { ...ADA, username: "mallory" });
    await thief.post(at(beta, "/login"), { username: "mallory", password: ADA.password });
    const planted = thief.cookies("127.0.0.1");
    expect(Object.keys(planted)).toHaveLength(1);
    const victim = cookieJar("victim", { "127.0.0.1": planted });
    await login(victim, alpha);
    const question = await victim.get(linkTo((await victim.get(at(alpha))).text, "Beta College"));
    expect(question.text).toContain("You are logged in here as <strong>mallory</strong>");
    const action = /<form method="post" action="([^"]+)"/.exec(question.text)?.[1]?.replaceAll("&amp;", "&");
    const arrived = await victim.post(new URL(action ?? "", question.url).href);
    expect(arrived.text).toContain(asAda());
    expect((await thief.get(at(beta))).text).toContain("Log in");
  });

  test("MNET-119 who logs out at home is logged out at the other site", async () => {
    await login(browser, alpha);
    expect((await browser.get(linkTo(await text(alpha), "Beta College"))).text).toContain(asAda());
    expect((await browser.post(at(alpha, "/logout"))).url).toBe(at(alpha));
    expect(await text(alpha)).toContain("Log in");
    await vi.waitFor(async () => expect(await text(beta)).toContain("Log in"), 10_000);
  });

  test("MNET-119 who logs out at the other site is sent home, and is logged out there", async () => {
    await login(browser, alpha);
    await browser.get(linkTo(await text(alpha), "Beta College"));
    expect((await browser.post(at(beta, "/logout"))).url).toBe(at(alpha));
    await vi.waitFor(async () => expect(await text(alpha)).toContain("Log in"), 10_000);
    expect(await text(beta)).toContain("Log in");
  });
});

test("SEC-072 a login of an example leads to its own site only", () => {
  const site = "https://lms.example";
  const foreign = [
    "//evil.example",
    "https://evil.example/",
    "/\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    7,
  ];
  for (const next of foreign) expect(localPath(site, next), String(next)).toBe("/");
  for (const next of ["/.//evil.example", "@evil.example", ".evil.example", "/course/7?tab=2"]) {
    expect(new URL(site + localPath(site, next)).origin, next).toBe(site);
  }
  expect(localPath(site, "/course/7?tab=2")).toBe("/course/7?tab=2");
});
