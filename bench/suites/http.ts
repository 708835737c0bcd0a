import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Load } from "../programs/load-generator.ts";
import type { Cost, RsaAlone, ServerOptions } from "../programs/server.ts";
import { HttpServer } from "../support/http-server.ts";
import { interleave, type Round } from "../support/interleave.ts";
import { echoCalls } from "../support/sites.ts";
import { median, ratios } from "../support/statistics.ts";
import type { Bench, Suite } from "../support/suite.ts";

const CONNECTIONS = 32;
const WORKERS = [1, 2, 4];
/** Rounds of 3,000 calls until V8 has compiled what a call needs. */
const WARM_UP = 4;

/** Over loopback, from a process that only sends what was sealed before. */
export const http: Suite = {
  name: "http",
  title: "Inbound call over HTTP, 1 KB each way, 32 connections",
  async run(bench) {
    const directory = mkdtempSync(join(tmpdir(), "mnet-bench-"));
    const servers = new Map<number, MeasuredServer>();
    const cores = availableParallelism();
    const usual = WORKERS.includes(cores) ? cores : 2;
    let sqlite: MeasuredServer | undefined;
    try {
      const [rounds, warmUp] = [bench.either(8, 2), bench.either(WARM_UP, 1)];
      const start = (options: ServerOptions & { readonly workers: number }): Promise<MeasuredServer> =>
        MeasuredServer.start(options, { calls: bench.either(3000, 800), warmUp });
      for (const workers of WORKERS) servers.set(workers, await start({ workers }));
      const storeUrl = `sqlite:${join(directory, "mnet.db")}`;
      sqlite = await start({ workers: usual, storeUrl });
      const contenders = Object.fromEntries([...servers].map(([workers, { round }]) => [String(workers), round]));
      await interleave({ ...contenders, sqlite: sqlite.round }, { rounds, warmUp });
      const asUsed = servers.get(usual);
      if (!asUsed) throw new Error(`There is no server with ${usual} threads.`);
      report(bench, servers, asUsed);
      reportSqlite(bench, sqlite, asUsed);
      await halfLoad(bench, asUsed);
    } finally {
      for (const { stop } of servers.values()) await stop();
      await sqlite?.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

/** @param asUsed with as many threads as a host has by itself. */
function report(bench: Bench, servers: ReadonlyMap<number, MeasuredServer>, asUsed: MeasuredServer): void {
  const rates = (workers: number): number[] => servers.get(workers)?.rates ?? [];
  const rsaRates = (threads: number): number[] => servers.get(threads)?.rsaRates ?? [];
  const { workers, costs, loads, rsa, perCall } = asUsed;
  bench.add("http.server-cpu", `HTTP: CPU of the server / of RSA, ${workers} workers`, ratios(perCall, rsa), {
    unit: "×",
    bound: { atMost: 1.35 },
    aim: 1.2,
  });
  bench.add("http.scaling", "HTTP: calls a second, 2 workers / 1", ratios(rates(2), rates(1)), {
    unit: "×",
    bound: { atLeast: 1.5 },
  });
  bench.add(
    "http.rsa-scaling",
    "HTTP: RSA alone in the same process, 2 threads / 1",
    ratios(rsaRates(2), rsaRates(1)),
    {
      unit: "×",
    },
  );
  bench.add("http.scaling-4", "HTTP: calls a second, 4 workers / 1", ratios(rates(4), rates(1)), { unit: "×" });
  const delays = (pick: (cost: Cost) => number): number[] => costs.map(pick);
  bench.add(
    "http.event-loop-p99",
    "HTTP: delay of the event loop at saturation, p99 (resolution 1 ms)",
    delays(({ eventLoop }) => eventLoop.p99),
    { unit: "ms", bound: { atMost: 10 } },
  );
  bench.add(
    "http.event-loop-max",
    "HTTP: delay of the event loop at saturation, worst",
    delays(({ eventLoop }) => eventLoop.max),
    { unit: "ms" },
  );
  for (const part of ["p50", "p95", "p99"] as const) {
    const values = loads.map(({ latency }) => latency[part]);
    bench.add(`http.latency-${part}`, `HTTP: latency at saturation, ${part}`, values, { unit: "ms" });
  }
  for (const count of WORKERS) {
    bench.add(`http.rate-${count}`, `HTTP: calls a second, ${count} workers`, rates(count), { unit: "/s" });
  }
  bench.add("http.server-cpu-ms", "HTTP: CPU of the server for a call", perCall, { unit: "ms" });
  bench.add("http.rsa-cpu-ms", "HTTP: CPU of the RSA of a call in the same process", rsa, { unit: "ms" });
  const generator = loads.map(({ cpuMs, calls }) => cpuMs / calls);
  bench.add("http.generator-cpu-ms", "HTTP: CPU of the load generator for a call", generator, { unit: "ms" });
}

/** The same with every call in a file: the memory of replays outlives the process. */
function reportSqlite(bench: Bench, sqlite: MeasuredServer, { rates, perCall }: MeasuredServer): void {
  const { costs } = sqlite;
  bench.add(
    "http.sqlite",
    "HTTP, SQLite: calls a second / those with the store in memory",
    ratios(sqlite.rates, rates),
    {
      unit: "×",
    },
  );
  bench.add("http.sqlite-rate", "HTTP, SQLite: calls a second", sqlite.rates, { unit: "/s" });
  bench.add(
    "http.sqlite-cpu",
    "HTTP, SQLite: CPU of the server for a call / in memory",
    ratios(sqlite.perCall, perCall),
    {
      unit: "×",
    },
  );
  const delays = costs.map(({ eventLoop }) => eventLoop.p99);
  bench.add("http.sqlite-event-loop-p99", "HTTP, SQLite: delay of the event loop at saturation, p99", delays, {
    unit: "ms",
  });
}

/** How long callers wait on a day like any other. */
async function halfLoad(bench: Bench, server: MeasuredServer): Promise<void> {
  const { latency } = await server.openLoop(median(server.rates) / 2, bench.either(8000, 2000));
  for (const part of ["p50", "p95", "p99"] as const) {
    bench.add(`http.half-load-${part}`, `HTTP: latency at half the rate, ${part}`, latency[part], { unit: "ms" });
  }
}

/** How many calls a round has, and how many rounds do not count. */
interface RoundOptions {
  readonly calls: number;
  readonly warmUp: number;
}

/** One server with its load generator; keeps what each round cost. */
class MeasuredServer {
  readonly workers: number;
  readonly costs: Cost[] = [];
  readonly loads: Load[] = [];
  /** Milliseconds of CPU that the RSA of a call takes in the server's process. */
  readonly rsa: number[] = [];
  /** RSA of calls a millisecond, with nothing else to do. */
  readonly rsaRates: number[] = [];
  readonly #http: HttpServer;
  readonly #calls: number;
  /** Rounds that are still to come before one counts. */
  #warmUp: number;

  private constructor(workers: number, http: HttpServer, { calls, warmUp }: RoundOptions) {
    this.workers = workers;
    this.#http = http;
    this.#calls = calls;
    this.#warmUp = warmUp;
  }

  static async start(
    options: ServerOptions & { readonly workers: number },
    rounds: RoundOptions,
  ): Promise<MeasuredServer> {
    const http = await HttpServer.start({ ...options, documents: echoCalls(1024) });
    await http.connect(CONNECTIONS);
    return new MeasuredServer(options.workers, http, rounds);
  }

  /** Calls a second of each round. */
  get rates(): number[] {
    return this.loads.map(({ calls, wallMs }) => (calls / wallMs) * 1000);
  }

  /** Milliseconds of CPU of the server for a call, in each round. */
  get perCall(): number[] {
    return this.costs.map(({ cpuMs }, round) => cpuMs / (this.loads[round]?.calls ?? 0));
  }

  readonly round: Round = async () => {
    const { server, load } = this.#http;
    await load.ask("prepare", this.#calls);
    const rsaBefore = await this.#rsaAlone();
    await server.ask("begin");
    const made = await load.ask("closedLoop", this.#calls);
    const cost = await server.ask("end");
    if (made.byStatus["200"] !== made.calls || made.odd > 0) {
      throw new Error(`Not all calls were answered: ${JSON.stringify(made)}`);
    }
    const rsaAfter = await this.#rsaAlone();
    if (this.#warmUp > 0) {
      this.#warmUp -= 1;
    } else {
      this.costs.push(cost);
      this.loads.push(made);
      this.rsa.push(median([rsaBefore.cpuMsPerCall, rsaAfter.cpuMsPerCall]));
      this.rsaRates.push(median([rsaBefore.callsPerMs, rsaAfter.callsPerMs]));
    }
    return made.wallMs / made.calls;
  };

  /** With as many threads as the cores that the calls have, so that they share those in the same way. */
  #rsaAlone(): Promise<RsaAlone> {
    const threads = Math.min(this.workers, availableParallelism());
    return this.#http.server.ask("rsa", { threads, calls: 200 });
  }

  /** So many calls a second. */
  async openLoop(perSecond: number, forMs: number): Promise<Load> {
    await this.#http.load.ask("prepare", Math.ceil((perSecond * forMs) / 1000) + 100);
    return this.#http.load.ask("openLoop", { perSecond, forMs });
  }

  readonly stop = (): Promise<void> => this.#http.stop();
}
