import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Store } from "../../../src/host/store.ts";
import { openStore } from "../../../src/stores/open-store.ts";
import { ADA, BOTH, pair, settle, ssoNetwork, type SsoSite } from "../../support/sso-sites.ts";

const hashOf = (browser: { readonly userAgent: string }): string =>
  createHash("sha1").update(browser.userAgent).digest("hex");
const stay = { followRedirects: false } as const;
const HOUR = 60 * 60_000;

/** Waits until it is so; fails the test if it never is. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 500; turn += 1) {
    if (await isSo()) return;
    await settle(5);
  }
  throw new Error("It never came to be.");
}
const endAll = (site: SsoSite): Promise<void> => site.sessions.end(site.sessions.all().map(({ id }) => id));
const sharedBy = async (store: Pick<Store, "sessions">) => (await store.sessions.find({}, undefined, 100)).items;

describe("logout at home", () => {
  it("MNET-119 MNET-120 every site where she was hears of it, and ends her session there", async () => {
    await using sites = await pair();
    const { a, b, all, browser } = sites;
    const c = await all.site("https://gamma.test", { users: [] });
    await all.network.connect(a.host, c.host, BOTH);
    await sites.jump();
    await browser.get(a.host.sso.linkTo(await a.peer(c)));
    expect([await b.who(browser), await c.who(browser)]).toMatchObject([{ username: "ada" }, { username: "ada" }]);
    expect(await a.host.sso.logout(a.sessions.all()[0]!.id)).toEqual({});
    await until(() => b.sessions.all().length === 0 && c.sessions.all().length === 0);
    expect(a.told("sso.logged-out")).toMatchObject([{ told: 2 }]);
    // The application ends its own session itself.
    expect(a.sessions.all()).toHaveLength(1);
    for (const { store } of [a, b, c]) expect(await sharedBy(store)).toEqual([]);
  });

  it("SEC-036 a second logout, or one of a session that nobody shares, tells nobody", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    await sites.jump();
    const { id } = a.sessions.all()[0]!;
    await a.host.sso.logout(id);
    await until(() => b.sessions.all().length === 0);
    for (const session of [id, "", "unknown"]) expect(await a.host.sso.logout(session)).toEqual({});
    expect(a.told("sso.logged-out")).toHaveLength(1);
    expect(await b.who(browser)).toBeUndefined();
  });

  it("SEC-077 does not wait: with every site dead it ends before anything is sent", async () => {
    await using sites = await pair();
    const { a, b, network } = sites;
    await sites.jump();
    network.fail(b.host.wwwroot, "timeout");
    // The clock stands still, so that whoever waited for an answer would wait for ever.
    await a.host.sso.logout(a.sessions.all()[0]!.id);
    expect(await sharedBy(a.store)).toEqual([]);
    expect(b.sessions.all()).toHaveLength(1);
  });

  it("SEC-077 is told again with growing pauses until the site is back", async () => {
    await using sites = await pair();
    const { a, b, network } = sites;
    await sites.jump();
    network.fail(b.host.wwwroot, "unreachable");
    await a.host.sso.logout(a.sessions.all()[0]!.id);
    const tries = () => a.told("call.failed").filter(({ method }) => method.endsWith("kill_child")).length;
    await until(() => tries() === 1);
    await a.host.maintain();
    expect(tries()).toBe(1);
    const at: number[] = [];
    const begin = network.clock.now();
    for (let second = 0; second < 4000; second += 10) {
      await network.clock.advance(10_000);
      const before = tries();
      await a.host.maintain();
      await settle(2);
      if (tries() > before) at.push((network.clock.now() - begin) / 1000);
    }
    expect(at.length).toBeGreaterThanOrEqual(3);
    const pauses = at.map((second, index) => second - (at[index - 1] ?? 0));
    expect(pauses).toEqual([...pauses].sort((x, y) => x - y));
    expect(a.told("sso.logout-untold")).toEqual([]);
    network.heal(b.host.wwwroot);
    for (let round = 0; round < 10 && b.sessions.all().length > 0; round += 1) {
      await network.clock.advance(HOUR);
      await a.host.maintain();
    }
    expect(b.sessions.all()).toEqual([]);
  });

  it("SEC-077 is given up after a day, and said so", async () => {
    await using sites = await pair();
    const { a, b, network } = sites;
    await sites.jump();
    network.fail(b.host.wwwroot, "unreachable");
    await a.host.sso.logout(a.sessions.all()[0]!.id);
    for (let hour = 0; hour < 23; hour += 1) {
      await network.clock.advance(HOUR);
      await a.host.maintain();
    }
    expect(a.told("sso.logout-untold")).toEqual([]);
    for (let hour = 0; hour < 3; hour += 1) {
      await network.clock.advance(HOUR);
      await a.host.maintain();
    }
    expect(a.told("sso.logout-untold")).toMatchObject([{ username: "ada", peer: { wwwroot: "https://beta.test" } }]);
    expect(await a.store.outbox.claim("sso.logout", 10, Infinity, Number.MAX_SAFE_INTEGER)).toEqual([]);
  });

  it.each(["suspended", "deleted", "not subscribed"])(
    "SEC-077 a site that is %s by then is given up at once",
    async (how) => {
      await using sites = await pair();
      const { a, b, network } = sites;
      await sites.jump();
      network.fail(b.host.wwwroot, "unreachable");
      await a.host.sso.logout(a.sessions.all()[0]!.id);
      await until(() => a.told("call.failed").length > 0);
      const peer = await a.peer(b);
      if (how === "suspended") await a.host.peers.suspend(peer);
      if (how === "deleted") await a.host.peers.remove(peer);
      if (how === "not subscribed") await a.host.peers.setServices(peer, { sso_sp: "off" });
      await network.clock.advance(HOUR);
      await a.host.maintain();
      expect(a.told("sso.logout-untold")).toMatchObject([{ username: "ada" }]);
    },
  );

  it("MNET-120 SEC-077 a site that was still letting her in is told once more", async () => {
    await using sites = await pair();
    const { a, b, network, browser } = sites;
    // The token is redeemed, but the session over there not begun, when she logs out.
    const save = b.store.sessions.save.bind(b.store.sessions);
    let isHeld = true;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    b.store.sessions.save = async (session) => {
      if (isHeld) await held;
      return save(session);
    };
    const landing = await sites.landUrl();
    const arriving = browser.get(landing, stay);
    await until(() => a.told("call.served").some(({ method }) => method.endsWith("user_authorise")));
    await until(() => b.sessions.all().length === 1);
    await a.host.sso.logout(a.sessions.all()[0]!.id);
    await until(() => b.told("call.served").some(({ method }) => method.endsWith("kill_child")));
    isHeld = false;
    release();
    expect((await arriving).status).toBe(303);
    expect(await b.who(browser)).toMatchObject({ username: "ada" });
    await network.clock.advance(60_000);
    await a.host.maintain();
    expect(b.sessions.all()).toEqual([]);
    // Not again and again.
    await network.clock.advance(HOUR);
    await a.host.maintain();
    expect(b.told("call.served").filter(({ method }) => method.endsWith("kill_child"))).toHaveLength(2);
  });
});

describe("logout at a site that she visits", () => {
  it("MNET-119 her home hears of it, ends her session, and tells the others, but not the caller", async () => {
    await using sites = await pair();
    const { a, b, all, browser } = sites;
    const c = await all.site("https://gamma.test", { users: [] });
    await all.network.connect(a.host, c.host, BOTH);
    await sites.jump();
    await browser.get(a.host.sso.linkTo(await a.peer(c)));
    const atB = b.sessions.all()[0]!.id;
    expect(await b.host.sso.logout(atB)).toEqual({ continueAt: "https://alpha.test" });
    await b.sessions.end([atB]);
    await until(() => a.sessions.all().length === 0 && c.sessions.all().length === 0);
    await settle();
    expect(b.told("call.served").filter(({ method }) => method.endsWith("kill_child"))).toEqual([]);
    for (const { store } of [a, b, c]) expect(await sharedBy(store)).toEqual([]);
  });

  it("SEC-065 kill_children reaches no other user, browser or peer", async () => {
    await using sites = await pair({ alpha: { users: [ADA, { ...ADA, username: "eve" }] } });
    const { a, b, all, network } = sites;
    const c = await all.site("https://gamma.test", { users: [] });
    await network.connect(a.host, c.host, BOTH);
    const link = a.host.sso.linkTo(await a.peer(b));
    const [mine, phone, eves] = [sites.browser, network.browser({ userAgent: "phone" }), network.browser()];
    await a.login(phone);
    await a.login(eves, "eve");
    for (const browser of [mine, phone, eves]) await browser.get(link);
    const hash = hashOf(mine);
    // Gamma, which nobody visits, ends nobody; nor does beta with names and browsers that are not there.
    for (const [site, username, useragent] of [
      [c, "ada", hash],
      [c, "eve", hash],
      [b, "ada", "0".repeat(40)],
      [b, "Ada", hash],
      [b, "", hash],
      [b, "%", hash],
      [b, "ada", ""],
    ] as const) {
      expect(await site.asks(a, "kill_children", [username, useragent])).toBe("Could find no remote sessions\n");
    }
    expect(a.sessions.all()).toHaveLength(3);
    expect(await b.asks(a, "kill_children", ["ada", hash.toUpperCase()])).toBe("");
    expect(await a.who(mine)).toBeUndefined();
    expect([await a.who(phone), await a.who(eves)]).toMatchObject([{ username: "ada" }, { username: "eve" }]);
    // Again: nothing.
    expect(await b.asks(a, "kill_children", ["ada", hash])).toBe("Could find no remote sessions\n");
    expect(a.told("sso.logged-out")).toEqual([]);
  });

  it("SEC-065 a name that was given to somebody else ends both, and leaves no row behind", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    const peer = await a.peer(b);
    const row = { role: "idp", peer: peer.id, username: "ada", userAgentHash: hashOf(browser), startedAt: 0 } as const;
    const now = sites.network.clock.now();

    await a.store.sessions.save({ ...row, accountId: "1", sessionId: a.sessions.all()[0]!.id, expiresAt: now + 1000 });
    await a.store.sessions.save({ ...row, accountId: "2", sessionId: "of-eve", expiresAt: now + 1000 });
    expect(await b.asks(a, "kill_children", ["ada", hashOf(browser)])).toBe("");
    expect(await sharedBy(a.store)).toEqual([]);
    expect(a.sessions.all()).toEqual([]);
  });
});

describe("kill_child", () => {
  it("MNET-120 SEC-036 SEC-065 ends the session of (user, caller, browser), once", async () => {
    await using sites = await pair();
    const { a, b, all, browser } = sites;
    const c = await all.site("https://gamma.test");
    await all.network.connect(c.host, b.host, BOTH);
    const [phone, other] = [all.network.browser({ userAgent: "phone" }), all.network.browser()];
    await a.login(phone);
    await c.login(other);
    const link = a.host.sso.linkTo(await a.peer(b));
    await browser.get(link);
    await phone.get(link);
    await other.get(c.host.sso.linkTo(await c.peer(b)));
    expect(b.sessions.all()).toHaveLength(3);
    const hash = hashOf(browser);
    for (const [username, useragent] of [
      ["bea", hash],
      ["ada", ""],
      ["ADA", hash],
      ["ada", hash.slice(1)],
    ] as const) {
      expect(await a.asks(b, "kill_child", [username, useragent])).toBe(false);
    }
    expect(await a.asks(b, "kill_child", ["ada", hash])).toBe(true);
    expect(await b.who(browser)).toBeUndefined();
    expect([await b.who(phone), await b.who(other)]).toMatchObject([
      { home: "https://alpha.test" },
      { home: "https://gamma.test" },
    ]);
    expect(await a.asks(b, "kill_child", ["ada", hash])).toBe(false);
    expect(b.sessions.all()).toHaveLength(2);
  });

  it("SEC-065 users of the site itself are out of reach", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    await b.login(browser, "bea");
    for (const username of ["bea", "ada", "1"]) {
      expect(await a.asks(b, "kill_child", [username, hashOf(browser)])).toBe(false);
    }
    expect(await b.who(browser)).toMatchObject({ username: "bea" });
    // And a row of bea as a visitor at alpha is none of a visitor here.
    await browser.get(b.host.sso.linkTo(await b.peer(a)));
    expect(await a.asks(b, "kill_child", ["bea", hashOf(browser)])).toBe(false);
  });
});

describe("a peer that is none any more", () => {
  it.each(["suspend", "remove"] as const)("SEC-054 %s ends its users' sessions here, and no others", async (verb) => {
    await using sites = await pair();
    const { a, b, all, browser } = sites;
    const c = await all.site("https://gamma.test");
    await all.network.connect(c.host, b.host, BOTH);
    const [other, local] = [all.network.browser(), all.network.browser()];
    await c.login(other);
    await other.get(c.host.sso.linkTo(await c.peer(b)));
    await sites.jump();
    await b.login(local, "bea");
    await local.get(b.host.sso.linkTo(await b.peer(a)), stay);
    await b.host.peers[verb](await b.peer(a));
    expect(await b.who(browser)).toBeUndefined();
    expect([await b.who(other), await b.who(local)]).toMatchObject([
      { home: "https://gamma.test" },
      { username: "bea" },
    ]);
    expect((await sharedBy(b.store)).map(({ role, username }) => [role, username])).toEqual([["sp", "ada"]]);
    await expect(a.asks(b, "kill_child", ["ada", hashOf(browser)])).rejects.toThrow();
  });
});

describe("several processes", () => {
  it("SEC-077 what was queued survives a restart, and is told by the next host", async () => {
    const directory = mkdtempSync(join(tmpdir(), "mnet-"));
    const file = `sqlite:${join(directory, "a.db")}`;
    try {
      await using sites = await pair({ alpha: { host: { store: openStore(file) } } });
      const { a, b, network } = sites;
      await sites.jump();
      network.fail(b.host.wwwroot, "unreachable");
      await a.host.sso.logout(a.sessions.all()[0]!.id);
      await a.host.close();
      expect(b.sessions.all()).toHaveLength(1);
      network.heal(b.host.wwwroot);
      const next = await network.host("https://alpha.test", {
        store: openStore(file),
        services: [
          (await import("../../../src/services/sso/sso.ts")).sso({ accounts: a.accounts, sessions: a.sessions }),
        ],
      });
      await network.clock.advance(10 * 60_000);
      const { jobsDone } = (await next.maintain()) as { readonly jobsDone?: number };
      expect(jobsDone).toBe(1);
      expect(b.sessions.all()).toEqual([]);
      expect(((await next.maintain()) as { readonly jobsDone?: number }).jobsDone ?? 0).toBe(0);
      await next.close();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("SEC-077 of several hosts on one store, one tells each site", async () => {
    const directory = mkdtempSync(join(tmpdir(), "mnet-"));
    const file = `sqlite:${join(directory, "a.db")}`;
    const all = await ssoNetwork();
    try {
      const { network } = all;
      const a = await all.site("https://alpha.test", { host: { store: openStore(file) } });
      const visited = await Promise.all(
        Array.from({ length: 8 }, (_, n) => all.scripted(`https://site${n}.test`, {}).then((site) => site)),
      );
      const browser = network.browser();
      await a.login(browser);
      for (const site of visited) {
        await network.connect(a.host, site.host, BOTH);
        await browser.get(a.host.sso.linkTo(await a.peer(site)), stay);
        network.fail(site.host.wwwroot, "unreachable");
      }
      await a.host.sso.logout(a.sessions.all()[0]!.id);
      await until(() => a.told("call.failed").length === visited.length);
      for (const site of visited) network.heal(site.host.wwwroot);
      await network.clock.advance(10 * 60_000);
      const { sso } = await import("../../../src/services/sso/sso.ts");
      const others = await Promise.all(
        [1, 2].map(() =>
          network.host("https://alpha.test", {
            store: openStore(file),
            services: [sso({ accounts: a.accounts, sessions: a.sessions })],
          }),
        ),
      );
      await Promise.all([a.host, ...others].map((host) => host.maintain()));
      expect(visited.map((site) => site.called("kill_child").length)).toEqual(visited.map(() => 1));
      await Promise.all(others.map((host) => host.close()));
    } finally {
      await all[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    }
  });
});

it("SEC-077 host.sso.sessions lists what is shared and has not expired", async () => {
  await using sites = await pair();
  const { a, b, network } = sites;
  await sites.jump();
  const all = [];
  for await (const session of b.host.sso.sessions({ peer: await b.peer(a) })) all.push(session);
  expect(all).toMatchObject([{ role: "sp", username: "ada", peer: { wwwroot: "https://alpha.test" } }]);
  await network.clock.advance(1_440_000);
  for await (const session of b.host.sso.sessions()) throw new Error(`${session.username} is still listed.`);
  await endAll(b);
});
