import { createServer, type RequestListener } from "node:http";
import { connect } from "node:net";
import express, { type ErrorRequestHandler } from "express";
import { describe, expect, it } from "vitest";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import { createHost } from "../../src/create-host.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { Host } from "../../src/host/host.ts";
import { t } from "../../src/host/wire-type.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import { codeOf } from "../support/code-of.ts";
import { aliceCalls, openAnswer, padded, rig, summary, type Rig } from "../support/hosts.ts";
import { httpSite, type HttpSite } from "../support/http-site.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const RPC = "/moodle/mnet/xmlrpc/server.php";
const SERVED = { form: "signed and encrypted", value: [] };

const listening = (us: Rig, listener: RequestListener = nodeHandler(us.host)): Promise<HttpSite> => httpSite(listener);
const send = async (site: HttpSite, path: string, init?: RequestInit) => {
  const response = await fetch(site.origin + path, { redirect: "manual", ...init });
  return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
};
const postTo = async (site: HttpSite, body: Uint8Array | string, path = RPC) =>
  send(site, path, { method: "POST", body });

/** Sends raw bytes, piece by piece, and gives all that comes back until the other side closes. */
async function rawExchange({ port }: HttpSite, pieces: AsyncIterable<Uint8Array | string>): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const received: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => received.push(chunk));
  socket.on("error", () => undefined);
  const closed = new Promise((resolve) => socket.on("close", resolve));
  for await (const piece of pieces) if (!socket.destroyed) socket.write(piece);
  await closed;
  return Buffer.concat(received).toString("latin1");
}

