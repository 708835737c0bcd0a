import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openDatabase, sqlAccounts, sqlSessions } from "../../../examples/sql-plug-ins.ts";
import { collect } from "../../../src/core/listing.ts";
import type { Account, RemoteProfile } from "../../../src/plug-ins/account.ts";
import type { SsoPage } from "../../../src/services/sso/options.ts";
import { openStore } from "../../../src/stores/open-store.ts";
import type { XmlRpcValue } from "../../../src/xmlrpc/value.ts";
import {
  ADA,
  BEA,
  BOTH,
  everythingTold,
  pair,
  scriptedPair,
  settle,
  ssoNetwork,
  USER,
} from "../../support/sso-sites.ts";
import { gif, HTML, JPEG, png, pngChunk, PNG_PIXELS, SVG, WEBP, ZIP } from "./picture-builder.ts";

const stay = { followRedirects: false } as const;
const HOSTILE = [
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "'><svg/onload=alert(1)>",
  "</title></style><script>alert(1)</script>",
  "javascript:alert(1)",
  "{{constructor.constructor('alert(1)')()}}",
  "' or '1'='1' -- ",
  "'; drop table users; --",
  '"; drop table web_sessions; --',
  "\\'; delete from users; --",
  "%' union select * from users --",
  "\u202egnp.exe",
  "a\u0000b",
  "a\r\nSet-Cookie: x=y",
  "$(id)`id`|id",
  "../../../etc/passwd",
  "\ud83d\ude00\u200b\ufeff",
];

