import { availableParallelism } from "node:os";
import type { Load, Probe } from "../programs/load-generator.ts";
import { HttpServer } from "../support/http-server.ts";
import { echoCalls } from "../support/sites.ts";
import { recoveryOf } from "../support/recovery.ts";
import { median } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";

const SATURATING = 32;
/** As many as callers who do not wait for each other need. */
const CONNECTIONS = 1000;
const OVERLOAD = 3;
/** A call after the overload is back to normal if it takes at most so many times what it took before. */
const NORMAL = 2;

/** What becomes of a server that is asked three times as often as it can answer. */
export const overload: Suite = {
  name: "overload",
  title: "Three times as many calls as the server can answer",
  async run(bench) {
    const http = await HttpServer.start({ documents: echoCalls(1024) });
    const { load } = http;
    try {
      await http.connect(SATURATING);
      const peaks: number[] = [];
      const offered: number[] = [];
      const goodput: number[] = [];
      const perCpu: number[] = [];
      const refusals: number[] = [];
      const recoveries: number[] = [];
      let isClear = true;
      let refused = 0;
      for (let round = -1; round < bench.either(6, 1); round += 1) {
        const calls = bench.either(4000, 1200);
        const before = await saturated(http, calls);
        const { probes: usual } = await trickle(http, 1000);
        const forMs = bench.either(5000, 2000);
        const perSecond = before.rate * OVERLOAD;
        await load.ask("prepare", Math.ceil((perSecond * forMs) / 1000) + 1000);
        // Last, because the server closes connections that are not used for some seconds.
        await load.ask("connect", CONNECTIONS);
        const over = await load.ask("openLoop", { perSecond, forMs });
        const after = await trickle(http, 3000);
        // Before and after, because the machine is not as fast all the time.
        const peaksOfRound = [before, await saturated(http, calls)];
        // The first round warms up: refusing, too.
        if (round < 0) continue;

        const peakRate = mean(peaksOfRound.map((peak) => peak.rate));
        const answered = over.byStatus["200"] ?? 0;
        const rate = (answered / over.wallMs) * 1000;
        peaks.push(peakRate);
        offered.push((over.sent / over.wallMs) * (1000 / peakRate));
        goodput.push(rate / peakRate);
        // Refusing and being refused both take CPU; that of the load generator is not the server's to use.
        const share = (cpuMs: number, wallMs: number): number => availableParallelism() - cpuMs / wallMs;
        const peakShare = mean(peaksOfRound.map((peak) => share(peak.cpuMs, peak.wallMs)));
        perCpu.push(rate / share(over.cpuMs, over.wallMs) / (peakRate / peakShare));
        const { "200": _answered, "503": clear = 0, ...others } = over.byStatus;
        isClear &&= over.saysWhen && Object.keys(others).length === 0 && over.odd === 0;
        refused += clear;
        refusals.push(over.refusal.p99);
        recoveries.push(after.preparedMs + recoveryOf(after.probes, NORMAL * median(usual.map(({ ms }) => ms))));
      }
      const ratio = { unit: "×", bound: { atLeast: 0.9 } };
      bench.add("overload.goodput", "Overload: answered at three times the capacity / at most", goodput, ratio);
      bench.add("overload.goodput-per-cpu", "Overload: the same, for the CPU that the load generator leaves", perCpu, {
        unit: "×",
      });
      bench.add(
        "overload.clear",
        "Overload: the others refused with 503 and Retry-After (1: all of them)",
        isClear && refused > 0 ? 1 : 0,
        {
          unit: "",
          bound: { atLeast: 1 },
        },
      );
      bench.add("overload.refusal-p99", "Overload: time to a refusal, p99", refusals, {
        unit: "ms",
        bound: { atMost: 200 },
      });
      bench.add("overload.recovery", "Overload: time after it until calls are as fast as before", recoveries, {
        unit: "ms",
        bound: { atMost: 1000 },
      });
      bench.add("overload.offered", "Overload: sent / answered at most", offered, { unit: "×" });
      bench.add("overload.peak", "Overload: calls a second at most", peaks, { unit: "/s" });
    } finally {
      await http.stop();
    }
  },
};

/** As many calls at once as the server answers fastest. */
async function saturated(http: HttpServer, calls: number): Promise<Load & { readonly rate: number }> {
  await http.connect(SATURATING);
  await http.load.ask("prepare", calls);
  const made = await http.load.ask("closedLoop", calls);
  return { ...made, rate: (calls / made.wallMs) * 1000 };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Calls one after the other. `preparedMs`: until the first was sent, because they were sealed before. */
async function trickle(
  { load }: HttpServer,
  forMs: number,
): Promise<{ readonly probes: readonly Probe[]; readonly preparedMs: number }> {
  const everyMs = 20;
  const started = performance.now();
  await load.ask("prepare", forMs / everyMs + 10);
  const preparedMs = performance.now() - started;
  return { probes: await load.ask("trickle", { forMs, everyMs }), preparedMs };
}
