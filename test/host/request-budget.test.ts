import { describe, expect, it } from "vitest";
import { ClientAddresses } from "../../src/host/client-address.ts";
import {
  ALL_STRANGERS,
  EVERYBODY,
  KNOWN,
  KNOWN_FOR_MS,
  PRICE_OF_FAILURE,
  RequestBudget,
  STRANGER,
  type Permit,
} from "../../src/host/request-budget.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import { codeOf } from "../support/code-of.ts";
import {
  aliceCalls,
  keyedSite,
  openAnswer,
  request,
  rig,
  summary,
  withBadSignature,
  wrap,
  type Rig,
} from "../support/hosts.ts";
import { usedHeap } from "../support/used-heap.ts";

const isPermit = (permit: Permit | number): permit is Permit => typeof permit !== "number";

function setUp() {
  const clock = fakeClock();
  const budget = new RequestBudget({ clock });
  /** How many of so many requests were permitted. */
  const times = (count: number, block: string, settle: (permit: Permit) => void): number => {
    let permitted = 0;
    for (let n = 0; n < count; n += 1) {
      const permit = budget.take(block);
      if (!isPermit(permit)) continue;
      settle(permit);
      permitted += 1;
    }
    return permitted;
  };
  return {
    clock,
    budget,
    fail: (count: number, block: string) => times(count, block, (permit) => permit.failed()),
    prove: (count: number, block: string) => times(count, block, (permit) => permit.proved()),
    hold: (count: number, block: string) => times(count, block, () => undefined),
  };
}
const failures = ({ capacity }: { readonly capacity: number }) => capacity / PRICE_OF_FAILURE;
const failuresASecond = ({ perSecond }: { readonly perSecond: number }) => perSecond / PRICE_OF_FAILURE;

describe("SEC-083 the budget", () => {
  it("SEC-083 what proves itself costs nothing, however much of it comes", () => {
    const { prove } = setUp();
    expect(prove(100_000, "192.0.2.1")).toBe(100_000);
  });

  it("SEC-083 one address may fail so often, then so often a second, and hears when it is worth while again", async () => {
    const { clock, budget, fail } = setUp();
    expect(fail(1000, "192.0.2.1")).toBe(failures(STRANGER));
    const waitMs = budget.take("192.0.2.1") as number;
    expect(waitMs).toBeGreaterThan(0);
    await clock.advance(waitMs - 1);
    expect(fail(1, "192.0.2.1")).toBe(0);
    await clock.advance(1);
    expect(fail(1, "192.0.2.1")).toBe(1);
    let permitted = 0;
    for (let second = 0; second < 10; second += 1) {
      for (let n = 0; n < 10; n += 1) {
        await clock.advance(100);
        permitted += fail(50, "192.0.2.1");
      }
    }
    expect(permitted / 10).toBeCloseTo(failuresASecond(STRANGER), 0);
  });

  it("SEC-083 strangers together have their share, and the known the rest", async () => {
    const { clock, fail, prove } = setUp();
    prove(1, "198.51.100.1");
    let flood = 0;
    for (let n = 0; n < 1000; n += 1) flood += fail(1, `192.0.2.${n}`);
    expect(flood).toBe(failures(ALL_STRANGERS));
    // 500 a second from everywhere, for ten seconds.
    flood = 0;
    let honest = 0;
    for (let n = 0; n < 5000; n += 1) {
      await clock.advance(2);
      flood += fail(1, `192.0.2.${n}`);
      honest += prove(1, "198.51.100.1");
    }
    expect(flood / 10).toBeCloseTo(failuresASecond(ALL_STRANGERS), 0);
    expect(honest).toBe(5000);
    expect(prove(1, "198.51.100.2")).toBe(0);
  });

  it("SEC-083 everybody together has a limit, also addresses that are known", () => {
    const { fail, prove } = setUp();
    for (let n = 0; n < 100; n += 1) prove(1, `198.51.100.${n}`);
    let permitted = 0;
    for (let n = 0; n < 100; n += 1) permitted += fail(1000, `198.51.100.${n}`);
    expect(permitted).toBe(failures(EVERYBODY));
  });

  it("SEC-083 a known address may fail more often than a stranger, and not for ever", async () => {
    const { clock, budget, fail, prove } = setUp();
    prove(1, "198.51.100.1");
    expect(fail(10_000, "198.51.100.1")).toBe(failures(KNOWN));
    await clock.advance(KNOWN_FOR_MS - 1);
    expect(budget.isKnown("198.51.100.1")).toBe(true);
    await clock.advance(1);
    expect(budget.isKnown("198.51.100.1")).toBe(false);
    expect(fail(10_000, "198.51.100.1")).toBe(failures(STRANGER));
  });

  it("SEC-083 requests under way cost one; a busy peer has room for a thousand", () => {
    const { hold, prove } = setUp();
    expect(hold(10_000, "192.0.2.1")).toBe(STRANGER.capacity);
    prove(1, "198.51.100.1");
    expect(hold(10_000, "198.51.100.1")).toBe(KNOWN.capacity);
  });

  it("SEC-083 a failure that turns out proved is paid back; what was proved cannot fail any more", () => {
    const { budget, fail } = setUp();
    for (let n = 0; n < 1000; n += 1) {
      const permit = budget.take("192.0.2.1") as Permit;
      permit.failed();
      permit.failed();
      permit.proved();
      permit.failed();
    }
    expect(fail(1000, "192.0.2.1")).toBe(failures(KNOWN));
  });

  it("SEC-083 a clock that was set back locks nobody out", () => {
    let now = 1_000_000_000;
    const budget = new RequestBudget({ clock: { now: () => now, after: () => () => undefined } });
    while (isPermit(budget.take("192.0.2.1")));
    now -= 500_000_000;
    budget.take("192.0.2.1");
    now += 1000;
    expect(isPermit(budget.take("192.0.2.1"))).toBe(true);
  });

  it("SEC-084 a million addresses leave memory flat, strangers and known alike", () => {
    const { fail, prove } = setUp();
    fail(1, "warm");
    const before = usedHeap();
    for (let n = 0; n < 500_000; n += 1) {
      fail(1, `2001:db8:${n}::/64`);
      prove(1, `198.51.${n}`);
    }
    expect(usedHeap() - before).toBeLessThan(20 * 1024 * 1024);
  });
});

