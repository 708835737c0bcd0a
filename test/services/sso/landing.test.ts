import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeHandler } from "../../../src/adapters/node-handler.ts";
import { ADA, BEA, BOTH, pair, scriptedPair, ssoNetwork } from "../../support/sso-sites.ts";
import { LEAVING, STAYING } from "../../support/wanted-urls.ts";

const stay = { followRedirects: false } as const;

describe("the landing", () => {
  it("MNET-114 MNET-115 a user arrives, logged in as herself, where she wanted to be", async () => {
    await using sites = await pair();
    const page = await sites.jump("/course/view.php?id=7#a");
    expect(page.redirects.at(-1)).toBe("https://beta.test/course/view.php?id=7#a");
    const { a, b, browser } = sites;
    expect(await b.who(browser)).toMatchObject({ username: "ada", home: "https://alpha.test" });
    expect(b.told("sso.landed")).toMatchObject([{ created: true, peer: { wwwroot: "https://alpha.test" } }]);
    await sites.jump();
    expect(b.told("sso.landed").map(({ created }) => created)).toEqual([true, false]);
    // Her session at home is untouched.
    expect(await a.who(browser)).toMatchObject({ username: "ada" });
  });

  it("MNET-114 the idp may come unencoded, as Moodle and Mahara send it, at both forms of the page", async () => {
    for (const path of ["/auth/mnet/land.php", "/auth/xmlrpc/land.php"]) {
      await using sites = await pair();
      const token = new URL(await sites.landUrl()).searchParams.get("token")!;
      const page = await sites.browser.get(
        `https://beta.test${path}?token=${token}&idp=https://alpha.test&wantsurl=/a?b=1`,
        stay,
      );
      expect([page.status, page.header("location")]).toEqual([303, "https://beta.test/a?b=1"]);
    }
  });

  it.each([
    ["", 403],
    ["https://evil.test", 403],
    ["https://ALPHA.test", 403],
    ["https://alpha.test/", 403],
    ["http://alpha.test", 403],
    ["https://alpha.test\u0000", 403],
    [" https://alpha.test", 403],
    ["https://alpha.test/moodle", 403],
    ["alpha.test", 403],
    ["' or 1=1 --", 403],
    ["1", 403],
    ["<script>alert(1)</script>", 403],
    ["https://beta.test", 403],
    ["x".repeat(5000), 403],
  ])("MNET-114 an idp that is no peer is refused: %j", async (idp, status) => {
    await using sites = await scriptedPair();
    const page = await sites.land({ idp });
    expect([page.status, page.header("location"), page.header("set-cookie")]).toEqual([status, undefined, undefined]);
    expect(page.text).toContain("MNET_SSO_IDP_UNKNOWN");
    expect(page.text).not.toContain("<script>");
    expect(sites.idp.calls).toEqual([]);
  });

  it.each(["suspended", "deleted"])("MNET-114 SEC-054 a %s peer is none", async (state) => {
    await using sites = await scriptedPair();
    const peer = await sites.b.peer(sites.idp);
    await (state === "suspended" ? sites.b.host.peers.suspend(peer) : sites.b.host.peers.remove(peer));
    const page = await sites.land();
    expect([page.status, page.text.includes("MNET_SSO_IDP_UNKNOWN")]).toEqual([403, true]);
    expect(sites.idp.calls).toEqual([]);
  });

  it.each(["", "a b", "a-b", "é", "x".repeat(256), "a\u0000", "<b>", "token%00"])(
    "SEC-074 what cannot be a token asks nobody: %j",
    async (token) => {
      await using sites = await scriptedPair();
      const page = await sites.land({ token });
      expect([page.status, page.text.includes("MNET_SSO_REQUEST_INVALID")]).toEqual([400, true]);
      expect(sites.idp.calls).toEqual([]);
    },
  );

  it("MNET-114 without sso_idp subscribed there is no way in", async () => {
    await using sites = await scriptedPair();
    await sites.b.host.peers.setServices(await sites.b.peer(sites.idp), { sso_idp: "publish" });
    const page = await sites.land();
    expect([page.status, page.text.includes("MNET_SSO_NOT_CONFIGURED")]).toEqual([403, true]);
    expect(sites.idp.calls).toEqual([]);
  });

  it.each(["unreachable", "html", "empty", "garbage"] as const)(
    "MNET-114 a home site that is %s cannot be asked, and the page tells nothing of how",
    async (how) => {
      await using sites = await scriptedPair();
      sites.network.fail(sites.idp.host.wwwroot, how);
      const page = await sites.land();
      expect([page.status, page.text.includes("MNET_SSO_IDP_FAILED")]).toEqual([502, true]);
      expect(page.text).not.toMatch(/cannot be reached|xmlrpc|XML/);
      const [refused] = sites.b.told("sso.refused");
      expect(refused?.detail.length).toBeGreaterThan("https://home.test could not be asked who the user is.".length);
      const [failed] = sites.b.told("call.failed");
      expect([failed?.exchange, failed?.method]).toEqual([refused?.exchange, "auth/mnet/auth.php/user_authorise"]);
      expect(refused?.exchange).toBeDefined();
    },
  );

  it("SEC-070 a bogus landing keeps the session that is here", async () => {
    await using sites = await pair();
    const { b, browser } = sites;
    const bea = await b.login(browser, "bea");
    const [before] = b.sessions.all();
    for (const query of [
      `token=${"0".repeat(40)}&idp=https://alpha.test&wantsurl=/`,
      "token=&idp=https://alpha.test",
      "token=a&idp=https://evil.test",
      "token=a&token=b&idp=https://alpha.test",
    ]) {
      const page = await browser.get(`https://beta.test/auth/mnet/land.php?${query}`, stay);
      expect(page.status).toBeGreaterThanOrEqual(400);
      expect(page.header("set-cookie")).toBeUndefined();
    }
    expect(await b.who(browser)).toEqual(bea);
    expect(b.sessions.all()).toEqual([before]);
  });

  it("SEC-071 the session is a fresh one, and the one before is dead", async () => {
    await using sites = await pair();
    const { b, browser } = sites;
    // An id that somebody put there before.
    browser.setCookie(b.wwwroot, "session", "planted");
    await sites.jump();
    const first = browser.cookies("https://beta.test/")["session"];
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(b.sessions.all().map(({ id }) => id)).toEqual([first]);
    await sites.jump();
    const second = browser.cookies("https://beta.test/")["session"];
    expect(second).not.toBe(first);
    expect(b.sessions.all().map(({ id }) => id)).toEqual([second]);
    const { items } = await b.store.sessions.find({ role: "sp" }, undefined, 10);
    expect(items.map(({ sessionId }) => sessionId)).toEqual([second]);
  });

  it("SEC-054 a peer that is suspended while its user lands leaves no session", async () => {
    await using sites = await scriptedPair(
      {},
      {
        spoilSessions: ({ start }) => ({
          async start(browser, account) {
            const { b } = sites;
            await b.host.peers.suspend(await b.peer(sites.idp));
            return start(browser, account);
          },
        }),
      },
    );
    const page = await sites.land();
    expect([page.status, page.text.includes("MNET_SSO_IDP_UNKNOWN")]).toEqual([403, true]);
    expect(sites.b.sessions.all()).toEqual([]);
    expect((await sites.b.store.sessions.find({ role: "sp" }, undefined, 10)).items).toEqual([]);
    expect(sites.b.told("sso.landed")).toEqual([]);
  });
});

