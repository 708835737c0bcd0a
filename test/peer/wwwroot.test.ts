import { describe, expect, it } from "vitest";
import type { Wwwroot } from "../../src/core/ids.ts";
import { APPLICATIONS, rpcUrl } from "../../src/peer/application.ts";
import { serviceFlag, unionOf } from "../../src/peer/service-flags.ts";
import { canonicalWwwroot, parseWwwroot } from "../../src/peer/wwwroot.ts";
import { errorOf } from "../support/code-of.ts";

const canonical = (url: string): string => canonicalWwwroot(parseWwwroot(url));

describe("parseWwwroot", () => {
  it("MNET-001 one trailing slash is dropped, and nothing else changed", () => {
    expect(parseWwwroot("https://a.example/")).toBe("https://a.example");
    expect(parseWwwroot("https://a.example")).toBe("https://a.example");
    expect(parseWwwroot("https://a.example/lms/")).toBe("https://a.example/lms");
    expect(parseWwwroot("https://a.example//")).toBe("https://a.example/");
  });

  it.each([
    "HTTPS://a.example",
    "https://A.example",
    "https://a.example:443",
    "https://a.example/Path",
    "https://www.a.example",
  ])("MNET-002 %s stays as it is, or is refused", async (url) => {
    if (url.startsWith("https")) expect(parseWwwroot(url)).toBe(url);
    else
      expect(await errorOf(() => parseWwwroot(url))).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "wwwroot" });
  });

  it.each([
    "",
    "/",
    "a.example",
    "//a.example",
    "ftp://a.example",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https:///a.example",
    "https:////a.example",
    "https:a.example",
    "https:/a.example",
    "https://a.example:99999",
    "https://a.example:x",
    "https://user@a.example",
    "https://user:secret@a.example",
    "https://@a.example",
    "https://:@a.example",
    "https://a.example@evil.example",
    "https://a.example?x=1",
    "https://a.example/?",
    "https://a.example#x",
    "https://a.example/x#",
    "https://a.example/<b>",
    'https://a.example/"',
    "https://a.example/'",
    "https://a.example\\evil",
    "https://a.example/a b",
    " https://a.example",
    "https://a.example\n",
    "https://a.example\0",
    "https://münchen.example",
    "https://аpple.example",
    "https://a.example/ü",
    "https://[::1",
    "https://[gggg::1]",
    "https://a..example:0:0",
    "https://1.2.3.4.5",
    "https://256.1.1.1",
    `https://a.example/${"x".repeat(240)}`,
  ])("%j is refused", async (url) => {
    expect(await errorOf(() => parseWwwroot(url, "url"))).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "url" });
  });

  it("as long as a Moodle can store, and no longer", async () => {
    const longest = `https://a.example/${"x".repeat(255 - "https://a.example/".length)}`;
    expect(parseWwwroot(longest)).toHaveLength(255);
    expect(await errorOf(() => parseWwwroot(`${longest}x`))).toMatchObject({ code: "MNET_CONFIG_INVALID" });
  });
});

