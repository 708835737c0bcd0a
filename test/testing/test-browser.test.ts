import { describe, expect, test } from "vitest";
import { headerOf, type HttpResponse } from "../../src/host/http.ts";
import { createService } from "../../src/host/service.ts";
import type { Browser } from "../../src/plug-ins/browser.ts";
import { testBrowser } from "../../src/testing/test-browser.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { testNetwork } from "../../src/testing/test-network.ts";
import { codeOf } from "../support/code-of.ts";

const A = "https://a.test";
const B = "https://b.test/moodle";

const html = (text: string): HttpResponse => ({ status: 200, headers: [], body: Buffer.from(text) });
const redirect = (location: string, status = 303): HttpResponse => ({
  status,
  headers: [["location", location]],
  body: new Uint8Array(),
});

/** A service with pages. What they are asked is kept. */
function pages(answers: Readonly<Record<string, (browser: Browser) => HttpResponse>>) {
  const seen: Browser[] = [];
  const service = createService({
    name: "pages",
    methods: [],
    attach: () => ({
      pages: Object.entries(answers).map(([path, answer]) => ({
        path,
        methods: ["GET", "POST"] as const,
        async answer(browser: Browser) {
          seen.push(browser);
          return answer(browser);
        },
      })),
    }),
  });
  return { seen, service };
}

