import { describe, expect, it } from "vitest";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import { testNetwork } from "../../src/testing/test-network.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { keyedSite, storeWithKeys } from "../support/hosts.ts";

/** A store with a key in it, so that none has to be made. */
const readyStore = (wwwroot: string, n: number) => {
  const { certificate, privateKeyPem } = keyedSite(wwwroot, n);
  return storeWithKeys([{ certificate: certificate.pem, privateKey: privateKeyPem }]);
};
const A = "https://alpha.test";
const B = "https://beta.test/lms";

const work = defineService({ name: "work", methods: { run: { returns: t.string() } } });
const other = defineService({ name: "other", methods: { run: { returns: t.string() } } });

async function pair(run: () => string | Promise<string> = () => "done") {
  const network = testNetwork();
  const services = [work.implement({ run }), other.implement({ run: () => "other" })] as const;
  const a = await network.host(A, { store: await readyStore(A, 0), services });
  const b = await network.host(B, { store: await readyStore(B, 1), services });
  return { network, a, b };
}

describe("testNetwork", () => {
  it("connects two hosts both ways; the second has the mirror of the first one's boxes", async () => {
    const { network, a, b } = await pair();
    await using _ = network;
    await network.connect(a, b, { work: "publish", other: "both" });
    const [toB, toA] = await Promise.all([a.peers.get(b.wwwroot), b.peers.get(a.wwwroot)]);
    expect([toB.name, toA.name]).toEqual(["beta.test", "alpha.test"]);
    expect(await b.call(toA, work.methods.run, {})).toBe("done");
    expect(await codeOf(() => a.call(toB, work.methods.run, {}))).toBe("MNET_CALL_NOT_SUBSCRIBED");
    expect(await a.call(toB, other.methods.run, {})).toBe("other");
    expect(await b.call(toA, other.methods.run, {})).toBe("other");
    expect(await a.call(toB, "system/listServices")).toEqual([
      { name: "other", apiversion: "1", publish: "1", subscribe: "1" },
      { name: "work", apiversion: "1", publish: "0", subscribe: "1" },
    ]);
  });

  it("everybody has one clock", async () => {
    const { network, a, b } = await pair();
    await using _ = network;
    await network.connect(a, b);
    await network.clock.advance(90_000);
    const toB = await a.peers.get(b.wwwroot);
    expect(await codeOf(() => a.call(toB, "system/listServices"))).toBe("accepted");
    await network.clock.advance(1);
    expect((await a.peers.get(b.wwwroot)).lastContactAt).toEqual(new Date("2026-01-01T00:01:30Z"));
  });

  it("starts when it is told", () => {
    expect(testNetwork({ startAt: new Date(5) }).clock.now()).toBe(5);
  });

  it.each([
    ["unreachable", "MNET_TRANSPORT_UNREACHABLE"],
    ["html", "MNET_TRANSPORT_NOT_MNET"],
    ["empty", "MNET_TRANSPORT_NOT_MNET"],
    ["garbage", "MNET_TRANSPORT_NOT_MNET"],
  ] as const)("a site that fails by %s, until it is healed", async (how, code) => {
    const { network, a, b } = await pair();
    await using _ = network;
    await network.connect(a, b);
    const toB = await a.peers.get(b.wwwroot);
    network.fail(b.wwwroot, how);
    expect(await codeOf(() => a.call(toB, "system/listServices"))).toBe(code);
    // The others are not concerned.
    expect(await codeOf(async () => b.call(await b.peers.get(a.wwwroot), "system/listServices"))).toBe("accepted");
    network.heal(b.wwwroot);
    expect(await codeOf(() => a.call(toB, "system/listServices"))).toBe("accepted");
  });

  it("a site that never answers shows when time has passed", async () => {
    const { network, a, b } = await pair();
    await using _ = network;
    await network.connect(a, b);
    const toB = await a.peers.get(b.wwwroot);
    network.fail(b.wwwroot, "timeout");
    const outcome = errorOf(() => a.call(toB, "system/listServices"));
    await network.clock.advance(30_000);
    expect(await outcome).toMatchObject({ code: "MNET_TRANSPORT_TIMEOUT", retryable: true });
  });

  it("a handler that is too slow, too; it hears of it", async () => {
    let signal: AbortSignal | undefined;
    const network = testNetwork();
    await using _ = network;
    const slow = work.implement({
      run: (_params, call) => {
        signal = call.signal;
        return new Promise<string>(() => undefined);
      },
    });
    const a = await network.host(A, { store: await readyStore(A, 0), services: [work] });
    const b = await network.host(B, { store: await readyStore(B, 1), services: [slow] });
    await network.connect(a, b, { work: "subscribe" });
    const toB = await a.peers.get(b.wwwroot);
    const outcome = codeOf(() => a.call(toB, work.methods.run, {}));
    await network.clock.advance(30_000);
    expect(await outcome).toBe("MNET_TRANSPORT_TIMEOUT");
    expect(signal?.aborted).toBe(true);
  });

  it("what is not in the network cannot be reached; what a site does not have is 404", async () => {
    const { network, a } = await pair();
    await using _ = network;
    expect(await codeOf(() => a.peers.add("https://nobody.test"))).toBe("MNET_TRANSPORT_UNREACHABLE");
    expect(await codeOf(() => a.peers.add("https://beta.test"))).toBe("MNET_TRANSPORT_UNREACHABLE");
    expect(await codeOf(() => a.peers.add(`${B}/deeper`))).toBe("MNET_TRANSPORT_STATUS");
  });

  it("an answer over the limit is refused as by a real transport", async () => {
    const network = testNetwork();
    await using _ = network;
    const a = await network.host(A, {
      store: await readyStore(A, 0),
      services: [work],
      limits: { responseBytes: 10_000 },
    });
    const b = await network.host(B, {
      store: await readyStore(B, 1),
      services: [work.implement({ run: () => "x".repeat(20_000) })],
    });
    await network.connect(a, b, { work: "subscribe" });
    const toB = await a.peers.get(b.wwwroot);
    expect(await codeOf(() => a.call(toB, work.methods.run, {}))).toBe("MNET_TRANSPORT_TOO_LARGE");
  });

  it("an aborted call ends, and a network that is closed does not wait for what never comes", async () => {
    const { network, a, b } = await pair(() => new Promise<string>(() => undefined));
    await network.connect(a, b, { work: "subscribe" });
    const toB = await a.peers.get(b.wwwroot);
    const caller = new AbortController();
    const reason = new Error("enough");
    const aborted = a.call(toB, work.methods.run, {}, { signal: caller.signal });
    const left = codeOf(() => a.call(toB, work.methods.run, {}));
    await network.clock.advance(1);
    caller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    await expect(
      network.transport.exchange({
        method: "GET",
        url: new URL(A),
        headers: {},
        maxBytes: 1,
        tls: "verify",
        signal: caller.signal,
      }),
    ).rejects.toBe(reason);
    await network[Symbol.asyncDispose]();
    expect(await left).toMatch(/^MNET_(HOST_CLOSED|REMOTE_FAULT)$/);
    expect(await codeOf(() => a.keys.current())).toBe("MNET_HOST_CLOSED");
  });
});
