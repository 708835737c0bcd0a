import { createServer } from "node:https";
import { describe, expect, it } from "vitest";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import { createHost } from "../../src/create-host.ts";
import type { Host } from "../../src/host/host.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import type { TlsLevel } from "../../src/transport/transport.ts";
import { authority } from "../support/authority.ts";
import { codeOf } from "../support/code-of.ts";
import { httpSite } from "../support/http-site.ts";
import { rig } from "../support/hosts.ts";

const LEVELS: readonly TlsLevel[] = ["verify", "host-name", "none"];

/** A whole host behind a TLS server whose certificate nobody knows. */
async function selfSigned(names: readonly string[], work: (site: Host) => Promise<void>): Promise<void> {
  const server = createServer(authority("Nobody's authority").issue(names));
  await using listening = await httpSite(() => undefined, server);
  await using host = await createHost({
    wwwroot: `https://localhost:${listening.port}`,
    name: "Self-signed",
    store: memoryStore(),
    maintenance: "manual",
  });
  server.on("request", nodeHandler(host));
  await work(host);
}

/** A host that reaches others through sockets; `localhost` may be ::1 here. */
const us = () =>
  rig({ wwwroot: "https://host.example", transport: undefined, network: { allowAddresses: ["127.0.0.0/8", "::1"] } });

describe("TLS levels of a peer", () => {
  it.each([
    ["for this host", ["localhost"], { verify: "MNET_TRANSPORT_TLS", "host-name": "accepted", none: "accepted" }],
    [
      "for another host",
      ["other.example"],
      { verify: "MNET_TRANSPORT_TLS", "host-name": "MNET_TRANSPORT_TLS", none: "accepted" },
    ],
  ] as const)("MNET-073 SEC-053 a self-signed certificate %s", async (_what, names, expected) => {
    await selfSigned(names, async ({ wwwroot }) => {
      for (const tls of LEVELS) {
        await using from = await us();
        const settings = { legacy: { tls } };
        expect(await codeOf(() => from.host.peers.preview(wwwroot, { settings }))).toBe(expected[tls]);
        expect(await codeOf(() => from.host.peers.add(wwwroot, { settings }))).toBe(expected[tls]);
        const weak = from.told("legacy.used").map(({ setting, wwwroot: of }) => [setting, of]);
        expect(new Set(weak.map(String))).toEqual(tls === "verify" ? new Set() : new Set([`tls,${wwwroot}`]));
      }
    });
  });

  it("MNET-073 SEC-053 nothing is accepted by default; a level can be set later, and each use of it is an event", async () => {
    await selfSigned(["localhost"], async (site) => {
      await using from = await us();
      const { peers } = from.host;
      expect(await codeOf(() => peers.add(site.wwwroot))).toBe("MNET_TRANSPORT_TLS");
      const { certificate } = await site.keys.current();
      const peer = await peers.add(site.wwwroot, { certificate });
      const ours = (await from.host.keys.current()).certificate;
      await site.peers.add(from.host.wwwroot, { certificate: ours });
      const call = () => codeOf(() => from.host.call(peer, "system/listMethods"));

      expect(await call()).toBe("MNET_TRANSPORT_TLS");
      expect(from.told("legacy.used")).toEqual([]);
      for (const tls of ["host-name", "none"] as const) {
        await peers.set(peer, { legacy: { tls } });
        from.events.length = 0;
        // The site's clock is the machine's, and ours is not.
        expect(await call()).toMatch(/^(accepted|MNET_PEER_CLOCK_AHEAD)$/);
        expect(from.told("legacy.used")).toMatchObject([{ level: "warn", setting: "tls", peer: { id: peer.id } }]);
      }
      await peers.set(peer, { legacy: null });
      // Connections that were made under another rule are not used again.
      expect(await call()).toBe("MNET_TRANSPORT_TLS");
    });
  });
});
