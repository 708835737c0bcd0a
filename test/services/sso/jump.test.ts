import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { SsoError } from "../../../src/core/errors.ts";
import { hashOfToken } from "../../../src/services/sso/tokens.ts";
import { ADA, BOTH, pair } from "../../support/sso-sites.ts";

const stay = { followRedirects: false } as const;
const JUMP = "https://alpha.test/auth/mnet/jump.php";

describe("the jump", () => {
  it("MNET-110 MNET-111 a user of ours is sent on with a token", async () => {
    await using sites = await pair();
    const land = new URL(await sites.landUrl("/course/view.php?id=7&x=a b#top"));
    expect(land.origin + land.pathname).toBe("https://beta.test/auth/mnet/land.php");
    expect([...land.searchParams.keys()]).toEqual(["token", "idp", "wantsurl"]);
    expect(land.searchParams.get("token")).toMatch(/^[0-9a-f]{40}$/);
    expect(land.searchParams.get("idp")).toBe("https://alpha.test");
    expect(land.searchParams.get("wantsurl")).toBe("/course/view.php?id=7&x=a b#top");
    expect(sites.a.told("sso.jumped")).toHaveLength(1);
  });

  it.each([
    ["hostid", (id: number) => `hostid=${id}`],
    ["hostwwwroot", () => "hostwwwroot=https://beta.test"],
    ["hostwwwroot with a slash", () => "hostwwwroot=https%3A%2F%2Fbeta.test%2F"],
    ["hostwwwroot with white space", () => "hostwwwroot=%20https://beta.test%20"],
    ["Mahara's wr", () => "wr=https://beta.test&ins=3"],
    ["hostid before hostwwwroot", (id: number) => `hostid=${id}&hostwwwroot=https://elsewhere.test`],
    ["what Moodle's login page adds", () => "hostwwwroot=https://beta.test&wantsurl=/x&remoteurl=1"],
    ["an empty hostid as none", () => "hostid=&hostwwwroot=https://beta.test"],
  ])("MNET-110 the site may be named by %s", async (_, query) => {
    await using sites = await pair();
    const { id } = await sites.a.peer(sites.b);
    for (const path of ["/auth/mnet/jump.php", "/auth/xmlrpc/jump.php"]) {
      const page = await sites.browser.get(`https://alpha.test${path}?${query(id)}`, stay);
      expect([page.status, page.header("location")?.split("?")[0]]).toEqual([
        303,
        "https://beta.test/auth/mnet/land.php",
      ]);
      // `remoteurl` of a jump means nothing (spec 9.2).
      expect(page.header("location")).not.toContain("remoteurl");
    }
  });

  it.each([
    "",
    "hostid=0",
    "hostid=01",
    "hostid=1e0",
    "hostid=-1",
    "hostid=999",
    "hostid=99999999999999999999",
    "hostid=1%00",
    "hostid=__proto__",
    "hostwwwroot=https://elsewhere.test",
    "hostwwwroot=https://BETA.test",
    "hostwwwroot=http://beta.test",
    "hostwwwroot=beta.test",
    "hostwwwroot=https://beta.test/moodle",
    "hostwwwroot=https://beta.test@evil.test",
    "hostwwwroot=https://beta.test.evil.test",
    "hostwwwroot=javascript:alert(1)",
    "wr='%20or%201=1--",
  ])("MNET-110 SEC-074 no site is guessed from %s", async (query) => {
    await using sites = await pair();
    const page = await sites.browser.get(`${JUMP}?${query}`, stay);
    expect([page.status, page.header("location")]).toEqual([403, undefined]);
    expect(page.text).toContain("MNET_SSO_NOT_CONFIGURED");
    expect(sites.a.told("sso.refused")).toMatchObject([{ code: "MNET_SSO_NOT_CONFIGURED" }]);
    expect(sites.a.told("sso.jumped")).toEqual([]);
  });

  it("MNET-110 who is not logged in comes back to the same address", async () => {
    await using sites = await pair();
    const stranger = sites.network.browser();
    const page = await stranger.get(`${JUMP}?hostwwwroot=https://beta.test&wantsurl=%2Fa%3Fb%26c`, stay);
    const login = new URL(page.header("location")!);
    expect(login.origin + login.pathname).toBe("https://alpha.test/login");
    const next = login.searchParams.get("next")!;
    expect(next).toBe("/auth/mnet/jump.php?hostwwwroot=https://beta.test&wantsurl=%2Fa%3Fb%26c");
    await sites.a.login(stranger);
    const on = await stranger.get(`https://alpha.test${next}`, stay);
    expect(new URL(on.header("location")!).searchParams.get("wantsurl")).toBe("/a?b&c");
  });

  it.each([
    ["MNET-110 SEC-064", "somebody who acts as her", "MNET_SSO_ACTING_AS"],
    ["MNET-110 SEC-064", "a user of another site", "MNET_SSO_REMOTE_USER"],
    ["MNET-110", "a user who may not roam", "MNET_SSO_NOT_PERMITTED"],
    ["MNET-110", "a suspended user", "MNET_SSO_NOT_PERMITTED"],
    ["MNET-110", "a session without an account", "MNET_SSO_NOT_PERMITTED"],
    ["MNET-110", "a site that sso_sp is not subscribed on", "MNET_SSO_NOT_CONFIGURED"],
    ["MNET-110", "a suspended site", "MNET_SSO_NOT_CONFIGURED"],
    ["MNET-110", "a deleted site", "MNET_SSO_NOT_CONFIGURED"],
    ["MNET-110", "a name that cannot travel", "MNET_SSO_USERNAME_UNSUITABLE"],
    ["MNET-110", "a user without an e-mail address", "MNET_SSO_PROFILE_INCOMPLETE"],
    ["MNET-110", "a user without a last name", "MNET_SSO_PROFILE_INCOMPLETE"],
  ] as const)("%s %s is refused: %s", async (_, who, code) => {
    const users = [
      ADA,
      { ...ADA, username: "Bob Upper" },
      { ...ADA, username: "nomail", email: " " },
      { ...ADA, username: "noname", lastname: "" },
    ];
    await using sites = await pair({ alpha: { users } });
    const { a, b, browser } = sites;
    const peer = await a.peer(b);
    const ada = (await a.accounts.findByUsername("ada"))!;
    const url = a.host.sso.linkTo(peer);
    switch (who) {
      case "somebody who acts as her":
        await a.login(browser, "ada", { actingAs: true });
        break;
      case "a user of another site": {
        const visitor = await a.accounts.createRemote(peer, "ada", {
          email: "a@b.test",
          firstname: "Ada",
          lastname: "Byron",
        });
        a.accounts.setMayRoam(visitor, true);
        await a.sessions.login(browser, a.host, visitor);
        break;
      }
      case "a user who may not roam":
        a.accounts.setMayRoam(ada, false);
        break;
      case "a suspended user":
        a.accounts.setSuspended(ada);
        break;
      case "a session without an account":
        await a.sessions.login(browser, a.host, { id: "999", username: "gone" });
        break;
      case "a site that sso_sp is not subscribed on":
        await a.host.peers.setServices(peer, { sso_sp: "publish" });
        break;
      case "a suspended site":
        await a.host.peers.suspend(peer);
        break;
      case "a deleted site":
        await a.host.peers.remove(peer);
        break;
      case "a name that cannot travel":
        await a.login(browser, "Bob Upper");
        break;
      case "a user without an e-mail address":
        await a.login(browser, "nomail");
        break;
      case "a user without a last name":
        await a.login(browser, "noname");
        break;
    }
    const page = await browser.get(url, stay);
    expect([page.status, page.header("location")]).toEqual([403, undefined]);
    expect(page.text).toContain(code);
    expect(a.told("sso.refused")).toMatchObject([{ code }]);
    expect(a.told("sso.jumped")).toEqual([]);
    expect((await a.store.sessions.find({ role: "idp" }, undefined, 10)).items).toEqual([]);
  });

  it("MNET-110 All Hosts does not open the way: the peer's own row does", async () => {
    await using sites = await pair();
    const { a, b } = sites;
    const peer = await a.peer(b);
    await a.host.peers.setServices(peer, { sso_sp: "off" });
    await a.host.peers.setServices("all-hosts", { sso_sp: "both" });
    expect((await sites.jump()).text).toContain("MNET_SSO_NOT_CONFIGURED");
    const ada = (await a.accounts.findByUsername("ada"))!;
    expect(await a.host.sso.networkServers(ada)).toEqual([]);
    await a.host.peers.setServices(peer, { sso_sp: "subscribe" });
    expect(await a.host.sso.networkServers(ada)).toHaveLength(1);
  });

  it("SEC-061 tokens are 160 bits from the host's random source, never twice, and only their hash is kept", async () => {
    await using sites = await pair();
    const kept: string[] = [];
    const { tokens: tokenStore } = sites.a.store;
    const issue = tokenStore.issue.bind(tokenStore);
    tokenStore.issue = (token) => {
      kept.push(JSON.stringify(token));
      return issue(token);
    };
    const tokens = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      tokens.add(new URL(await sites.landUrl()).searchParams.get("token")!);
    }
    expect(tokens.size).toBe(20);
    expect(kept).toHaveLength(20);
    for (const token of tokens) {
      expect(token).toMatch(/^[0-9a-f]{40}$/);
      expect(kept.join()).not.toContain(token);
      expect(kept.join()).toContain(hashOfToken(token));
    }
  });

  it("SEC-061 a million tokens, no two alike", async () => {
    const { newToken } = await import("../../../src/services/sso/tokens.ts");
    const { randomBytes } = await import("node:crypto");
    // Of the same source as a host's, but drawn at once: a million draws take half a minute.
    const drawn = randomBytes(20_000_000);
    let from = 0;
    const random = (bytes: number): Uint8Array => drawn.subarray(from, (from += bytes));
    const seen = new Set<string>();
    for (let made = 0; made < 1_000_000; made += 1) seen.add(newToken(random));
    expect(seen.size).toBe(1_000_000);
  });

  it("SEC-076 one user may not jump again and again; others still may, and so may she later", async () => {
    await using sites = await pair({ alpha: { users: [ADA, { ...ADA, username: "eve" }] } });
    for (let jump = 0; jump < 30; jump += 1) await sites.landUrl();
    const refused = await sites.jump();
    expect([refused.status, refused.text.includes("MNET_SSO_TOO_MANY_JUMPS")]).toEqual([429, true]);
    const other = sites.network.browser();
    await sites.a.login(other, "eve");
    const url = sites.a.host.sso.linkTo(await sites.a.peer(sites.b));
    expect((await other.get(url, stay)).status).toBe(303);
    await sites.network.clock.advance(60_000);
    expect(await sites.landUrl()).toContain("https://beta.test");
  });

  it.each(["image", "iframe", "frame", "script", "empty", "embed", "object", "style", "worker", "audio", ""])(
    "SEC-076 an address that is used as %s is no click, on any page",
    async (destination) => {
      await using sites = await pair();
      const landing = await sites.landUrl();
      const jump = sites.a.host.sso.linkTo(await sites.a.peer(sites.b));
      const before = await sites.a.store.sessions.find({ role: "idp" }, undefined, 10);
      const login = `https://beta.test/auth/mnet/login.php?hostwwwroot=https://alpha.test`;
      for (const url of [jump, landing, login]) {
        const page = await sites.browser.get(url, { ...stay, headers: { "sec-fetch-dest": destination } });
        expect([page.status, page.header("location"), page.header("set-cookie")]).toEqual([400, undefined, undefined]);
      }
      expect(await sites.a.store.sessions.find({ role: "idp" }, undefined, 10)).toEqual(before);
      expect(sites.a.told("sso.jumped")).toHaveLength(1);
      expect(await sites.b.who(sites.browser)).toBeUndefined();
    },
  );

  it.each([
    { "sec-purpose": "prefetch" },
    { "sec-purpose": "prefetch;prerender", "sec-fetch-dest": "document" },
    { purpose: "prefetch" },
    { purpose: "preview" },
  ])("SEC-076 a browser that fetches ahead is no click: %j", async (headers) => {
    await using sites = await pair();
    expect((await sites.jump("/", { ...stay, headers })).status).toBe(400);
    expect(sites.a.told("sso.jumped")).toEqual([]);
    expect((await sites.jump("/", { ...stay, headers: { "sec-fetch-dest": "document" } })).status).toBe(303);
  });

  it.each(["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])(
    "SEC-076 %s does nothing on any page",
    async (method) => {
      await using sites = await pair();
      const landing = new URL(await sites.landUrl());
      const { a, b } = sites;
      const cookie = `session=${a.sessions.all()[0]!.id}`;
      const headers = { cookie, "user-agent": sites.browser.userAgent };
      for (const [site, path] of [
        [a, "/auth/mnet/jump.php?hostwwwroot=https://beta.test"],
        [a, "/auth/xmlrpc/jump.php?wr=https://beta.test"],
        [b, landing.pathname + landing.search],
        [b, `/auth/xmlrpc/land.php${landing.search}`],
        [b, "/auth/mnet/login.php?hostwwwroot=https://alpha.test"],
      ] as const) {
        const response = await site.host.handle({ method, path, headers, body: new Uint8Array() });
        expect([response?.status, Object.fromEntries(response!.headers)["set-cookie"]]).toEqual([405, undefined]);
      }
      expect(a.told("sso.jumped")).toHaveLength(1);
      expect(b.told("sso.landed")).toEqual([]);
    },
  );

  it("SEC-074 what comes twice, or as PHP's list, is refused on every page", async () => {
    await using sites = await pair();
    for (const path of ["auth/mnet/jump.php", "auth/mnet/land.php", "auth/mnet/login.php", "auth/xmlrpc/land.php"]) {
      for (const query of [
        "hostid=1&hostid=2",
        "hostid=1&hostid=1",
        "hostid[]=1",
        "hostid=1&hostid[a]=2",
        "wantsurl=/a&wantsurl=/b",
        "wantsurl=/a&wantsurl%5B%5D=/b",
        "token=a&token=b",
        "token[]=a",
        "idp=https://alpha.test&idp=https://evil.test",
        "idp[0]=https://alpha.test",
        "wr=a&wr=b",
        "remoteurl=1&remoteurl=0",
        "confirm=a&confirm=b",
      ]) {
        const page = await sites.browser.get(`https://alpha.test/${path}?${query}`, stay);
        expect([path, query, page.status, page.header("location")]).toEqual([path, query, 400, undefined]);
        expect(page.text).toContain("MNET_SSO_REQUEST_INVALID");
      }
    }
  });

  it("SEC-074 nothing can be put beside our parameters", async () => {
    await using sites = await pair();
    const path = "/x?a=1&token=evil&idp=https://evil.test&wantsurl=/y#&idp=z";
    const land = new URL(await sites.landUrl(path));
    expect(land.searchParams.getAll("idp")).toEqual(["https://alpha.test"]);
    expect(land.searchParams.getAll("token")).toHaveLength(1);
    expect(land.searchParams.getAll("wantsurl")).toEqual([path]);
    expect(land.hash).toBe("");
  });

  it("SEC-075 every answer is private, and no answer has a cookie that is not needed", async () => {
    await using sites = await pair();
    const pages = [
      await sites.jump("/", stay),
      await sites.browser.get(`${JUMP}?hostid=999`, stay),
      await sites.browser.get(await sites.landUrl(), stay),
      await sites.browser.get("https://beta.test/auth/mnet/land.php?token=x&idp=y", stay),
      await sites.browser.get("https://beta.test/auth/mnet/login.php?hostwwwroot=https://alpha.test", stay),
      await sites.network.browser().get(`${JUMP}?hostid=1`, stay),
    ];
    for (const page of pages) {
      expect(page.header("cache-control")).toBe("no-store");
      expect(page.header("referrer-policy")).toBe("no-referrer");
    }
    for (const page of pages.filter(({ status }) => status !== 303)) {
      expect(page.header("content-security-policy")).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
      expect(page.header("x-frame-options")).toBe("DENY");
      expect(page.header("x-content-type-options")).toBe("nosniff");
      expect(page.header("content-type")).toBe("text/html; charset=utf-8");
      expect(page.text).not.toMatch(/(?:src|href)\s*=|url\(|@import/i);
    }
    expect(pages[0]!.header("set-cookie")).toBeUndefined();
  });
});

describe("the jump as a function", () => {
  const headers = (values: Readonly<Record<string, string>>) => (name: string) => values[name.toLowerCase()];

  it("MNET-110 MNET-111 gives the same address, and throws what the page would say", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    const peer = await a.peer(b);
    const session = a.sessions.all()[0]!;
    const own = {
      method: "GET",
      url: new URL("https://alpha.test/anything"),
      header: headers({ cookie: `session=${session.id}`, "user-agent": browser.userAgent }),
      appendHeader: () => undefined,
      raw: undefined,
    };
    const url = new URL(await a.host.sso.jumpUrl(own, peer, "/deep?x=1"));
    expect(url.searchParams.get("wantsurl")).toBe("/deep?x=1");
    const page = await browser.get(url.href, stay);
    expect([page.status, page.header("location")]).toEqual([303, "https://beta.test/deep?x=1"]);
    await expect(a.host.sso.jumpUrl({ ...own, header: headers({}) }, peer)).rejects.toMatchObject({
      code: "MNET_SSO_NOT_LOGGED_IN",
      side: "here",
    });
    await expect(a.host.sso.jumpUrl({ ...own, header: headers({}) }, peer)).rejects.toBeInstanceOf(SsoError);
    await a.host.peers.remove(peer);
    await expect(a.host.sso.jumpUrl(own, peer)).rejects.toMatchObject({ code: "MNET_PEER_UNKNOWN" });
  });

  it("SEC-072 half a surrogate pair or a foreign address breaks no link", async () => {
    await using sites = await pair();
    const peer = await sites.a.peer(sites.b);
    for (const path of ["/\ud800", "\udfff", "//evil.test", "https://evil.test/"]) {
      const link = new URL(sites.a.host.sso.linkTo(peer, path));
      expect(link.origin).toBe("https://alpha.test");
      const page = await sites.browser.get(link.href, stay);
      const landing = new URL(page.header("location")!);
      expect(landing.origin).toBe("https://beta.test");
      expect(["/", "/\ufffd"]).toContain(landing.searchParams.get("wantsurl"));
      for (const { href } of await sites.b.host.sso.identityProviders(path)) {
        expect(new URL(href).origin).toBe("https://beta.test");
      }
    }
  });
});

