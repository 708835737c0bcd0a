import { expect, test } from "vitest";
import { sso } from "../../../src/services/sso/sso.ts";
import { memoryAccounts } from "../../../src/testing/memory-accounts.ts";
import { memorySessions } from "../../../src/testing/memory-sessions.ts";
import { testNetwork } from "../../../src/testing/test-network.ts";

const BOXES = { sso_idp: "both", sso_sp: "both" } as const;
const USER = { username: "zoe", email: "zoe@alpha.test", firstname: "Zoë", lastname: "Ångström" };

/** A user of alpha, logged in, whom another site sends to beta. */
async function asked() {
  const network = testNetwork();
  const accounts = memoryAccounts([USER]);
  const sessions = memorySessions({ clock: network.clock });
  const [alpha, beta] = await Promise.all([
    network.host("https://alpha.test", { services: [sso({ accounts, sessions, strictJumps: true })] }),
    network.host("https://beta.test", {
      services: [sso({ accounts: memoryAccounts(), sessions: memorySessions(), landing: "confirm" })],
    }),
  ]);
  await network.connect(alpha, beta, BOXES);
  const browser = network.browser();
  const account = await accounts.findByUsername("zoe");
  await sessions.login(browser, alpha, account!);
  const jump = alpha.sso.linkTo(await alpha.peers.get(beta.wwwroot));
  return { network, browser, jump, beta };
}
const from = (site: string) => ({ headers: { "sec-fetch-site": site, "sec-fetch-dest": "document" } });

test.each(["cross-site", "same-site", "none"])(
  "SEC-076 a jump's question is not answered by a form that is %s",
  async (site) => {
    const { network, browser, jump } = await asked();
    await using _ = network;
    const question = await browser.get(jump, from("cross-site"));
    expect(question.text).toContain("<button");
    const answer = await browser.submit(question, {}, from(site));
    expect(answer.redirects).toEqual([]);
    expect(answer.text).toContain("<button");
  },
);

test.each(["cross-site", "same-site", "none"])(
  "SEC-069 a landing's question is not answered by a form that is %s",
  async (site) => {
    const { network, browser, jump, beta } = await asked();
    await using _ = network;
    const question = await browser.get(jump, from("same-origin"));
    expect(question.url).toContain(beta.wwwroot);
    const answer = await browser.submit(question, {}, from(site));
    expect([answer.status, answer.redirects]).toEqual([403, []]);
    expect(answer.text).toContain("MNET_SSO_CONFIRMATION_NEEDED");
  },
);

test("SEC-069 SEC-076 both are answered by their own forms, and by browsers that do not tell", async () => {
  const { network, browser, jump, beta } = await asked();
  await using _ = network;
  const first = await browser.get(jump, from("cross-site"));
  const second = await browser.submit(first, {}, from("same-origin"));
  const { url, redirects } = await browser.submit(second);
  expect(redirects).toEqual([`${beta.wwwroot}/`]);
  expect(url).toBe(`${beta.wwwroot}/`);
});
