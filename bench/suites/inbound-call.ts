import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { interleave, timeOf, timeOfAsync, type Round } from "../support/interleave.ts";
import { InMemoryServer } from "../support/in-memory-server.ts";
import { RsaOfCall } from "../support/rsa-of-call.ts";
import { echoCalls } from "../support/sites.ts";
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";

const CALLS_OF_ROUND = 50;

/** From the bytes of a request to those of its answer, in one thread, with every check and the memory of replays. */
export const inboundCall: Suite = {
  name: "inbound-call",
  title: "Complete inbound call in memory, one thread, 1 KB each way",
  async run(bench) {
    const directory = mkdtempSync(join(tmpdir(), "mnet-bench-"));
    const options = { workers: 0, documents: echoCalls(1024) };
    const memory = await InMemoryServer.start({ ...options, store: memoryStore() });
    const sqlite = await InMemoryServer.start({ ...options, store: openStore(`sqlite:${join(directory, "mnet.db")}`) });
    try {
      const rsa = new RsaOfCall();
      const costs = await interleave(
        { rsa: () => timeOf(CALLS_OF_ROUND, () => rsa.oneSide()), memory: round(memory), sqlite: round(sqlite) },
        { rounds: bench.either(80, 15), warmUp: bench.either(10, 3) },
      );
      const part = { unit: "of the RSA bound" };
      bench.add("inbound-call.memory", "Memory store: RSA alone / call", ratios(costs.rsa, costs.memory), {
        ...part,
        bound: { atLeast: 0.85 },
        aim: 0.9,
      });
      bench.add("inbound-call.sqlite", "SQLite: RSA alone / call", ratios(costs.rsa, costs.sqlite), part);
      bench.add("inbound-call.rsa-ms", "RSA of a call", costs.rsa, { unit: "ms" });
      bench.add("inbound-call.memory-ms", "A call, memory store", costs.memory, { unit: "ms" });
      bench.add("inbound-call.sqlite-ms", "A call, SQLite", costs.sqlite, { unit: "ms" });
    } finally {
      await memory.close();
      await sqlite.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

/** The envelopes are sealed before the time is taken. */
const round =
  (server: InMemoryServer): Round =>
  () => {
    const bodies = server.mail.fill(CALLS_OF_ROUND);
    return timeOfAsync(CALLS_OF_ROUND, (n) => server.answer(bodies[n]));
  };
