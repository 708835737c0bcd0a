import { createServer, type ServerOptions } from "node:https";
import type { Server } from "node:http";
import { describe, expect, it } from "vitest";
import { HttpTransport, type HttpTransportOptions } from "../../src/transport/http-transport.ts";
import type { TlsLevel, TransportRequest } from "../../src/transport/transport.ts";
import { authority, type TlsIdentity } from "../support/authority.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { httpSite, type HttpSite } from "../support/http-site.ts";

const root = authority("Test authority");
const campus = authority("Campus authority", 3);
const NAMES = ["localhost", "127.0.0.1"];
const LEVELS: readonly TlsLevel[] = ["verify", "host-name", "none"];

interface TlsSite extends HttpSite {
  hits: number;
}

async function tlsSite(identity: TlsIdentity, options: ServerOptions = {}): Promise<TlsSite> {
  const listener = (_req: unknown, res: { end(text: string): void }): void => {
    site.hits += 1;
    res.end("hello");
  };
  const site: TlsSite = Object.assign(
    await httpSite(() => undefined, createServer({ ...identity, ...options }, listener) as unknown as Server),
    { hits: 0 },
  );
  return site;
}

/** `localhost` may be ::1 here. */
const transportWith = (options: HttpTransportOptions = {}): HttpTransport =>
  new HttpTransport({ allowAddresses: ["127.0.0.0/8", "::1"], ...options });

const requestTo = (url: string, tls: TlsLevel): TransportRequest => ({
  method: "GET",
  url: new URL(url),
  headers: {},
  maxBytes: 1000,
  tls,
  signal: new AbortController().signal,
});

async function outcomes(url: string, options: HttpTransportOptions): Promise<Record<TlsLevel, string>> {
  const transport = transportWith(options);
  const codes = await Promise.all(
    LEVELS.map((tls) => codeOf(() => transport.exchange(requestTo(url, tls))).then((code) => [tls, code] as const)),
  );
  await transport.close();
  return Object.fromEntries(codes) as Record<TlsLevel, string>;
}

const REFUSED = "MNET_TRANSPORT_TLS";
const ALL = { verify: "accepted", "host-name": "accepted", none: "accepted" };

describe("TLS levels", () => {
  it.each([
    ["of a trusted authority, for this host", () => root.issue(NAMES), ALL],
    ["of an unknown authority, for this host", () => campus.issue(NAMES), { ...ALL, verify: REFUSED }],
    [
      "of a trusted authority, for another host",
      () => root.issue(["other.example"]),
      { ...ALL, verify: REFUSED, "host-name": REFUSED },
    ],
    [
      "of an unknown authority, for another host",
      () => campus.issue(["other.example"]),
      { ...ALL, verify: REFUSED, "host-name": REFUSED },
    ],
    ["of a trusted authority, expired", () => root.issue(NAMES, -1), { ...ALL, verify: REFUSED }],
  ])("MNET-073 SEC-053 levels 2, 1 and 0 and a certificate %s", async (_what, issue, expected) => {
    await using site = await tlsSite(issue());
    const accepted = Object.values(expected).filter((code) => code === "accepted").length;
    for (const host of ["127.0.0.1", "localhost"]) {
      site.hits = 0;
      expect(await outcomes(`https://${host}:${site.port}/`, { ca: root.pem })).toEqual(expected);
      // What is refused has sent nothing.
      expect(site.hits).toBe(accepted);
    }
  });

  it("MNET-073 by default nobody but the system's authorities is trusted", async () => {
    await using site = await tlsSite(root.issue(NAMES));
    const url = `https://127.0.0.1:${site.port}/`;
    expect(await outcomes(url, {})).toEqual({ ...ALL, verify: REFUSED });
    const error = await errorOf(() => transportWith().exchange(requestTo(url, "verify")));
    expect(error).toMatchObject({ code: REFUSED, retryable: false, url });
  });

  it("MNET-073 authorities of the configuration are trusted, one or several, also several in one text", async () => {
    await using ours = await tlsSite(root.issue(NAMES));
    await using theirs = await tlsSite(campus.issue(NAMES));
    for (const ca of [[root.pem, campus.pem], root.pem + campus.pem]) {
      for (const { port } of [ours, theirs]) {
        expect((await outcomes(`https://127.0.0.1:${port}/`, { ca })).verify).toBe("accepted");
      }
    }
    expect((await outcomes(`https://127.0.0.1:${theirs.port}/`, { ca: [root.pem] })).verify).toBe(REFUSED);
  });

  it("MNET-073 no connection of a lower level serves a higher one, in whatever order", async () => {
    await using site = await tlsSite(campus.issue(["other.example"]));
    const transport = transportWith();
    const url = `https://127.0.0.1:${site.port}/`;
    const codes: string[] = [];
    for (const tls of ["none", "host-name", "verify", "none", "verify"] as const) {
      codes.push(await codeOf(() => transport.exchange(requestTo(url, tls))));
    }
    expect(codes).toEqual(["accepted", REFUSED, REFUSED, "accepted", REFUSED]);
    await transport.close();
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "MNET-073 level 1 looks at the name with every connection, %s",
    async (version) => {
      const right = campus.issue(NAMES);
      await using site = await tlsSite(right, { minVersion: version, maxVersion: version });
      const transport = transportWith();
      const ask = () => codeOf(() => transport.exchange(requestTo(`https://127.0.0.1:${site.port}/`, "host-name")));
      for (let n = 0; n < 3; n += 1) {
        expect(await ask()).toBe("accepted");
        site.server.closeAllConnections();
      }
      await transport.close();
    },
  );

  it.each([
    ["nothing", ""],
    ["text", "not a certificate"],
    ["a certificate of nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ["a key", root.issue(NAMES).key],
  ])("an authority that is %s is refused at once", async (_what, ca) => {
    expect(await errorOf(() => new HttpTransport({ ca }))).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "ca" });
    expect(await codeOf(() => new HttpTransport({ ca: [root.pem, ca] }))).toBe("MNET_CONFIG_INVALID");
  });
});
