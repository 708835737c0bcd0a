import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Peer } from "../../src/core/peer-snapshot.ts";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import type { AddPeerOptions } from "../../src/peer/peers.ts";
import type { ServiceFlags } from "../../src/peer/service-flags.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import type { TransportResponse } from "../../src/transport/transport.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { keyedSite, noTransport, OUR_WWWROOT, rig } from "../support/hosts.ts";
import { NOT_FOUND, scriptedSite } from "../support/scripted-site.ts";
import { certificatePemFor } from "../support/sites.ts";

const bob = keyedSite("https://bob.example", 2);
const inFolder = keyedSite("https://bob.example/lms", 2);

describe("peers.add", () => {
  it("swaps keys, pins the certificate, takes the title as name", async () => {
    const { transport, asked, swaps } = scriptedSite(bob);
    await using us = await rig({ transport });
    const peer = await us.host.peers.add(bob.wwwroot);
    expect(peer).toMatchObject({
      wwwroot: bob.wwwroot,
      name: "A scripted site",
      application: "moodle",
      state: "active",
      key: { fingerprint: bob.certificate.fingerprint, certificate: bob.certificate.pem, modulusBits: 2048 },
    });
    expect(await us.host.peers.get(bob.wwwroot)).toEqual(peer);
    expect(await us.host.peers.get(peer.id)).toEqual(peer);
    expect(swaps()).toEqual([[OUR_WWWROOT, us.ours.certificate.pem, "moodle"]]);
    expect(asked.map(({ method, headers }) => [method, headers["content-type"]])).toEqual([
      ["POST", "text/xml; charset=utf-8"],
      ["GET", undefined],
    ]);
    expect(us.told("peer.added")).toMatchObject([{ wwwroot: bob.wwwroot, by: "operator", peer: { id: peer.id } }]);
    expect(us.told("peer.added")).toHaveLength(1);
  });

  it("MNET-001 a trailing slash is dropped", async () => {
    await using us = await rig({ transport: scriptedSite(bob).transport });
    expect((await us.host.peers.add("https://bob.example/")).wwwroot).toBe("https://bob.example");
    expect((await us.host.peers.get("https://bob.example/")).wwwroot).toBe("https://bob.example");
    expect(await us.host.peers.find("https://bob.example//")).toBeUndefined();
  });

  it("MNET-002 finds by the exact wwwroot only", async () => {
    await using us = await rig({ transport: scriptedSite(bob).transport });
    const { id } = await us.host.peers.add(bob.wwwroot);
    for (const other of [
      "http://bob.example",
      "https://Bob.example",
      "https://bob.example:443",
      "https://bob.example/x",
      "bob.example",
      "",
    ]) {
      expect(await us.host.peers.find(other)).toBeUndefined();
      expect(await codeOf(() => us.host.peers.get(other))).toBe("MNET_PEER_UNKNOWN");
    }
    expect((await us.host.peers.find(id))?.wwwroot).toBe(bob.wwwroot);
    expect(await codeOf(() => us.host.peers.get(id + 1))).toBe("MNET_PEER_UNKNOWN");
  });

  const notMoodle: [string, TransportResponse | string][] = [
    ["404", NOT_FOUND],
    ["a page", "<!doctype html><title>Mahara</title>"],
    ["a redirect", { status: 301, headers: { location: "/" }, body: Buffer.alloc(0) }],
  ];
  it.each(notMoodle)("MNET-004 a Mahara is found out: Moodle's endpoint answers %s", async (_, moodle) => {
    const { transport, swaps } = scriptedSite(bob, { moodle, mahara: encodeResult(bob.certificate.pem) });
    await using us = await rig({ transport });
    expect(await us.host.peers.add(bob.wwwroot)).toMatchObject({ application: "mahara" });
    expect(swaps().map(([, , application]) => application)).toEqual(["moodle", "mahara"]);
  });

  it("MNET-003 MNET-004 a site that is told what it is, is asked there only", async () => {
    const both = { moodle: encodeResult(bob.certificate.pem), mahara: encodeResult(bob.certificate.pem) };
    for (const application of ["moodle", "mahara"] as const) {
      const { transport, asked } = scriptedSite(bob, both);
      await using us = await rig({ transport });
      expect(await us.host.peers.add(bob.wwwroot, { application })).toMatchObject({ application });
      expect(asked.filter(({ method }) => method === "POST")).toHaveLength(1);
    }
    const { transport, asked } = scriptedSite(bob);
    await using us = await rig({ transport });
    expect(await codeOf(() => us.host.peers.add(bob.wwwroot, { application: "mahara" }))).toBe("MNET_TRANSPORT_STATUS");
    expect(asked).toHaveLength(1);
  });

  it("a site in a folder is asked there, with a slash behind for its page", async () => {
    const { transport, asked } = scriptedSite(inFolder);
    await using us = await rig({ transport });
    expect(await us.host.peers.add(inFolder.wwwroot)).toMatchObject({ name: "A scripted site" });
    expect(asked.map(({ url }) => url.href)).toEqual([
      "https://bob.example/lms/mnet/xmlrpc/server.php",
      "https://bob.example/lms/",
    ]);
  });

  it.each([
    ["a page without one", "<html></html>"],
    ["an empty one", "<title> </title>"],
    ["404", NOT_FOUND],
    ["a redirect", { status: 302, headers: { location: "http://127.0.0.1/" }, body: Buffer.alloc(0) }],
    [
      "a page that is too large",
      () => Promise.resolve({ status: 200, headers: {}, body: Buffer.alloc(2_000_000, 0x20) }),
    ],
  ] as const)("without a title (%s) its name is its host", async (_, home) => {
    await using us = await rig({ transport: scriptedSite(bob, { home }).transport });
    expect(await us.host.peers.add(bob.wwwroot)).toMatchObject({ name: "bob.example" });
  });

  it("SEC-068 a hostile title is a name of one line, for others to escape", async () => {
    const home = `<title>\u0000<img src=x onerror=alert(1)>\u202e${"x".repeat(100)}</title>`;
    await using us = await rig({ transport: scriptedSite(bob, { home }).transport });
    const { name } = await us.host.peers.add(bob.wwwroot);
    expect(name).toBe(`<img src=x onerror=alert(1)> ${"x".repeat(51)}`);
  });
});

