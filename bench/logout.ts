/**
 * SEC-077: how long does a user wait for her logout when no site that she visited answers any more?
 *
 * Run it with `npm run bench:logout`. It takes some seconds, and exits with 1 if she waits for 200 ms.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sso } from "../src/services/sso/sso.ts";
import type { Wwwroot } from "../src/core/ids.ts";
import { memoryStore } from "../src/stores/memory/memory-store.ts";
import { openStore } from "../src/stores/open-store.ts";
import { memoryAccounts } from "../src/testing/memory-accounts.ts";
import { memorySessions } from "../src/testing/memory-sessions.ts";
import { testNetwork } from "../src/testing/test-network.ts";

const LIMIT_MS = 200;
const SITES = 10;
const LOGOUTS = 20;

const directory = mkdtempSync(join(tmpdir(), "mnet-"));
const stores = { memory: memoryStore(), SQLite: openStore(`sqlite:${join(directory, "mnet.db")}`) };
let isSlow = false;
try {
  for (const [name, store] of Object.entries(stores)) {
    const slowest = await slowestLogout(store);
    isSlow ||= slowest >= LIMIT_MS;
    console.log(
      `SEC-077 logout with ${SITES} dead sites, ${name} store: ${slowest.toFixed(1)} ms, the slowest of ${LOGOUTS} (allowed: ${LIMIT_MS} ms)`,
    );
  }
} finally {
  rmSync(directory, { recursive: true });
}
process.exitCode = isSlow ? 1 : 0;

/** The longest of some logouts of a user who has been at ten sites, none of which answers, in milliseconds. */
async function slowestLogout(store: ReturnType<typeof memoryStore>): Promise<number> {
  const network = testNetwork();
  try {
    const accounts = memoryAccounts([{ username: "ada", email: "ada@home.test", firstname: "Ada", lastname: "L" }]);
    const sessions = memorySessions({ clock: network.clock });
    const home = await network.host("https://home.test", { store, services: [sso({ accounts, sessions })] });
    const links: string[] = [];
    for (let n = 0; n < SITES; n += 1) {
      const site = await network.host(`https://site${n}.test`);
      const peer = await home.peers.add(site.wwwroot);
      await home.peers.setServices(peer, { sso_idp: "both", sso_sp: "both" });
      links.push(home.sso.linkTo(peer));
    }
    const ada = await accounts.findByUsername("ada");
    if (!ada) throw new Error("There is no ada.");
    let slowest = 0;
    for (let round = 0; round < LOGOUTS; round += 1) {
      // Nobody goes to so many sites at once; a minute later she may again.
      await network.clock.advance(60_000);
      const browser = network.browser({ userAgent: `browser ${round}` });
      const { id } = await sessions.login(browser, home, ada);
      for (const link of links) {
        const page = await browser.get(link, { followRedirects: false });
        if (page.status !== 303) throw new Error(`The jump was answered with ${page.status}.`);
      }
      // Sites that take a call and never answer it: the worst that can happen.
      for (let n = 0; n < SITES; n += 1) network.fail(`https://site${n}.test` as Wwwroot, "timeout");
      const begin = performance.now();
      await home.sso.logout(id);
      slowest = Math.max(slowest, performance.now() - begin);
      for (let n = 0; n < SITES; n += 1) network.heal(`https://site${n}.test` as Wwwroot);
    }
    return slowest;
  } finally {
    await network[Symbol.asyncDispose]();
  }
}
