import type { Host } from "../../src/host/host.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { interleave, timeOf, timeOfAsync } from "../support/interleave.ts";
import { RsaOfCall } from "../support/rsa-of-call.ts";
import { SERVICE, startServer } from "../support/sites.ts";
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";

const CALLS_OF_ROUND = 25;

/** Both sides of a call, because an answer is encrypted to a key that only the caller has. */
export const outboundCall: Suite = {
  name: "outbound-call",
  title: "Outbound call and its answer, two hosts in one thread, no network, 1 KB each way",
  async run(bench) {
    const hosts = new Map<string, Host>();
    const transport: Transport = {
      async exchange({ method, url, headers, body = new Uint8Array(), signal }) {
        const request = { method, path: url.pathname, headers, body, remoteAddress: "127.0.0.1", signal };
        const response = await hosts.get(url.origin)?.handle(request);
        if (!response) throw new Error(`There is nothing at ${url.href}.`);
        return { status: response.status, headers: Object.fromEntries(response.headers), body: response.body };
      },
    };
    for (const wwwroot of ["https://one.example", "https://other.example"]) {
      hosts.set(wwwroot, await startServer({ wwwroot, store: memoryStore(), transport, workers: 0 }));
    }
    try {
      const [one, other] = [...hosts.values()];
      if (!one || !other) return;
      const peer = await one.peers.add(other.wwwroot);
      await one.peers.setServices(peer, { bench: "subscribe" });
      await other.peers.setServices(await other.peers.add(one.wwwroot), { bench: "publish" });
      // Between two of our own the secure profile would be found; it is measured by bench:secure-profile.
      const text = "Course of study ".repeat(50);
      const rsa = new RsaOfCall();
      const costs = await interleave(
        {
          rsa: () => 2 * timeOf(CALLS_OF_ROUND, () => rsa.oneSide()),
          call: () => timeOfAsync(CALLS_OF_ROUND, () => one.call(peer, SERVICE.methods.echo, { text })),
        },
        { rounds: bench.either(60, 15), warmUp: bench.either(10, 3) },
      );
      bench.add("outbound-call.memory", "Outbound call, both sides: RSA alone / call", ratios(costs.rsa, costs.call), {
        unit: "of the RSA bound",
      });
      bench.add("outbound-call.ms", "Outbound call, both sides", costs.call, { unit: "ms" });
    } finally {
      for (const host of hosts.values()) await host.close();
    }
  },
};
