import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sso } from "../../../src/services/sso/sso.ts";
import { openStore } from "../../../src/stores/open-store.ts";
import type { XmlRpcValue } from "../../../src/xmlrpc/value.ts";
import { ADA, BEA, BOTH, pair, scriptedPair, settle, ssoNetwork } from "../../support/sso-sites.ts";

const MINUTE = 60_000;
const stay = { followRedirects: false } as const;

describe("keepalive_server", () => {
  it("MNET-121 keeps the sessions of the caller's visitors, at home and shared, and says who is not there", async () => {
    await using sites = await pair();
    const { a, b, network } = sites;
    await sites.jump();
    await network.clock.advance(20 * MINUTE);
    expect(await b.asks(a, "keepalive_server", [["ada"]])).toEqual({ code: 0, message: "All ok", "last log id": "0" });
    const [row] = (await a.store.sessions.find({ role: "idp" }, undefined, 2)).items;
    expect(row!.expiresAt).toBe(network.clock.now() + 24 * MINUTE);
    const ids = a.sessions.all().map(({ id }) => id);
    expect(await a.sessions.activeSince(ids, new Date(network.clock.now()))).toEqual(ids);
    expect(await b.asks(a, "keepalive_server", [["ada", "nobody", "<b>"]])).toEqual({
      code: 1,
      message: "We failed to refresh the session for the following usernames: \nnobody\n<b>\n\n",
      "last log id": "0",
    });
    expect(await b.asks(a, "keepalive_server", [[]])).toMatchObject({ code: 0 });
  });

  it("MNET-121 SEC-065 another peer keeps nobody alive", async () => {
    await using sites = await pair();
    const { a, b, all, network } = sites;
    const c = await all.site("https://gamma.test");
    await network.connect(a.host, c.host, BOTH);
    await sites.jump();
    const before = await a.store.sessions.find({}, undefined, 5);
    await network.clock.advance(MINUTE);
    expect(await c.asks(a, "keepalive_server", [["ada"]])).toMatchObject({ code: 1 });
    expect(await a.store.sessions.find({}, undefined, 5)).toEqual(before);
    const ids = a.sessions.all().map(({ id }) => id);
    expect(await a.sessions.activeSince(ids, new Date(network.clock.now()))).toEqual([]);
    expect(await b.asks(a, "keepalive_server", [["ada"]])).toMatchObject({ code: 0 });
  });

  it("MNET-121 what has expired stays so: to the millisecond", async () => {
    for (const [elapsed, code] of [
      [24 * MINUTE - 1, 0],
      [24 * MINUTE, 1],
    ] as const) {
      await using sites = await pair();
      await sites.jump();
      await sites.network.clock.advance(elapsed);
      expect(await sites.b.asks(sites.a, "keepalive_server", [["ada"]])).toMatchObject({ code });
    }
  });
});

describe("refresh_log and fetch_theme_info", () => {
  it("MNET-122 refresh_log answers All ok to whatever comes", async () => {
    await using sites = await pair();
    for (const entries of [[], [{ remoteid: 1, info: "<b>" }], "x", { a: 1 }]) {
      expect(await sites.b.asks(sites.a, "refresh_log", [entries])).toEqual({ code: 0, message: "All ok" });
    }
    expect(await sites.b.asks(sites.a, "fetch_theme_info", [])).toEqual({ themename: "alpha.test", logourl: "" });
  });
});