describe("strict jumps", () => {
  const strict = { alpha: { strictJumps: true } } as const;
  const foreign = { headers: { "sec-fetch-site": "cross-site", "sec-fetch-dest": "document" } };

  it("SEC-076 a jump that another site began is asked about first, and goes on after that", async () => {
    await using sites = await pair(strict);
    const page = await sites.jump("/deep?x=1&y=2", foreign);
    expect([page.status, page.url.split("?")[0]]).toEqual([200, JUMP]);
    expect(page.text).toContain("beta.test");
    expect(sites.a.told("sso.jumped")).toEqual([]);
    const on = await sites.browser.submit(page, {}, { headers: { "sec-fetch-site": "same-origin" } });
    expect(on.url).toBe("https://beta.test/deep?x=1&y=2");
    expect((await sites.b.who(sites.browser))?.username).toBe("ada");
    // The answer counts once.
    const again = await sites.browser.submit(page, {}, stay);
    expect([again.status, sites.a.told("sso.jumped").length]).toEqual([200, 1]);
  });

  it.each(["same-origin", "none"])("SEC-076 a click that is %s is not asked about", async (site) => {
    await using sites = await pair(strict);
    expect((await sites.jump("/", { ...stay, headers: { "sec-fetch-site": site } })).status).toBe(303);
  });

  it.each(["same-site", "cross-site", "", "nonsense", undefined])(
    "SEC-076 one that is %s is asked about",
    async (site) => {
      await using sites = await pair(strict);
      const headers = site === undefined ? {} : { "sec-fetch-site": site };
      expect((await sites.jump("/", { ...stay, headers })).status).toBe(200);
      expect(sites.a.told("sso.jumped")).toEqual([]);
    },
  );

  it("SEC-076 another site cannot answer in her place", async () => {
    for (const options of [strict, {}]) {
      await using sites = await pair(options);
      const { a, browser } = sites;
      const url = a.host.sso.linkTo(await a.peer(sites.b));
      // It makes the browser ask, so that there is a cookie, and then sends the form itself.
      await browser.get(url, { ...stay, headers: { "sec-fetch-site": "same-site" } });
      for (const address of [url, `${url}&confirm=`, `${url}&confirm=${"0".repeat(64)}`]) {
        const forged = await browser.post(
          address,
          {},
          { ...stay, headers: { origin: "https://evil.alpha.test", "sec-fetch-site": "same-site" } },
        );
        expect([forged.status, forged.header("location")]).toEqual([200, undefined]);
      }
      expect(a.told("sso.jumped").length).toBe(options === strict ? 0 : 1);
    }
  });

  it("SEC-076 an answer is for one site, one session and one browser", async () => {
    await using sites = await pair(strict);
    const { a, b, browser, all } = sites;
    const c = await all.site("https://gamma.test", { users: [] });
    await all.network.connect(a.host, c.host, BOTH);
    const page = await sites.jump("/", foreign);
    const action = new URL(/action="([^"]*)"/.exec(page.text)![1]!.replaceAll("&amp;", "&"));
    const [toB, toC] = [await a.peer(b), await a.peer(c)];
    const swapped = new URL(action);
    swapped.searchParams.set("hostid", String(toC.id));
    expect((await browser.post(swapped.href, {}, stay)).status).toBe(200);
    const thief = all.network.browser();
    await a.login(thief);
    expect((await thief.post(action.href, {}, stay)).status).toBe(200);
    // Logged in anew, in the same browser.
    const asked = await browser.get(a.host.sso.linkTo(toB), foreign);
    await a.login(browser);
    expect((await browser.submit(asked, {}, stay)).status).toBe(200);
    expect(a.told("sso.jumped")).toEqual([]);
  });
});