describe("on node:http", () => {
  it("answers what is MNet's, and 404 for the rest", async () => {
    await using us = await rig();
    await using site = await listening(us);
    const call = await postTo(site, aliceCalls(us, "system/listServices"));
    expect([call.status, call.headers.get("content-type")]).toEqual([200, "text/xml; charset=utf-8"]);
    expect(call.headers.get("content-length")).toBe(String(call.body.length));
    expect(summary(openAnswer(call.body, us.alice))).toEqual(SERVED);
    const other = await send(site, "/other");
    expect([other.status, other.body.toString()]).toEqual([404, "Not found\n"]);
    expect((await send(site, RPC)).status).toBe(405);
  });

  const sizes = [0, 1, 256, 2048, 2049, 100_000];
  it.each(
    sizes.flatMap((size) => [
      [size, 0x7f],
      [size, 0xff],
    ]),
  )("an answer of %d bytes up to 0x%x comes as it is", async (size, largest) => {
    const body = Uint8Array.from({ length: size + 2 }, (_, n) => (n * 7) & largest).subarray(1, size + 1);
    const headers = [["content-length", String(size)]] as const;
    const handle = async () => ({ status: 200, headers, body });
    await using site = await httpSite(nodeHandler({ handle } as unknown as Host));
    // The second comes over the same connection: no byte is too many.
    for (let n = 0; n < 2; n += 1) expect((await send(site, "/")).body.equals(body)).toBe(true);
  });

  it("MNET-023 GET and HEAD publickey.php", async () => {
    await using us = await rig();
    await using site = await listening(us);
    const get = await send(site, "/moodle/mnet/publickey.php");
    expect(get.body.toString()).toBe(us.ours.certificate.pem);
    const head = await send(site, "/moodle/mnet/publickey.php", { method: "HEAD" });
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers.get("content-length")).toBe(String(get.body.length));
  });

  it("the socket's address reaches the events, X-Forwarded-For does not", async () => {
    await using us = await rig();
    await using site = await listening(us);
    await send(site, RPC, { method: "POST", body: "x", headers: { "x-forwarded-for": "192.0.2.1" } });
    expect(us.told("call.refused")).toMatchObject([{ remoteAddress: "127.0.0.1" }]);
  });

  it("MNET-072 a body that is announced with Expect: 100-continue is asked for and answered", async () => {
    await using us = await rig();
    await using site = await listening(us);
    const body = aliceCalls(us, "system/listServices");
    const continued = withResolvers<string>();
    const socket = connect(site.port, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      if (received.includes("\r\n\r\n")) continued.resolve(received);
    });
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.write(
      `POST ${RPC} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Type: text/xml charset=UTF-8\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    expect(await continued.promise).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    socket.write(body);
    await closed;
    const [, , head, ...rest] = received.split("\r\n\r\n");
    expect(received).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/);
    const answer = [head ?? "", ...rest].join("\r\n\r\n");
    expect(summary(openAnswer(Buffer.from(answer, "latin1"), us.alice))).toEqual(SERVED);
  });

  it.each(["with a length", "chunked"])(
    "MNET-075 %s: the limit passes, one byte more does not, and the answer arrives",
    async (how) => {
      await using us = await rig({ limits: { requestBytes: 20_000 } });
      await using site = await listening(us);
      const request = async function* (length: number) {
        const body = padded(aliceCalls(us, "system/listServices"), length);
        const size = how === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
        yield `POST ${RPC} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${size}\r\n\r\n`;
        if (how === "chunked") {
          yield `${length.toString(16)}\r\n`;
          yield body;
          yield "\r\n0\r\n\r\n";
        } else {
          yield body;
        }
      };
      const bodyOf = (raw: string): Buffer => Buffer.from(raw.slice(raw.indexOf("\r\n\r\n") + 4), "latin1");
      const fits = await rawExchange(site, request(20_000));
      expect(summary(openAnswer(bodyOf(fits), us.alice))).toEqual(SERVED);
      const large = await rawExchange(site, request(20_001));
      expect(large).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*connection: close/i);
      expect(summary(openAnswer(bodyOf(large)))).toEqual({ form: "plain", fault: 7023 });
      expect(us.told("call.refused")).toMatchObject([{ code: "MNET_ENVELOPE_TOO_LARGE" }]);
    },
  );

  it("MNET-075 what never ends is cut off, and not kept in memory", async () => {
    await using us = await rig({ limits: { requestBytes: 1_000_000 } });
    await using site = await listening(us);
    let sent = 0;
    const piece = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(0x10000, 0x61), Buffer.from("\r\n")]);
    const socket = connect(site.port, "127.0.0.1");
    socket.on("error", () => undefined);
    let received = "";
    socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")));
    const closed = new Promise((resolve) => socket.on("close", resolve));
    const before = process.memoryUsage().arrayBuffers;
    socket.write(`POST ${RPC} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
    while (!socket.destroyed && sent < 200_000_000) {
      sent += piece.length;
      if (!socket.write(piece)) await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), closed]);
    }
    await closed;
    expect(sent).toBeLessThan(50_000_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
    expect(received).toContain("7023");
  });

  it("SEC-081 a compressed request → 415", async () => {
    await using us = await rig();
    await using site = await listening(us);
    const reply = await send(site, RPC, { method: "POST", body: "x", headers: { "content-encoding": "gzip" } });
    expect(reply.status).toBe(415);
    // On the same connection the next request is served.
    expect(summary(openAnswer((await postTo(site, aliceCalls(us, "system/listServices"))).body, us.alice))).toEqual(
      SERVED,
    );
  });

  it("a store that fails → 500 without a word, and the next request is served", async () => {
    await using us = await rig();
    await using site = await listening(us);
    const find = us.store.peers.find.bind(us.store.peers);
    us.store.peers.find = () => Promise.reject(new Error("secret of the database"));
    const failed = await postTo(site, aliceCalls(us, "system/listServices"));
    expect([failed.status, failed.body.toString()]).toEqual([500, "Internal server error\n"]);
    us.store.peers.find = find;
    expect(summary(openAnswer((await postTo(site, aliceCalls(us, "system/listServices"))).body, us.alice))).toEqual(
      SERVED,
    );
  });

  it("a caller who hangs up in the middle of the body harms nobody", async () => {
    await using us = await rig();
    await using site = await listening(us);
    const socket = connect(site.port, "127.0.0.1");
    socket.write(`POST ${RPC} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n<encrypted`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(summary(openAnswer((await postTo(site, aliceCalls(us, "system/listServices"))).body, us.alice))).toEqual(
      SERVED,
    );
  });

  it("call.signal aborts when the caller hangs up", async () => {
    const begun = withResolvers<AbortSignal>();
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    const run = (_: object, { signal }: { readonly signal: AbortSignal }): Promise<string> => {
      begun.resolve(signal);
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve("ended")));
    };
    await using us = await rig({
      services: [service.implement({ run })],
      alicePeer: { services: { work: "publish" } },
    });
    await using site = await listening(us);
    const caller = new AbortController();
    const outcome = fetch(site.origin + RPC, {
      method: "POST",
      body: aliceCalls(us, "work/run"),
      signal: caller.signal,
    });
    const signal = await begun.promise;
    expect(signal.aborted).toBe(false);
    caller.abort();
    await expect(outcome).rejects.toMatchObject({ name: "AbortError" });
    await expect.poll(() => signal.aborted).toBe(true);
  });
});

