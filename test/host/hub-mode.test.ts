import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import type { Peer } from "../../src/core/peer-snapshot.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import type { Host } from "../../src/host/host.ts";
import { t } from "../../src/host/wire-type.ts";
import { TransportError } from "../../src/core/errors.ts";
import { collect } from "../../src/core/listing.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { testNetwork, type TestNetwork } from "../../src/testing/test-network.ts";
import type { Transport, TransportRequest } from "../../src/transport/transport.ts";
import { decodeCall } from "../../src/xmlrpc/decode.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { codeOf } from "../support/code-of.ts";
import {
  keyedSite,
  openAnswer,
  post,
  request,
  storeWithKeys,
  summary,
  wrap,
  type KeyedSite,
} from "../support/hosts.ts";
import { rekeyed } from "../support/rekeyed.ts";
import { certificatePemFor } from "../support/sites.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const HUB = "https://hub.example";
const VICTIM = "https://victim.example";
const attacker = rekeyed(VICTIM, 3);
const news = defineService({ name: "news", methods: { read: { returns: t.string() } } });
const served = news.implement({ read: () => "news" });

interface Hub extends AsyncDisposable {
  readonly network: TestNetwork;
  readonly host: Host;
  readonly store: NonNullable<HostOptions["store"]>;
  readonly site: KeyedSite;
  readonly events: MnetEvent[];
  /** What the hub has sent to others. */
  readonly sent: TransportRequest[];
  readonly told: <T extends MnetEvent["type"]>(type: T) => Extract<MnetEvent, { type: T }>[];
  readonly peers: (state?: Peer["state"]) => Promise<Peer[]>;
  /** Time goes by, and the host is maintained each minute. */
  readonly pass: (minutes: number) => Promise<void>;
}