describe("peers.add refuses", () => {
  const small = () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
    return certificatePemFor(publicKey, bob.wwwroot);
  };
  const refusals: readonly (readonly [string, string, () => Parameters<typeof scriptedSite>[1]])[] = [
    [
      "another site's certificate",
      "MNET_KEY_NOT_FOR_WWWROOT",
      () => ({ moodle: encodeResult(keyedSite("https://bob.example.evil", 2).certificate.pem) }),
    ],
    [
      "a certificate for a part of the name",
      "MNET_KEY_NOT_FOR_WWWROOT",
      () => ({ moodle: encodeResult(keyedSite("https://bob", 2).certificate.pem) }),
    ],
    [
      "a certificate for its folder",
      "MNET_KEY_NOT_FOR_WWWROOT",
      () => ({ moodle: encodeResult(inFolder.certificate.pem) }),
    ],
    ["a weak key", "MNET_KEY_WEAK", () => ({ moodle: encodeResult(small()) })],
    ["no certificate", "MNET_KEY_CERTIFICATE_INVALID", () => ({ moodle: encodeResult("hello") })],
    ["an empty certificate", "MNET_KEY_CERTIFICATE_INVALID", () => ({ moodle: encodeResult("") })],
    [
      "a damaged certificate",
      "MNET_KEY_CERTIFICATE_INVALID",
      () => ({ moodle: encodeResult(bob.certificate.pem.replace(/\w{40}/, "")) }),
    ],
    ["a result that is no text", "MNET_TRANSPORT_NOT_MNET", () => ({ moodle: encodeResult([bob.certificate.pem]) })],
    ["a fault", "MNET_REMOTE_FAULT", () => ({ moodle: encodeFault(7021, "no") })],
    ["a page everywhere", "MNET_TRANSPORT_NOT_MNET", () => ({ moodle: "<html>", mahara: "<html>" })],
    ["nothing", "MNET_TRANSPORT_NOT_MNET", () => ({ moodle: "" })],
    ["404 everywhere", "MNET_TRANSPORT_STATUS", () => ({ moodle: undefined })],
    [
      "403, as a Mahara that is off",
      "MNET_TRANSPORT_STATUS",
      () => ({ moodle: { status: 403, headers: {}, body: Buffer.alloc(0) } }),
    ],
    [
      "a redirect",
      "MNET_TRANSPORT_REDIRECT",
      () => ({ moodle: { status: 302, headers: { location: "https://www.bob.example/" }, body: Buffer.alloc(0) } }),
    ],
    ["a bomb", "MNET_TRANSPORT_NOT_MNET", () => ({ moodle: `<methodResponse>${"<a>".repeat(100_000)}` })],
  ];

  it.each(refusals)("%s → %s, and nothing is stored", async (_, code, script) => {
    const { transport } = scriptedSite(bob, script());
    await using us = await rig({ transport });
    expect(await codeOf(() => us.host.peers.add(bob.wwwroot))).toBe(code);
    expect(await us.host.peers.find(bob.wwwroot)).toBeUndefined();
    expect(us.told("peer.added")).toEqual([]);
  });

  it("a site that is down, as something to try again", async () => {
    await using us = await rig({ transport: noTransport });
    expect(await errorOf(() => us.host.peers.add(bob.wwwroot))).toMatchObject({
      code: "MNET_TRANSPORT_UNREACHABLE",
      retryable: true,
    });
  });

  it("a site that is too slow", async () => {
    const home = () => new Promise<TransportResponse>(() => undefined);
    const { transport } = scriptedSite(bob, { moodle: home });
    const exchange: typeof transport.exchange = (request) =>
      Promise.race([
        transport.exchange(request),
        new Promise<never>((_, reject) =>
          request.signal.addEventListener("abort", () => reject(request.signal.reason as Error)),
        ),
      ]);
    await using us = await rig({ transport: { exchange } });
    const outcome = codeOf(() => us.host.peers.add(bob.wwwroot, { settings: { timeoutMs: 500 } }));
    await us.clock.advance(500);
    expect(await outcome).toBe("MNET_TRANSPORT_TIMEOUT");
  });

  it.each([
    OUR_WWWROOT,
    `${OUR_WWWROOT}/`,
    "https://HOST.example/moodle",
    "https://host.example:443/moodle",
    "https://host.example./moodle",
  ])("ourselves, spelled %s", async (url) => {
    await using us = await rig();
    expect(await errorOf(() => us.host.peers.add(url))).toMatchObject({ code: "MNET_CONFIG_INVALID", option: "url" });
  });

  it.each([
    ["url", "nonsense", {}],
    ["application", bob.wwwroot, { application: "drupal" }],
    ["application", bob.wwwroot, { application: "constructor" }],
    ["certificate", bob.wwwroot, { certificate: 5 }],
    ["fingerprint", bob.wwwroot, { fingerprint: 5 }],
    ["settings.timeoutMs", bob.wwwroot, { settings: { timeoutMs: NaN } }],
    ["settings.timeoutMs", bob.wwwroot, { settings: { timeoutMs: 0 } }],
    ["settings.driftToleranceMs", bob.wwwroot, { settings: { driftToleranceMs: -1 } }],
    ["settings.allowAddresses", bob.wwwroot, { settings: { allowAddresses: ["10.0.0.0/33"] } }],
    ["settings.strictAlgorithms", bob.wwwroot, { settings: { strictAlgorithms: "yes" } }],
    ["settings.timeout", bob.wwwroot, { settings: { timeout: 5 } }],
    ["name", bob.wwwroot, { name: "Bob" }],
  ])("a wrong %s, naming it", async (option, url, options) => {
    const { transport, asked } = scriptedSite(bob);
    await using us = await rig({ transport });
    expect(await errorOf(() => us.host.peers.add(url, options as AddPeerOptions))).toMatchObject({
      code: "MNET_CONFIG_INVALID",
      option,
    });
    expect(asked).toEqual([]);
  });
});

