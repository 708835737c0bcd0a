import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { interleave, timeOf, timeOfAsync, type Round } from "../support/interleave.ts";
import { InMemoryServer } from "../support/in-memory-server.ts";
import { RsaOfCall } from "../support/rsa-of-call.ts";
import { echoCalls } from "../support/sites.ts";
import { ratios } from "../support/statistics.ts";
import type { Bench, Suite } from "../support/suite.ts";
import { sizeName } from "../support/units.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";

const KB = 1024;
const CALLS_OF_ROUND = 50;
const LARGER = [10 * KB, 100 * KB, KB * KB, 10 * KB * KB];

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
      const [rounds, warmUp] = [bench.either(80, 15), bench.either(30, 15)];
      const inTurn = (server: InMemoryServer): Round => roundsOf(server, rounds + warmUp);
      const costs = await interleave(
        { rsa: () => timeOf(CALLS_OF_ROUND, () => rsa.oneSide()), memory: inTurn(memory), sqlite: inTurn(sqlite) },
        { rounds, warmUp },
      );
      const part = { unit: "of the RSA bound" };
      bench.add("inbound-call.memory", "Inbound call in memory: RSA alone / call", ratios(costs.rsa, costs.memory), {
        ...part,
        bound: { atLeast: 0.85 },
        aim: 0.9,
      });
      bench.add(
        "inbound-call.sqlite",
        "Inbound call in memory, SQLite: RSA alone / call",
        ratios(costs.rsa, costs.sqlite),
        part,
      );
      bench.add("inbound-call.rsa-ms", "RSA of a call", costs.rsa, { unit: "ms" });
      bench.add("inbound-call.memory-ms", "Inbound call in memory", costs.memory, { unit: "ms" });
      bench.add("inbound-call.sqlite-ms", "Inbound call in memory, SQLite", costs.sqlite, { unit: "ms" });
      for (const size of LARGER) await bySize(size, bench);
    } finally {
      await memory.close();
      await sqlite.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

/** The same with more in it, each way. */
async function bySize(size: number, bench: Bench): Promise<void> {
  const documents = echoCalls(size, 1);
  const limits = { requestBytes: 4 * size, responseBytes: 4 * size };
  const server = await InMemoryServer.start({ store: memoryStore(), workers: 0, documents, limits });
  try {
    const calls = Math.ceil((20 * KB * KB) / (size + KB * KB));
    const { call } = await interleave(
      {
        call() {
          const bodies = server.mail.fill(calls);
          return timeOfAsync(calls, (n) => server.answer(bodies[n]));
        },
      },
      { rounds: bench.either(12, 4), warmUp: 2 },
    );
    const name = sizeName(size);
    bench.add(
      `inbound-call.${name.replace(" ", "").toLowerCase()}-ms`,
      `Inbound call in memory, ${name} each way`,
      call,
      {
        unit: "ms",
      },
    );
  } finally {
    await server.close();
  }
}

/** All envelopes are sealed before the first round: what that leaves behind is not for the calls to clear away. */
function roundsOf(server: InMemoryServer, rounds: number): Round {
  const bodies = server.mail.fill(rounds * CALLS_OF_ROUND);
  return () => timeOfAsync(CALLS_OF_ROUND, () => server.answer(bodies.pop()));
}