/** A hub in a network, where all hosts may read its news. */
async function hub({
  through,
  ...options
}: Partial<HostOptions> & { readonly through?: (transport: Transport) => Transport } = {}): Promise<Hub> {
  const network = testNetwork();
  const site = keyedSite(HUB, 0);
  const store = await storeWithKeys(
    [{ certificate: site.certificate.pem, privateKey: site.privateKeyPem }],
    memoryStore(),
  );
  const events: MnetEvent[] = [];
  const sent: TransportRequest[] = [];
  const transport = through?.(network.transport) ?? network.transport;
  const host = await network.host(HUB, {
    store,
    services: [served],
    registerStrangers: true,
    maintenance: "manual",
    observer: (event) => void events.push(event),
    transport: {
      exchange: (outgoing) => {
        sent.push(outgoing);
        return transport.exchange(outgoing);
      },
    },
    ...options,
  });
  await host.peers.setServices("all-hosts", { news: "both" });
  events.length = 0;
  return {
    network,
    host,
    store,
    site,
    events,
    sent,
    told: (type) => events.filter((event): event is Extract<MnetEvent, { type: typeof type }> => event.type === type),
    peers: (state) => collect(host.peers.list(state && { state })),
    async pass(minutes) {
      for (let minute = 0; minute < minutes; minute += 1) {
        await network.clock.advance(60_000);
        await host.maintain();
      }
    },
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

/** Swaps keys in clear; whatever happens, the answer is the hub's certificate. */
async function swap(us: Hub, params: readonly XmlRpcValue[], from?: string): Promise<void> {
  const body = encodeCall("system/keyswap", params);
  const reply = await request(us.host, { body, ...(from !== undefined && { remoteAddress: from }) });
  expect(summary(openAnswer(reply.body))).toEqual({ form: "plain", value: us.site.certificate.pem });
  await settled(us);
}
const settled = (us: Hub): Promise<void> => us.network.clock.advance(1);
const swapFor = (us: Hub, { wwwroot, certificate }: KeyedSite): Promise<void> =>
  swap(us, [wwwroot, certificate.pem, "moodle"]);

/** Signs a call and sends it from an address. */
async function callFrom(us: Hub, from: KeyedSite, method: string, remoteAddress = "192.0.2.7"): Promise<Buffer> {
  const timestamp = new Date(us.network.clock.now());
  const body = wrap(encodeCall(method, []), { from, to: us.site, timestamp });
  const reply = await request(us.host, { body, remoteAddress });
  expect(reply.status).toBe(200);
  // What strangers may cost us is rationed, too (SEC-083).
  await us.network.clock.advance(50);
  return reply.body;
}

/** What the hub answers to a signed call. */
const call = async (us: Hub, from: KeyedSite, method: string): Promise<ReturnType<typeof summary>> =>
  summary(openAnswer(await callFrom(us, from, method), from));

describe("MNET-096 SEC-043 a key swap of a stranger", () => {
  it("stores nothing without hub mode", async () => {
    await using us = await hub({ registerStrangers: false });
    await swapFor(us, attacker);
    await us.pass(3);
    expect(await us.peers()).toEqual([]);
    expect(us.sent).toEqual([]);
    expect(await call(us, attacker, "system/listServices")).toEqual({ form: "plain", fault: 7020 });
  });

  it("makes a pending peer without asking anybody, and the answer is the same as ever", async () => {
    await using us = await hub();
    await swapFor(us, attacker);
    expect(await us.peers()).toMatchObject([
      {
        wwwroot: VICTIM,
        name: "victim.example",
        application: "moodle",
        state: "pending",
        key: { fingerprint: attacker.certificate.fingerprint },
        heldKey: { fingerprint: attacker.certificate.fingerprint, reason: "registered-itself" },
      },
    ]);
    expect(us.sent).toEqual([]);
    expect(us.told("peer.added")).toMatchObject([{ wwwroot: VICTIM, by: "itself", level: "info" }]);
    expect(await collect(us.host.peers.list({ held: true }))).toHaveLength(1);
    expect(await codeOf(() => us.host.call({ id: 1 as never }, "news/read"))).toBe("MNET_PEER_NOT_ACTIVE");
  });

  it("takes one trailing slash away, and the third parameter for a hint", async () => {
    for (const [application, expected] of [
      ["moodle", "moodle"],
      ["mahara", "mahara"],
      ["drupal", "moodle"],
      ["constructor", "moodle"],
      [7, "moodle"],
      [undefined, "moodle"],
    ] as const) {
      await using us = await hub();
      await swap(us, [`${VICTIM}/`, attacker.certificate.pem, ...(application === undefined ? [] : [application])]);
      expect(await us.peers()).toMatchObject([{ wwwroot: VICTIM, application: expected }]);
    }
  });

  const bad: readonly (readonly [string, () => readonly XmlRpcValue[]])[] = [
    ["nothing", () => []],
    ["a wwwroot only", () => [VICTIM]],
    ["numbers", () => [1, 2, 3]],
    ["no certificate", () => [VICTIM, "hello", "moodle"]],
    ["another site's certificate", () => [VICTIM, keyedSite("https://eve.example", 2).certificate.pem, "moodle"]],
    [
      "a 512-bit key",
      () => [VICTIM, certificatePemFor(generateKeyPairSync("rsa", { modulusLength: 512 }).publicKey, VICTIM)],
    ],
    [
      "a 1024-bit key",
      () => [VICTIM, certificatePemFor(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey, VICTIM)],
    ],
    [
      "an EC key",
      () => [VICTIM, certificatePemFor(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey, VICTIM)],
    ],
    ["a certificate with 60 kB behind it", () => [VICTIM, `${attacker.certificate.pem}${" ".repeat(60_000)}`]],
    ["ourselves", () => [HUB, rekeyed(HUB, 3).certificate.pem]],
    [
      "ourselves in another spelling",
      () => ["https://HUB.example:443", keyedSite("https://HUB.example:443", 3).certificate.pem],
    ],
    ["no URL", () => ["victim.example", keyedSite("victim.example", 3).certificate.pem]],
    [
      "a URL with a user name",
      () => ["https://a@victim.example", keyedSite("https://a@victim.example", 3).certificate.pem],
    ],
    ["a file", () => ["file:///etc/passwd", keyedSite("file:///etc/passwd", 3).certificate.pem]],
  ];
  it.each(bad)("SEC-047 is no registration with %s", async (_what, params) => {
    await using us = await hub();
    await swap(us, params());
    await us.pass(1);
    expect(await us.peers()).toEqual([]);
    expect(us.sent).toEqual([]);
  });

  it("SEC-047 is none, and no call, if it is longer than a certificate can be", async () => {
    await using us = await hub();
    const body = encodeCall("system/keyswap", [VICTIM, `${attacker.certificate.pem}${" ".repeat(1_000_000)}`]);
    const reply = await request(us.host, { body });
    expect(summary(openAnswer(reply.body))).toEqual({ form: "plain", fault: 7021 });
    await settled(us);
    expect(await us.peers()).toEqual([]);
  });

  it("SEC-085 does not register a confusable of a peer", async () => {
    await using us = await hub();
    await us.host.peers.add(VICTIM, { certificate: attacker.certificate.pem });
    await swapFor(us, keyedSite("https://VICTIM.example", 2));
    expect(await us.peers()).toHaveLength(1);
    expect(us.told("peer.registration-refused")).toMatchObject([{ wwwroot: "https://VICTIM.example" }]);
  });

  it("of many at once of one site one registers", async () => {
    await using us = await hub();
    await Promise.all(Array.from({ length: 20 }, () => swapFor(us, attacker)));
    expect(await us.peers()).toHaveLength(1);
    expect(us.told("peer.added")).toHaveLength(1);
  });

  it("an operator may approve, by the fingerprint, and a removed peer does not come back by itself", async () => {
    await using us = await hub();
    await swapFor(us, attacker);
    const [peer] = await us.peers();
    expect(await codeOf(() => us.host.peers.approve(peer!, "00"))).toBe("MNET_KEY_NOT_HELD");
    const approved = await us.host.peers.approve(peer!, peer!.heldKey!.fingerprint);
    expect(approved).toMatchObject({ state: "active" });
    expect(approved).not.toHaveProperty("heldKey");
    expect(us.told("peer.changed")).toMatchObject([{ state: "active", changed: ["state"] }]);
    await us.host.peers.remove(approved);
    await swapFor(us, attacker);
    await us.pass(2);
    expect(await us.peers()).toEqual([]);
  });

  it("an operator may approve another certificate of a pending peer", async () => {
    await using us = await hub();
    await swapFor(us, attacker);
    const [peer] = await us.peers();
    const { certificate } = rekeyed(VICTIM, 4);
    await us.host.peers.rekey(peer!, { certificate: certificate.pem });
    expect(await codeOf(() => us.host.peers.approve(peer!, attacker.certificate.fingerprint))).toBe(
      "MNET_KEY_NOT_HELD",
    );
    const { fingerprint } = certificate;
    expect(await us.host.peers.approve(peer!, fingerprint)).toMatchObject({ state: "active", key: { fingerprint } });
  });
});

describe("SEC-044 a pending peer", () => {
  it("is served the system methods, told of no service, and nothing else", async () => {
    await using us = await hub();
    await swapFor(us, attacker);
    expect(await call(us, attacker, "system/listServices")).toMatchObject({ form: "signed and encrypted", value: [] });
    expect(await call(us, attacker, "system/listMethods")).toMatchObject({ value: [] });
    expect(await call(us, attacker, "news/read")).toMatchObject({ form: "signed and encrypted", fault: 7012 });
    expect(await call(us, attacker, "auth/mnet/auth.php/user_authorise")).toMatchObject({ fault: 7012 });
  });

  it("is as good as unknown once hub mode is switched off", async () => {
    await using us = await hub();
    await swapFor(us, attacker);
    await using later = await hub({ registerStrangers: false, store: us.store });
    expect(await call(later, attacker, "system/listServices")).toEqual({ form: "plain", fault: 7020 });
  });

  it("becomes active by its own call, with the All Hosts services and its title", async () => {
    await using us = await hub();
    const school = await us.network.host("https://school.example", { name: "The school" });
    // The first form of its administrator swaps keys, the second makes it know us.
    const toHub = await school.peers.add(HUB);
    await settled(us);
    expect(await us.peers()).toMatchObject([{ state: "pending", name: "school.example" }]);
    expect(await school.call(toHub, "system/listServices")).toEqual([]);
    await us.network.clock.advance(100);
    expect(await us.peers()).toMatchObject([{ state: "active", name: "The school", wwwroot: school.wwwroot }]);
    expect((await us.peers())[0]).not.toHaveProperty("heldKey");
    expect(await school.call(toHub, "news/read", [], { unchecked: true })).toBe("news");
    expect(us.told("peer.changed")).toMatchObject([
      { state: "active", changed: ["state"], peer: { wwwroot: school.wwwroot } },
    ]);
    expect(await us.host.peers.services((await us.peers())[0]!)).toMatchObject([{ service: "news", here: "both" }]);
  });

  it("becomes active by our call, as soon as it knows us", async () => {
    await using us = await hub();
    const school = await us.network.host("https://school.example", { maintenance: "manual" });
    const { certificate } = await school.keys.current();
    await swap(us, [school.wwwroot, certificate, "moodle"]);
    await us.pass(3);
    // Nobody there has filled in the second form, so it does not answer our call.
    expect(await us.peers()).toMatchObject([{ state: "pending" }]);
    const probes = us.sent.length;
    expect(probes).toBeGreaterThan(1);
    await school.peers.add(HUB);
    await us.pass(8);
    expect(await us.peers()).toMatchObject([{ state: "active" }]);
  });

  it("our call is tried less and less often", async () => {
    await using us = await hub();
    const school = await us.network.host("https://school.example", { maintenance: "manual" });
    await swap(us, [school.wwwroot, (await school.keys.current()).certificate]);
    const perHour: number[] = [];
    for (let hour = 0; hour < 4; hour += 1) {
      const before = us.sent.length;
      await us.pass(60);
      perHour.push(us.sent.length - before);
    }
    // A key swap and a call each.
    expect(perHour[0]).toBeLessThanOrEqual(2 * 6);
    expect(perHour[3]).toBeLessThanOrEqual(2);
  });

  it("an attacker who registers the victim's wwwroot stays pending, whatever it signs", async () => {
    await using us = await hub();
    const victim = await us.network.host(VICTIM, { maintenance: "manual" });
    await swapFor(us, attacker);
    for (let minute = 0; minute < 10; minute += 1) {
      for (const method of ["system/listServices", "news/read"]) {
        const reply = await callFrom(us, attacker, method);
        // By and by the answers are sealed for the victim.
        const opened = await codeOf(() => openAnswer(reply, attacker));
        if (opened === "accepted") expect(summary(openAnswer(reply, attacker)).value ?? []).toEqual([]);
        else expect(opened).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
      }
      await us.pass(1);
    }
    expect(await us.peers("active")).toEqual([]);
    const [pending] = await us.peers("pending");
    // What the victim itself shows has taken the place of what a stranger claimed.
    const { fingerprint } = await victim.keys.current();
    expect(pending).toMatchObject({ key: { fingerprint }, heldKey: { fingerprint, reason: "registered-itself" } });
    expect(us.told("peer.changed")).toMatchObject([{ state: "pending", changed: ["key"], level: "warn" }]);
    expect(us.told("peer.changed")).toHaveLength(1);

    // So the attacker has not shut the victim out: when it joins, it is known by its own key.
    const toHub = await victim.peers.add(HUB);
    await victim.call(toHub, "system/listServices");
    await us.pass(2);
    expect(await us.peers()).toMatchObject([{ state: "active", key: { fingerprint } }]);
    expect(await codeOf(() => call(us, attacker, "news/read"))).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
    expect(us.told("call.refused").at(-1)).toMatchObject({ faultCode: 710 });
  });

  it("stays pending while its wwwroot cannot be reached, or shows another's certificate", async () => {
    await using us = await hub();
    await swapFor(us, attacker);
    await call(us, attacker, "system/listServices");
    await us.pass(30);
    expect(await us.peers()).toMatchObject([
      { state: "pending", key: { fingerprint: attacker.certificate.fingerprint } },
    ]);
    // A host that says it is another.
    await us.network.host("https://else.example", { maintenance: "manual" });
    await swapFor(us, rekeyed("https://else.example/folder", 3));
    await call(us, rekeyed("https://else.example/folder", 3), "system/listServices");
    await us.pass(30);
    expect(await us.peers("active")).toEqual([]);
  });

  it("SEC-053 is asked over verified TLS whatever the defaults, and with no private address but those allowed", async () => {
    await using us = await hub({ peerDefaults: { legacy: { tls: "none" }, timeoutMs: 60_000 } });
    await swapFor(us, attacker);
    await us.pass(1);
    expect(us.sent.length).toBeGreaterThan(0);
    for (const outgoing of us.sent) expect(outgoing).toMatchObject({ tls: "verify", allowAddresses: [] });
    // No page of a stranger is read before it has proved who it is.
    expect(us.sent.map(({ method }) => method)).not.toContain("GET");
  });

  it("SEC-078 a stranger at a private address is not asked", async () => {
    const local = rekeyed("http://127.0.0.1:9", 3);
    const { HttpTransport } = await import("../../src/transport/http-transport.ts");
    await using us = await hub({ through: () => new HttpTransport() });
    await swapFor(us, local);
    await call(us, local, "system/listServices");
    await us.host.maintain();
    expect(await us.peers()).toMatchObject([{ wwwroot: local.wwwroot, state: "pending" }]);
  });

  it("SEC-052 is told a new key of ours only if it has signed", async () => {
    await using us = await hub();
    await swapFor(us, attacker);
    await us.host.keys.rotate();
    const sealedForOld = (from: KeyedSite) =>
      post(us.host, wrap(encodeCall("system/listServices", []), { from, to: us.site, outer: VICTIM, inner: VICTIM }));
    expect(summary(openAnswer(await sealedForOld(attacker), attacker))).toMatchObject({ fault: 7025 });
    expect(summary(openAnswer(await sealedForOld(rekeyed(VICTIM, 4)), attacker))).toEqual({
      form: "plain",
      fault: 7023,
    });
  });
});

describe("SEC-043 SEC-084 a flood", () => {
  const flood = async (us: Hub, count: number, pace: () => Promise<void>): Promise<void> => {
    // One certificate for all would be refused for its name; making ten thousand takes long, so a few names come again.
    for (let n = 0; n < count; n += 1) {
      const site = n < 200 ? rekeyed(`https://s${n}.example`, n % 12) : attacker;
      const wwwroot = n < 200 ? site.wwwroot : `https://s${n}.example`;
      const body = encodeCall("system/keyswap", [wwwroot, site.certificate.pem, "moodle"]);
      await request(us.host, { body, remoteAddress: `192.0.2.${n % 250}` });
      if (n % 50 === 0) await pace();
    }
  };

  it("10,000 key swaps leave no active peer and as many pending ones as are allowed", async () => {
    await using us = await hub({ limits: { pendingPeers: 20 } });
    await flood(us, 10_000, () => us.network.clock.advance(5000));
    await us.pass(5);
    expect(await us.peers("active")).toEqual([]);
    expect(await us.peers("pending")).toHaveLength(20);
    expect(await collect(us.host.peers.list({ state: "deleted" }))).toEqual([]);
    const refused = us.told("peer.registration-refused").map(({ detail }) => detail);
    expect(refused.some((detail) => detail.includes("limits.pendingPeers"))).toBe(true);
  });

  it("SEC-042 we ask few at a time and each seldom", async () => {
    let running = 0;
    let most = 0;
    const gates: (() => void)[] = [];
    const through = (): Transport => ({
      async exchange({ signal }) {
        running += 1;
        most = Math.max(most, running);
        const gate = withResolvers<undefined>();
        gates.push(() => gate.resolve(undefined));
        signal.addEventListener("abort", () => gate.resolve(undefined));
        await gate.promise;
        running -= 1;
        throw new TransportError("MNET_TRANSPORT_UNREACHABLE", "gone", { url: VICTIM });
      },
    });
    await using us = await hub({ through });
    const sites = Array.from({ length: 40 }, (_, n) => rekeyed(`https://s${n}.example`, n % 12));
    for (const site of sites) await swapFor(us, site);
    for (const [n, site] of sites.entries()) await callFrom(us, site, "system/listServices", `198.51.100.${n}`);
    expect(us.sent.length).toBe(4);
    const maintained = us.host.maintain();
    for (let round = 0; round < 30; round += 1) {
      for (const open of gates.splice(0)) open();
      await us.network.clock.advance(10);
    }
    await maintained;
    expect(most).toBeLessThanOrEqual(8);
    // Each once, and none again within a minute, however often it calls.
    const once = us.sent.length;
    expect(once).toBeLessThanOrEqual(40);
    for (const site of sites.slice(0, 5)) {
      for (let n = 0; n < 5; n += 1) await callFrom(us, site, "system/listServices", `203.0.113.${n}`);
    }
    await us.host.maintain();
    expect(us.sent.length).toBe(once);
  });

  it("registrations of one address are rationed, others' are not", async () => {
    await using us = await hub();
    for (let n = 0; n < 60; n += 1) {
      const { wwwroot, certificate } = rekeyed(`https://s${n}.example`, n % 12);
      await swap(us, [wwwroot, certificate.pem], "198.51.100.1");
    }
    expect(await us.peers("pending")).toHaveLength(50);
    await swap(us, [VICTIM, attacker.certificate.pem], "198.51.100.2");
    expect(await us.peers("pending")).toHaveLength(51);
    await us.network.clock.advance(10_000);
    const late = rekeyed("https://late.example", 2);
    await swap(us, [late.wwwroot, late.certificate.pem], "198.51.100.1");
    expect(await us.peers("pending")).toHaveLength(52);
  });

  it("after a month, who never proved anything makes room; the table does not grow", async () => {
    await using us = await hub({ limits: { pendingPeers: 2 } });
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name, n) => rekeyed(`https://${name}.example`, n + 2));
    await swapFor(us, a!);
    await us.network.clock.advance(86_400_000);
    await swapFor(us, b!);
    await swapFor(us, c!);
    expect((await us.peers()).map(({ wwwroot }) => wwwroot)).toEqual([a!.wwwroot, b!.wwwroot]);
    await us.network.clock.advance(29 * 86_400_000);
    await swapFor(us, c!);
    await swapFor(us, d!);
    expect((await us.peers()).map(({ id, wwwroot }) => [id, wwwroot])).toEqual([
      [1, c!.wwwroot],
      [2, b!.wwwroot],
    ]);
    expect(await us.store.peers.find(3 as never)).toBeUndefined();
  });

  it("no pending peers at all, if the limit is 0", async () => {
    await using us = await hub({ limits: { pendingPeers: 0 } });
    await swapFor(us, attacker);
    expect(await us.peers()).toEqual([]);
  });

  it("a host that closes waits for no stranger", async () => {
    const through = (): Transport => ({
      exchange: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    });
    const us = await hub({ through });
    await swapFor(us, attacker);
    await call(us, attacker, "system/listServices");
    expect(us.sent).toHaveLength(1);
    await us.host.close();
    expect(decodeCall(us.sent[0]!.body!).method).toBe("system/keyswap");
  });
});

describe("SEC-043 services of a host that registers strangers", () => {
  it.each(["sso_idp", "mnet_enrol"])("%s cannot be published to all hosts, only to one", async (name) => {
    const description = defineService({
      name,
      path: "auth/mnet/auth.php",
      methods: { list: { params: {}, returns: t.string() } },
    });
    await using us = await hub({ services: [served, description.implement({ list: () => "" })] });
    const peer = await us.host.peers.add(VICTIM, { certificate: attacker.certificate.pem });
    for (const flag of ["publish", "both"] as const) {
      expect(await codeOf(() => us.host.peers.setServices("all-hosts", { [name]: flag }))).toBe("MNET_CONFIG_INVALID");
    }
    await us.host.peers.setServices("all-hosts", { [name]: "subscribe" });
    await us.host.peers.setServices(peer, { [name]: "publish" });
  });
});