describe("what the operator knows already", () => {
  it("a pasted certificate needs no key swap", async () => {
    const { transport, asked } = scriptedSite(bob, { moodle: undefined });
    await using us = await rig({ transport });
    const certificate = bob.certificate.pem.replaceAll("\n", "\r\n");
    expect(await us.host.peers.add(bob.wwwroot, { certificate })).toMatchObject({
      application: "moodle",
      key: { certificate: bob.certificate.pem },
    });
    expect(asked.map(({ method }) => method)).toEqual(["GET"]);
    expect(await codeOf(() => us.host.peers.add("https://other.example", { certificate }))).toBe(
      "MNET_KEY_NOT_FOR_WWWROOT",
    );
    expect(await codeOf(() => us.host.peers.add("https://other.example", { certificate: "x" }))).toBe(
      "MNET_KEY_CERTIFICATE_INVALID",
    );
  });

  it("a fingerprint must be the certificate's, however it is written", async () => {
    const { fingerprint } = bob.certificate;
    const spellings = [
      fingerprint,
      fingerprint.toUpperCase(),
      fingerprint.replace(/..(?!$)/g, "$&:"),
      fingerprint.replace(/.{4}/g, "$& "),
    ];
    for (const spelling of spellings) {
      await using us = await rig({ transport: scriptedSite(bob).transport });
      expect(await codeOf(() => us.host.peers.add(bob.wwwroot, { fingerprint: spelling }))).toBe("accepted");
    }
    for (const wrong of [us0(fingerprint), fingerprint.slice(1), "", "abc"]) {
      await using us = await rig({ transport: scriptedSite(bob).transport });
      expect(await errorOf(() => us.host.peers.add(bob.wwwroot, { fingerprint: wrong }))).toMatchObject({
        code: "MNET_KEY_FINGERPRINT_MISMATCH",
        fingerprint,
      });
      expect(await us.host.peers.find(bob.wwwroot)).toBeUndefined();
    }
  });
  const us0 = (fingerprint: string): string => (fingerprint.startsWith("0") ? "1" : "0") + fingerprint.slice(1);
});

