import { generateKeyPairSync } from "node:crypto";
import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { CryptoPool } from "../../src/crypto/crypto-pool.ts";
import { perform, type PrivateOperation } from "../../src/crypto/private-operation.ts";
import { interleave, type Round } from "../support/interleave.ts";
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";

/** A site on a busy morning, and one at its limit. */
const AT_ONCE = [4, 32];
const OPERATIONS_OF_ROUND = 500;

/** What it costs to have private operations done by threads: by ours, and by those of Piscina. */
export const threads: Suite = {
  name: "threads",
  title: `Private operations on ${availableParallelism()} threads, beside Piscina`,
  async run(bench) {
    const { privateKey: key } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const operation: PrivateOperation = { kind: "decrypt", key, data: Buffer.alloc(256, 1).fill(0, 0, 1) };
    const pool = new CryptoPool({ threads: availableParallelism() });
    await pool.start();
    const piscina = new Piscina<object, Uint8Array>({
      filename: new URL("../programs/piscina-worker.js", import.meta.url).href,
      minThreads: availableParallelism(),
      maxThreads: availableParallelism(),
      concurrentTasksPerWorker: 4,
    });
    await Promise.all(Array.from({ length: 100 }, () => piscina.run({ ...operation, number: 1 })));
    const { kind, data } = operation;
    try {
      for (const atOnce of AT_ONCE) {
        const rates = new Map<string, number[]>();
        const round = (name: string, run: () => Promise<unknown>): Round => cpuOf(name, atOnce, rates, run);
        const contenders = {
          here: round("here", async () => perform(operation)),
          pool: round("pool", async () => pool.perform(operation)),
          piscina: round("piscina", async () => piscina.run({ kind, data, number: 1 })),
        };
        const costs = await interleave(contenders, { rounds: bench.either(20, 5), warmUp: bench.either(5, 2) });
        const rate = (name: string): number[] => rates.get(name)?.slice(-costs.pool.length) ?? [];
        const what = `${atOnce} operations at once`;
        bench.add(`threads.cpu-${atOnce}`, `${what}: CPU, our threads / no threads`, ratios(costs.pool, costs.here), {
          unit: "×",
        });
        bench.add(`threads.piscina-cpu-${atOnce}`, `${what}: CPU, Piscina / ours`, ratios(costs.piscina, costs.pool), {
          unit: "×",
        });
        bench.add(
          `threads.piscina-rate-${atOnce}`,
          `${what}: a second, ours / Piscina`,
          ratios(rate("pool"), rate("piscina")),
          { unit: "×" },
        );
      }
    } finally {
      await pool.close();
      await piscina.destroy();
    }
  },
};

/** A round: the CPU of one operation, in milliseconds, of all threads. */
function cpuOf(name: string, atOnce: number, rates: Map<string, number[]>, run: () => Promise<unknown>): Round {
  return async () => {
    const before = process.cpuUsage();
    const started = performance.now();
    let left = OPERATIONS_OF_ROUND;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (left-- > 0) await run();
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    rates.set(name, [...(rates.get(name) ?? []), OPERATIONS_OF_ROUND / seconds]);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000 / OPERATIONS_OF_ROUND;
  };
}
