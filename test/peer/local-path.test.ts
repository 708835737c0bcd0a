import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Wwwroot } from "../../src/core/ids.ts";
import { localPath } from "../../src/peer/local-path.ts";
import { LEAVING, STAYING } from "../support/wanted-urls.ts";

const SITES = [
  "https://sp.example.edu",
  "https://sp.example.edu/moodle",
  "http://sp.example.edu:8080/a/b",
] as Wwwroot[];

/** As a browser sees it: below the site, and nowhere else. */
function isOn(wwwroot: string, address: string): boolean {
  const [site, url] = [new URL(`${wwwroot}/`), new URL(address)];
  const isBelow = url.pathname.startsWith(site.pathname) && !url.pathname.startsWith("//");
  return url.origin === site.origin && isBelow && url.username === "" && url.password === "";
}

describe.each(SITES)("on %s", (wwwroot) => {
  it.each(LEAVING)("MNET-116 SEC-072 %j leads nowhere", (link) => {
    expect(localPath(wwwroot, link)).toBeUndefined();
  });

  it.each(STAYING)("MNET-116 SEC-072 %j stays", (link) => {
    const local = localPath(wwwroot, link);
    expect(local?.path).toBe(link);
    expect(isOn(wwwroot, local!.address)).toBe(true);
  });

  it("MNET-116 an address of the site itself is its path", () => {
    expect(localPath(wwwroot, `${wwwroot}/course/view.php?id=1#a`)).toEqual({
      path: "/course/view.php?id=1#a",
      address: `${wwwroot}/course/view.php?id=1#a`,
    });
    expect(localPath(wwwroot, `${wwwroot}/`)?.address).toBe(`${wwwroot}/`);
  });

  it.each(["", "evil", ".evil.test", "@evil.test", ":8443/x", "//evil.test", "/\\evil.test", "x/y", "?x", "#x"])(
    "SEC-072 nor is what only begins like it: …%j",
    (rest) => {
      expect(localPath(wwwroot, wwwroot + rest)).toBeUndefined();
    },
  );

  const pieces = fc.constantFrom(
    ...["/", "\\", ".", "..", "%2e", "%2E%2e", "%2f", "%5c", "@", ":", ":8443", "//", "?", "#", "evil.test", "https:"],
    ...[
      "\t",
      "\n",
      "\r",
      "\0",
      " ",
      "\u00a0",
      "\u3000",
      "／",
      "＼",
      "．",
      "。",
      "\u2028",
      "\ud800",
      "\udc00",
      "moodle",
      "a",
    ],
    ...["/moodle", "javascript:", "%00", "%0d%0a", "[::1]", "user:pw@", ";", "\u200b", "\ufeff", wwwroot],
  );
  const links = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
    fc.array(pieces, { maxLength: 12 }).map((parts) => `/${parts.join("")}`),
    fc.webUrl(),
  );

  it("MNET-116 SEC-072 SEC-073 no string leads away", () => {
    let stayed = 0;
    fc.assert(
      fc.property(links, (link) => {
        const local = localPath(wwwroot, link);
        if (!local) return;
        stayed += 1;
        expect(isOn(wwwroot, local.address)).toBe(true);
        // The same for whoever puts the two together, as a Moodle does, and for a second look.
        expect(isOn(wwwroot, new URL(wwwroot + local.path).href)).toBe(true);
        expect(localPath(wwwroot, local.path)).toEqual(local);
        // It can stand in a header.
        expect(local.address).toMatch(/^[\x21-\x7e]+$/);
        expect(encodeURIComponent(local.path)).not.toBe("");
      }),
      { numRuns: 5000 },
    );
    expect(stayed).toBeGreaterThan(100);
  });
});

it("MNET-116 what is too long for a link is none", () => {
  expect(localPath(SITES[0]!, `/${"a".repeat(1999)}`)).toBeDefined();
  expect(localPath(SITES[0]!, `/${"a".repeat(2000)}`)).toBeUndefined();
});

it("MNET-116 another site of the same server is another site", () => {
  const wwwroot = "https://sp.example.edu/moodle" as Wwwroot;
  for (const link of [
    "/../other",
    "/%2e%2e/other",
    "/x/../../other",
    "/.%2E/other",
    "/..",
    "/../moodle-two/x",
    "https://sp.example.edu/other",
    "https://sp.example.edu/moodle-two/x",
    "https://sp.example.edu/moodle",
    "https://sp.example.edu/moodle/../other",
  ]) {
    expect([link, localPath(wwwroot, link)]).toEqual([link, undefined]);
  }
  expect(localPath(wwwroot, "/../moodle/x")?.address).toBe("https://sp.example.edu/moodle/x");
});