describe("a site that is known", () => {
  it("is refused with the peer that is there", async () => {
    await using us = await rig({ transport: scriptedSite(bob).transport });
    const existing = await us.host.peers.add(bob.wwwroot);
    expect(await errorOf(() => us.host.peers.add(bob.wwwroot))).toMatchObject({
      code: "MNET_PEER_EXISTS",
      existing,
      peer: bob.wwwroot,
    });
    expect(us.told("peer.added")).toHaveLength(1);
  });

  it.each([
    "https://bob.example:443",
    "https://BOB.example",
    "https://bob.example.",
    "https://bob.example/.",
    "https://b%6fb.example",
  ])("SEC-085 also as %s", async (spelling) => {
    const confusable = keyedSite(spelling, 3);
    await using us = await rig({ transport: scriptedSite(bob).transport });
    const existing = await us.host.peers.add(bob.wwwroot);
    const { certificate } = confusable;
    const outcome = errorOf(() => us.host.peers.add(spelling, { certificate: certificate.pem }));
    expect(await outcome).toMatchObject({ code: "MNET_PEER_EXISTS", existing });
    expect((await us.host.peers.list().page()).items).toHaveLength(2);
  });

  it("comes back under its id after it was removed, without its rights", async () => {
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    const { transport } = scriptedSite(bob);
    await using us = await rig({ transport, services: [service] });
    const first = await us.host.peers.add(bob.wwwroot);
    await us.host.peers.setServices(first, { work: "subscribe" });
    const record = await us.store.peers.find(first.id);
    const held = { certificate: keyedSite(bob.wwwroot, 3).certificate.pem, reason: "operator", since: 1 } as const;
    await us.store.peers.update({ ...record!, held, dialect: "epi" });

    await us.host.peers.remove(first);
    expect(await us.host.peers.find(first.id)).toBeUndefined();
    expect((await us.host.peers.list().page()).items.map(({ id }) => id)).not.toContain(first.id);
    expect((await us.host.peers.list({ state: "deleted" }).page()).items.map(({ id }) => id)).toEqual([first.id]);
    expect(await codeOf(() => us.host.peers.remove(first))).toBe("MNET_PEER_UNKNOWN");
    expect(await codeOf(() => us.host.peers.setServices(first, {}))).toBe("MNET_PEER_UNKNOWN");

    const again = await us.host.peers.add(bob.wwwroot);
    expect(again).toMatchObject({ id: first.id, state: "active" });
    expect(again).not.toHaveProperty("heldKey");
    expect(await us.store.peers.find(first.id)).toMatchObject({ services: {} });
    expect(await codeOf(() => us.host.call(again, "work/run"))).toBe("MNET_CALL_NOT_SUBSCRIBED");
  });

  const stores: [string, () => { store: ReturnType<typeof memoryStore>; clean: () => void }][] = [
    ["memory", () => ({ store: memoryStore(), clean: () => undefined })],
    [
      "SQLite",
      () => {
        const folder = mkdtempSync(join(tmpdir(), "mnet-peers-"));
        return {
          store: openStore(`sqlite:${join(folder, "mnet.db")}`),
          clean: () => rmSync(folder, { recursive: true }),
        };
      },
    ],
  ];
  describe.each(stores)("at the same moment, in %s", (_, open) => {
    it("of 20 adds of one site one succeeds, new or removed", async () => {
      const { store, clean } = open();
      {
        await using us = await rig({ transport: scriptedSite(bob).transport, store });
        const ids = new Set<number>();
        for (let round = 0; round < 2; round += 1) {
          const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => us.host.peers.add(bob.wwwroot)));
          const added = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
          expect(added).toHaveLength(1);
          ids.add(added[0]!.id);
          for (const outcome of outcomes) {
            if (outcome.status === "fulfilled") continue;
            expect(outcome.reason).toMatchObject({
              code: "MNET_PEER_EXISTS",
              existing: { id: added[0]!.id, state: "active" },
            });
          }
          await us.host.peers.remove(added[0]!);
        }
        expect(ids.size).toBe(1);
        expect(us.told("peer.added")).toHaveLength(2);
      }
      clean();
    });

    it("setServices for a peer and for all hosts lose nothing", async () => {
      const { store, clean } = open();
      const names = Array.from({ length: 8 }, (_unused, n) => `service${n}`);
      const services = names.map((name) => defineService({ name, methods: { run: { returns: t.string() } } }));
      {
        await using us = await rig({ store, services });
        const peer = { id: us.aliceId };
        await Promise.all(
          names.flatMap((name) => [
            us.host.peers.setServices(peer, { [name]: "subscribe" }),
            us.host.peers.setServices("all-hosts", { [name]: "subscribe" }),
          ]),
        );
        const all = Object.fromEntries(names.map((name) => [name, "subscribe"]));
        expect((await store.peers.find(us.aliceId))!.services).toEqual(all);
        expect(await store.peers.allHostsServices()).toEqual(all);
        expect(us.told("peer.changed")).toHaveLength(16);
      }
      clean();
    });
  });
});

