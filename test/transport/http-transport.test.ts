import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { createServer as createTlsServer } from "node:https";
import type { RequestListener, Server, ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import type { Wwwroot } from "../../src/core/ids.ts";
import { HttpClient, type Route } from "../../src/peer/http-exchange.ts";
import { HttpTransport } from "../../src/transport/http-transport.ts";
import type { TransportRequest, TransportResponse } from "../../src/transport/transport.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { keyedSite } from "../support/hosts.ts";
import { freePort, httpSite } from "../support/http-site.ts";

const realLookup = dns.lookup;
const LOOPBACK = ["127.0.0.0/8"];

const routeTo = (origin: string, timeoutMs: number): Route => ({
  wwwroot: origin as Wwwroot,
  tls: "verify",
  allowAddresses: [],
  timeoutMs,
  emit: () => undefined,
});

/** One exchange over a transport of its own. */
async function exchange(
  url: string,
  request: Partial<TransportRequest> = {},
  allowAddresses: readonly string[] = LOOPBACK,
): Promise<TransportResponse> {
  const transport = new HttpTransport({ allowAddresses });
  try {
    return await transport.exchange({
      method: "GET",
      url: new URL(url),
      headers: {},
      maxBytes: 10_000,
      tls: "verify",
      signal: new AbortController().signal,
      ...request,
    });
  } finally {
    await transport.close();
  }
}

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

describe("an exchange", () => {
  it("sends method, headers and body, and gives status, headers and body", async () => {
    const seen: unknown[] = [];
    await using site = await httpSite((req, res) => {
      const chunks: Buffer[] = [];
      req.on("data", (chunk: Buffer) => chunks.push(chunk));
      req.on("end", () => {
        const { method, url, headers } = req;
        seen.push({
          method,
          url,
          type: headers["content-type"],
          length: headers["content-length"],
          encoding: headers["accept-encoding"],
          body: Buffer.concat(chunks).toString(),
        });
        res
          .writeHead(
            201,
            [
              ["X-One", "1"],
              ["X-One", "2"],
              ["content-type", "text/xml"],
            ].flat(),
          )
          .end("hello");
      });
    });
    const body = Buffer.from("<x/>");
    const response = await exchange(`${site.origin}/a?b=c`, {
      method: "POST",
      headers: { "content-type": "text/xml" },
      body,
    });
    expect(seen).toEqual([
      { method: "POST", url: "/a?b=c", type: "text/xml", length: "4", encoding: "identity", body: "<x/>" },
    ]);
    expect(response).toMatchObject({ status: 201, headers: { "x-one": "1, 2", "content-type": "text/xml" } });
    expect(Buffer.from(response.body).toString()).toBe("hello");
  });

  it("MNET-071 SEC-079 follows no redirect", async () => {
    const hits: string[] = [];
    await using site = await httpSite((req, res) => {
      hits.push(req.url!);
      res.writeHead(302, { location: `http://127.0.0.1:${req.socket.localPort}/secret` }).end();
    });
    expect((await exchange(`${site.origin}/rpc`)).status).toBe(302);
    const client = new HttpClient(new HttpTransport({ allowAddresses: LOOPBACK }), systemClock);
    const route = routeTo(site.origin, 5000);
    for (const method of ["GET", "POST"] as const) {
      const outcome = errorOf(() =>
        client.exchange(route, { method, url: new URL(`${site.origin}/rpc`), maxBytes: 100 }),
      );
      expect(await outcome).toMatchObject({ code: "MNET_TRANSPORT_REDIRECT", status: 302 });
    }
    expect(hits).toEqual(["/rpc", "/rpc", "/rpc"]);
  });

  it("SEC-080 the body: the limit passes, one byte more does not, however it comes", async () => {
    const answers: Record<string, (res: ServerResponse) => void> = {
      "/fits": (res) => res.end(Buffer.alloc(10_000)),
      "/more": (res) => res.end(Buffer.alloc(10_001)),
      "/chunked": (res) => {
        const more = (): void => {
          while (!res.destroyed && res.write(Buffer.alloc(5000)));
          if (!res.destroyed) res.once("drain", more);
        };
        more();
      },
    };
    let closed = 0;
    await using site = await httpSite((req, res) => {
      res.on("close", () => (closed += 1));
      answers[req.url!]!(res);
    });
    expect((await exchange(`${site.origin}/fits`)).body).toHaveLength(10_000);
    expect(await codeOf(() => exchange(`${site.origin}/more`))).toBe("MNET_TRANSPORT_TOO_LARGE");
    // Without an end: the connection is cut instead of read to it.
    expect(await codeOf(() => exchange(`${site.origin}/chunked`))).toBe("MNET_TRANSPORT_TOO_LARGE");
    await expect.poll(() => closed).toBe(3);
  });

  it.each(["gzip", "br", "deflate", "gzip, gzip", "GZIP"])(
    "SEC-080 an answer with %s that nobody asked for is refused, unread",
    async (encoding) => {
      let closed = false;
      await using site = await httpSite((_req, res) => {
        res.on("close", () => (closed = true));
        res.writeHead(200, { "content-encoding": encoding });
        // A bomb that never ends: what waited for its end would wait for ever.
        res.write(gzipSync(Buffer.alloc(1_000_000)));
      });
      expect(await codeOf(() => exchange(site.origin))).toBe("MNET_TRANSPORT_NOT_MNET");
      await expect.poll(() => closed).toBe(true);
    },
  );

  it("an answer that says identity is one", async () => {
    await using site = await httpSite((_req, res) => res.writeHead(200, { "content-encoding": "Identity" }).end("x"));
    expect((await exchange(site.origin)).status).toBe(200);
  });
});

describe("failures", () => {
  it("nobody listens", async () => {
    const url = `http://127.0.0.1:${await freePort()}/`;
    expect(await errorOf(() => exchange(url))).toMatchObject({
      code: "MNET_TRANSPORT_UNREACHABLE",
      retryable: true,
      url,
    });
  });

  it("a name that does not exist", async () => {
    expect(await errorOf(() => exchange("http://nosuch.invalid/"))).toMatchObject({
      code: "MNET_TRANSPORT_UNREACHABLE",
      retryable: true,
    });
  });

  it("a connection that closes before, in the head and in the middle of the body", async () => {
    const ends: ((socket: Socket) => void)[] = [
      (socket) => socket.destroy(),
      (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Le"),
      (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
      (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf"),
      (socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n"),
    ];
    for (const end of ends) {
      const server = createTcpServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", () => end(socket));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      expect(await errorOf(() => exchange(`http://127.0.0.1:${port}/`))).toMatchObject({
        code: "MNET_TRANSPORT_UNREACHABLE",
        retryable: true,
      });
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("MNET-074 a real server that is silent, before the head and in the body, is waited for as long as said", async () => {
    await using site = await httpSite((req, res) => {
      if (req.url === "/body") res.writeHead(200).write("x");
    });
    const client = new HttpClient(new HttpTransport({ allowAddresses: LOOPBACK }), systemClock);
    const route = routeTo(site.origin, 60);
    for (const path of ["/head", "/body"]) {
      const started = performance.now();
      const outcome = errorOf(() =>
        client.exchange(route, { method: "GET", url: new URL(site.origin + path), maxBytes: 100 }),
      );
      expect(await outcome).toMatchObject({ code: "MNET_TRANSPORT_TIMEOUT", retryable: true, peer: site.origin });
      expect(performance.now() - started).toBeGreaterThanOrEqual(50);
    }
  });

  it("one site gets 32 connections at once; what is over waits for one of them", async () => {
    const waiting: ServerResponse[] = [];
    await using site = await httpSite((_req, res) => void waiting.push(res));
    const transport = new HttpTransport({ allowAddresses: LOOPBACK });
    const request = { method: "GET", url: new URL(site.origin), headers: {}, maxBytes: 10, tls: "verify" } as const;
    const answers = Array.from({ length: 40 }, () =>
      transport.exchange({ ...request, signal: new AbortController().signal }),
    );
    await expect.poll(() => waiting.length).toBe(32);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(waiting).toHaveLength(32);
    for (const res of waiting.splice(0)) res.end("x");
    await expect.poll(() => waiting.length).toBe(8);
    for (const res of waiting) res.end("x");
    expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
    await transport.close();
  });

  it("an aborted exchange rejects with the reason, before and during", async () => {
    let hits = 0;
    const caller = new AbortController();
    const reason = new Error("enough");
    await using site = await httpSite(() => {
      hits += 1;
      caller.abort(reason);
    });
    await expect(exchange(site.origin, { signal: caller.signal })).rejects.toBe(reason);
    await expect(exchange(site.origin, { signal: caller.signal })).rejects.toBe(reason);
    expect(hits).toBe(1);
  });
});

describe("addresses", () => {
  const untouched = async (url: string, request: Partial<TransportRequest> = {}, allowed: readonly string[] = []) => {
    let hits = 0;
    await using site = await httpSite((_req, res) => {
      hits += 1;
      res.end();
    });
    const code = await codeOf(() => exchange(url.replace("PORT", String(site.port)), request, allowed));
    return { code, hits };
  };

  it.each([
    "http://127.0.0.1:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f000001:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://127.1:PORT/",
    "http://0:PORT/",
    "http://0.0.0.0:PORT/",
    "http://[::1]:PORT/",
    "http://[::]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[64:ff9b::7f00:1]:PORT/",
    "http://localhost:PORT/",
    "http://169.254.169.254/latest/meta-data/",
  ])("SEC-078 %s is refused before anything is sent", async (url) => {
    expect(await untouched(url)).toEqual({ code: "MNET_TRANSPORT_ADDRESS_REFUSED", hits: 0 });
  });

  /** What names resolve to, in this test. */
  function resolving(
    ...answers: readonly (readonly { readonly address: string; readonly family: 4 | 6 }[])[]
  ): () => number {
    let lookups = 0;
    vi.spyOn(dns, "lookup").mockImplementation(((
      name: string,
      options: object,
      done: (error: null, found: unknown) => void,
    ) => {
      if (!name.endsWith(".example")) {
        Reflect.apply(realLookup, dns, [name, options, done]);
        return;
      }
      lookups += 1;
      done(null, answers[Math.min(lookups, answers.length) - 1]);
    }) as never);
    syncBuiltinESMExports();
    return () => lookups;
  }

  it("SEC-078 so is a name that resolves to such an address, or among others to one", async () => {
    expect(await untouched("http://localhost:PORT/", {}, LOOPBACK)).toEqual({ code: "accepted", hits: 1 });
    resolving([{ address: "127.0.0.1", family: 4 }]);
    expect(await untouched("http://public.example:PORT/")).toEqual({ code: "MNET_TRANSPORT_ADDRESS_REFUSED", hits: 0 });
    resolving([
      { address: "8.8.8.8", family: 4 },
      { address: "::1", family: 6 },
    ]);
    expect(await untouched("http://public.example:PORT/")).toEqual({ code: "MNET_TRANSPORT_ADDRESS_REFUSED", hits: 0 });
    resolving([{ address: "fe80::1%lo", family: 6 }]);
    expect(await untouched("http://public.example:PORT/")).toEqual({ code: "MNET_TRANSPORT_ADDRESS_REFUSED", hits: 0 });
  });

  it("SEC-078 the address that was judged is the one that is connected to", async () => {
    // A server that rebinds: harmless at first, private at every later question.
    const lookups = resolving([{ address: "127.0.0.9", family: 4 }], [{ address: "127.0.0.1", family: 4 }]);
    expect((await untouched("http://rebinding.example:PORT/", {}, ["127.0.0.9"])).hits).toBe(0);
    expect(lookups()).toBe(1);
    // The test would notice: to a name that resolves to the server's own address it does connect.
    vi.restoreAllMocks();
    resolving([{ address: "127.0.0.1", family: 4 }]);
    expect((await untouched("http://honest.example:PORT/", {}, ["127.0.0.1"])).hits).toBe(1);
  });

  it("SEC-078 what the peer may, others may not; no connection is shared between them", async () => {
    await using site = await httpSite((_req, res) => res.end("x"));
    const transport = new HttpTransport();
    const request = {
      method: "GET",
      url: new URL(site.origin),
      headers: {},
      maxBytes: 10,
      tls: "verify",
      signal: new AbortController().signal,
    } as const;
    expect((await transport.exchange({ ...request, allowAddresses: LOOPBACK })).status).toBe(200);
    expect(await codeOf(() => transport.exchange(request))).toBe("MNET_TRANSPORT_ADDRESS_REFUSED");
    expect((await transport.exchange({ ...request, allowAddresses: LOOPBACK })).status).toBe(200);
    expect(await codeOf(() => transport.exchange({ ...request, allowAddresses: ["127.0.0.2"] }))).toBe(
      "MNET_TRANSPORT_ADDRESS_REFUSED",
    );
    await transport.close();
  });

  it("a network that is none is refused at once", async () => {
    expect(await codeOf(() => new HttpTransport({ allowAddresses: ["localhost"] }))).toBe("MNET_CONFIG_INVALID");
  });
});

describe("TLS", () => {
  /** A site whose certificate nobody signed; it is one for `localhost`. */
  async function tlsSite(listener: RequestListener) {
    const { certificate, privateKeyPem } = keyedSite("localhost");
    const server = createTlsServer({ cert: certificate.pem, key: privateKeyPem }, listener) as unknown as Server;
    return httpSite(listener, server);
  }

  it("MNET-073 SEC-053 a certificate that nobody vouches for is refused by default", async () => {
    let hits = 0;
    await using site = await tlsSite((_req, res) => {
      hits += 1;
      res.end("x");
    });
    const url = `https://127.0.0.1:${site.port}/`;
    expect(await errorOf(() => exchange(url))).toMatchObject({ code: "MNET_TRANSPORT_TLS", retryable: false });
    expect(hits).toBe(0);
    expect((await exchange(url, { tls: "none" })).status).toBe(200);
    expect(hits).toBe(1);
  });

  it("MNET-073 with host-name, any issuer will do, another site's certificate not", async () => {
    let hits = 0;
    await using site = await tlsSite((_req, res) => {
      hits += 1;
      res.end("x");
    });
    const url = (name: string): string => `https://${name}:${site.port}/`;
    const allowed = [...LOOPBACK, "::1"];
    expect(await codeOf(() => exchange(url("127.0.0.1"), { tls: "host-name" }, allowed))).toBe("MNET_TRANSPORT_TLS");
    expect(hits).toBe(0);
    expect((await exchange(url("localhost"), { tls: "host-name" }, allowed)).status).toBe(200);
    expect(hits).toBe(1);
  });

  it("https where http is spoken", async () => {
    await using site = await httpSite((_req, res) => res.end());
    expect(await codeOf(() => exchange(`https://127.0.0.1:${site.port}/`))).toMatch(
      /^MNET_TRANSPORT_(TLS|UNREACHABLE)$/,
    );
  });
});
