import { describe, expect, test } from "vitest";
import type { PeerId, Wwwroot } from "../../src/core/ids.ts";
import type { Peer } from "../../src/core/peer-snapshot.ts";
import type { Account, Accounts } from "../../src/plug-ins/account.ts";
import { UntrustedHtml } from "../../src/plug-ins/untrusted-html.ts";
import { accountsContract } from "../../src/testing/accounts-contract.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { memoryAccounts } from "../../src/testing/memory-accounts.ts";
import { memorySessions } from "../../src/testing/memory-sessions.ts";
import { testBrowser } from "../../src/testing/test-browser.ts";

const ADA = { username: "ada", email: "ada@school.test", firstname: "Ada", lastname: "Lovelace" };
const PEER = { id: 7 as PeerId, wwwroot: "https://peer.test" as Wwwroot } as Peer;

/** "Zoë" travels as "_005ao_00eb". */
const mapping: NonNullable<Accounts["usernames"]> = {
  toPeer: (name) => name.replace(/[^-.@a-z0-9]/g, (one) => `_${one.charCodeAt(0).toString(16).padStart(4, "0")}`),
  fromPeer: (name) => name.replace(/_([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
};

describe("memoryAccounts", () => {
  for (const { name, run } of accountsContract(async () => ({ accounts: memoryAccounts([ADA]), localUsername: "ada" })))
    test(name, run);

  describe("with names that Moodle would not take", () => {
    const users = [{ ...ADA, username: "Zo\u00eb" }];
    const make = async () => ({ accounts: memoryAccounts(users, { usernames: mapping }), localUsername: "Zo\u00eb" });
    for (const { name, run } of accountsContract(make)) test(name, run);
  });

  test("who is suspended or not let does not roam; nor do users of others", async () => {
    const accounts = memoryAccounts([ADA]);
    const ada = (await accounts.findByUsername("ada"))!;
    const steps: boolean[] = [await accounts.mayRoam(ada, PEER)];
    for (const step of [
      () => accounts.setSuspended(ada),
      () => accounts.setSuspended(ada, false),
      () => accounts.setMayRoam(ada, false),
    ]) {
      step();
      steps.push(await accounts.mayRoam(ada, PEER));
    }
    expect(steps).toEqual([true, false, true, false]);
    const visitor = await accounts.createRemote(PEER, "bea", ADA);
    expect(await accounts.mayRoam(visitor, PEER)).toBe(false);
    expect(accounts.all().map(({ username, home }) => [username, home])).toEqual([
      ["ada", undefined],
      ["bea", PEER.wwwroot],
    ]);
  });

  test("pictures are dated by the clock, and kept as copies", async () => {
    const clock = fakeClock();
    const accounts = memoryAccounts([ADA], { clock });
    const ada = (await accounts.findByUsername("ada"))!;
    const bytes = Uint8Array.of(1, 2, 3);
    await accounts.setPicture(ada, { bytes, type: "image/png" });
    bytes.fill(0);
    expect(await accounts.picture(ada)).toEqual({ bytes: Uint8Array.of(1, 2, 3), type: "image/png" });
    expect((await accounts.find(ada.id))?.pictureChangedAt?.getTime()).toBe(clock.now());
  });

  test("two users of one name, and an account of nobody, are mistakes", async () => {
    expect(() => memoryAccounts([ADA, ADA])).toThrow(TypeError);
    await expect(memoryAccounts().profile({ id: "1", username: "ada" })).rejects.toThrow("no account");
  });
});

describe("the contract of accounts finds", () => {
  async function failing(spoil: (accounts: Accounts) => Partial<Accounts>): Promise<readonly string[]> {
    const failed: string[] = [];
    const make = async () => {
      const accounts = memoryAccounts([ADA]);
      return { accounts: { ...accounts, ...spoil(accounts) }, localUsername: "ada" };
    };
    for (const { name, run } of accountsContract(make)) await run().catch(() => failed.push(name));
    return failed;
  }

  test("nothing where all is well", async () => {
    expect(await failing(() => ({}))).toEqual([]);
  });

  test("accounts that are merged by name", async () => {
    const names = await failing((accounts) => ({
      createRemote: async (home, username, profile): Promise<Account> =>
        (await accounts.findByUsername(username)) ?? accounts.createRemote(home, username, profile),
    }));
    expect(names).toContain("SEC-059 accounts: one name at two peers and here is three users");
  });

  test("names that are compared loosely", async () => {
    const names = await failing((accounts) => ({
      createRemote: (home, username, profile) => accounts.createRemote(home, username.toLowerCase().trim(), profile),
      findRemote: (home, username) => accounts.findRemote(home, username.toLowerCase().trim()),
    }));
    expect(names).toContain("SEC-057 SEC-059 accounts: names that look alike are users of their own");
  });

  test("an update that forgets what it was not told", async () => {
    const names = await failing((accounts) => ({
      updateRemote: (account, profile) =>
        accounts.updateRemote(account, { ...profile, description: new UntrustedHtml(""), city: profile.city ?? "" }),
    }));
    expect(names).toContain("accounts: what an update does not tell stays as it was");
  });

  test("looking and making in two steps", async () => {
    let made = 0;
    const names = await failing((accounts) => ({
      async createRemote(home, username, profile) {
        const present = await accounts.findRemote(home, username);
        await new Promise((resolve) => setImmediate(resolve));
        return present ?? { ...(await accounts.createRemote(home, username, profile)), id: `again ${(made += 1)}` };
      },
    }));
    expect(names).toContain("accounts: of many calls at once that make one user, one makes her and all return her");
  });
});

describe("memorySessions", () => {
  const host = { wwwroot: "https://school.test" as Wwwroot };
  const ada: Account = { id: "1", username: "ada" };

  test("SEC-071 a login is one session of one browser; each start has a fresh id and ends the old", async () => {
    const clock = fakeClock();
    const sessions = memorySessions({ clock });
    const seen: (string | undefined)[] = [];
    const browser = testBrowser({
      clock,
      async reach(url, request) {
        const headers: [string, string][] = [];
        const asSeen = {
          method: "GET",
          url,
          header: (name: string) => (request.headers as Record<string, string>)[name],
          appendHeader: (name: string, value: string) => void headers.push([name, value]),
          raw: undefined,
        };
        if (url.pathname === "/start") await sessions.start(asSeen, ada);
        seen.push((await sessions.current(asSeen))?.id);
        return { status: 200, headers, body: new Uint8Array() };
      },
    });
    await browser.get("https://school.test/");
    const login = await sessions.login(browser, host, ada, { actingAs: true });
    expect(login).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/) as string, accountId: "1", actingAs: true });
    await browser.get("https://school.test/");
    await browser.get("https://college.test/");
    await browser.get("https://school.test/start");
    await browser.get("https://school.test/");
    const [fresh] = sessions.all();
    expect(sessions.all()).toHaveLength(1);
    expect(seen).toEqual([undefined, login.id, undefined, undefined, fresh?.id]);
    expect(fresh?.id).not.toBe(login.id);
    expect(browser.cookies("https://school.test/")).toEqual({ session: fresh?.id });
    expect(browser.cookies("http://school.test/")).toEqual({});
  });

  test("are active when they are touched, and gone when they are ended", async () => {
    const clock = fakeClock();
    const sessions = memorySessions({ clock });
    const browser = testBrowser({ clock, reach: async () => undefined });
    const [one, two] = [await sessions.login(browser, host, ada), await sessions.login(browser, host, ada)];
    await clock.advance(1000);
    await sessions.touch([two.id, "unknown"]);
    const ids = [one.id, two.id, "unknown"];
    expect(await sessions.activeSince(ids, new Date(clock.now()))).toEqual([two.id]);
    expect(await sessions.activeSince(ids, new Date(clock.now() - 1000))).toEqual([one.id, two.id]);
    await sessions.end([one.id, "unknown"]);
    expect(sessions.all().map(({ id }) => id)).toEqual([two.id]);
    expect(sessions.loginPath("/a?b=c&d")).toBe("/login?next=%2Fa%3Fb%3Dc%26d");
  });
});
