import { describe, expect, it } from "vitest";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import { readServices, serviceRows } from "../../src/peer/service-matrix.ts";
import type { ServiceFlag } from "../../src/peer/service-flags.ts";
import { testNetwork } from "../../src/testing/test-network.ts";
import { decodeResponse } from "../../src/xmlrpc/decode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { recordedMessage } from "../support/fixtures.ts";
import { rig } from "../support/hosts.ts";
import { answer, scriptedRig } from "../support/scripted-peer.ts";

const service = (name: string) =>
  defineService({ name, path: name.replace("_", ""), methods: { run: { returns: t.string() } } });
const implemented = (name: string) => service(name).implement({ run: () => name });

/** A value as it comes off the wire. */
function overTheWire(value: XmlRpcValue): XmlRpcValue {
  const response = decodeResponse(encodeResult(value));
  if (response.kind !== "result") throw new Error("That is a fault.");
  return response.value;
}
const entry = (name: string, publish: XmlRpcValue, subscribe: XmlRpcValue): XmlRpcValue => ({
  name,
  apiversion: "1",
  publish,
  subscribe,
});
const read = (answered: XmlRpcValue, application: "moodle" | "mahara" = "moodle") => {
  const services = readServices(overTheWire(answered), application);
  return services && Object.fromEntries(services);
};

describe("reading system/listServices", () => {
  it.each([
    ["strings, as a Moodle sends them", "1", "0"],
    ["integers, as a Mahara sends them", 1, 0],
    ["booleans", true, false],
  ])("MNET-097 boxes as %s", (_what, ticked, empty) => {
    const answered = [
      entry("a", ticked, ticked),
      entry("b", ticked, empty),
      entry("c", empty, ticked),
      entry("d", empty, empty),
    ];
    expect(read(answered)).toEqual({ a: "both", b: "publish", c: "subscribe", d: "off" });
  });

  it("MNET-097 a service that comes twice has the boxes of both entries", () => {
    expect(read([entry("a", "1", "0"), entry("b", "0", "0"), entry("a", "0", "1")])).toEqual({ a: "both", b: "off" });
  });

  it("MNET-061 a list may be a struct with numeric names, and an empty one nothing", () => {
    expect(read({ 3: entry("a", 1, 0), 1: entry("b", 0, 1) })).toEqual({ a: "publish", b: "subscribe" });
    for (const empty of [[], {}, "", null]) expect(read(empty)).toEqual({});
  });

  it.each([
    ["text", "no services"],
    ["a number", 7],
    ["a struct that is no list", { name: "a", publish: 1 }],
    ["a list of names", ["sso_idp"]],
    ["a list of lists", [[entry("a", 1, 1)]]],
  ])("%s is no list of services", (_what, answered) => {
    expect(read(answered)).toBeUndefined();
  });

  it("SEC-020 hostile names and boxes do no harm", () => {
    const answered = [
      entry("__proto__", 1, 1),
      entry("", 1, 1),
      entry("x".repeat(41), 1, 1),
      { apiversion: 1, publish: 1 },
      { name: ["a"], publish: 1, subscribe: 1 },
      entry("odd", "yes", { a: 1 }),
      entry("missing", "", ""),
    ];
    const services = readServices(overTheWire(answered), "moodle");
    expect([...services!]).toEqual([
      ["__proto__", "both"],
      ["odd", "off"],
      ["missing", "off"],
    ]);
    expect(
      readServices(overTheWire(Array.from({ length: 2000 }, (_, n) => entry(`s${n}`, 1, 1))), "moodle")!.size,
    ).toBe(1000);
  });

  it("a recorded Mahara's services have Moodle's names", () => {
    const { document } = recordedMessage("mahara-23.04", "system.listServices", "response");
    const response = decodeResponse(document!);
    const services = readServices((response as Extract<typeof response, { kind: "result" }>).value, "mahara");
    expect(Object.fromEntries(services!)).toEqual({
      sso_idp: "both",
      sso_sp: "both",
      pf: "both",
      repository_out: "both",
    });
    // A Moodle may have a service of that name.
    expect(read([entry("sso_in", 1, 1)])).toEqual({ sso_in: "both" });
    expect(read([entry("sso_in", 1, 1)], "mahara")).toEqual({ sso_idp: "subscribe", sso_sp: "publish" });
    expect(read([entry("sso_in", 0, 0)], "mahara")).toEqual({ sso_in: "off" });
  });
});

describe("which boxes are missing", () => {
  const flags: readonly ServiceFlag[] = ["off", "publish", "subscribe", "both"];
  const boxes = (flag: ServiceFlag) => ({
    publish: flag === "publish" || flag === "both",
    subscribe: flag === "subscribe" || flag === "both",
  });

  it.each(flags.flatMap((here) => flags.map((there) => [here, there] as const)))("here %s, there %s", (here, there) => {
    const [row] = serviceRows({ here: new Map([["s", here]]), there: new Map([["s", there]]), peer: "https://b.test" });
    const [a, b] = [boxes(here), boxes(there)];
    // What one side publishes the other has to subscribe to, and the reverse.
    const expected = [
      ...(a.publish && !b.subscribe ? ["there subscribe"] : []),
      ...(a.subscribe && !b.publish ? ["there publish"] : []),
      ...(b.publish && !a.subscribe ? ["here subscribe"] : []),
      ...(b.subscribe && !a.publish ? ["here publish"] : []),
    ];
    expect(row!.missing.map(({ side, box }) => `${side} ${box}`)).toEqual(expected);
    for (const { text } of row!.missing) expect(text).toMatch(/^(?=.*https:\/\/b\.test)(?=.*\bs\b)/);
  });

  it("nothing is missing while the other side is not known", () => {
    expect(serviceRows({ here: new Map([["s", "both"]]) })).toEqual([{ service: "s", here: "both", missing: [] }]);
  });

  it("a Mahara offers everything to everybody: nobody here has to tick a box because of that", () => {
    const there = new Map<string, ServiceFlag>([["pf", "both"]]);
    const rows = serviceRows({ here: new Map([["x", "both"]]), there, isOfferToAll: true });
    expect(rows.map(({ service: name, missing }) => [name, missing.map(({ side, box }) => `${side} ${box}`)])).toEqual([
      ["pf", []],
      ["x", ["there subscribe", "there publish"]],
    ]);
  });
});

