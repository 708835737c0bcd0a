import { describe, expect, it } from "vitest";
import { defineService } from "../../../src/host/define-service.ts";
import { t } from "../../../src/host/wire-type.ts";
import type { ServiceFlags } from "../../../src/peer/service-flags.ts";
import { encodeCall } from "../../../src/xmlrpc/encode.ts";
import type { XmlRpcValue } from "../../../src/xmlrpc/value.ts";
import {
  insertPeer,
  keyedSite,
  openAnswer,
  post,
  rig,
  summary,
  wrap,
  type KeyedSite,
  type Rig,
} from "../../support/hosts.ts";

const described = defineService({
  name: "weather",
  methods: {
    now: {
      help: "The temperature.",
      params: { place: t.string().describe("Where."), days: t.int().optional() },
      returns: t.double().describe("Degrees."),
    },
    forecast: { returns: t.list(t.double()) },
  },
});
const weather = described.implement({ now: () => 5, forecast: () => [] });
const archive = defineService({
  name: "archive",
  path: "mod/archive/rpclib.php",
  methods: { get: { returns: t.string() }, put: { returns: t.string() } },
}).implement({
  get: () => "",
  put: () => "",
});
const remote = defineService({ name: "remote", methods: { only: { returns: t.string() } } });
const services = [weather, archive, remote];

const bob = keyedSite("https://bob.example", 2);

/** What the host answers to a peer. */
async function ask(us: Rig, method: string, params: readonly XmlRpcValue[] = [], peer: KeyedSite = us.alice) {
  const body = wrap(encodeCall(method, params), { from: peer, to: us.ours });
  const { value, fault } = summary(openAnswer(await post(us.host, body), peer));
  return fault ?? value;
}
const withFlags = (flags: ServiceFlags) => rig({ services, alicePeer: { services: flags } });
const row = (name: string, publish: 0 | 1, subscribe: 0 | 1) => ({
  name,
  apiversion: "1",
  publish: String(publish),
  subscribe: String(subscribe),
});

describe("system/listServices", () => {
  it("MNET-097 one entry for each service with a box, as a Moodle writes it", async () => {
    await using us = await withFlags({ weather: "both", archive: "publish", remote: "subscribe" });
    expect(await ask(us, "system/listServices")).toEqual([
      row("archive", 1, 0),
      row("remote", 0, 1),
      row("weather", 1, 1),
    ]);
  });

  it("MNET-097 the union of the peer's row and that of all hosts, once", async () => {
    await using us = await withFlags({ weather: "subscribe", archive: "publish" });
    await us.host.peers.setServices("all-hosts", { weather: "publish", archive: "subscribe", remote: "subscribe" });
    expect(await ask(us, "system/listServices")).toEqual([
      row("archive", 1, 1),
      row("remote", 0, 1),
      row("weather", 1, 1),
    ]);
  });

  it("MNET-097 without a box there is no entry", async () => {
    await using us = await withFlags({});
    expect(await ask(us, "system/listServices")).toEqual([]);
  });

  it("MNET-097 what is served no longer is not offered, as the dispatcher does not run it", async () => {
    await using us = await withFlags({ remote: "both", nosuch: "both" });
    expect(await ask(us, "system/listServices")).toEqual([row("remote", 0, 1)]);
    expect(await ask(us, "remote/only")).toBe(707);
    await us.store.peers.update({ ...(await us.store.peers.find(us.aliceId))!, services: { remote: "publish" } });
    expect(await ask(us, "system/listServices")).toEqual([]);
  });
});

