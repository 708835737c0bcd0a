import dns from "node:dns";
import { createServer, request as ask, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Server } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { HttpTransport, type HttpTransportOptions } from "../../src/transport/http-transport.ts";
import type { TlsLevel, TransportRequest, TransportResponse } from "../../src/transport/transport.ts";
import { authority, type TlsIdentity } from "../support/authority.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { freePort, httpSite } from "../support/http-site.ts";

const root = authority("Test authority");

/** A proxy that remembers what it was asked for, and leads everything to one port. */
async function proxySite(
  toPort: number,
  { identity, answer = "HTTP/1.1 200 OK\r\n\r\n" }: { readonly identity?: TlsIdentity; readonly answer?: string } = {},
) {
  const asked: string[] = [];
  const credentials: (string | undefined)[] = [];
  const note = ({ method, url, headers }: IncomingMessage): void => {
    asked.push(`${method} ${url}`);
    credentials.push(headers["proxy-authorization"]);
  };
  const server = identity ? (createTlsServer(identity) as unknown as Server) : createServer();
  server.on("request", (req, res) => {
    note(req);
    const { pathname } = new URL(req.url!);
    const { "proxy-authorization": _own, ...headers } = req.headers;
    req.pipe(
      ask({ host: "127.0.0.1", port: toPort, path: pathname, method: req.method, headers }, (response) => {
        res.writeHead(response.statusCode!, response.headers);
        response.pipe(res);
      }),
    );
  });
  server.on("connect", (req: IncomingMessage, socket: Socket) => {
    note(req);
    if (!answer.includes(" 200 ")) {
      socket.end(answer);
      return;
    }
    const upstream = connect(toPort, "127.0.0.1", () => {
      socket.write(answer);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    for (const one of [upstream, socket])
      one.on("error", () => undefined).on("close", () => (upstream.destroy(), socket.destroy()));
  });
  const site = await httpSite(() => undefined, server);
  return Object.assign(site, { asked, credentials });
}

async function exchange(
  url: string,
  options: HttpTransportOptions,
  { tls = "verify", ...request }: Partial<TransportRequest> = {},
): Promise<TransportResponse> {
  const transport = new HttpTransport(options);
  try {
    const signal = AbortSignal.timeout(5000);
    return await transport.exchange({
      method: "GET",
      url: new URL(url),
      headers: {},
      maxBytes: 1000,
      tls,
      signal,
      ...request,
    });
  } finally {
    await transport.close();
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a proxy", () => {
  it("gets requests for http sites whole, and resolves their names", async () => {
    const lookups = vi.spyOn(dns, "lookup");
    const hosts: unknown[] = [];
    await using site = await httpSite((req, res) => {
      hosts.push(req.headers.host, req.headers["accept-encoding"]);
      req.on("data", () => undefined).on("end", () => res.end("hello"));
    });
    await using proxy = await proxySite(site.port);
    const proxied = { proxy: proxy.origin };
    const response = await exchange("http://moodle.example/a", proxied, { method: "POST", body: Buffer.from("x") });
    expect(Buffer.from(response.body).toString()).toBe("hello");
    expect(proxy.asked).toEqual(["POST http://moodle.example/a"]);
    expect(hosts).toEqual(["moodle.example", "identity"]);
    expect(lookups.mock.calls.filter(([name]) => name === "moodle.example")).toEqual([]);
  });

  it("MNET-073 carries https through a tunnel, where the site's own certificate is checked", async () => {
    const levels: readonly TlsLevel[] = ["verify", "host-name", "none"];
    const expected: readonly (readonly [readonly string[], string, readonly string[]])[] = [
      [["moodle.example"], root.pem, ["accepted", "accepted", "accepted"]],
      [["moodle.example"], authority("Another", 3).pem, ["MNET_TRANSPORT_TLS", "accepted", "accepted"]],
      [["other.example"], root.pem, ["MNET_TRANSPORT_TLS", "MNET_TRANSPORT_TLS", "accepted"]],
    ];
    for (const [names, ca, codes] of expected) {
      await using site = await httpSite(
        () => undefined,
        createTlsServer(root.issue(names), (_req, res) => res.end("hello")),
      );
      await using proxy = await proxySite(site.port);
      const options = { proxy: proxy.origin, ca };
      const found = [];
      for (const tls of levels) found.push(await codeOf(() => exchange("https://moodle.example/a", options, { tls })));
      expect(found).toEqual(codes);
      expect(new Set(proxy.asked)).toEqual(new Set(["CONNECT moodle.example:443"]));
    }
  });

  it("may want a name and a password, and may speak TLS itself", async () => {
    await using site = await httpSite((_req, res) => res.end("hello"));
    await using proxy = await proxySite(site.port, { identity: root.issue(["127.0.0.1"]) });
    const url = `https://us%40here:p%3Ass@127.0.0.1:${proxy.port}`;
    await exchange("http://moodle.example/", { proxy: url, ca: root.pem });
    expect(proxy.credentials).toEqual([`Basic ${Buffer.from("us@here:p:ss").toString("base64")}`]);
    expect(await codeOf(() => exchange("http://moodle.example/", { proxy: url }))).not.toBe("accepted");
    expect(proxy.asked).toHaveLength(1);
  });

  it("that is away, or refuses, is a site that cannot be reached; nothing of its password is told", async () => {
    await using refusing = await proxySite(1, { answer: "HTTP/1.1 403 Forbidden\r\n\r\n" });
    for (const port of [await freePort(), refusing.port]) {
      const error = await errorOf(() =>
        exchange("https://moodle.example/", { proxy: `http://us:secret@127.0.0.1:${port}` }),
      );
      expect(error).toMatchObject({ code: "MNET_TRANSPORT_UNREACHABLE", retryable: true });
      expect(JSON.stringify([error.message, String(error.cause)])).not.toContain("secret");
    }
  });

  it.each([
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://10.0.0.1:8080/",
    "https://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://localhost/",
    "https://localhost.:8443/",
    "http://db.localhost/",
    "http://LOCALHOST/",
  ])("SEC-078 %s is refused also through a proxy, which hears nothing of it", async (url) => {
    await using proxy = await proxySite(1);
    expect(await codeOf(() => exchange(url, { proxy: proxy.origin }))).toBe("MNET_TRANSPORT_ADDRESS_REFUSED");
    expect(proxy.asked).toEqual([]);
  });

  it("SEC-078 what is allowed goes through the proxy, too; the proxy's own address needs no permission", async () => {
    await using site = await httpSite((_req, res) => res.end("hello"));
    await using proxy = await proxySite(site.port);
    const options = { proxy: proxy.origin, allowAddresses: ["10.0.0.0/8", "127.0.0.1"] };
    expect((await exchange("http://10.1.2.3/", options)).status).toBe(200);
    expect((await exchange("http://localhost/", options)).status).toBe(200);
    expect(proxy.asked).toEqual(["GET http://10.1.2.3/", "GET http://localhost/"]);
  });

  it("SEC-079 SEC-080 follows no redirect and is capped as anything else", async () => {
    await using site = await httpSite((req, res) => {
      if (req.url === "/redirect") res.writeHead(302, { location: "http://127.0.0.1/" }).end();
      else if (req.url === "/gzip") res.writeHead(200, { "content-encoding": "gzip" }).end("x");
      else res.end(Buffer.alloc(1001));
    });
    await using proxy = await proxySite(site.port);
    const options = { proxy: proxy.origin };
    expect((await exchange("http://moodle.example/redirect", options)).status).toBe(302);
    expect(await codeOf(() => exchange("http://moodle.example/gzip", options))).toBe("MNET_TRANSPORT_NOT_MNET");
    expect(await codeOf(() => exchange("http://moodle.example/large", options))).toBe("MNET_TRANSPORT_TOO_LARGE");
    expect(proxy.asked).toHaveLength(3);
  });

  it.each([
    "",
    "proxy.example:3128",
    "socks5://proxy.example",
    "ftp://proxy.example",
    "http://",
    "http://p/path",
    "http://p/?q",
    "http://%zz@p",
    "http://us:%zz@p",
  ])("%j is none", async (proxy) => {
    const error = await errorOf(() => new HttpTransport({ proxy }));
    expect(error).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "proxy" });
  });
});