describe("peers.services", () => {
  it("puts both sides beside each other, All Hosts included", async () => {
    await using network = testNetwork();
    const services = ["library", "news", "polls"].map(implemented);
    const a = await network.host("https://a.test", { services: [...services, service("videos")] });
    const b = await network.host("https://b.test", { services });
    await network.connect(a, b, { library: "both" });
    const [toB, toA] = [await a.peers.get(b.wwwroot), await b.peers.get(a.wwwroot)];
    await a.peers.setServices("all-hosts", { news: "publish" });
    await a.peers.setServices(toB, { videos: "subscribe" });
    await b.peers.setServices(toA, { polls: "publish" });

    const rows = await a.peers.services(toB);
    expect(
      rows.map(({ missing, ...row }) => ({ ...row, missing: missing.map(({ side, box }) => `${side} ${box}`) })),
    ).toEqual([
      { service: "library", here: "both", there: "both", missing: [] },
      { service: "news", here: "publish", there: "off", missing: ["there subscribe"] },
      { service: "polls", here: "off", there: "publish", missing: ["here subscribe"] },
      { service: "videos", here: "subscribe", there: "off", missing: ["there publish"] },
    ]);
    // The same, seen from there.
    expect(
      (await b.peers.services(toA)).flatMap(({ service: name, missing }) =>
        missing.map(({ side, box }) => [name, side, box]),
      ),
    ).toEqual([
      ["news", "here", "subscribe"],
      ["polls", "there", "subscribe"],
      // Which it cannot: it does not serve it.
      ["videos", "here", "publish"],
    ]);
    expect(await a.peers.services("all-hosts")).toEqual([
      { service: "library", here: "off", missing: [] },
      { service: "news", here: "publish", missing: [] },
      { service: "polls", here: "off", missing: [] },
      { service: "videos", here: "off", missing: [] },
    ]);
  });

  it("a peer that cannot be asked has no side", async () => {
    await using network = testNetwork();
    const a = await network.host("https://a.test", { services: [implemented("library")] });
    const b = await network.host("https://b.test");
    await network.connect(a, b);
    const toB = await a.peers.get(b.wwwroot);
    await a.peers.setServices(toB, { library: "both" });
    network.fail(b.wwwroot, "unreachable");
    const row = { service: "library", here: "both", missing: [] };
    expect(await a.peers.services(toB)).toEqual([row]);
    network.heal(b.wwwroot);
    await a.peers.suspend(toB);
    expect(await a.peers.services(toB)).toEqual([row]);
  });

  it.each([
    ["nonsense", encodeResult("hello")],
    ["a fault", encodeFault(5, "no")],
  ])("nor has one that answers with %s", async (_what, document) => {
    await using us = await scriptedRig((_asked, them) => answer(them, document), {
      services: [implemented("library")],
    });
    expect(await us.host.peers.services({ id: us.aliceId })).toEqual([
      { service: "library", here: "off", missing: [] },
    ]);
  });

  it("a Mahara's side is shown in Moodle's names", async () => {
    const answered = ["sso_in", "sso_out", "portfolio_in", "repository_out"].map((name) => entry(name, 1, 1));
    await using us = await scriptedRig((_asked, them) => answer(them, encodeResult(answered)), {
      alicePeer: { application: "mahara", services: { sso_idp: "both" } },
      services: [implemented("sso_idp")],
    });
    expect(await us.host.peers.services({ id: us.aliceId })).toEqual([
      { service: "pf", here: "off", there: "both", missing: [] },
      { service: "repository_out", here: "off", there: "both", missing: [] },
      { service: "sso_idp", here: "both", there: "both", missing: [] },
      { service: "sso_sp", here: "off", there: "both", missing: [] },
    ]);
  });

  it("what was published once and is served no longer is not published", async () => {
    await using us = await rig({
      services: [service("library")],
      alicePeer: { services: { library: "both", old: "publish" } },
    });
    expect(await us.host.peers.services({ id: us.aliceId })).toEqual([
      { service: "library", here: "subscribe", missing: [] },
      { service: "old", here: "off", missing: [] },
    ]);
  });

  it("a host that is switched off asks nobody", async () => {
    await using us = await rig({ enabled: false, services: [implemented("library")] });
    expect(await us.host.peers.services({ id: us.aliceId })).toEqual([
      { service: "library", here: "off", missing: [] },
    ]);
    expect(us.told("call.failed")).toEqual([]);
  });
});