describe("who she is", () => {
  it("SEC-059 MNET-115 admin of alpha is neither ours, nor admin of gamma", async () => {
    const all = await ssoNetwork();
    await using _ = all;
    const admin = { ...ADA, username: "admin", email: "admin@school.test" };
    const b = await all.site("https://beta.test", { users: [admin] });
    const ids = [(await b.accounts.findByUsername("admin"))!.id];
    for (const home of ["https://alpha.test", "https://gamma.test"]) {
      const idp = await all.scripted(home, { user: { ...USER, username: "admin", email: admin.email } });
      await all.network.connect(b.host, idp.host, BOTH);
      const browser = all.network.browser();
      await browser.get(`https://beta.test/auth/mnet/land.php?token=1&idp=${home}&wantsurl=/`, stay);
      const account = (await b.who(browser))!;
      expect(account).toMatchObject({ username: "admin", home });
      ids.push(account.id);
    }
    expect(new Set(ids).size).toBe(3);
    expect(b.accounts.all()).toHaveLength(3);
  });

  it("SEC-059 names that look alike are users of their own; what cannot be shown is none", async () => {
    await using sites = await scriptedPair();
    const { b, idp } = sites;
    const names = [
      "admin",
      "Admin",
      "ADMIN",
      "аdmin",
      "ａｄｍｉｎ",
      "adm\u0131n",
      "admın",
      "zo\u00eb",
      "zoe\u0308",
      "zoe",
      "o'neil",
      "a b",
    ];
    for (const username of names) {
      idp.script.user = { ...USER, username };
      expect((await sites.land()).status).toBeLessThan(400);
      await b.sessions.end(b.sessions.all().map(({ id }) => id));
    }
    expect(b.accounts.all().filter(({ home }) => home !== undefined)).toHaveLength(new Set(names).size);
    for (const username of [
      "",
      " admin",
      "admin ",
      "adm\u200bin",
      "\u202enimda",
      "ad\u00admin",
      "admin\n",
      "\tadmin",
      "x".repeat(256),
      7,
      [],
      null,
    ]) {
      idp.script.user = { ...USER, username };
      const page = await sites.land();
      expect([username, page.status, page.text.includes("MNET_SSO_IDP_FAILED")]).toEqual([username, 502, true]);
    }
    expect(b.accounts.all().filter(({ home }) => home !== undefined)).toHaveLength(new Set(names).size);
  });

  it("SEC-058 SEC-060 nothing in the answer sets identity", async () => {
    const given: { readonly profile: RemoteProfile; readonly home: string; readonly username: string }[] = [];
    await using sites = await scriptedPair(
      {
        user: {
          ...USER,
          ...Object.fromEntries(
            ["id", "mnethostid", "deleted", "confirmed", "password", "secret", "suspended", "theme", "lastip"].map(
              (name) => [name, "1"],
            ),
          ),
          wwwroot: "https://beta.test",
          auth: "manual",
          admin: "1",
          roles: ["admin"],
          constructor: "x",
          toString: "x",
          home: "https://beta.test",
          other: { admin: "1" },
        },
      },
      {
        spoilAccounts: (accounts) => ({
          createRemote(home, username, profile) {
            given.push({ profile, home: home.wwwroot, username });
            return accounts.createRemote(home, username, profile);
          },
        }),
      },
    );
    expect((await sites.land()).status).toBe(303);
    expect(given).toEqual([
      {
        home: "https://home.test",
        username: "ada",
        profile: { email: "ada@home.test", firstname: "Ada", lastname: "Lovelace" },
      },
    ]);
    expect(await sites.b.who(sites.browser)).toMatchObject({ home: "https://home.test" });
  });

  it("SEC-058 an account of somebody else from the plug-in is not logged in", async () => {
    for (const wrong of [
      { id: "1", username: "bea" },
      { id: "9", username: "ada", home: "https://gamma.test" },
    ]) {
      await using sites = await scriptedPair({}, { spoilAccounts: () => ({ findRemote: async () => wrong }) });
      await expect(sites.land()).rejects.toThrow("another account");
      expect(sites.b.sessions.all()).toEqual([]);
      expect(sites.b.told("request.failed")).toHaveLength(1);
    }
  });

  it("SEC-059 two first landings at once make one account", async () => {
    await using sites = await pair();
    const { a, b, network } = sites;
    const browsers = Array.from({ length: 5 }, () => network.browser());
    await Promise.all(
      browsers.map(async (browser) => {
        await a.login(browser);
        await browser.get(a.host.sso.linkTo(await a.peer(b)));
      }),
    );
    expect(b.accounts.all().filter(({ home }) => home !== undefined)).toHaveLength(1);
    const who = await Promise.all(browsers.map((browser) => b.who(browser)));
    expect(new Set(who.map((account) => account?.id)).size).toBe(1);
  });
});

