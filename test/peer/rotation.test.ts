import { describe, expect, it } from "vitest";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import { testNetwork } from "../../src/testing/test-network.ts";

const counter = defineService({
  name: "counter",
  methods: { next: { params: { by: t.int() }, returns: t.int() } },
});

it("probe", async () => {
  await using network = testNetwork();
  let n = 0;
  const events: string[] = [];
  const a = await network.host("https://a.test", { services: [counter], observer: (e) => events.push("a " + e.type) });
  const b = await network.host("https://b.test", {
    services: [counter.implement({ next: ({ by }) => (n += by) })],
    observer: (e) => events.push("b " + e.type),
  });
  await network.connect(a, b, { counter: "subscribe" });
  const toB = await a.peers.get(b.wwwroot);
  expect(await a.call(toB, counter.methods.next, { by: 1 })).toBe(1);
  // b rotates silently
  const r = await b.keys.rotate();
  console.log(r.peers.map((p) => [p.peer.wwwroot, p.outcome, p.error?.code]));
  expect(await a.call(toB, counter.methods.next, { by: 1 })).toBe(2);
  const r2 = await a.keys.rotate();
  console.log(r2.peers.map((p) => [p.peer.wwwroot, p.outcome, p.error?.code, p.error?.message]));
  expect(await a.call(toB, counter.methods.next, { by: 1 })).toBe(3);
  console.log(events.join("\n"));
});
