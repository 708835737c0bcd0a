import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeHandler } from "../../../src/adapters/node-handler.ts";
import { RemoteFault } from "../../../src/core/errors.ts";
import { openStore } from "../../../src/stores/open-store.ts";
import { ADA, BOTH, everythingTold, pair, type Pair } from "../../support/sso-sites.ts";
import type { XmlRpcStruct } from "../../../src/xmlrpc/value.ts";

const sha1 = (text: string): string => createHash("sha1").update(text, "latin1").digest("hex");
const stay = { followRedirects: false } as const;

/** What a redemption came to: a name, or the code of the fault. */
async function redeem(
  { a, b, browser }: Pair,
  token: string,
  { by = b, hash = sha1(browser.userAgent) }: { readonly by?: Pair["b"]; readonly hash?: string } = {},
): Promise<unknown> {
  return by.asks(a, "user_authorise", [token, hash]).then(
    (user) => (user as XmlRpcStruct)["username"],
    (error: unknown) => (error instanceof RemoteFault ? error.faultCode : error),
  );
}
const tokenIn = (url: string): string => new URL(url).searchParams.get("token")!;

describe("user_authorise", () => {
  it("MNET-112 MNET-113 tells who she is, and only what may travel", async () => {
    await using sites = await pair({
      alpha: {
        users: [
          {
            ...ADA,
            city: "London",
            department: "Engines",
            other: { mailformat: "1", password: "hunter2", secret: "s", id: "1", phone1: "555" },
          },
        ],
      },
    });
    const { a, b } = sites;
    const user = await b.asks(a, "user_authorise", [tokenIn(await sites.landUrl()), sha1(sites.browser.userAgent)]);
    expect(user).toEqual({
      auth: "mnet",
      username: "ada",
      email: "ada@alpha.test",
      firstname: "Ada",
      lastname: "Lovelace",
      city: "London",
      wwwroot: "https://alpha.test",
      "session.gc_maxlifetime": "1440",
      picture: "0",
      myhosts: [],
    });
  });

  it("MNET-113 SEC-060 the peer's own list decides, and never what must not travel", async () => {
    const never = ["id", "mnethostid", "deleted", "confirmed", "password", "secret", "lastip", "suspended", "theme"];
    const other = { mailformat: "1", maildisplay: "2", ...Object.fromEntries(never.map((name) => [name, "x"])) };
    await using sites = await pair({
      alpha: { users: [{ ...ADA, city: "London", other }], host: { peerDefaults: { exportFields: ["mailformat"] } } },
    });
    const { a, b, browser } = sites;
    const columns = async (): Promise<readonly string[]> =>
      Object.keys(
        (await b.asks(a, "user_authorise", [tokenIn(await sites.landUrl()), sha1(browser.userAgent)])) as XmlRpcStruct,
      ).sort();
    const forced = [
      "auth",
      "email",
      "firstname",
      "lastname",
      "myhosts",
      "session.gc_maxlifetime",
      "username",
      "wwwroot",
    ];
    expect(await columns()).toEqual([...forced, "mailformat"].sort());
    const peer = await a.peer(b);
    await a.host.peers.set(peer, { exportFields: ["city", "maildisplay", "username"] });
    expect(await columns()).toEqual([...forced, "city", "maildisplay"].sort());
    await a.host.peers.set(peer, { exportFields: [] });
    expect(await columns()).toEqual(forced);
    for (const field of [...never, "__proto__"]) {
      await expect(a.host.peers.set(peer, { exportFields: [field] })).rejects.toMatchObject({
        code: "MNET_CONFIG_INVALID",
      });
      await expect(a.host.peers.set(peer, { importFields: [field] })).rejects.toMatchObject({
        code: "MNET_CONFIG_INVALID",
      });
    }
    await a.host.peers.set(peer, { exportFields: null });
    expect(await columns()).toEqual([...forced, "mailformat"].sort());
  });

  it("MNET-112 SEC-062 unknown, guessed, cut, padded and foreign tokens are one fault, and told", async () => {
    await using sites = await pair();
    const token = tokenIn(await sites.landUrl());
    for (const wrong of [
      "",
      "0".repeat(40),
      token.slice(0, -1),
      `${token}0`,
      token.toUpperCase().replace(/^[0-9A-F]*$/, (all) => (all === token ? "x" : all)),
      ` ${token}`,
      `${token}\n`,
      "' or '1'='1",
      "%",
      "日本語",
      "x".repeat(10_000),
    ]) {
      expect(await redeem(sites, wrong)).toBe(1);
    }
    expect(sites.a.told("sso.refused")).toHaveLength(11);
    const exchanges = sites.a.told("sso.refused").map(({ exchange }) => exchange);
    expect(exchanges).toEqual(sites.a.told("call.served").map(({ exchange }) => exchange));
    expect(new Set([...exchanges, undefined]).size).toBe(12);
    expect(sites.a.told("sso.refused")[0]).toMatchObject({
      code: "MNET_SSO_TOKEN_REFUSED",
      peer: { wwwroot: "https://beta.test" },
    });
    // None of it has used up the right one.
    expect(await redeem(sites, token)).toBe("ada");
  });

  it("SEC-062 SEC-074 another peer cannot redeem it, is told of, and uses nothing up", async () => {
    await using sites = await pair();
    const { a, all } = sites;
    const c = await all.site("https://gamma.test", { users: [] });
    await all.network.connect(a.host, c.host, BOTH);
    const token = tokenIn(await sites.landUrl());
    for (let attempt = 0; attempt < 5; attempt += 1) expect(await redeem(sites, token, { by: c })).toBe(1);
    expect(a.told("sso.refused")).toMatchObject(
      Array.from({ length: 5 }, () => ({ peer: { wwwroot: "https://gamma.test" }, code: "MNET_SSO_TOKEN_REFUSED" })),
    );
    expect(await redeem(sites, token)).toBe("ada");
    // Mixed up: the browser brings beta's token to gamma.
    const landing = new URL(await sites.landUrl());
    const page = await sites.browser.get(`https://gamma.test/auth/mnet/land.php${landing.search}`, stay);
    expect([page.status, page.text.includes("MNET_SSO_TOKEN_REFUSED")]).toEqual([403, true]);
    expect(await c.who(sites.browser)).toBeUndefined();
  });

  it("MNET-112 the browser is the one that jumped: by the hash of its header, in any case of its digits", async () => {
    await using sites = await pair();
    const token = tokenIn(await sites.landUrl());
    const hash = sha1(sites.browser.userAgent);
    for (const wrong of ["", sha1(""), sha1(`${sites.browser.userAgent} `), hash.slice(1), `${hash}0`]) {
      expect(await redeem(sites, token, { hash: wrong })).toBe(1);
    }
    expect(await redeem(sites, token, { hash: hash.toUpperCase() })).toBe("ada");
  });

  it("MNET-112 SEC-062 a stolen link does not work in another browser", async () => {
    await using sites = await pair();
    const landing = await sites.landUrl();
    const thief = sites.network.browser({ userAgent: sites.browser.userAgent.toLowerCase() });
    const page = await thief.get(landing, stay);
    expect([page.status, page.text.includes("User-Agent")]).toEqual([403, true]);
    expect((await sites.browser.get(landing, stay)).status).toBe(303);
  });

  it("SEC-063 a token lives 30 s: not a millisecond longer", async () => {
    for (const [elapsed, outcome] of [
      [29_999, "ada"],
      [30_000, 2],
      [30_001, 2],
      [3_600_000, 2],
    ] as const) {
      await using sites = await pair();
      const token = tokenIn(await sites.landUrl());
      await sites.network.clock.advance(elapsed);
      expect([elapsed, await redeem(sites, token)]).toEqual([elapsed, outcome]);
    }
  });

  it("SEC-063 three times within ten seconds, for a Mahara asks once per institution; then no more", async () => {
    await using sites = await pair();
    const { clock } = sites.network;
    const token = tokenIn(await sites.landUrl());
    expect(await redeem(sites, token)).toBe("ada");
    await clock.advance(9_000);
    expect(await redeem(sites, token)).toBe("ada");
    expect(await redeem(sites, token)).toBe("ada");
    expect(await redeem(sites, token)).toBe(1);

    const late = tokenIn(await sites.landUrl());
    // The grace begins with the first use, and goes on after the token's own end.
    await clock.advance(29_000);
    expect(await redeem(sites, late)).toBe("ada");
    await clock.advance(9_999);
    expect(await redeem(sites, late)).toBe("ada");
    await clock.advance(1);
    expect(await redeem(sites, late)).toBe(1);
    expect(sites.a.told("sso.refused").at(-1)?.detail).toContain("used before");
  });

  it("SEC-063 MNET-112 without a grace, one of many at once", async () => {
    await using sites = await pair({ alpha: { tokenGrace: { uses: 1, withinMs: 0 } } });
    const token = tokenIn(await sites.landUrl());
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => redeem(sites, token)));
    expect(outcomes.filter((outcome) => outcome === "ada")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 1)).toHaveLength(19);
  });

  it("SEC-063 SEC-077 whoever has logged out since she jumped does not arrive", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    const landing = await sites.landUrl();
    await a.host.sso.logout(a.sessions.all()[0]!.id);
    const page = await browser.get(landing, stay);
    expect([page.status, page.text.includes("MNET_SSO_TOKEN_REFUSED")]).toEqual([403, true]);
    expect(await b.who(browser)).toBeUndefined();
    expect(a.told("sso.refused")).toMatchObject([{ detail: "The user has logged out meanwhile." }]);
  });

  it("MNET-112 fault 3 when the account is gone, or lost her e-mail address", async () => {
    for (const change of ["gone", "no mail"] as const) {
      let isOver = false;
      await using sites = await pair({
        alpha: {
          spoilAccounts: (accounts) => ({
            find: async (id) => (isOver && change === "gone" ? undefined : accounts.find(id)),
            profile: async (account) => ({ ...(await accounts.profile(account)), ...(isOver && { email: "" }) }),
          }),
        },
      });
      const token = tokenIn(await sites.landUrl());
      isOver = true;
      expect(await redeem(sites, token)).toBe(3);
    }
  });

  it("MNET-112 a peer that sso_idp is not published to is answered as by a Moodle", async () => {
    await using sites = await pair();
    const token = tokenIn(await sites.landUrl());
    await sites.a.host.peers.setServices(await sites.a.peer(sites.b), { sso_idp: "off" });
    expect([707, 7012]).toContain(await redeem(sites, token));
    const page = await sites.jump("/", stay);
    const landed = await sites.browser.get(page.header("location")!, stay);
    expect(landed.text).toContain("MNET_SSO_NOT_CONFIGURED");
    expect(landed.text).toContain("https://alpha.test");
  });

  it("MNET-113 myhosts counts the user's courses here and at the caller", async () => {
    const course = { id: 1, name: "One", category: { id: 1, name: "All" } };
    await using sites = await pair({
      alpha: {
        enrolments: {
          ofAccount: async () => [{ course, roleName: "student", method: "mnet", changedAt: new Date(0) }] as never,
        },
      },
    });
    const { a, b } = sites;
    const user = (await b.asks(a, "user_authorise", [
      tokenIn(await sites.landUrl()),
      sha1(sites.browser.userAgent),
    ])) as XmlRpcStruct;
    expect(user["myhosts"]).toEqual([{ name: "alpha.test", url: "https://alpha.test", count: 1 }]);
  });

  it("SEC-075 SEC-061 no token is in any event, log entry, error or page of either side", async () => {
    const directory = mkdtempSync(join(tmpdir(), "mnet-"));
    try {
      const store = openStore(`sqlite:${join(directory, "a.db")}`);
      await using sites = await pair({ alpha: { host: { store } } });
      const { a, b, browser } = sites;
      const urls = [await sites.landUrl(), await sites.landUrl(), await sites.landUrl(), await sites.landUrl()];
      const [good, late, killed, stolen] = urls.map(tokenIn);
      const pages = [await browser.get(urls[0]!, stay), await browser.get(urls[0]!, stay)];
      pages.push(await sites.network.browser({ userAgent: "x" }).get(urls[3]!, stay));
      pages.push(await browser.get(`${urls[0]!}&token=2`, stay), await browser.get(`${urls[3]!}&idp=2`, stay));
      await a.host.sso.logout(a.sessions.all()[0]!.id);
      pages.push(await browser.get(urls[2]!, stay));
      await sites.network.clock.advance(60_000);
      pages.push(await browser.get(urls[1]!, stay));
      sites.network.fail(a.host.wwwroot, "unreachable");
      pages.push(await browser.get(urls[3]!, stay));
      sites.network.heal(a.host.wwwroot);
      await Promise.all([a.host.maintain(), b.host.maintain()]);
      const told =
        (await everythingTold(a)) +
        (await everythingTold(b)) +
        JSON.stringify(pages.map((page) => [page.text, page.header("set-cookie")]));
      expect(told).toContain("sso.landed");
      expect(told).toContain("MNET_SSO_TOKEN_REFUSED");
      for (const token of [good, late, killed, stolen]) expect(told).not.toContain(token);
      await a.host.close();
      const { readFileSync } = await import("node:fs");
      const file = readFileSync(join(directory, "a.db"), "latin1");
      expect(file).toContain("sso.jumped");
      for (const token of [good, late, killed, stolen]) expect(file).not.toContain(token);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("the hash of the browser", () => {
  /** What the bytes of a header come to at both ends, over a real socket. */
  async function hashOver(bytes: Buffer | undefined): Promise<string> {
    await using sites = await pair();
    const { a } = sites;
    const server = createServer(nodeHandler(a.host)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      const cookie = `session=${a.sessions.all()[0]!.id}`;
      await new Promise<void>((resolve, reject) => {
        const headers = { cookie, ...(bytes && { "user-agent": bytes.toString("latin1") }) };
        const { port } = server.address() as AddressInfo;
        httpRequest({ port, path: "/auth/mnet/jump.php?hostwwwroot=https://beta.test", headers }, (response) => {
          response.resume().once("end", resolve);
        })
          .once("error", reject)
          .end();
      });
      const { items } = await a.store.sessions.find({ role: "idp" }, undefined, 2);
      return items[0]!.userAgentHash;
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it.each([
    ["text", Buffer.from("Mozilla/5.0")],
    ["UTF-8", Buffer.from("Zoë 日本語 😀")],
    ["Latin-1", Buffer.from("Zo\u00eb", "latin1")],
    ["nothing", undefined],
  ])("MNET-112 is that of the header's own bytes, as in PHP: %s", async (_, bytes) => {
    const expected = createHash("sha1")
      .update(bytes ?? "")
      .digest("hex");
    expect(await hashOver(bytes)).toBe(expected);
  });
});