describe("where a request comes from", () => {
  const request = (remoteAddress: string | undefined, forwarded?: string) => ({
    method: "POST",
    path: "/",
    headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
    body: new Uint8Array(),
    remoteAddress,
  });
  const from = (remoteAddress: string | undefined, forwarded?: string, trusted: readonly string[] = []) =>
    new ClientAddresses(trusted).of(request(remoteAddress, forwarded));

  it.each([
    ["192.0.2.7", "192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"],
    ["::FFFF:c000:207", "192.0.2.7", "192.0.2.7"],
    ["::ffff:255.255.255.255", "255.255.255.255", "255.255.255.255"],
    ["2001:db8::1", "2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:DB8:0:0:ffff::2", "2001:db8:0:0:ffff::2", "2001:db8:0:0::/64"],
    ["2001:db8:0:1::1", "2001:db8:0:1::1", "2001:db8:0:1::/64"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", "1:2:3:4::/64"],
    ["::1", "::1", "0:0:0:0::/64"],
    ["::", "::", "0:0:0:0::/64"],
    ["1::", "1::", "1:0:0:0::/64"],
    ["fe80::1%eth0", "fe80::1%eth0", "fe80:0:0:0::/64"],
    [undefined, undefined, "unknown"],
    ["", undefined, "unknown"],
    ["localhost", undefined, "unknown"],
  ])("SEC-083 %s counts as %s in %s", (remoteAddress, address, block) => {
    const client = from(remoteAddress);
    expect([client.block, client.isProxy]).toEqual([block, false]);
    if (remoteAddress === "2001:DB8:0:0:ffff::2") expect(client.address).toMatch(/^2001:db8:/);
    else expect(client.address).toBe(address);
  });

  const PROXIES = ["10.0.0.0/8", "2001:db8:ff::/48"];
  it.each([
    // Who is no proxy of ours may say what it likes.
    ["192.0.2.7", "203.0.113.9", "192.0.2.7", false],
    ["192.0.2.7", "10.0.0.1", "192.0.2.7", false],
    ["10.0.0.1", "203.0.113.9", "203.0.113.9", false],
    ["::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9", false],
    ["2001:db8:ff::1", "2001:db8:1::1", "2001:db8:1::1", false],
    // What the caller wrote itself stands on the left.
    ["10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9", false],
    ["10.0.0.1", "10.0.0.9, 203.0.113.9, 10.0.0.2", "203.0.113.9", false],
    ["10.0.0.1", "203.0.113.9,10.0.0.3 , 10.0.0.2", "203.0.113.9", false],
    ["10.0.0.1", "203.0.113.9:4711", "203.0.113.9", false],
    ["10.0.0.1", "[2001:db8:1::1]:4711", "2001:db8:1::1", false],
    ["10.0.0.1", "[2001:db8:1::1]", "2001:db8:1::1", false],
    ["10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9", false],
    // A proxy that says nothing usable.
    ["10.0.0.1", undefined, "10.0.0.1", true],
    ["10.0.0.1", "", "10.0.0.1", true],
    ["10.0.0.1", "unknown", "10.0.0.1", true],
    ["10.0.0.1", "203.0.113.9, unknown", "10.0.0.1", true],
    ["10.0.0.1", "203.0.113.9, _hidden, 10.0.0.2", "10.0.0.2", true],
    ["10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", true],
    ["10.0.0.1", "203.0.113.9,", "10.0.0.1", true],
    ["10.0.0.1", "127.0.0.1\u0000", "10.0.0.1", true],
  ])("SEC-083 socket %s, X-Forwarded-For %j → %s", (socket, forwarded, address, isProxy) => {
    expect(from(socket, forwarded, PROXIES)).toMatchObject({ address, isProxy });
  });

  it("SEC-083 a chain that is too long is not walked to its end", () => {
    const forwarded = ["203.0.113.9", ...Array.from({ length: 50 }, () => "10.0.0.2")].join(",");
    expect(from("10.0.0.1", forwarded, PROXIES)).toMatchObject({ address: "10.0.0.2", isProxy: true });
  });

  it("a proxy that is no network is refused when the host starts", async () => {
    expect(await codeOf(() => rig({ network: { trustedProxies: ["proxy.example"] } }))).toBe("MNET_CONFIG_INVALID");
  });
});

describe("a host under a flood", () => {
  const LIST = encodeCall("system/listServices", []);
  const mallory = keyedSite("https://mallory.example", 3);
  const forged = ({ alice, ours }: Rig) => wrap(LIST, { from: { ...mallory, wwwroot: alice.wwwroot }, to: ours });
  const HONEST = { remoteAddress: "198.51.100.1" };
  let number = 0;
  const elsewhere = () => `203.0.113.${(number += 1) % 250}`;

  async function serves(us: Rig, remoteAddress: string): Promise<boolean> {
    const { status, body } = await request(us.host, { remoteAddress, body: aliceCalls(us, "system/listServices") });
    if (status === 503) return false;
    expect(summary(openAnswer(body, us.alice))).toEqual({ form: "signed and encrypted", value: [] });
    return true;
  }

  it("SEC-083 forged envelopes that claim the honest peer's wwwroot are refused soon, its own never", async () => {
    await using us = await rig();
    expect(await serves(us, HONEST.remoteAddress)).toBe(true);
    const body = forged(us);
    const statuses: number[] = [];
    for (let n = 0; n < 100; n += 1) {
      statuses.push((await request(us.host, { body, remoteAddress: elsewhere() })).status);
      if (n % 10 === 0) expect(await serves(us, HONEST.remoteAddress)).toBe(true);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(failures(ALL_STRANGERS));
    expect(statuses.at(-1)).toBe(503);
    // Where it says that it is from is of no importance: the honest peer's new address is a stranger's.
    expect(await serves(us, "198.51.100.2")).toBe(false);
    await us.clock.advance(10_000);
    expect(await serves(us, "198.51.100.2")).toBe(true);
  });

  it.each([
    ["wrapped for another key", (us: Rig) => wrap(LIST, { from: us.alice, to: mallory })],
    ["a bad signature", (us: Rig) => aliceCalls(us, "system/listServices", [], { damage: withBadSignature })],
    ["signed by somebody else", forged],
    ["encrypted only", (us: Rig) => aliceCalls(us, "system/listServices", [], { form: "encrypted" })],
    ["keyswap, encrypted only", (us: Rig) => aliceCalls(us, "system/keyswap", [], { form: "encrypted" })],
    [
      "keyswap, signed by anybody",
      (us: Rig) => wrap(encodeCall("system/keyswap", []), { form: "signed", from: mallory, to: us.ours }),
    ],
    ["an overheard call, sent again", (us: Rig) => aliceCalls(us, "system/listServices")],
    [
      "an overheard call that is only signed",
      (us: Rig) => aliceCalls(us, "system/listServices", [], { form: "signed" }),
    ],
    ["an old key of ours", (us: Rig) => wrap(LIST, { from: us.alice, to: keyedSite(us.ours.wwwroot, 2) })],
  ])("SEC-083 %s is a failure", async (_what, make) => {
    await using us = await rig({ archived: [keyedSite("https://host.example/moodle", 2)] });
    const body = make(us);
    // The first may be fresh.
    await request(us.host, { body, ...HONEST });
    const statuses = new Map<number, number>();
    for (let n = 0; n < 60; n += 1) {
      const { status } = await request(us.host, { body, remoteAddress: "203.0.113.77" });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect(statuses.get(200)).toBe(failures(STRANGER));
    expect(statuses.get(503)).toBe(60 - failures(STRANGER));
  });

  it("SEC-083 what needs no private key is answered all the same", async () => {
    await using us = await rig();
    const body = forged(us);
    for (let n = 0; n < 60; n += 1) await request(us.host, { body, remoteAddress: "203.0.113.77" });
    const ask = (document: Uint8Array) =>
      request(us.host, { body: Buffer.from(document), remoteAddress: "203.0.113.77" });
    const swapped = await ask(encodeCall("system/keyswap", []));
    expect(summary(openAnswer(swapped.body))).toMatchObject({ form: "plain", value: us.ours.certificate.pem });
    expect(summary(openAnswer((await ask(LIST)).body))).toEqual({ form: "plain", fault: 7021 });
  });

  it("SEC-083 the refusal is a plain 503 with Retry-After, and no fault", async () => {
    await using us = await rig();
    const body = forged(us);
    let reply = await request(us.host, { body });
    for (let n = 0; n < 40; n += 1) reply = await request(us.host, { body });
    expect(reply).toMatchObject({
      status: 503,
      headers: { "content-type": "text/plain; charset=utf-8", "retry-after": "1" },
    });
    expect(reply.body.toString()).toMatch(/^Too many requests/);
  });

  it("SEC-083 SEC-084 the flood is a handful of events a minute, whatever it comes from", async () => {
    await using us = await rig();
    const body = forged(us);
    for (let n = 0; n < 40; n += 1) await request(us.host, { body, remoteAddress: elsewhere() });
    for (let n = 0; n < 500; n += 1) await request(us.host, { body, remoteAddress: `203.0.113.${n % 100}` });
    const told = us.told("request.throttled");
    expect(told).toHaveLength(10);
    expect(told[0]).toMatchObject({ level: "warn", reason: "private-key", requests: 1, remoteAddress: "203.0.113.0" });
    await us.clock.advance(60_000);
    const later = us.told("request.throttled").slice(10);
    expect(later).toHaveLength(11);
    expect(later[0]).toMatchObject({ requests: 4, remoteAddress: "203.0.113.0" });
    expect(later.at(-1)).toMatchObject({ requests: 450, addresses: 90 });
    expect(later.at(-1)).not.toHaveProperty("remoteAddress");
    const all = us.told("request.throttled").reduce((sum, { requests }) => sum + requests, 0);
    expect(all).toBe(500);
    await us.clock.advance(600_000);
    expect(us.told("request.throttled")).toHaveLength(21);
  });

  it("SEC-083 behind a proxy of ours, callers are told apart; without naming it they are not", async () => {
    for (const [trustedProxies, expected] of [
      [["10.0.0.0/8"], true],
      [[], false],
    ] as const) {
      await using us = await rig({ network: { trustedProxies } });
      const through = (address: string, body: Buffer) =>
        request(us.host, { body, remoteAddress: "10.0.0.1", headers: { "x-forwarded-for": address } });
      const body = forged(us);
      for (let n = 0; n < 60; n += 1) await through("203.0.113.77", body);
      const { status } = await through("198.51.100.1", aliceCalls(us, "system/listServices"));
      expect(status === 200).toBe(expected);
      const [refused] = us.told("call.refused");
      expect(refused?.remoteAddress).toBe(expected ? "203.0.113.77" : "10.0.0.1");
    }
  });
});

describe("identity", () => {
  it("SEC-086 no header of a proxy, trusted or not, says who we are", async () => {
    const headers: Record<string, string> = {
      host: "evil.example",
      forwarded: "for=127.0.0.1;host=evil.example;proto=http",
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "gopher",
      "x-forwarded-port": "1",
      "x-forwarded-prefix": "/evil",
      "x-forwarded-for": "127.0.0.1",
      "x-original-url": "/evil",
      "x-rewrite-url": "/evil",
      "x-real-ip": "127.0.0.1",
    };
    for (const trustedProxies of [[], ["192.0.2.0/24"]]) {
      await using us = await rig({ network: { trustedProxies } });
      const { status, body } = await request(us.host, { headers, body: aliceCalls(us, "system/listServices") });
      expect(status).toBe(200);
      expect(openAnswer(body, us.alice).senders).toEqual([us.host.wwwroot, us.host.wwwroot]);
      const home = await request(us.host, { method: "GET", path: "/moodle/", headers });
      expect(home.body.toString()).toContain(us.host.wwwroot);
      expect(home.body.toString()).not.toMatch(/evil|gopher/);
      expect(await us.host.handle({ method: "GET", path: "/evil", headers, body: new Uint8Array() })).toBeUndefined();
    }
  });
});
