/** What people do on the pages of the demo, and what they see there. */
import type { BrowserContext, Page } from "playwright-core";
import { expect } from "vitest";
import type { DemoSite } from "../../src/cli/demo/demo-site.ts";
import { PATHS } from "../../src/cli/demo/web/paths.ts";

/** Presses a button, and waits for the page that comes. */
export async function submit(page: Page, button: string): Promise<void> {
  await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: button, exact: true }).click()]);
}

/** Follows a link, and waits for the page that comes. */
export async function follow(page: Page, link: string): Promise<void> {
  await Promise.all([page.waitForEvent("load"), page.getByRole("link", { name: link, exact: true }).first().click()]);
}

/** Fills in the login page that is shown, with the password that everybody there has. */
export async function fillLogin(page: Page, username: string): Promise<void> {
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password").fill("demo");
  await submit(page, "Log in");
}

/** Logs in, and ends on the front page. */
export async function logInAt(page: Page, site: DemoSite, username: string): Promise<void> {
  await page.goto(site.wwwroot + PATHS.login);
  await fillLogin(page, username);
}

/** Who is logged in at a site, by full name; asked in a tab of its own. */
export async function whoIsAt(context: BrowserContext, site: DemoSite): Promise<string | undefined> {
  const tab = await context.newPage();
  try {
    await tab.goto(site.wwwroot + PATHS.profile);
    return new URL(tab.url()).pathname === PATHS.profile
      ? await tab.getByRole("heading", { level: 1 }).innerText()
      : undefined;
  } finally {
    await tab.close();
  }
}

/** Waits for a logout that goes round in the background. */
export async function loggedOutAt(context: BrowserContext, site: DemoSite): Promise<void> {
  await expect.poll(() => whoIsAt(context, site), { timeout: 10_000 }).toBeUndefined();
}

/** The link by which a site's users go to another one. */
export const jumpLink = async (from: DemoSite, to: DemoSite, path?: string): Promise<string> =>
  from.host.sso.linkTo(await from.host.peers.get(to.wwwroot), path);

/** Jumps without landing: the address with the token, for whoever wants to do something else with it. */
export async function landAddress(context: BrowserContext, from: DemoSite, to: DemoSite): Promise<URL> {
  const response = await context.request.get(await jumpLink(from, to), { maxRedirects: 0 });
  const location = response.headers()["location"];
  expect(location, "the jump was refused").toContain(`${to.wwwroot}/auth/mnet/land.php?token=`);
  return new URL(location!);
}

/** The browser's session cookie of a site. */
export async function sessionCookie(context: BrowserContext, site: DemoSite): Promise<string | undefined> {
  const cookies = await context.cookies(site.wwwroot);
  return cookies.find(({ name }) => name === sessionCookieName(site))?.value;
}

export const sessionCookieName = ({ port }: DemoSite): string => `mnet_demo_${port}`;
