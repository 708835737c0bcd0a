import { describe, expect, test } from "vitest";
import { watchedNetwork } from "../support/watched-network.ts";

describe("negotiation", () => {
  test("two hosts that have the secure profile use it once one of them has asked", async () => {
    await using network = watchedNetwork();
    const [a, b] = [await network.host("a"), await network.host("b")];
    await network.connect(a, b);
    const toB = await a.peers.get(b.wwwroot);
    expect(toB.profile).toBe("mnet");
    expect((await a.maintain()).failed).toEqual([]);
    expect((await a.peers.get(b.wwwroot)).profile).toBe("secure/1");
    expect((await b.peers.get(a.wwwroot)).profile).toBe("secure/1");
    await a.call(toB, "system/listServices");
    expect(a.events.map((e) => (e.type === "call.sent" ? [e.method, e.profile] : [e.type]))).toEqual([]);
  });
});