describe.each([
  ["https://sp.example.edu", "https://idp.example.edu"],
  ["https://sp.example.edu/moodle", "https://idp.example.edu/a/b"],
  ["http://sp.example.edu:8080/lms", "http://idp.example.edu:8081"],
])("where a landing at %s leads", (wwwroot, idpRoot) => {
  const below = (root: string) => new RegExp(`^${root.replaceAll(".", "\\.")}/(?!/)`);

  it("MNET-116 SEC-072 SEC-073 nowhere but on the site; with remoteurl, nowhere but on hers", async () => {
    await using sites = await scriptedPair({}, { wwwroot, idpRoot });
    for (const [remoteurl, root] of [
      ["", wwwroot],
      ["1", idpRoot],
    ] as const) {
      // A URL cannot hold half a surrogate pair.
      for (const wantsurl of LEAVING.filter((link) => !/\p{Cs}/u.test(link))) {
        const page = await sites.land({ wantsurl, ...(remoteurl && { remoteurl }) });
        expect([wantsurl, page.status, page.header("location")]).toEqual([wantsurl, 303, `${root}/`]);
      }
      for (const wantsurl of STAYING) {
        const page = await sites.land({ wantsurl, ...(remoteurl && { remoteurl }) });
        expect(page.status).toBe(303);
        expect(page.header("location")).toMatch(below(root));
        expect(page.header("location")).toBe(new URL(root + wantsurl).href);
      }
    }
  });

  it("SEC-072 SEC-073 own addresses are paths, also with remoteurl; the other site's are not", async () => {
    await using sites = await scriptedPair({}, { wwwroot, idpRoot });
    const to = async (wantsurl: string, remoteurl?: string) =>
      (await sites.land({ wantsurl, ...(remoteurl !== undefined && { remoteurl }) })).header("location");
    expect(await to(`${wwwroot}/x?y`)).toBe(`${wwwroot}/x?y`);
    expect(await to(`${idpRoot}/x`)).toBe(`${wwwroot}/`);
    expect(await to(`${idpRoot}/x`, "1")).toBe(`${idpRoot}/x`);
    expect(await to(`${wwwroot}/x`, "1")).toBe(`${idpRoot}/`);
    expect(await to("/x", "false")).toBe(`${wwwroot}/x`);
    expect(await to("/x", "true")).toBe(`${idpRoot}/x`);
  });

  it("SEC-072 any string", async () => {
    await using sites = await scriptedPair({}, { wwwroot, idpRoot });
    const pieces = fc.constantFrom(
      "/",
      "\\",
      "..",
      "%2e",
      "@",
      ":8443",
      "?",
      "#",
      "evil.test",
      "\t",
      "\n",
      "／",
      "https:",
    );
    const strings = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join("")),
      fc.array(pieces, { maxLength: 8 }).map((parts) => `/${parts.join("")}`),
    );
    await fc.assert(
      fc.asyncProperty(strings, fc.boolean(), async (wantsurl, isRemote) => {
        const page = await sites.land({ wantsurl, ...(isRemote && { remoteurl: "1" }) });
        expect(page.status).toBe(303);
        expect(page.header("location")).toMatch(below(isRemote ? idpRoot : wwwroot));
        expect(page.header("location")).toMatch(/^[\x21-\x7e]+$/);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a landing while somebody else is logged in", () => {
  it("SEC-069 SEC-070 is asked about, and nothing changes before the answer", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    const bea = await b.login(browser, "bea");
    const before = b.sessions.all();
    const question = await sites.jump("/deep?x=1");
    expect(question.status).toBe(200);
    expect(question.text).toMatch(/<strong>ada<\/strong> of alpha\.test/);
    expect(question.text).toContain("<strong>bea</strong>");
    expect(question.text).not.toContain("token=");
    expect(await b.who(browser)).toEqual(bea);
    expect(b.sessions.all()).toEqual(before);
    expect(b.told("sso.landed")).toEqual([]);
    const landed = await browser.submit(question);
    expect(landed.redirects).toEqual(["https://beta.test/deep?x=1"]);
    expect(await b.who(browser)).toMatchObject({ username: "ada", home: a.wwwroot });
    expect(b.sessions.all()).toHaveLength(1);
    expect(b.sessions.all()[0]!.id).not.toBe(before[0]!.id);
    // The answer counts once.
    const again = await browser.submit(question, {}, stay);
    expect([again.status, again.text.includes("MNET_SSO_CONFIRMATION_NEEDED")]).toEqual([403, true]);
  });

  it("SEC-069 another site's visitor gives way with what she shares", async () => {
    await using sites = await pair();
    const { a, b, all, browser } = sites;
    const c = await all.site("https://gamma.test", { users: [{ ...ADA, username: "cyd" }] });
    await all.network.connect(c.host, b.host, BOTH);
    await c.login(browser, "cyd");
    await browser.get(c.host.sso.linkTo(await c.peer(b)));
    expect(await b.who(browser)).toMatchObject({ username: "cyd" });
    await browser.submit(await sites.jump());
    expect(await b.who(browser)).toMatchObject({ username: "ada" });
    const { items } = await b.store.sessions.find({ role: "sp" }, undefined, 10);
    expect(items.map(({ username, peer }) => [username, peer])).toEqual([["ada", (await b.peer(a)).id]]);
  });

  it("SEC-069 the same user is not asked", async () => {
    await using sites = await pair();
    await sites.jump();
    expect((await sites.jump("/x")).redirects.at(-1)).toBe("https://beta.test/x");
  });

  it("SEC-069 a question is answered by its browser, its User-Agent, its session, its site, and in time", async () => {
    const cases: Readonly<Record<string, (sites: Awaited<ReturnType<typeof pair>>, action: URL) => Promise<unknown>>> =
      {
        async "another browser"({ network, b }, action) {
          const thief = network.browser();
          await b.login(thief, "bea");
          return thief.post(action.href, {}, stay);
        },
        async "another User-Agent"({ browser }, action) {
          return browser.post(action.href, {}, { ...stay, headers: { "user-agent": "other" } });
        },
        async "another session"({ browser, b }, action) {
          await b.login(browser, "bea");
          return browser.post(action.href, {}, stay);
        },
        async "no session any more"({ browser, b }, action) {
          await b.sessions.end(b.sessions.all().map(({ id }) => id));
          return browser.post(action.href, {}, stay);
        },
        async "another idp"({ browser, b, all }, action) {
          const c = await all.site("https://gamma.test");
          await all.network.connect(c.host, b.host, BOTH);
          action.searchParams.set("idp", c.wwwroot);
          return browser.post(action.href, {}, stay);
        },
        async "a guessed code"({ browser }, action) {
          action.searchParams.set("confirm", "0".repeat(40));
          return browser.post(action.href, {}, stay);
        },
        async "no code"({ browser }, action) {
          action.searchParams.delete("confirm");
          return browser.post(action.href, {}, stay);
        },
        async "too late"({ browser, network }, action) {
          await network.clock.advance(5 * 60_000);
          return browser.post(action.href, {}, stay);
        },
        async "without the cookie"({ browser }, action) {
          const { session } = browser.cookies(action.href);
          const cookie = `session=${session}`;
          return browser.post(action.href, {}, { ...stay, headers: { cookie } });
        },
        async "with two cookies"({ browser }, action) {
          const all = Object.entries(browser.cookies(action.href)).map(([name, value]) => `${name}=${value}`);
          const [mark] = all.filter((pair) => pair.includes("mnet_landing"));
          return browser.post(action.href, {}, { ...stay, headers: { cookie: [...all, mark].join("; ") } });
        },
        async "a suspended home site"({ browser, a, b }, action) {
          await b.host.peers.suspend(await b.peer(a));
          return browser.post(action.href, {}, stay);
        },
      };
    for (const [name, attempt] of Object.entries(cases)) {
      await using sites = await pair();
      await sites.b.login(sites.browser, "bea");
      const question = await sites.jump();
      const action = new URL(/action="([^"]*)"/.exec(question.text)![1]!.replaceAll("&amp;", "&"));
      const page = (await attempt(sites, action)) as typeof question;
      expect([name, page.status, page.header("location")]).toEqual([name, 403, undefined]);
      expect([name, sites.b.told("sso.landed")]).toEqual([name, []]);
      expect((await sites.b.store.sessions.find({ role: "sp" }, undefined, 2)).items).toEqual([]);
    }
  });

  it("SEC-069 a tampered wantsurl of an answer stays on the site, too", async () => {
    await using sites = await pair();
    await sites.b.login(sites.browser, "bea");
    const question = await sites.jump();
    const action = new URL(/action="([^"]*)"/.exec(question.text)![1]!.replaceAll("&amp;", "&"));
    action.searchParams.set("wantsurl", "//evil.test");
    const page = await sites.browser.post(action.href, {}, stay);
    expect([page.status, page.header("location")]).toEqual([303, "https://beta.test/"]);
  });

  it("SEC-069 the token of a question is none of user_authorise", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    await b.login(browser, "bea");
    const question = await sites.jump();
    const code = new URL(/action="([^"]*)"/.exec(question.text)![1]!.replaceAll("&amp;", "&")).searchParams.get(
      "confirm",
    );
    const [secret] = Object.entries(browser.cookies(b.wwwroot)).flatMap(([name, value]) =>
      name.includes("mnet_landing") ? [value] : [],
    );
    const { createHash } = await import("node:crypto");
    const hash = createHash("sha1").update(browser.userAgent).digest("hex");
    // Even for whoever knows both, and how they are hashed.
    await expect(a.asks(b, "user_authorise", [JSON.stringify(["landing", code, secret]), hash])).rejects.toMatchObject({
      faultCode: 1,
    });
  });
});