describe("in Express", () => {
  const app = (us: Rig, prepare: (app: express.Express) => void, errors: unknown[] = []): RequestListener => {
    const it = express();
    prepare(it);
    it.use(nodeHandler(us.host));
    it.get("/moodle", (_req, res) => void res.send("<title>The application</title>"));
    const report: ErrorRequestHandler = (error, _req, res, _next) => {
      errors.push(error);
      res.status(500).end();
    };
    it.use(report);
    return it;
  };

  it("what is MNet's is answered, the rest goes to the application, the home page too", async () => {
    await using us = await rig();
    await using site = await httpSite(app(us, () => undefined));
    expect(summary(openAnswer((await postTo(site, aliceCalls(us, "system/listServices"))).body, us.alice))).toEqual(
      SERVED,
    );
    expect((await send(site, "/moodle")).body.toString()).toBe("<title>The application</title>");
    expect((await send(site, "/nothing")).status).toBe(404);
  });

  it("MNET_HTTP_BODY_CONSUMED reaches the error handler if a body parser was first", async () => {
    await using us = await rig();
    const errors: unknown[] = [];
    await using site = await httpSite(app(us, (it) => it.use(express.text({ type: () => true })), errors));
    expect((await postTo(site, aliceCalls(us, "system/listServices"))).status).toBe(500);
    expect(errors).toMatchObject([{ code: "MNET_HTTP_BODY_CONSUMED" }]);
    // What needs no body is answered.
    expect((await send(site, "/moodle/mnet/publickey.php")).status).toBe(200);
  });

  it("a body parser that passes the body by is no harm", async () => {
    await using us = await rig();
    await using site = await httpSite(app(us, (it) => it.use(express.json(), express.urlencoded({ extended: false }))));
    expect(summary(openAnswer((await postTo(site, aliceCalls(us, "system/listServices"))).body, us.alice))).toEqual(
      SERVED,
    );
  });

  it("mounted at a path, the whole path counts", async () => {
    await using us = await rig();
    const it = express();
    it.use("/moodle", nodeHandler(us.host));
    await using site = await httpSite(it);
    expect(summary(openAnswer((await postTo(site, aliceCalls(us, "system/listServices"))).body, us.alice))).toEqual(
      SERVED,
    );
    expect((await postTo(site, "x", "/mnet/xmlrpc/server.php")).status).toBe(404);
  });

  it("other errors reach the error handler, MNET_HOST_CLOSED among them", async () => {
    const us = await rig();
    const errors: unknown[] = [];
    await using site = await httpSite(app(us, () => undefined, errors));
    await us.host.close();
    expect((await postTo(site, "x")).status).toBe(500);
    expect(errors).toMatchObject([{ code: "MNET_HOST_CLOSED" }]);
    expect((await send(site, "/moodle")).body.toString()).toBe("<title>The application</title>");
  });
});

