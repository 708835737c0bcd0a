/**
 * Takes the pictures of the README: `npm run demo:screenshots`. With a folder as argument, every page of the demo goes
 * there, to be looked at: `npm run demo:screenshots -- /tmp/pages`.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { chromiumPath, launchChromium, NO_CHROMIUM } from "./chromium.ts";
import { logInAt, submit } from "./steps.ts";
import { twoSites, type TwoSites } from "./two-sites.ts";

const IMAGES = "docs/images";
const FIRST_PORT = 8201;

const [folder] = process.argv.slice(2);
const executable = chromiumPath();
if (executable === undefined) {
  console.error(NO_CHROMIUM);
  process.exitCode = 1;
} else {
  await take(executable);
}

async function take(executablePath: string): Promise<void> {
  await mkdir(IMAGES, { recursive: true });
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const sites = await twoSites({ port: FIRST_PORT });
  try {
    const browser = await launchChromium(executablePath);
    try {
      await visit(await browser.newPage({ viewport: { width: 960, height: 640 } }), sites);
    } finally {
      await browser.close();
    }
  } finally {
    await sites[Symbol.asyncDispose]();
  }
}

async function visit(page: Page, { alpha, beta }: TwoSites): Promise<void> {
  await page.goto(alpha.wwwroot);
  await show(page, "front-public");
  await page.goto(`${alpha.wwwroot}/login`);
  await show(page, "login");
  await page.getByLabel("User name").fill("zoë");
  await page.getByLabel("Password").fill("wrong");
  await submit(page, "Log in");
  await show(page, "login-refused");

  await logInAt(page, alpha, "zoe");
  await keep(page, "demo-network-servers");
  await page.getByRole("link", { name: beta.name }).focus();
  await show(page, "front-focus");
  await page.getByRole("link", { name: beta.name }).click();
  await show(page, "front-visitor");
  await page.goto(`${beta.wwwroot}/profile`);
  await keep(page, "demo-visitor");
  await page.goto(`${beta.wwwroot}/course/view.php?id=7`);
  await show(page, "course");
  await page.goto(`${beta.wwwroot}/nowhere`);
  await show(page, "not-found");
  await page.goto(`${beta.wwwroot}/auth/mnet/land.php?idp=https://stranger.example&token=x`);
  await show(page, "error");
  await page.goto(beta.wwwroot);
  await submit(page, "Log out");
  await show(page, "logged-out");

  await logInAt(page, alpha, "zoe");
  await logInAt(page, beta, "jose");
  await page.goto(alpha.wwwroot);
  await page.getByRole("link", { name: beta.name }).click();
  await show(page, "confirm");
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto(`${alpha.wwwroot}/profile`);
  await show(page, "narrow-profile");
  await page.goto(alpha.wwwroot);
  await show(page, "narrow-front");
}

/** A picture of the README. */
async function keep(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(IMAGES, `${name}.png`) });
  await show(page, name);
}

async function show(page: Page, name: string): Promise<void> {
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