describe("names that travel", () => {
  const mapping = {
    toPeer: (name: string) =>
      name.replace(/[^-.@a-z0-9]/g, (one) => `_${one.charCodeAt(0).toString(16).padStart(4, "0")}`),
    fromPeer: (name: string) =>
      name.replace(/_([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
  };

  it.each(["Ada", "ada lovelace", "zoë", "ada+x", "ａｄａ", "a".repeat(101), "a/b", "", "a\u0000"])(
    "MNET-110 without a mapping %j does not",
    async (username) => {
      await using sites = await pair({ alpha: { users: [{ ...ADA, username }] } });
      await sites.a.login(sites.browser, username);
      expect((await sites.jump()).text).toContain("MNET_SSO_USERNAME_UNSUITABLE");
      const account = (await sites.a.accounts.findByUsername(username))!;
      expect(await sites.a.host.sso.networkServers(account)).toEqual([]);
    },
  );

  it.each(["ada", "ada@example.edu", "a-b_c.d", "0", "a".repeat(100)])(
    "MNET-110 without a mapping %j does",
    async (username) => {
      await using sites = await pair({ alpha: { users: [{ ...ADA, username }] } });
      await sites.a.login(sites.browser, username);
      await sites.jump();
      expect((await sites.b.who(sites.browser))?.username).toBe(username);
    },
  );

  it("MNET-112 MNET-117 MNET-118 MNET-119 MNET-121 a mapping is used by every method, and by its inverse", async () => {
    const username = "Zoë+O'Neil@Example.edu";
    const wire = mapping.toPeer(username);
    await using sites = await pair({ alpha: { users: [{ ...ADA, username }], usernames: mapping } });
    const { a, b, browser } = sites;
    const zoe = await a.login(browser, username);
    await a.accounts.setPicture(zoe, { bytes: Buffer.from("x"), type: "image/png" });
    await sites.jump();
    const visitor = (await b.who(browser))!;
    expect([visitor.username, visitor.home]).toEqual([wire, "https://alpha.test"]);
    expect(await b.asks(a, "fetch_user_image", [wire])).toHaveProperty("f1");
    expect(await b.asks(a, "fetch_user_image", [username])).toBe(false);
    expect(await b.asks(a, "update_enrolments", [wire, []])).toBe(true);
    expect(await b.asks(a, "keepalive_server", [[wire]])).toMatchObject({ code: 0, message: "All ok" });
    expect(await b.asks(a, "keepalive_server", [[username]])).toMatchObject({ code: 1 });
    const hash = createHash("sha1").update(browser.userAgent).digest("hex");
    expect(await b.asks(a, "kill_children", [username, hash])).toContain("Could find no remote sessions");
    expect(await a.who(browser)).toBeDefined();
    expect(await b.asks(a, "kill_children", [wire, hash])).toBe("");
    expect(await a.who(browser)).toBeUndefined();
  });

  it.each([
    ["loses case", { toPeer: (name: string) => name.toLowerCase(), fromPeer: (name: string) => name }],
    ["makes everybody one", { toPeer: () => "user", fromPeer: () => "bob" }],
    ["gives what no Moodle takes", { toPeer: (name: string) => name, fromPeer: (name: string) => name }],
  ])("SEC-059 a mapping that %s is refused", async (_, usernames) => {
    await using sites = await pair({ alpha: { users: [{ ...ADA, username: "Ada" }], usernames } });
    await sites.a.login(sites.browser, "Ada");
    expect((await sites.jump()).text).toContain("MNET_SSO_USERNAME_UNSUITABLE");
  });
});
