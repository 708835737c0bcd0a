import { describe, expect, it } from "vitest";
import { createHost } from "../../src/create-host.ts";
import { siteTitle } from "../../src/peer/site-title.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import { aliceCalls, noTransport, openAnswer, padded, request, rig, summary, type Rig } from "../support/hosts.ts";

const RPC = "/moodle/mnet/xmlrpc/server.php";
const KEY = "/moodle/mnet/publickey.php";
const handled = ({ host }: Rig, method: string, path: string, hasNextHandler = false) =>
  host.handle({ method, path, headers: {}, body: new Uint8Array(), hasNextHandler });

describe("where a host answers", () => {
  it.each([
    [RPC, 200],
    [`${RPC}?debug=1`, 200],
    [KEY, 405],
    ["/moodle", 405],
    ["/moodle/", 405],
    ["/moodle/mnet", undefined],
    ["/mnet/xmlrpc/server.php", undefined],
    ["/mnet/publickey.php", undefined],
    ["/moodlemnet/xmlrpc/server.php", undefined],
    ["/Moodle/mnet/xmlrpc/server.php", undefined],
    ["/moodle//mnet/xmlrpc/server.php", undefined],
    ["/moodle/mnet/xmlrpc/server.php/", undefined],
    ["/moodle/mnet/xmlrpc/../xmlrpc/server.php", undefined],
    ["/moodle/api/xmlrpc/server.php", undefined],
    ["/", undefined],
    ["", undefined],
  ])("POST %s of a site in /moodle → %s", async (path, status) => {
    await using us = await rig();
    expect((await handled(us, "POST", path))?.status).toBe(status);
  });

  it.each(["https://x.test", "https://x.test/lms", "https://x.test/a/b/c"])(
    "MNET-003 %s is served under its suffixes",
    async (wwwroot) => {
      await using us = await rig({ wwwroot });
      const { pathname } = new URL(`${wwwroot}/mnet/xmlrpc/server.php`);
      const reply = await request(us.host, { path: pathname, body: aliceCalls(us, "system/listServices") });
      expect(summary(openAnswer(reply.body, us.alice))).toEqual({ form: "signed and encrypted", value: [] });
      const key = await request(us.host, { method: "GET", path: new URL(`${wwwroot}/mnet/publickey.php`).pathname });
      expect(key.body.toString()).toBe(us.ours.certificate.pem);
      const home = await request(us.host, { method: "GET", path: new URL(wwwroot).pathname });
      expect(home.body.toString()).toContain("<title>Our host</title>");
    },
  );

  it("MNET-023 GET publickey.php is the current certificate as text", async () => {
    await using us = await rig();
    for (const method of ["GET", "HEAD"]) {
      const { status, headers, body } = await request(us.host, { method, path: KEY });
      expect(status).toBe(200);
      expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
      expect(headers["content-length"]).toBe(String(us.ours.certificate.pem.length));
      expect(body.toString()).toBe(us.ours.certificate.pem);
    }
    const refused = await request(us.host, { method: "POST", path: KEY });
    expect([refused.status, refused.headers["allow"]]).toEqual([405, "GET, HEAD"]);
  });

  it("MNET-023 GET publickey.php is the new certificate as soon as another process has rotated", async () => {
    await using us = await rig();
    const key = async (): Promise<string> => (await request(us.host, { method: "GET", path: KEY })).body.toString();
    const before = await key();
    const { wwwroot } = us.host;
    const options = { wwwroot, name: "Our host", store: us.store, clock: us.clock, transport: noTransport };
    const other = await createHost({ ...options, maintenance: "manual" });
    await other.keys.rotate();
    const { certificate } = await other.keys.current();
    expect(await key()).toBe(certificate);
    expect(certificate).not.toBe(before);
  });

  it("MNET-023 MNET-006 GET publickey.php of a site that is off → 404 and a page", async () => {
    await using us = await rig({ enabled: false });
    const { status, headers, body } = await request(us.host, { method: "GET", path: KEY });
    expect([status, headers["content-type"]]).toEqual([404, "text/html; charset=utf-8"]);
    expect(body.toString()).toMatch(/^<!doctype html>/);
  });

  it.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post"])("%s at the endpoint → 405", async (method) => {
    await using us = await rig();
    const { status, headers } = await request(us.host, { method });
    expect([status, headers["allow"]]).toEqual([405, "POST"]);
  });
});