describe("a browser on the test network", () => {
  test("follows redirects from site to site, with the cookies of each", async () => {
    await using network = testNetwork();
    const a = pages({
      "/go.php": (browser) => {
        browser.appendHeader("set-cookie", "here=a; Path=/; Secure; HttpOnly");
        browser.appendHeader("set-cookie", "also=x=y; Path=/");
        return redirect(`${B}/land.php?from=a`);
      },
      "/see.php": () => html("seen"),
    });
    const b = pages({ "/land.php": () => redirect("../moodle/course.php?id=7", 302) });
    await network.host(A, { services: [a.service] });
    await network.host(B, { services: [b.service] });

    const browser = network.browser();
    const page = await browser.get(`${A}/go.php`);
    expect(page).toMatchObject({ url: `${B}/course.php?id=7`, status: 404, text: "" });
    expect(page.redirects).toEqual([`${B}/land.php?from=a`, `${B}/course.php?id=7`]);
    expect(b.seen[0]?.header("cookie")).toBeUndefined();
    expect(b.seen[0]?.header("User-Agent")).toBe(browser.userAgent);
    expect(await browser.get(`${A}/see.php`)).toMatchObject({ url: `${A}/see.php`, status: 200, text: "seen" });
    expect(a.seen[1]?.header("cookie")).toBe("here=a; also=x=y");
    expect(browser.cookies(A)).toEqual({ here: "a", also: "x=y" });
    expect(network.browser().cookies(A)).toEqual({});
  });

  test("stays where it is told to, and shows where it was to go", async () => {
    await using network = testNetwork();
    await network.host(A, { services: [pages({ "/go.php": () => redirect(`${B}/x`) }).service] });
    const page = await network.browser().get(`${A}/go.php`, { followRedirects: false });
    expect([page.url, page.status, page.header("location"), page.redirects]).toEqual([
      `${A}/go.php`,
      303,
      `${B}/x`,
      [],
    ]);
    expect(page.header("x-none")).toBeUndefined();
  });

  test("sends headers that a test gives, on redirects too, and the user agent of its own", async () => {
    await using network = testNetwork();
    const { seen, service } = pages({ "/go.php": () => redirect("/end.php"), "/end.php": () => html("") });
    await network.host(A, { services: [service] });
    const browser = network.browser({ userAgent: "Lynx/2.9" });
    await browser.get(`${A}/go.php`, { headers: { "sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe" } });
    expect(seen).toHaveLength(2);
    for (const one of seen) {
      expect(["sec-fetch-site", "sec-fetch-dest", "user-agent", "host"].map((name) => one.header(name))).toEqual([
        "cross-site",
        "iframe",
        "Lynx/2.9",
        "a.test",
      ]);
    }
  });

  test("submits the form of a page: its fields, what the test puts over them, and the page's origin", async () => {
    const sent: { url: string; method: string; origin: string | undefined; body: string }[] = [];
    const form = `<!doctype html><form method="post" action="confirm.php?step=2">
      <input type="hidden" name="token" value="a&amp;b"><input name="who" value="ada"><input type="checkbox" name="no">
      <input type="radio" name="pick" value="2" checked><button name="do" value="yes">Go</button>
      <button name="do" value="no">No</button></form><form action="/other"><input name="x" value="y"></form>`;
    const browser = testBrowser({
      clock: fakeClock(),
      async reach(url, request) {
        const body = Buffer.from(request.body as Uint8Array).toString();
        sent.push({ url: url.href, method: request.method, origin: headerOf(request, "origin"), body });
        return request.method === "POST" ? redirect("/done", 303) : html(form);
      },
    });
    const page = await browser.get(`${A}/ask/ask.php`);
    const done = await browser.submit(page, { who: "bea" });
    expect(done.url).toBe(`${A}/done`);
    await browser.submit({ ...page, text: `<form action="?q=1"><input name="q" value="é"></form>` });
    await browser.post(`${A}/x`, { a: "1 2" }, { headers: { origin: "https://evil.test" } });
    expect(sent).toEqual([
      { url: `${A}/ask/ask.php`, method: "GET", origin: undefined, body: "" },
      {
        url: `${A}/ask/confirm.php?step=2`,
        method: "POST",
        origin: A,
        body: "token=a%26b&who=bea&pick=2&do=yes",
      },
      { url: `${A}/done`, method: "GET", origin: undefined, body: "" },
      { url: `${A}/ask/ask.php?q=%C3%A9`, method: "GET", origin: undefined, body: "" },
      { url: `${A}/x`, method: "POST", origin: "https://evil.test", body: "a=1+2" },
      { url: `${A}/done`, method: "GET", origin: undefined, body: "" },
    ]);
    expect(() => browser.submit({ ...page, text: "<p>nothing</p>" })).toThrow("has no form");
  });

  test("forgets cookies at their end, and those that are taken back", async () => {
    const clock = fakeClock();
    const lines = [
      "a=1; Max-Age=10",
      "b=2; Path=/deep",
      "c=3",
      `d=4; Expires=${new Date(clock.now() + 5000).toUTCString()}`,
    ];
    let answer = lines;
    const browser = testBrowser({
      clock,
      reach: async () => ({
        status: 200,
        headers: answer.map((line): [string, string] => ["Set-Cookie", line]),
        body: new Uint8Array(),
      }),
    });
    await browser.get(A);
    expect(browser.cookies(`${A}/deep/x`)).toEqual({ a: "1", b: "2", c: "3", d: "4" });
    expect(browser.cookies(`${A}/deeper`)).toEqual({ a: "1", c: "3", d: "4" });
    await clock.advance(5000);
    expect(browser.cookies(A)).toEqual({ a: "1", c: "3" });
    answer = ["c=; Max-Age=0"];
    await browser.get(A);
    await clock.advance(5000);
    expect(browser.cookies(A)).toEqual({});
  });

  test("meets what fails, what is not there, and circles", async () => {
    await using network = testNetwork();
    const a = await network.host(A, { services: [pages({ "/go.php": () => redirect("/go.php") }).service] });
    const browser = network.browser();
    expect(await codeOf(() => browser.get("https://nobody.test/"))).toBe("MNET_TRANSPORT_UNREACHABLE");
    for (const how of ["unreachable", "timeout"] as const) {
      network.fail(a.wwwroot, how);
      expect(await codeOf(() => browser.get(A))).toBe("MNET_TRANSPORT_UNREACHABLE");
    }
    network.fail(a.wwwroot, "html");
    expect((await browser.get(A)).text).toContain("Maintenance");
    network.heal(a.wwwroot);
    expect((await browser.get(A)).text).toContain("<title>a.test</title>");
    await expect(browser.get(`${A}/go.php`)).rejects.toThrow("redirects without end");
  });
});
