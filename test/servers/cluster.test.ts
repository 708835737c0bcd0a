import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import { createHost } from "../../src/create-host.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { Host } from "../../src/host/host.ts";
import { t } from "../../src/host/wire-type.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { startServer } from "../support/database-servers.ts";
import { ENGINES, onEngines } from "./engines.ts";

const greeting = defineService({
  name: "greeting",
  methods: { hello: { params: { to: t.string() }, returns: t.string() } },
});
const [CLUSTER, PARTNER] = ["https://cluster.test", "https://partner.test"];

/** Sends each request to one of the processes of a site, in turn. */
function balancer(processes: ReadonlyMap<string, readonly Host[]>): Transport {
  let turn = 0;
  return {
    async exchange({ method, url, headers, body }) {
      const { origin } = new URL(url);
      const hosts = processes.get(origin) ?? [];
      turn += 1;
      const response = await hosts[turn % hosts.length]?.fetch(
        new Request(url, {
          method,
          headers,
          ...(body && { body: Buffer.from(body) }),
        }),
        { remoteAddress: "127.0.0.1" },
      );
      if (!response) throw new Error(`Nobody serves ${origin}.`);
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: new Uint8Array(await response.arrayBuffer()),
      };
    },
  };
}

onEngines("two processes of a site", ENGINES.servers, (engine) => {
  test("SEC-049 serve and call while one of them rotates: no call fails", async () => {
    const url = await engine.database();
    const migrating = openStore(url);
    await migrating.migrate();
    await migrating.close();
    const processes = new Map<string, readonly Host[]>();
    const transport = balancer(processes);
    const told: MnetEvent[] = [];
    const site = (wwwroot: string, store = openStore(url, { maxConnections: 5 })): Promise<Host> =>
      createHost({
        wwwroot,
        name: "A site",
        store,
        services: [greeting.implement({ hello: ({ to }) => `Hello ${to}` })],
        transport,
        maintenance: "manual",
        observer: (event) => void told.push(event),
      });
    const [one, two] = [await site(CLUSTER), await site(CLUSTER)];
    const partner = await site(PARTNER, memoryStore());
    processes.set(CLUSTER, [one, two]);
    processes.set(PARTNER, [partner]);
    try {
      const atOne = await one.peers.add(PARTNER);
      const atPartner = await partner.peers.add(CLUSTER);
      await one.peers.setServices(atOne, { greeting: "both" });
      await partner.peers.setServices(atPartner, { greeting: "both" });

      let calls = 0;
      const end = performance.now() + 6000;
      const keepCalling = async (caller: Host, peer: typeof atOne): Promise<void> => {
        while (performance.now() < end) {
          expect(await caller.call(peer, greeting.methods.hello, { to: `${calls}` })).toMatch(/^Hello /);
          calls += 1;
        }
      };
      // Once: a peer asks for a new key once a minute at most (SEC-042), and nobody rotates more often.
      const rotate = async (): Promise<boolean> => {
        await setTimeout(2000);
        const { from, to } = await one.keys.rotate();
        return from !== to;
      };
      const [hasRotated] = await Promise.all([
        rotate(),
        keepCalling(one, atOne),
        keepCalling(two, atOne),
        keepCalling(partner, atPartner),
        keepCalling(partner, atPartner),
      ]);
      expect(hasRotated).toBe(true);
      expect(calls).toBeGreaterThan(50);
      expect(told.filter(({ type }) => type === "request.failed" || type === "call.failed")).toEqual([]);
      expect((await two.keys.current()).fingerprint).toBe((await one.keys.current()).fingerprint);
    } finally {
      for (const host of [one, two, partner]) await host.close();
    }
  });

  test("a process whose database is away says that it is not ready, and is when it is back", async () => {
    const server = await startServer(engine.name as "postgresql" | "mariadb");
    const store = openStore(await server.database("site"));
    await store.migrate();
    const host = await createHost({ wwwroot: CLUSTER, name: "A site", store, maintenance: "manual" });
    try {
      await server.crash();
      expect(await host.health()).toEqual({ isReady: false, store: "MNET_STORE_UNAVAILABLE", isClosing: false });
      await server.restart();
      expect(await host.health()).toEqual({ isReady: true, store: "ok", isClosing: false });
    } finally {
      await host.close();
      await server.remove();
    }
    expect(await host.health()).toMatchObject({ isReady: false, isClosing: true });
  });
});