describe("canonicalWwwroot", () => {
  /** Spelling, and the plain one that it can be confused with. */
  const CONFUSABLE: readonly (readonly [string, string])[] = [
    ["https://a.example/", "https://a.example"],
    ["https://a.example//", "https://a.example"],
    ["https://A.EXAMPLE", "https://a.example"],
    ["https://a.Example", "https://a.example"],
    ["https://a.example:443", "https://a.example"],
    ["https://a.example:0443", "https://a.example"],
    ["https://a.example:", "https://a.example"],
    ["https://a.example.", "https://a.example"],
    ["https://a.example.:443", "https://a.example"],
    ["https://a%2eexample", "https://a.example"],
    ["https://a%2Eexample", "https://a.example"],
    ["https://%61.example", "https://a.example"],
    ["https://%41.example", "https://a.example"],
    ["https://a.example/.", "https://a.example"],
    ["https://a.example/..", "https://a.example"],
    ["https://a.example/%2e", "https://a.example"],
    ["https://a.example/%2E%2e", "https://a.example"],
    ["https://a.example/./", "https://a.example"],
    ["https://a.example/x/..", "https://a.example"],
    ["https://a.example/x/%2e%2e", "https://a.example"],
    ["https://a.example/lms/", "https://a.example/lms"],
    ["https://a.example/lms//", "https://a.example/lms"],
    ["https://a.example/./lms", "https://a.example/lms"],
    ["https://a.example/x/../lms", "https://a.example/lms"],
    ["https://a.example/lms/.", "https://a.example/lms"],
    ["http://a.example:80", "http://a.example"],
    ["http://a.example:080", "http://a.example"],
    ["http://A.example.:80/", "http://a.example"],
    ["https://XN--MNCHEN-3YA.example", "https://xn--mnchen-3ya.example"],
    ["https://xn--mnchen-3ya.EXAMPLE.", "https://xn--mnchen-3ya.example"],
    ["https://m%C3%BCnchen.example", "https://xn--mnchen-3ya.example"],
    ["https://M%C3%9CNCHEN.example", "https://xn--mnchen-3ya.example"],
    ["https://fa%C3%9F.example", "https://xn--fa-hia.example"],
    ["https://a%E3%80%82example", "https://a.example"],
    ["https://%EF%BD%81.example", "https://a.example"],
    ["http://2130706433", "http://127.0.0.1"],
    ["http://0x7f000001", "http://127.0.0.1"],
    ["http://0x7f.0.0.1", "http://127.0.0.1"],
    ["http://0177.0.0.1", "http://127.0.0.1"],
    ["http://127.1", "http://127.0.0.1"],
    ["http://127.0.0.1.", "http://127.0.0.1"],
    ["http://127.0.0.1:80", "http://127.0.0.1"],
    ["http://[::1]:80", "http://[::1]"],
    ["http://[0:0:0:0:0:0:0:1]", "http://[::1]"],
    ["http://[2001:DB8::A]", "http://[2001:db8::a]"],
    ["http://[2001:0db8:0:0::a]/", "http://[2001:db8::a]"],
    ["http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"],
  ];

  it.each(CONFUSABLE)("SEC-085 %s is as good as %s", (spelling, plain) => {
    expect(canonical(spelling)).toBe(plain);
    expect(canonical(plain)).toBe(plain);
  });

  it.each([
    ["http://a.example", "https://a.example"],
    ["https://a.example", "https://b.example"],
    ["https://a.example", "https://www.a.example"],
    ["https://a.example", "https://a.example:8443"],
    ["https://a.example", "https://a.example:80"],
    ["http://a.example", "http://a.example:443"],
    ["https://a.example", "https://a.example/lms"],
    ["https://a.example/lms", "https://a.example/LMS"],
    ["https://a.example/lms", "https://a.example/lms2"],
    ["https://a.example/a/b", "https://a.example/ab"],
    // A Cyrillic "а" is another letter, and another domain.
    ["https://apple.example", "https://xn--pple-43d.example"],
    ["http://127.0.0.1", "http://127.0.0.2"],
    ["http://[::1]", "http://[::2]"],
    ["http://127.0.0.1", "http://[::ffff:127.0.0.1]"],
  ])("SEC-085 %s is another site than %s", (one, other) => {
    expect(canonical(one)).not.toBe(canonical(other));
  });

  it("SEC-085 is its own canonical form", () => {
    for (const [spelling] of CONFUSABLE)
      expect(canonicalWwwroot(canonical(spelling) as Wwwroot)).toBe(canonical(spelling));
  });
});

describe("applications", () => {
  it("MNET-003 Moodle's suffixes", () => {
    expect(APPLICATIONS.moodle).toEqual({
      rpcPath: "/mnet/xmlrpc/server.php",
      landPath: "/auth/mnet/land.php",
      jumpPath: "/auth/mnet/jump.php",
    });
    expect(rpcUrl("https://a.example/lms", "moodle").href).toBe("https://a.example/lms/mnet/xmlrpc/server.php");
  });

  it("MNET-004 Mahara's suffixes", () => {
    expect(APPLICATIONS.mahara).toEqual({
      rpcPath: "/api/xmlrpc/server.php",
      landPath: "/auth/xmlrpc/land.php",
      jumpPath: "/auth/xmlrpc/jump.php",
    });
    expect(rpcUrl("https://m.example", "mahara").href).toBe("https://m.example/api/xmlrpc/server.php");
  });
});

describe("service flags", () => {
  it.each([
    ["off", undefined, "off"],
    [undefined, undefined, "off"],
    ["publish", undefined, "publish"],
    [undefined, "subscribe", "subscribe"],
    ["subscribe", "publish", "both"],
    ["publish", "subscribe", "both"],
    ["off", "both", "both"],
    ["both", "off", "both"],
    ["subscribe", "subscribe", "subscribe"],
  ] as const)("MNET-089 %s of the peer and %s of all hosts are %s", (own, all, both) => {
    expect(unionOf(own, all)).toBe(both);
  });

  it("a flag says which boxes are ticked", () => {
    expect(serviceFlag({ publish: true, subscribe: true })).toBe("both");
    expect(serviceFlag({ publish: false, subscribe: false })).toBe("off");
  });
});