describe("logins that begin here", () => {
  it("SEC-069 MNET-114 one bounce by way of the home site, to the deep link, without a question", async () => {
    await using sites = await pair({ beta: { landing: "confirm" } });
    const { b, browser } = sites;
    const [link] = await b.host.sso.identityProviders("/deep/page?x=1&y=2#z");
    expect(link).toMatchObject({ name: "alpha.test", peer: { wwwroot: "https://alpha.test" } });
    const page = await browser.get(link!.href);
    expect(page.redirects.map((url) => url.split("?")[0])).toEqual([
      "https://alpha.test/auth/mnet/jump.php",
      "https://beta.test/auth/mnet/land.php",
      "https://beta.test/deep/page",
    ]);
    expect(page.url).toBe("https://beta.test/deep/page?x=1&y=2#z");
    expect(await b.who(browser)).toMatchObject({ username: "ada" });
  });

  it("SEC-069 the mark is used up by the landing", async () => {
    await using sites = await pair({ beta: { landing: "confirm" } });
    const { b, browser } = sites;
    const [link] = await b.host.sso.identityProviders("/");
    await browser.get(link!.href);
    await b.sessions.end(b.sessions.all().map(({ id }) => id));
    expect((await sites.jump()).status).toBe(200);
    expect(await b.who(browser)).toBeUndefined();
  });

  it("SEC-069 the mark is for one home site, and ends after ten minutes", async () => {
    await using sites = await pair({ beta: { landing: "confirm" } });
    const { a, b, browser, all, network } = sites;
    const c = await all.site("https://gamma.test");
    await network.connect(c.host, b.host, BOTH);
    const [toA] = await b.host.sso.identityProviders("/");
    await browser.get(toA!.href, stay);
    await c.login(browser);
    expect((await browser.get(c.host.sso.linkTo(await c.peer(b)))).status).toBe(200);
    await network.clock.advance(600_000);
    expect((await browser.get(a.host.sso.linkTo(await a.peer(b)))).status).toBe(200);
    expect(b.told("sso.landed")).toEqual([]);
  });

  it.each(["cross-site", "same-site"])("SEC-069 one that a %s page began is not marked", async (site) => {
    await using sites = await pair({ beta: { landing: "confirm" } });
    const { b, browser } = sites;
    const [link] = await b.host.sso.identityProviders("/");
    // The attacker's page first begins a login in the victim's browser, then sends it to a landing of his own.
    const begun = await browser.get(link!.href, { ...stay, headers: { "sec-fetch-site": site } });
    expect([begun.status, begun.header("set-cookie")]).toEqual([303, undefined]);
    expect((await sites.jump()).status).toBe(200);
    expect(await b.who(browser)).toBeUndefined();
  });

  it("SEC-069 even so nobody takes another's place without a question", async () => {
    await using sites = await pair();
    const { b, browser } = sites;
    const bea = await b.login(browser, "bea");
    const [link] = await b.host.sso.identityProviders("/");
    expect((await browser.get(link!.href)).status).toBe(200);
    expect(await b.who(browser)).toEqual(bea);
  });

  it('SEC-069 landing "confirm" asks for every other landing', async () => {
    await using sites = await pair({ beta: { landing: "confirm" } });
    const question = await sites.jump("/x");
    expect(question.status).toBe(200);
    expect(await sites.b.who(sites.browser)).toBeUndefined();
    expect((await sites.browser.submit(question)).url).toBe("https://beta.test/x");
    expect(await sites.b.who(sites.browser)).toMatchObject({ username: "ada" });
    expect(sites.b.told("sso.landed")).toMatchObject([{ created: true }]);
  });

  it.each(["suspended", "deleted", "without sso_sp", "a Mahara"] as const)(
    "SEC-072 a login does not begin by way of a site that is %s",
    async (how) => {
      await using sites = await pair();
      const { a, b, browser } = sites;
      const peer = await b.peer(a);
      const { href } = (await b.host.sso.identityProviders("/"))[0]!;
      if (how === "suspended") await b.host.peers.suspend(peer);
      if (how === "without sso_sp") await b.host.peers.setServices(peer, { sso_sp: "subscribe" });
      if (how === "deleted") await b.host.peers.remove(peer);
      if (how === "a Mahara") {
        await b.store.peers.update({ ...(await b.store.peers.find(peer.id))!, application: "mahara" });
        // What the directory remembers is forgotten by then.
        await sites.network.clock.advance(60_000);
      }
      const page = await browser.get(href, stay);
      expect([page.status, page.header("location"), page.header("set-cookie")]).toEqual([403, undefined, undefined]);
      expect(page.text).toContain("MNET_SSO_NOT_CONFIGURED");
      expect(await b.host.sso.identityProviders("/")).toEqual([]);
    },
  );

  it("SEC-072 nor by way of one that is unknown", async () => {
    await using sites = await pair();
    for (const query of ["hostid=77", "", "hostwwwroot=https://evil.test"]) {
      const page = await sites.browser.get(`https://beta.test/auth/mnet/login.php?${query}`, stay);
      expect([page.status, page.header("location")]).toEqual([403, undefined]);
    }
  });

  it("SEC-069 cookies: not for scripts, not for others, not without TLS; and of this site alone", async () => {
    const all = await ssoNetwork();
    await using _ = all;
    const cookies: string[] = [];
    for (const wwwroot of ["https://one.test", "https://one.test:8443", "http://two.test", "http://two.test:8080"]) {
      const site = await all.site(wwwroot, { users: [BEA] });
      const idp = await all.scripted(wwwroot.replace("://", "://idp."), {});
      await all.network.connect(site.host, idp.host, BOTH);
      const [link] = await site.host.sso.identityProviders("/");
      const page = await all.network.browser().get(link!.href, stay);
      const cookie = page.header("set-cookie")!;
      expect(cookie).toMatch(/; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax(?:; Secure)?$/);
      expect(cookie.startsWith("__Host-") && cookie.endsWith("; Secure")).toBe(wwwroot.startsWith("https:"));
      cookies.push(cookie.split("=")[0]!);
    }
    expect(new Set(cookies).size).toBe(4);
  });
});