describe("keeping alive", () => {
  it("MNET-121 a visitor who is active stays logged in at home; one who is not does not", async () => {
    await using sites = await pair({ alpha: { users: [ADA, { ...ADA, username: "eve" }] } });
    const { a, b, network } = sites;
    const idle = network.browser();
    await a.login(idle, "eve");
    await idle.get(a.host.sso.linkTo(await a.peer(b)));
    await sites.jump();
    for (let minute = 0; minute < 60; minute += 1) {
      await network.clock.advance(MINUTE);
      // A click each minute.
      const ada = b.sessions.all().find(({ accountId }) => accountId !== b.sessions.all()[0]!.accountId)!;
      await b.sessions.touch([ada.id]);
      await b.host.maintain();
    }
    const now = network.clock.now();
    const { items } = await a.store.sessions.find({ role: "idp" }, undefined, 5);
    expect(items.map(({ username, expiresAt }) => [username, expiresAt > now]).sort()).toEqual([
      ["ada", true],
      ["eve", false],
    ]);
    const shared = (await b.store.sessions.find({ role: "sp" }, undefined, 5)).items;
    expect(shared.find(({ username }) => username === "ada")!.expiresAt).toBeGreaterThan(now);
  });

  it("MNET-121 only those whom the application calls active, at most 500 names in a call, five minutes apart", async () => {
    const asked: number[] = [];
    await using sites = await scriptedPair(
      {},
      {
        users: [],
        spoilSessions: () => ({
          activeSince: async (ids, since) => {
            asked.push(sites.network.clock.now() - since.getTime());
            return ids.filter((id) => Number(id.slice(1)) % 2 === 0);
          },
        }),
      },
    );
    const { idp, b, network } = sites;
    const home = await b.peer(idp);
    const now = network.clock.now();
    for (let n = 0; n < 1203; n += 1) {
      const shared = { role: "sp", peer: home.id, userAgentHash: "0".repeat(40), startedAt: now } as const;
      const one = { accountId: `${n}`, username: `user${n}`, sessionId: `s${n}`, expiresAt: now + 24 * MINUTE };
      await b.store.sessions.save({ ...shared, ...one });
    }
    await b.host.maintain();
    const calls = idp.called("keepalive_server") as readonly (readonly string[])[];
    expect(calls.length).toBeGreaterThan(1);
    expect(Math.max(...calls.map((names) => names.length))).toBeLessThanOrEqual(500);
    const names = calls.flat();
    expect(names).toHaveLength(602);
    expect(new Set(names).size).toBe(602);
    expect(names.every((name) => Number(name.slice(4)) % 2 === 0)).toBe(true);
    expect(new Set(asked)).toEqual(new Set([5 * MINUTE]));
    await b.host.maintain();
    await network.clock.advance(5 * MINUTE - 1);
    await b.host.maintain();
    expect(idp.called("keepalive_server")).toHaveLength(calls.length);
    await network.clock.advance(1);
    await b.host.maintain();
    expect(idp.called("keepalive_server")).toHaveLength(2 * calls.length);
  });

  it("MNET-121 a home site that fails holds up nobody else, and is asked once a round", async () => {
    const all = await ssoNetwork();
    await using _ = all;
    const { network } = all;
    const b = await all.site("https://beta.test", { users: [BEA] });
    const homes = await Promise.all(
      ["https://one.test", "https://two.test"].map((wwwroot) => all.scripted(wwwroot, {})),
    );
    for (const home of homes) {
      await network.connect(b.host, home.host, BOTH);
      const browser = network.browser();
      await browser.get(`https://beta.test/auth/mnet/land.php?token=1&idp=${home.wwwroot}&wantsurl=/`, stay);
    }
    network.fail(homes[0]!.host.wwwroot, "unreachable");
    await b.host.maintain();
    expect(homes.map((home) => home.called("keepalive_server").length)).toEqual([0, 1]);
    const failed = b.told("call.failed").filter(({ method }) => method.endsWith("keepalive_server"));
    expect(failed).toHaveLength(1);
    expect(b.told("request.failed")).toEqual([]);
  });

  it("MNET-121 an answer that says no, or nothing, changes nothing", async () => {
    await using sites = await scriptedPair({
      keepalive: () => ({ code: 1, message: "failed", "last log id": " 7 " }),
    });
    await sites.land();
    await sites.b.host.maintain();
    expect(sites.idp.called("keepalive_server")).toEqual([["ada"]]);
    expect(sites.b.told("maintenance.failed" as never)).toEqual([]);
  });

  it("MNET-121 without sso_idp on the home site it is not asked", async () => {
    await using sites = await scriptedPair();
    await sites.land();
    await sites.b.host.peers.setServices(await sites.b.peer(sites.idp), { sso_idp: "off" });
    await sites.b.host.maintain();
    expect(sites.idp.called("keepalive_server")).toEqual([]);
  });

  it("MNET-121 of several hosts on one store, one keeps alive", async () => {
    const directory = mkdtempSync(join(tmpdir(), "mnet-"));
    try {
      const file = `sqlite:${join(directory, "b.db")}`;
      await using sites = await scriptedPair({}, { host: { store: openStore(file) } });
      const { b, idp, network } = sites;
      await sites.land();
      const hosts = await Promise.all(
        [1, 2, 3].map(() =>
          network.host("https://beta.test", {
            store: openStore(file),
            services: [sso({ accounts: b.accounts, sessions: b.sessions })],
          }),
        ),
      );
      await Promise.all([b.host, ...hosts].map((host) => host.maintain()));
      expect(idp.called("keepalive_server")).toEqual([["ada"]]);
      await Promise.all(hosts.map((host) => host.close()));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("MNET-121 keepalive_client makes it happen now, for the caller's users, once at a time", async () => {
    await using sites = await scriptedPair();
    const { b, idp, all, network } = sites;
    await sites.land();
    const c = await all.scripted("https://other.test", {});
    await network.connect(b.host, c.host, BOTH);
    const ask = async (site: typeof idp) =>
      site.host.call(await site.host.peers.get(b.wwwroot), "auth/mnet/auth.php/keepalive_client", [], {
        unchecked: true,
      });
    expect(await ask(c)).toBe(true);
    await settle();
    expect([idp.calls.length, c.calls]).toEqual([1, []]);
    expect(await Promise.all([ask(idp), ask(idp), ask(idp)])).toEqual([true, true, true]);
    await b.host.close();
    const kept = idp.called("keepalive_server");
    expect(kept.length).toBeGreaterThanOrEqual(1);
    expect(kept.length).toBeLessThanOrEqual(3);
    expect(kept[0]).toEqual(["ada"]);
  });
});

describe("with a Mahara", () => {
  it("MNET-112 SEC-063 a Mahara asks once per institution: three times with the same answer, then no more", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    const token = new URL(await sites.landUrl()).searchParams.get("token")!;
    const hash = createHash("sha1").update(browser.userAgent).digest("hex");
    const answers: XmlRpcValue[] = [];
    for (let institution = 0; institution < 3; institution += 1) {
      answers.push(await b.asks(a, "user_authorise", [token, hash]));
      await sites.network.clock.advance(1000);
    }
    expect(answers[0]).toHaveProperty("username", "ada");
    expect(answers.every((answer) => JSON.stringify(answer) === JSON.stringify(answers[0]))).toBe(true);
    await expect(b.asks(a, "user_authorise", [token, hash])).rejects.toMatchObject({ faultCode: 1 });
  });

  it("MNET-110 MNET-111 a user of ours is sent to Mahara's page, with Mahara's parameters", async () => {
    await using sites = await pair();
    const { a, b } = sites;
    const record = (await a.store.peers.find((await a.peer(b)).id))!;
    await a.store.peers.update({ ...record, application: "mahara" });
    await sites.network.clock.advance(MINUTE);
    await a.login(sites.browser);
    const landing = new URL(await sites.landUrl("/view/1"));
    expect(landing.pathname).toBe("/auth/xmlrpc/land.php");
    expect([...landing.searchParams.keys()]).toEqual(["token", "idp", "wantsurl"]);
    // And it arrives, for the page is known by both names.
    expect((await sites.browser.get(landing.href, stay)).header("location")).toBe("https://beta.test/view/1");
  });
});
