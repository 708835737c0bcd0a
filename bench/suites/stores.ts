import { mkdtempSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Wwwroot } from "../../src/core/ids.ts";
import type { Store } from "../../src/host/store.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { interleave, timeOfAsync } from "../support/interleave.ts";
import { CALLER, makeKey, peerOf } from "../support/sites.ts";
import type { Suite } from "../support/suite.ts";

const OPERATIONS_OF_ROUND = 200;

/** What a store is asked for each call. */
export const stores: Suite = {
  name: "stores",
  title: "What a call asks of the store",
  async run(bench) {
    const directory = mkdtempSync(join(tmpdir(), "mnet-bench-"));
    const all = { memory: memoryStore(), SQLite: openStore(`sqlite:${join(directory, "mnet.db")}`) };
    try {
      const { certificate } = await makeKey(CALLER);
      for (const [name, store] of Object.entries(all)) {
        await store.open();
        await store.peers.insert(peerOf(CALLER, certificate));
        const verbs = Object.entries(verbsOf(store));
        const contenders = Object.fromEntries(
          verbs.map(([verb, run]) => [verb, () => timeOfAsync(OPERATIONS_OF_ROUND, run)]),
        );
        const costs = await interleave(contenders, { rounds: bench.either(30, 8), warmUp: bench.either(5, 3) });
        for (const [verb, times] of Object.entries(costs)) {
          const id = `stores.${name.toLowerCase()}-${verb.replaceAll(" ", "-")}`;
          bench.add(
            id,
            `${name}: ${verb}`,
            times.map((ms) => ms * 1000),
            { unit: "µs" },
          );
        }
      }
    } finally {
      for (const store of Object.values(all)) await store.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

function verbsOf(store: Store): Readonly<Record<string, () => Promise<unknown>>> {
  const now = Date.now();
  const limits = { until: now + 86_400_000, maxEntries: 1_000_000 };
  return {
    "find a peer": () => store.peers.find(CALLER as Wwwroot),
    "remember a message": () => store.replay.remember(1 as never, randomBytes(32).toString("hex"), limits, now),
    "services for all hosts": () => store.peers.allHostsServices(),
    "list our keys": () => store.keys.list(),
  };
}