describe("over a socket", () => {
  it("SEC-069 SEC-075 cookies of the application and of ours arrive together, and a body does no harm", async () => {
    const sites = await pair({
      beta: {
        landing: "confirm",
        spoilSessions: () => ({
          async start({ raw }, account) {
            const { res } = raw as { readonly res: { setHeader(name: string, value: string): void } };
            res.setHeader("Set-Cookie", "app=1; Path=/");
            return { id: "s1", accountId: account.id };
          },
        }),
      },
    });
    await using _ = sites;
    const server = createServer(nodeHandler(sites.b.host)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const send = (
      method: string,
      path: string,
      cookie: string,
      body = "",
    ): Promise<{ status: number | undefined; headers: Readonly<Record<string, unknown>>; text: string }> =>
      new Promise((resolve, reject) => {
        const headers = { cookie, "user-agent": sites.browser.userAgent, "content-length": String(body.length) };
        httpRequest({ port, method, path, headers }, (response) => {
          let text = "";
          response
            .on("data", (chunk: Buffer) => (text += chunk.toString()))
            .once("end", () => {
              resolve({ status: response.statusCode, headers: response.headers, text });
            });
        })
          .once("error", reject)
          .end(body);
      });
    try {
      const landing = new URL(await sites.landUrl());
      const question = await send("GET", landing.pathname + landing.search, "");
      expect(question.status).toBe(200);
      const [mark] = (question.headers["set-cookie"] as string[]).map((line) => line.split(";")[0]!);
      const action = new URL(/action="([^"]*)"/.exec(question.text)![1]!.replaceAll("&amp;", "&"));
      const landed = await send("POST", action.pathname + action.search, mark!, "x=1&".repeat(100_000));
      expect([landed.status, landed.headers["location"]]).toEqual([303, "https://beta.test/"]);
      const set = landed.headers["set-cookie"] as string[];
      expect(set.map((line) => line.split("=")[0])).toEqual(["app", mark!.split("=")[0]]);
      expect(set[1]).toContain("Max-Age=0");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
