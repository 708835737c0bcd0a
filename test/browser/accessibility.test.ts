import { describe, expect, test } from "vitest";
import { PATHS } from "../../src/cli/demo/web/paths.ts";
import { SsoError } from "../../src/core/errors.ts";
import { Pages } from "../../src/services/sso/pages.ts";
import { violations } from "./axe.ts";
import { browserRig } from "./rig.ts";
import { jumpLink, logInAt, submit } from "./steps.ts";

/** In a page: the name of what has the focus, and how that can be seen. */
const FOCUSED = `(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return { name: (element.labels?.[0] ?? element).textContent.trim(), outline: outlineStyle + " " + outlineWidth };
})()`;

describe("the pages of the demo", () => {
  const open = browserRig();

  test("axe-core finds nothing wrong, logged out, logged in, with a question and with a refusal", async (context) => {
    const { alpha, beta, person } = open(context);
    const { page } = await person();
    const found: string[] = [];
    const look = async (path?: string): Promise<void> => {
      if (path !== undefined) await page.goto(path);
      found.push(...(await violations(page)));
    };
    await look(alpha.wwwroot);
    await look(alpha.wwwroot + PATHS.login);
    await page.getByLabel("User name").fill("zoe");
    await page.getByLabel("Password").fill("wrong");
    await submit(page, "Log in");
    expect(await page.getByRole("alert").isVisible()).toBe(true);
    await look();
    await logInAt(page, beta, "jose");
    await logInAt(page, alpha, "zoe");
    await look();
    await look(alpha.wwwroot + PATHS.profile);
    await look(`${alpha.wwwroot}/course/view.php?id=7`);
    await look(`${alpha.wwwroot}/nowhere`);
    await look(await jumpLink(alpha, beta));
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("Log in to Beta College?");
    await submit(page, "Log in");
    await look();
    await look(beta.wwwroot + PATHS.profile);
    await look(`${beta.wwwroot}/auth/mnet/land.php?token=x&idp=http://stranger.example`);
    await page.goto(beta.wwwroot);
    await submit(page, "Log out");
    await look();
    expect(found).toEqual([]);
  });

  test("the library's own pages, without a layout of the application, pass as well", async (context) => {
    const { person } = open(context);
    const pages = new Pages("Example <LMS>", undefined);
    const { page } = await person();
    for (const { body } of [
      pages.jumpQuestion(
        "zoe",
        { name: "Beta & Co.", wwwroot: "https://beta.example" },
        new URL("https://alpha.example/auth/mnet/jump.php?hostid=1"),
      ),
      pages.refusal(new SsoError("MNET_SSO_IDP_FAILED", "It did not answer.", { side: "there" })),
    ]) {
      await page.setContent(Buffer.from(body).toString("utf8"));
      expect(await violations(page)).toEqual([]);
    }
  });

  test("everything works with the keyboard alone, and it can be seen where one is", async (context) => {
    const { alpha, beta, person } = open(context);
    const { page } = await person();
    const focused = page.locator(":focus");
    const tabTo = async (what: string): Promise<void> => {
      for (let n = 0; n < 20; n++) {
        await page.keyboard.press("Tab");
        const { name, outline } = await page.evaluate<{ readonly name: string; readonly outline: string }>(FOCUSED);
        expect(outline, name).toBe("solid 3px");
        if (name === what) return;
      }
      throw new Error(`${what} cannot be reached with the Tab key.`);
    };
    await page.goto(alpha.wwwroot);
    await page.keyboard.press("Tab");
    expect(await focused.innerText()).toBe("Skip to the content");
    expect((await focused.boundingBox())!.x).toBeGreaterThanOrEqual(0);
    await page.keyboard.press("Enter");
    await tabTo("Log in");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname === PATHS.login);
    await tabTo("User name");
    await page.keyboard.type("zoe");
    await tabTo("Password");
    await page.keyboard.type("demo");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${alpha.wwwroot}/`);
    await tabTo(beta.name);
    await page.keyboard.press("Enter");
    await page.waitForURL(`${beta.wwwroot}/`);
    await tabTo("Log out");
    await page.keyboard.press("Enter");
    await page.waitForURL(beta.wwwroot + PATHS.logout);
    await tabTo(`Continue to ${alpha.name}`);
  });

  test("nothing is cut off on a narrow screen", async (context) => {
    const { alpha, person } = open(context);
    const { page } = await person();
    await page.setViewportSize({ width: 320, height: 640 });
    await page.goto(alpha.wwwroot + PATHS.login);
    const overflow = () => page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    expect(await overflow()).toBe(0);
    await logInAt(page, alpha, "nikos");
    for (const path of ["/", PATHS.profile]) {
      await page.goto(alpha.wwwroot + path);
      expect(await overflow()).toBe(0);
    }
  });
});
