import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, type TestContext } from "vitest";
import type { DemoSite, DemoSiteOptions } from "../../src/cli/demo/demo-site.ts";
import { chromiumPath, launchChromium, NO_CHROMIUM } from "./chromium.ts";
import { twoSites, type TwoSites } from "./two-sites.ts";

/** A browser with the two sites of the demo before it. */
export interface Rig {
  readonly alpha: DemoSite;
  readonly beta: DemoSite;
  /** A person's browser: cookies of its own. Another `userAgent` is another browser in the eyes of the sites, too. */
  readonly person: (userAgent?: string) => Promise<{ readonly context: BrowserContext; readonly page: Page }>;
}

const USER_AGENT =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/**
 * Starts the browser and the sites before the tests of a suite, and ends them afterwards. The function that comes back
 * skips the test if there is no browser.
 */
export function browserRig(asking: DemoSiteOptions["asking"] = {}): (context: TestContext) => Rig {
  const executable = chromiumPath();
  let browser: Browser | undefined;
  let sites: TwoSites | undefined;
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    if (executable === undefined) return;
    [browser, sites] = await Promise.all([launchChromium(executable), twoSites({ asking })]);
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
  });
  afterAll(async () => {
    await browser?.close();
    await sites?.[Symbol.asyncDispose]();
  });

  return (context) => {
    const [chromium, running] = [browser, sites];
    if (!chromium || !running) return context.skip(NO_CHROMIUM);
    return {
      alpha: running.alpha,
      beta: running.beta,
      person: async (userAgent = USER_AGENT) => {
        const fresh = await chromium.newContext({ userAgent });
        contexts.push(fresh);
        return { context: fresh, page: await fresh.newPage() };
      },
    };
  };
}