describe("requests", () => {
  it.each([
    undefined,
    "text/xml",
    "text/xml charset=UTF-8",
    "text/xml; charset=utf-8",
    "text/xml; charset=utf-16",
    "application/octet-stream",
    "application/json",
    "multipart/form-data; boundary=x",
    "nonsense",
    "",
  ])("MNET-069 Content-Type %j is not looked at", async (type) => {
    await using us = await rig();
    const body = aliceCalls(us, "system/listServices");
    const reply = await request(us.host, { body, headers: type === undefined ? {} : { "content-type": type } });
    expect(summary(openAnswer(reply.body, us.alice))).toEqual({ form: "signed and encrypted", value: [] });
  });

  it("MNET-070 every fault has status 200 and text/xml, and its own length", async () => {
    await using us = await rig({ limits: { requestBytes: 100_000 } });
    const bodies = [
      Buffer.alloc(0),
      Buffer.from("hello"),
      Buffer.from(encodeCall("system.keyswap", [])),
      Buffer.alloc(100_001),
      aliceCalls(us, "nosuch"),
      aliceCalls(us, "system/listServices", [], { form: "encrypted" }),
    ];
    for (const body of bodies) {
      const reply = await request(us.host, { body });
      expect(reply.status).toBe(200);
      expect(reply.headers).toMatchObject({
        "content-type": "text/xml; charset=utf-8",
        "content-length": String(reply.body.length),
        "cache-control": "no-store",
      });
      expect(reply.headers).not.toHaveProperty("location");
      expect(openAnswer(reply.body, us.alice).decoded.kind).toBe("fault");
    }
  });

  it("MNET-071 no answer of any route is a redirect", async () => {
    await using us = await rig();
    for (const path of [RPC, KEY, "/moodle", "/moodle/"]) {
      for (const method of ["GET", "POST", "HEAD", "PUT"]) {
        const { status, headers } = await request(us.host, { method, path });
        expect(Math.floor(status / 100)).not.toBe(3);
        expect(headers).not.toHaveProperty("location");
      }
    }
  });

  it.each(["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip", "identity, gzip"])(
    "SEC-081 Content-Encoding %s → 415, not unpacked",
    async (encoding) => {
      await using us = await rig();
      let reads = 0;
      const body = (async function* () {
        reads += 1;
        yield Buffer.from("x");
      })();
      const { status, headers } = await request(us.host, { body, headers: { "content-encoding": encoding } });
      expect([status, headers["accept-encoding"], reads]).toEqual([415, "identity", 0]);
      const plain = await request(us.host, {
        headers: { "content-encoding": "identity" },
        body: aliceCalls(us, "system/listServices"),
      });
      expect(summary(openAnswer(plain.body, us.alice)).value).toEqual([]);
    },
  );

  it("MNET-075 a stream is read up to the limit and no further", async () => {
    await using us = await rig({ limits: { requestBytes: 20_000 } });
    const whole = aliceCalls(us, "system/listServices");
    let taken = 0;
    const inChunks = async function* (bytes: Uint8Array) {
      for (let at = 0; at < bytes.length; at += 1000) {
        taken += 1;
        yield bytes.subarray(at, at + 1000);
      }
    };
    const fits = await request(us.host, { body: inChunks(padded(whole, 20_000)) });
    expect(summary(openAnswer(fits.body, us.alice)).value).toEqual([]);
    expect(fits.headers).not.toHaveProperty("connection");

    taken = 0;
    const large = await request(us.host, { body: inChunks(padded(whole, 1_000_000)) });
    expect(summary(openAnswer(large.body))).toEqual({ form: "plain", fault: 7023 });
    expect(large.headers["connection"]).toBe("close");
    expect(taken).toBe(21);
    expect(us.told("call.refused")).toMatchObject([{ code: "MNET_ENVELOPE_TOO_LARGE", remoteAddress: "192.0.2.7" }]);
  });

  it("MNET-075 what says that it is too large is not read at all", async () => {
    await using us = await rig({ limits: { requestBytes: 20_000 } });
    let taken = 0;
    const body = (async function* () {
      taken += 1;
      yield Buffer.alloc(1);
    })();
    const reply = await request(us.host, { body, headers: { "content-length": "20001" } });
    expect(summary(openAnswer(reply.body))).toEqual({ form: "plain", fault: 7023 });
    expect(taken).toBe(0);
  });

  it("SEC-086 no header says who we are", async () => {
    await using us = await rig();
    const values = [
      "evil.example",
      "https://evil.example",
      "127.0.0.1",
      "host.example:8080",
      "a".repeat(5000),
      "'\"<>",
      "",
    ];
    const names = [
      "host",
      "x-forwarded-host",
      "x-forwarded-proto",
      "x-forwarded-port",
      "x-forwarded-for",
      "x-forwarded-prefix",
      "forwarded",
      "x-original-url",
      "x-rewrite-url",
      "via",
    ];
    for (const value of values) {
      const headers = Object.fromEntries(names.map((name) => [name, value]));
      const call = await request(us.host, { headers, body: aliceCalls(us, "system/listServices") });
      const answer = openAnswer(call.body, us.alice);
      expect(answer.senders).toEqual([us.host.wwwroot, us.host.wwwroot]);
      const key = await request(us.host, { method: "GET", path: KEY, headers });
      expect(key.body.toString()).toBe(us.ours.certificate.pem);
      const home = await request(us.host, { method: "GET", path: "/moodle", headers });
      expect(home.body.toString()).toContain(us.host.wwwroot);
      expect(home.body.toString()).not.toContain("evil");
    }
  });
});

describe("the home page", () => {
  it.each(["Our host", `R&D <b>"x"</b> 'y'`, "Zoë 日本 x", "</title><script>alert(1)</script>"])(
    "SEC-068 has exactly one <title>, from which %j comes back",
    async (name) => {
      await using us = await rig({ name });
      const { status, headers, body } = await request(us.host, { method: "GET", path: "/moodle" });
      expect([status, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
      const html = body.toString();
      expect(html.match(/<title>[^<]*<\/title>/g)).toHaveLength(1);
      expect(html).not.toContain("<script");
      expect(siteTitle(html)).toBe(name);
      expect((await request(us.host, { method: "POST", path: "/moodle" })).status).toBe(405);
    },
  );

  it("is not there where it is switched off, or where the application has its own", async () => {
    await using us = await rig();
    expect((await handled(us, "GET", "/moodle"))?.status).toBe(200);
    expect(await handled(us, "GET", "/moodle", true)).toBeUndefined();
    await using without = await rig({ homePage: false });
    expect(await handled(without, "GET", "/moodle")).toBeUndefined();
    expect((await handled(without, "GET", KEY))?.status).toBe(200);
  });

  it("a host that is closed leaves the application's own home page alone", async () => {
    const us = await rig();
    await us.host.close();
    expect(await handled(us, "GET", "/moodle", true)).toBeUndefined();
  });
});