describe("what she brings", () => {
  /** The profile that the application is given. */
  async function profileOf(user: XmlRpcValue, importFields?: readonly string[]): Promise<RemoteProfile | undefined> {
    let given: RemoteProfile | undefined;
    await using sites = await scriptedPair(
      { user },
      {
        spoilAccounts: (accounts) => ({
          createRemote(home, username, profile) {
            given = profile;
            return accounts.createRemote(home, username, profile);
          },
        }),
      },
    );
    if (importFields) await sites.b.host.peers.set(await sites.b.peer(sites.idp), { importFields });
    await sites.land();
    return given;
  }

  it("MNET-115 SEC-060 the import list decides: by default, per peer, and none at all", async () => {
    const user = { ...USER, city: "London", institution: "MIT", mailformat: "1", phone1: "555", maildigest: 0 };
    expect(await profileOf(user)).toEqual({
      email: "ada@home.test",
      firstname: "Ada",
      lastname: "Lovelace",
      city: "London",
    });
    expect(await profileOf(user, ["institution", "mailformat", "maildigest", "username", "auth"])).toMatchObject({
      institution: "MIT",
      other: { mailformat: "1", maildigest: "0" },
    });
    expect(Object.keys((await profileOf(user, []))!)).toEqual(["email", "firstname", "lastname"]);
  });

  it.each([
    ["en_utf8", "en"],
    ["en.utf8", "en"],
    ["EN_UTF-8", "en"],
    ["pt_br", "pt_br"],
    ["de_comm_utf8", "de_comm"],
    ["<script>", undefined],
    ["../../etc", undefined],
    ["en; drop", undefined],
  ])("MNET-115 the language %j is %j", async (lang, expected) => {
    expect((await profileOf({ ...USER, lang }))?.lang).toBe(expected);
  });

  it.each(["email", "firstname", "lastname"])(
    "MNET-115 without %s nobody lands, and no account is made",
    async (name) => {
      for (const value of ["", "  ", "\u0000", "\u200e \u2028", undefined, [], {}]) {
        const { [name]: _, ...rest } = USER;
        await using sites = await scriptedPair({ user: value === undefined ? rest : { ...USER, [name]: value } });
        const page = await sites.land();
        expect([page.status, page.text.includes("MNET_SSO_PROFILE_INCOMPLETE")]).toEqual([403, true]);
        expect(page.text).toContain("https://home.test");
        expect(sites.b.accounts.all()).toHaveLength(1);
        expect(sites.b.sessions.all()).toEqual([]);
      }
    },
  );

  it.each([true, false, "", "x", [], 0, ["username"]])(
    "MNET-112 an answer that is no user is a failure: %j",
    async (user) => {
      await using sites = await scriptedPair({ user });
      const page = await sites.land();
      expect([page.status, page.text.includes("MNET_SSO_IDP_FAILED")]).toEqual([502, true]);
    },
  );

  it("SEC-059 an e-mail address that is too long is none: cut, it would be somebody else's", async () => {
    const long = `${"a".repeat(95)}@home.test`;
    expect((await profileOf({ ...USER, email: long }))?.email).toBe(long);
    expect(await profileOf({ ...USER, email: `victim@bank.test${"x".repeat(250)}` })).toBeUndefined();
  });

  it("SEC-068 myhosts: only sites with http or https and a count; names are plain text", async () => {
    const profile = await profileOf({
      ...USER,
      myhosts: [
        { name: "Good <b>", url: "https://good.test/x", count: 3 },
        { name: "As text", url: "http://good.test", count: "2" },
        { name: "", url: "https://noname.test", count: 0 },
        ...[
          "javascript:alert(1)",
          "JAVASCRIPT:alert(1)",
          " java\nscript:alert(1)",
          "data:text/html,x",
          "vbscript:x",
          "/x",
          "//x",
          "ftp://x",
          "https://u:p@x.test",
          "",
          "https://",
        ].map((url) => ({ name: "Bad", url, count: 1 })),
        { name: "No count", url: "https://x.test" },
        { name: "Negative", url: "https://x.test", count: -1 },
        { name: "Odd", url: "https://x.test", count: 1.5 },
        { name: "\u202eLine\nbreak", url: "https://line.test", count: 1 },
        "x",
        null,
        [],
      ],
    });
    expect(profile?.myhosts).toEqual([
      { name: "Good <b>", url: "https://good.test/x", courses: 3 },
      { name: "As text", url: "http://good.test/", courses: 2 },
      { name: "noname.test", url: "https://noname.test/", courses: 0 },
      { name: "Line break", url: "https://line.test/", courses: 1 },
    ]);
    const many = Array.from({ length: 500 }, () => ({ name: "x", url: "https://x.test", count: 1 }));
    expect((await profileOf({ ...USER, myhosts: many }))?.myhosts).toHaveLength(100);
    for (const myhosts of ["x", 7, true, {}]) expect((await profileOf({ ...USER, myhosts }))?.myhosts).toBeUndefined();
  });

  it("SEC-060 SEC-068 markup is only reachable by a name that warns", async () => {
    for (const hostile of HOSTILE) {
      const profile = (await profileOf({ ...USER, description: `<p>${hostile}</p>`, city: hostile }))!;
      expect(`${profile.description!}`).not.toMatch(/[<>"]/);
      expect(JSON.stringify(profile.description)).not.toMatch(/<script|<img|<svg/);
      expect(profile.city).not.toMatch(/[\p{Cc}\u202e\ufeff]/u);
    }
  });

  it("SEC-057 SEC-068 hostile text in every field, through a host and accounts in SQLite", async () => {
    const directory = mkdtempSync(join(tmpdir(), "mnet-"));
    const db = openDatabase(":memory:");
    try {
      const all = await ssoNetwork();
      await using _ = all;
      const accounts = sqlAccounts(db);
      const sessions = sqlSessions(db);
      const b = await all.site("https://beta.test", {
        spoilAccounts: () => ({ ...accounts }),
        spoilSessions: () => ({ ...sessions }),
        host: { store: openStore(`sqlite:${join(directory, "b.db")}`) },
      });
      const idp = await all.scripted("https://home.test", {});
      await all.network.connect(b.host, idp.host, BOTH);
      const peer = await b.peer(idp);
      let landed = 0;
      for (const [index, hostile] of HOSTILE.entries()) {
        // Not what can be no name; that is tested above.
        const username = /[\p{Cc}\p{Cf}]|\s$/u.test(hostile) ? `u${index}` : hostile;
        idp.script.user = {
          ...USER,
          username,
          email: hostile,
          firstname: hostile,
          lastname: hostile,
          city: hostile,
          description: hostile,
        };
        for (let visit = 0; visit < 2; visit += 1) {
          const browser = all.network.browser();
          const page = await browser.get(
            "https://beta.test/auth/mnet/land.php?" +
              new URLSearchParams({ token: "1", idp: idp.wwwroot, wantsurl: `/?x=${hostile}` }).toString(),
            stay,
          );
          expect([username, page.status, page.text]).toEqual([username, 303, ""]);
          expect(page.header("location")).toMatch(/^https:\/\/beta\.test\//);
          landed += 1;
        }
        const account = (await accounts.findRemote(peer, username))!;
        expect(account).toMatchObject({ username, home: "https://home.test" });
        const hash = "0".repeat(40);
        for (const [method, params] of [
          ["kill_child", [hostile, hash]],
          ["kill_child", ["ada", hostile]],
          ["user_authorise", [hostile, hostile]],
          ["fetch_user_image", [hostile]],
          ["keepalive_server", [[hostile]]],
          ["kill_children", [hostile, hostile]],
          ["update_enrolments", [hostile, [{ id: hostile, fullname: hostile }]]],
          ["refresh_log", [[{ info: hostile }]]],
        ] as const) {
          const idpSees = await idp.host.peers.get(b.wwwroot);
          const outcome = await idp.host
            .call(idpSees, `auth/mnet/auth.php/${method}`, params, { unchecked: true })
            .catch((error: unknown) => (error as { faultCode: number }).faultCode);
          // Nobody is there: false, nothing done, or fault 1 or 3, but never a failure.
          expect([method, outcome]).not.toEqual([method, 17]);
          expect([method, outcome]).not.toEqual([method, true]);
        }
        if (!/[\p{Cc}\p{Cf}]|\s$/u.test(hostile)) {
          await b.host.sso.access.set(peer, hostile, "deny");
          const page = await all.network
            .browser()
            .get("https://beta.test/auth/mnet/land.php?token=1&idp=https://home.test&wantsurl=/", stay);
          expect(page.status).toBe(403);
          expect(page.text).not.toMatch(/<script>|<img|<svg/);
          await b.host.sso.access.set(peer, hostile, "default");
        }
      }
      expect(landed).toBe(HOSTILE.length * 2);
      expect(db.prepare("select id from users").all()).toHaveLength(HOSTILE.length);
      expect(db.prepare("select sid from web_sessions").all()).toHaveLength(landed);
      expect(await collect(b.host.sso.access.list(peer))).toEqual([]);
    } finally {
      db.close();
      rmSync(directory, { recursive: true });
    }
  });
});

describe("pictures", () => {
  const WITH = { ...USER, picture: "1", _mnet_userpicture_timemodified: "1767225600" };
  const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

  it.each([
    ["image/png", png()],
    ["image/jpeg", JPEG.baseline],
    ["image/gif", gif()],
    ["image/webp", WEBP.lossy],
  ])("MNET-117 %s is taken, whatever it was said to be", async (type, bytes) => {
    await using sites = await scriptedPair({ user: WITH, image: { f1: b64(bytes), f1_mimetype: "text/html" } });
    await sites.land();
    const account = (await sites.b.who(sites.browser))!;
    expect(await sites.b.accounts.picture(account)).toMatchObject({ type });
  });

  it("MNET-117 Mahara's first size is empty: the second is taken", async () => {
    await using sites = await scriptedPair({ user: { ...USER, imagehash: "abc" }, image: { f1: "", f2: b64(png()) } });
    await sites.land();
    expect(await sites.b.accounts.picture((await sites.b.who(sites.browser))!)).toMatchObject({ type: "image/png" });
  });

  const huge = png([PNG_PIXELS], { width: 60_000, height: 60_000 });
  it.each([
    ["SVG", SVG],
    ["HTML", HTML],
    ["a picture that is an archive, too", Buffer.concat([png(), ZIP])],
    ["a picture that is a page, too", Buffer.concat([gif(), HTML])],
    ["a decompression bomb", huge],
    ["more than a mebibyte", png([pngChunk("IDAT", Buffer.alloc(1024 * 1024 + 1))])],
    ["nothing", Buffer.alloc(0)],
    ["half of one", png().subarray(0, 20)],
  ])("SEC-066 %s is not, and she comes in all the same", async (_, bytes) => {
    await using sites = await scriptedPair({ user: WITH, image: { f1: b64(bytes), f1_mimetype: "image/png" } });
    expect((await sites.land()).status).toBe(303);
    const account = (await sites.b.who(sites.browser))!;
    expect(await sites.b.accounts.picture(account)).toBeUndefined();
    if (bytes.length > 0) expect(await everythingTold(sites.b)).toContain("The picture of ada was not taken");
  });

  it.each([false, [], "", true, {}, { f1: 7 }, { f1: "no base64!" }, { f1: [] }, ["x"]])(
    "MNET-117 SEC-066 an answer without a picture is survived: %j",
    async (image) => {
      await using sites = await scriptedPair({ user: WITH, image });
      expect((await sites.land()).status).toBe(303);
      expect(sites.idp.called("fetch_user_image")).toEqual([{ username: "ada" }]);
      expect(await sites.b.accounts.picture((await sites.b.who(sites.browser))!)).toBeUndefined();
    },
  );

  it("MNET-117 it is fetched when it is newer, and only then", async () => {
    await using sites = await scriptedPair({ user: WITH, image: { f1: b64(png()) } });
    const { idp, b, network } = sites;
    const asked = () => idp.called("fetch_user_image").length;
    await sites.land();
    await sites.land();
    expect(asked()).toBe(1);
    idp.script.user = { ...WITH, _mnet_userpicture_timemodified: String(Math.floor(network.clock.now() / 1000) + 10) };
    await sites.land();
    expect(asked()).toBe(2);
    idp.script.user = { ...WITH, picture: "0" };
    await sites.land();
    expect(asked()).toBe(2);
    // One that does not say when is asked again after a day.
    idp.script.user = { ...USER, imagehash: "abc" };
    await sites.land();
    expect(asked()).toBe(2);
    await network.clock.advance(24 * 60 * 60_000 + 1);
    await sites.land();
    expect(asked()).toBe(3);
    await b.host.peers.set(await b.peer(idp), { importFields: [] });
    await network.clock.advance(48 * 60 * 60_000);
    await sites.land();
    expect(asked()).toBe(3);
  });

  it("MNET-117 a plug-in that fails to keep it keeps nobody out", async () => {
    await using sites = await scriptedPair(
      { user: WITH, image: { f1: b64(png()) } },
      { spoilAccounts: () => ({ setPicture: () => Promise.reject(new Error("disk full")) }) },
    );
    expect((await sites.land()).status).toBe(303);
    expect(await everythingTold(sites.b)).toContain("disk full");
  });
});

describe("who may come in", () => {
  it("MNET-114 a rule for one user, and what is for all others", async () => {
    await using sites = await pair();
    const { a, b, browser } = sites;
    const home = await b.peer(a);
    const outcome = async (): Promise<number> => {
      await b.sessions.end(["-", ...b.sessions.all().map(({ id }) => id)]);
      return (await browser.get(await sites.landUrl(), stay)).status;
    };
    await b.host.sso.access.set(home, "ada", "deny");
    expect(await outcome()).toBe(403);
    expect(b.accounts.all().some(({ home: from }) => from !== undefined)).toBe(false);
    expect(b.told("sso.refused")).toMatchObject([{ code: "MNET_SSO_ACCESS_DENIED" }]);
    expect(await collect(b.host.sso.access.list(home))).toEqual([{ username: "ada", rule: "deny" }]);
    await b.host.sso.access.set(home, "ada", "default");
    expect(await outcome()).toBe(303);
    await b.host.peers.set(home, { signIn: "deny" });
    expect(await outcome()).toBe(403);
    await b.host.sso.access.set(home, "ada", "allow");
    expect(await outcome()).toBe(303);
    expect(b.told("sso.access-changed").map(({ username, rule }) => [username, rule])).toEqual([
      ["ada", "deny"],
      ["ada", "default"],
      ["ada", "allow"],
    ]);
  });

  it("MNET-114 a rule is for one site and one spelling", async () => {
    await using sites = await pair();
    const { a, b, all } = sites;
    const c = await all.site("https://gamma.test");
    await all.network.connect(c.host, b.host, BOTH);
    await b.host.sso.access.set(await b.peer(c), "ada", "deny");
    await b.host.sso.access.set(await b.peer(a), "Ada", "deny");
    expect((await sites.jump()).redirects).toHaveLength(2);
    for (const [username, rule] of [
      ["", "deny"],
      [" x", "deny"],
      ["x", "maybe"],
    ] as const) {
      await expect(b.host.sso.access.set(await b.peer(a), username, rule as "deny")).rejects.toMatchObject({
        code: "MNET_CONFIG_INVALID",
      });
    }
    await expect(b.host.sso.access.set({ id: 99 as never }, "x", "deny")).rejects.toMatchObject({
      code: "MNET_PEER_UNKNOWN",
    });
  });
});

describe("courses", () => {
  const enrolments = {
    ofAccount: async (account: Account) => [
      {
        account,
        course: { id: 7, fullname: "Seven", shortname: "S", category: { id: 1, name: "All" } },
        role: { id: 5, shortname: "student", name: "Student" },
        method: "manual",
        changedAt: new Date(0),
      },
    ],
  };

  it("MNET-118 returning users' home sites hear of their courses; whatever they answer is ignored", async () => {
    for (const answer of [true, "", false, [], () => Promise.reject(new Error("no"))]) {
      await using sites = await scriptedPair({ enrolments: answer as XmlRpcValue }, { enrolments });
      await sites.land();
      await settle();
      expect(sites.idp.called("update_enrolments")).toEqual([]);
      expect((await sites.land()).status).toBe(303);
      await sites.b.host.close();
      expect(sites.idp.called("update_enrolments")).toMatchObject([
        { username: "ada", courses: [{ id: "7", fullname: "Seven" }] },
      ]);
    }
  });

  it("MNET-118 a plug-in that fails there keeps nobody out, and is told of", async () => {
    await using sites = await scriptedPair(
      {},
      { enrolments: { ofAccount: () => Promise.reject(new Error("no such table")) } },
    );
    await sites.land();
    expect((await sites.land()).status).toBe(303);
    await settle();
    expect(await everythingTold(sites.b)).toContain("no such table");
  });
});

describe("pages", () => {
  const XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

  it("SEC-068 hostile names are text on every page, with the own layout and with another", async () => {
    for (const custom of [false, true]) {
      const shown: SsoPage[] = [];
      const page = (one: SsoPage): string => {
        shown.push(one);
        return `<!doctype html><base href="https://cdn.test/x/"><title></title>${one.bodyHtml}`;
      };
      await using sites = await scriptedPair(
        { user: { ...USER, username: XSS } },
        { users: [{ ...BEA, username: XSS }], ...(custom && { page }), host: { name: XSS } },
      );
      const { b, idp, browser } = sites;
      const record = (await b.store.peers.find((await b.peer(idp)).id))!;
      await b.store.peers.update({ ...record, name: XSS });
      await sites.network.clock.advance(60_000);
      await b.login(browser, XSS);
      const pages = [await sites.land({ wantsurl: `/${XSS}`, remoteurl: XSS })];
      expect(pages[0]!.status).toBe(200);
      await b.host.sso.access.set(await b.peer(idp), XSS, "deny");
      pages.push(await sites.land(), await sites.land({ idp: XSS }), await sites.land({ token: XSS }));
      pages.push(await sites.land({ [`token[${XSS}`]: XSS }));
      pages.push(
        await browser.get("https://beta.test/auth/mnet/land.php", { ...stay, headers: { "sec-fetch-dest": XSS } }),
      );
      pages.push(
        await browser.post(
          `https://beta.test/auth/mnet/jump.php?hostid=1&wantsurl=${encodeURIComponent(XSS)}`,
          {},
          stay,
        ),
      );
      for (const { text } of pages) {
        expect(text).not.toMatch(/<script>|<img|onerror=alert\(1\)>/);
        expect(text.length).toBeGreaterThan(50);
      }
      expect(shown).toHaveLength(custom ? pages.length : 0);
      expect(shown.every(({ title }) => title !== "")).toBe(true);
      expect(shown.filter(({ kind }) => kind === "error").every(({ error }) => error !== undefined)).toBe(true);
      // A layout's `base` leads the form nowhere else.
      expect(/action="([^"]*)"/.exec(pages[0]!.text)![1]).toMatch(/^https:\/\/beta\.test\/auth\/mnet\/land\.php\?/);
    }
  });
});

describe("plug-ins that fail", () => {
  const boom = () => Promise.reject(new Error("secret of the database"));

  it.each(["findRemote", "createRemote", "updateRemote", "find"] as const)("accounts.%s at a landing", async (name) => {
    let isBroken = name !== "updateRemote";
    await using sites = await scriptedPair(
      {},
      {
        spoilAccounts: (accounts) => ({
          [name]: (...given: never[]) => (isBroken ? boom() : (accounts[name] as (...a: never[]) => unknown)(...given)),
        }),
      },
    );
    if (name === "updateRemote") {
      await sites.land();
      await sites.b.sessions.end(sites.b.sessions.all().map(({ id }) => id));
      isBroken = true;
    }
    if (name === "find") await sites.b.login(sites.browser, "bea").catch(() => undefined);
    if (name === "find") sites.browser.setCookie(sites.b.wwwroot, "session", sites.b.sessions.all()[0]!.id);
    await expect(sites.land()).rejects.toThrow("secret of the database");
    expect(sites.b.told("request.failed")).toHaveLength(1);
  });

  it.each(["current", "start"] as const)("sessions.%s at a landing", async (name) => {
    await using sites = await scriptedPair({}, { spoilSessions: () => ({ [name]: boom }) });
    await expect(sites.land()).rejects.toThrow("secret of the database");
    expect(sites.b.told("request.failed")).toHaveLength(1);
    expect((await sites.b.store.sessions.find({ role: "sp" }, undefined, 2)).items).toEqual([]);
  });

  it("SEC-070 a session that cannot be started leaves the one before as it was, and its part in the network", async () => {
    await using sites = await scriptedPair({}, { spoilSessions: () => ({ start: boom }) });
    const { b, browser } = sites;
    const bea = await b.login(browser, "bea");
    const question = await sites.land();
    await expect(browser.submit(question)).rejects.toThrow();
    expect(await b.who(browser)).toEqual(bea);
    expect(b.told("sso.logged-out")).toEqual([]);
  });

  it.each([
    ["find", "user_authorise"],
    ["profile", "user_authorise"],
    ["picture", "user_authorise"],
    ["picture", "fetch_user_image"],
    ["touch", "keepalive_server"],
    ["end", "kill_children"],
  ] as const)("%s in a method is fault 17, and no detail leaves the site", async (name, method) => {
    let isBroken = false;
    const spoilt = (one: object) => ({
      [name]: (...given: never[]) =>
        isBroken ? boom() : (one as Record<string, (...a: never[]) => unknown>)[name]!(...given),
    });
    const isSession = name === "touch" || name === "end";
    await using sites = await pair({ alpha: isSession ? { spoilSessions: spoilt } : { spoilAccounts: spoilt } });
    const { a, b, browser } = sites;
    const landing = new URL(await sites.landUrl());
    const { createHash } = await import("node:crypto");
    const hash = createHash("sha1").update(browser.userAgent).digest("hex");
    isBroken = true;
    const params = {
      user_authorise: [landing.searchParams.get("token")!, hash],
      fetch_user_image: ["ada"],
      keepalive_server: [["ada"]],
      kill_children: ["ada", hash],
    }[method];
    const error = await b.asks(a, method, params).then(
      () => undefined,
      (thrown: unknown) => thrown as { faultCode: number; faultString: string; message: string },
    );
    expect(error?.faultCode).toBe(17);
    expect(`${error?.faultString}${error?.message}`).not.toContain("secret");
    expect(await everythingTold(a)).toContain("secret of the database");
    expect(await everythingTold(b)).not.toContain("secret of the database");
  });
});

describe("network servers", () => {
  it("MNET-110 hundreds of peers, by name; only those that she may go to", async () => {
    await using sites = await pair({ alpha: { spoilAccounts: () => ({ mayRoam: async (_, to) => to.id % 7 !== 0 }) } });
    const { a, b } = sites;
    const template = (await a.store.peers.find((await a.peer(b)).id))!;
    const { id: _id, version: _version, ...rest } = template;
    for (let n = 0; n < 300; n += 1) {
      const wwwroot = `https://peer${n}.test` as typeof template.wwwroot;
      await a.store.peers.insert({
        ...rest,
        wwwroot,
        canonical: `peer${n}.test`,
        name: `<b>Peer ${299 - n}`,
        certificate: template.certificate,
        ...(n % 3 === 0 && { services: {} }),
        ...(n % 5 === 0 && { state: "suspended" as const }),
      });
    }
    const ada = (await a.accounts.findByUsername("ada"))!;
    const servers = await a.host.sso.networkServers(ada);
    const peers = await collect(a.host.peers.list());
    const expected = peers.filter(({ id, state }) => state === "active" && id % 7 !== 0);
    expect(peers.length).toBeGreaterThan(300);
    expect(servers.length).toBeGreaterThan(100);
    expect(servers.length).toBeLessThan(expected.length);
    const names = servers.map(({ name }) => name);
    expect(names).toEqual([...names].sort((x, y) => x.localeCompare(y)));
    for (const { href, peer } of servers) expect(href).toBe(`https://alpha.test/auth/mnet/jump.php?hostid=${peer.id}`);
    const visitor = { id: "x", username: "ada", home: "https://beta.test" };
    expect(await a.host.sso.networkServers(visitor)).toEqual([]);
  });
});