describe("a call-back while a call is open", () => {
  const depth = t.int({ min: 0, max: 5 });
  const ping = defineService({ name: "ping", methods: { pong: { params: { depth }, returns: t.list(t.string()) } } });

  /** A site whose handler calls the caller back before it answers, as deep as it is told. */
  async function site(name: string): Promise<{ host: Host; http: HttpSite }> {
    const server = createServer();
    const http = await httpSite(() => undefined, server);
    const host: Host = await createHost({
      wwwroot: http.origin,
      name,
      store: memoryStore(),
      network: { allowAddresses: ["127.0.0.0/8"] },
      services: [
        ping.implement({
          pong: async ({ depth: left }, { peer, signal }) =>
            left === 0
              ? [name]
              : [name, ...(await host.call(peer, ping.methods.pong, { depth: left - 1 }, { signal }))],
        }),
      ],
    });
    server.on("request", nodeHandler(host));
    return { host, http };
  }

  it("MNET-076 is served, five deep, in both directions at once, over real HTTP", async () => {
    const [alpha, beta] = await Promise.all([site("alpha"), site("beta")]);
    await using alphaHttp = alpha.http;
    await using betaHttp = beta.http;
    expect(alphaHttp.port).not.toBe(betaHttp.port);
    await using a = alpha.host;
    await using b = beta.host;
    const [toB, toA] = await Promise.all([a.peers.add(b.wwwroot), b.peers.add(a.wwwroot)]);
    await Promise.all([a.peers.setServices(toB, { ping: "both" }), b.peers.setServices(toA, { ping: "both" })]);
    const started = performance.now();
    const calls = Array.from({ length: 4 }, (_, left) => [
      a.call(toB, ping.methods.pong, { depth: left + 2 }),
      b.call(toA, ping.methods.pong, { depth: left + 2 }),
    ]).flat();
    const answers = await Promise.all(calls);
    expect(answers[0]).toEqual(["beta", "alpha", "beta"]);
    expect(answers[1]).toEqual(["alpha", "beta", "alpha"]);
    expect(answers[6]).toEqual(["beta", "alpha", "beta", "alpha", "beta", "alpha"]);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it("MNET-071 SEC-079 keyswap, title and calls follow no redirect to another server", async () => {
    let hits = 0;
    await using target = await httpSite((_req, res) => {
      hits += 1;
      res.end("<title>Redirected</title>");
    });
    const alpha = await site("alpha");
    await using _alphaHttp = alpha.http;
    await using a = alpha.host;
    let redirected = ["/mnet/xmlrpc/server.php", "/api/xmlrpc/server.php", "/"];
    const beta = await site("beta");
    await using betaHttp = beta.http;
    await using b = beta.host;
    const handler = nodeHandler(b);
    betaHttp.server.removeAllListeners("request");
    betaHttp.server.on("request", (req, res) => {
      if (redirected.includes(req.url!)) res.writeHead(302, { location: target.origin + req.url! }).end();
      else handler(req, res);
    });
    expect(await codeOf(() => a.peers.add(b.wwwroot))).toBe("MNET_TRANSPORT_REDIRECT");
    redirected = ["/"];
    const toB = await a.peers.add(b.wwwroot);
    expect(toB.name).toBe(new URL(b.wwwroot).host);
    redirected = ["/mnet/xmlrpc/server.php"];
    expect(await codeOf(() => a.call(toB, "system/listServices"))).toBe("MNET_TRANSPORT_REDIRECT");
    expect(hits).toBe(0);
  });
});

it("MNET-082 in clear, over HTTP, what is not keyswap is refused and keyswap answered", async () => {
  await using us = await rig();
  await using site = await listening(us);
  expect(summary(openAnswer((await postTo(site, encodeCall("system/listServices", []))).body))).toEqual({
    form: "plain",
    fault: 7021,
  });
  const swap = await postTo(site, encodeCall("system/keyswap", ["https://x.example", "pem"]));
  expect(summary(openAnswer(swap.body))).toEqual({ form: "plain", value: us.ours.certificate.pem });
});