describe("peers.setServices", () => {
  const served = defineService({ name: "served", methods: { run: { returns: t.string() } } }).implement({
    run: () => "",
  });
  const known = defineService({ name: "known", methods: { run: { returns: t.string() } } });

  it("changes what is named and leaves the rest; off leaves no row", async () => {
    await using us = await rig({ services: [served, known] });
    const peer = { id: us.aliceId };
    const services = async () => (await us.store.peers.find(us.aliceId))!.services;
    await us.host.peers.setServices(peer, { served: "both" });
    await us.host.peers.setServices(peer, { known: "subscribe" });
    expect(await services()).toEqual({ served: "both", known: "subscribe" });
    await us.host.peers.setServices(peer, { served: "off" });
    expect(await services()).toEqual({ known: "subscribe" });
    await us.host.peers.setServices(peer, {});
    expect(await services()).toEqual({ known: "subscribe" });
    expect(us.told("peer.changed").map(({ changed }) => changed)).toEqual(
      Array.from({ length: 4 }, () => ["services"]),
    );
  });

  it.each([
    [{ known: "publish" }, "services.known"],
    [{ known: "both" }, "services.known"],
    [{ nosuch: "publish" }, "services.nosuch"],
    [{ nosuch: "subscribe" }, "services.nosuch"],
    [{ served: "both", nosuch: "both" }, "services.nosuch"],
    [{ served: "yes" }, "services.served"],
    [{ served: true }, "services.served"],
    [{ served: null }, "services.served"],
    [JSON.parse('{"__proto__":"publish"}') as object, "services.__proto__"],
    [undefined, "services"],
  ])("%j is refused at %s, and nothing changes", async (flags, option) => {
    await using us = await rig({ services: [served, known] });
    for (const peer of [{ id: us.aliceId }, "all-hosts"] as const) {
      const outcome = errorOf(() => us.host.peers.setServices(peer, flags as unknown as ServiceFlags));
      expect(await outcome).toMatchObject({ code: "MNET_CONFIG_INVALID", option });
    }
    expect((await us.store.peers.find(us.aliceId))!.services).toEqual({});
    expect(await us.store.peers.allHostsServices()).toEqual({});
  });
});

it("peers.list pages through all, by state", async () => {
  await using us = await rig();
  for (let n = 0; n < 5; n += 1) {
    const site = keyedSite(`https://p${n}.example`, 2);
    await us.host.peers.add(site.wwwroot, { certificate: site.certificate.pem });
  }
  const all: Peer[] = [];
  for await (const peer of us.host.peers.list()) all.push(peer);
  expect(all.map(({ wwwroot }) => wwwroot)).toEqual([
    us.alice.wwwroot,
    ...[0, 1, 2, 3, 4].map((n) => `https://p${n}.example`),
  ]);
  const first = await us.host.peers.list({ state: "active" }).page({ limit: 4 });
  const second = await us.host.peers.list({ state: "active" }).page({ limit: 4, after: first.next });
  expect([first.items.length, second.items.length, second.next]).toEqual([4, 2, undefined]);
  expect((await us.host.peers.list({ held: true }).page()).items).toEqual([]);
  expect(await codeOf(() => us.host.peers.list().page({ limit: 0 }))).toBe("MNET_CONFIG_INVALID");
});
