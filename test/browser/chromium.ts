import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where the browser is: what the environment variable `CHROMIUM` says, or else where distributions put it. */
export function chromiumPath(): string | undefined {
  const { CHROMIUM: chosen } = process.env;
  return (chosen === undefined ? PLACES : [chosen]).find((path) => existsSync(path));
}

/** What to say if there is none. */
export const NO_CHROMIUM = "Chromium is missing (Debian: apt-get install chromium; elsewhere: CHROMIUM=/path/to/it)";

/** Name of a site that belongs to nobody; its address is this machine's. */
export const FOREIGN_HOST = "evil.example";

/** Starts the browser. Containers have no sandbox to give it, and it visits this machine only. */
export async function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage", `--host-resolver-rules=MAP ${FOREIGN_HOST} 127.0.0.1`],
  });
}