describe("system/listMethods", () => {
  it("MNET-098 the published methods, sorted, of all services or of one", async () => {
    await using us = await withFlags({ weather: "publish", archive: "both", remote: "subscribe" });
    const archived = ["mod/archive/rpclib.php/get", "mod/archive/rpclib.php/put"];
    const forecast = ["weather/forecast", "weather/now"];
    expect(await ask(us, "system/listMethods")).toEqual([...archived, ...forecast]);
    for (const nothing of [[""], [null]])
      expect(await ask(us, "system/listMethods", nothing)).toEqual([...archived, ...forecast]);
    expect(await ask(us, "system/listMethods", ["weather"])).toEqual(forecast);
    expect(await ask(us, "system/listMethods", ["archive"])).toEqual(archived);
    for (const other of ["remote", "nosuch", "Weather", "constructor", "__proto__"]) {
      expect(await ask(us, "system/listMethods", [other])).toEqual([]);
    }
    expect(await ask(us, "system/listMethods", [["weather"]])).toBe(17);
  });

  it("MNET-098 what is not published is not listed", async () => {
    await using us = await withFlags({ weather: "subscribe" });
    expect(await ask(us, "system/listMethods")).toEqual([]);
    expect(await ask(us, "system/listMethods", ["weather"])).toEqual([]);
  });
});

describe("system/methodSignature and system/methodHelp", () => {
  it("answer for what is published", async () => {
    await using us = await withFlags({ weather: "publish" });
    expect(await ask(us, "system/methodSignature", ["weather/now"])).toEqual({
      parameters: [
        { name: "place", type: "string", description: "Where." },
        { name: "days", type: "int", description: "" },
      ],
      return: { type: "float", description: "Degrees." },
    });
    expect(await ask(us, "system/methodHelp", ["weather/now"])).toBe("The temperature.");
    expect(await ask(us, "system/methodHelp", ["weather/forecast"])).toBe("");
  });

  it.each(["remote/only", "mod/archive/rpclib.php/get", "weather/nosuch", "now", "system/keyswap", "constructor", ""])(
    "SEC-088 of %j, which is not published, they know nothing",
    async (name) => {
      await using us = await withFlags({ weather: "publish", remote: "subscribe" });
      expect(await ask(us, "system/methodSignature", [name])).toBe(false);
      expect(await ask(us, "system/methodHelp", [name])).toBe(false);
    },
  );

  it("without a name → 17", async () => {
    await using us = await withFlags({});
    for (const params of [[], [5], [["x"]]]) {
      expect(await ask(us, "system/methodSignature", params)).toBe(17);
      expect(await ask(us, "system/methodHelp", params)).toBe(17);
    }
  });
});

it("SEC-088 every peer sees what is published to it, and nothing of another's", async () => {
  await using us = await withFlags({ weather: "publish" });
  await insertPeer(us.store, bob, { services: { archive: "publish", remote: "subscribe" } });
  const view = async (peer: KeyedSite) => ({
    services: ((await ask(us, "system/listServices", [], peer)) as unknown as { name: string }[]).map(
      ({ name }) => name,
    ),
    methods: await ask(us, "system/listMethods", [], peer),
    help: await ask(us, "system/methodHelp", ["weather/now"], peer),
    signature: (await ask(us, "system/methodSignature", ["mod/archive/rpclib.php/get"], peer)) !== false,
  });
  expect(await view(us.alice)).toEqual({
    services: ["weather"],
    methods: ["weather/forecast", "weather/now"],
    help: "The temperature.",
    signature: false,
  });
  expect(await view(bob)).toEqual({
    services: ["archive", "remote"],
    methods: ["mod/archive/rpclib.php/get", "mod/archive/rpclib.php/put"],
    help: false,
    signature: true,
  });
  const stranger = keyedSite("https://stranger.example", 4);
  const body = wrap(encodeCall("system/listServices", []), { from: stranger, to: us.ours });
  expect(summary(openAnswer(await post(us.host, body)))).toEqual({ form: "plain", fault: 7020 });
});

it("MNET-095 system/keyswap answers a peer's proper call too", async () => {
  await using us = await withFlags({});
  expect(await ask(us, "system/keyswap")).toBe(us.ours.certificate.pem);
});
