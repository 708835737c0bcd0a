import { execSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { request } from "undici";
import { encodeCall } from "../../src/xmlrpc/encode.ts";
import { describeMachine } from "../support/machine.ts";
import { interleave } from "../support/interleave.ts";
import { cpuSecondsOf } from "../support/process-cpu.ts";
import { Program } from "../support/processes.ts";
import { formatNumber } from "../support/report.ts";
import type { BesideMoodle } from "../support/results-page.ts";
import { CALLER, makeKey } from "../support/sites.ts";
import { ratios } from "../support/statistics.ts";
import { Bench } from "../support/suite.ts";
import type { Load, LoadCommands } from "./load-generator.ts";
import type { ServerCommands } from "./server.ts";

const { values: options } = parseArgs({
  options: {
    moodle: { type: "string" },
    wwwroot: { type: "string" },
    port: { type: "string", default: "8200" },
    join: { type: "string" },
    processes: { type: "string" },
    software: { type: "string", default: "Moodle" },
    method: { type: "string", default: "system/listServices" },
    connections: { type: "string", default: "4" },
    rounds: { type: "string", default: "8" },
    calls: { type: "string", default: "250" },
    json: { type: "string" },
  },
});
const { moodle, wwwroot, processes } = options;
if (!moodle || !wwwroot || !processes) {
  console.error(
    "--moodle URL, --wwwroot URL and --processes PATTERN are needed; bench/beside-moodle.ts says the rest.",
  );
  process.exit(2);
}
const connections = Number(options.connections);
const callsOfMoodle = Number(options.calls);
/** About as many as take as long. */
const CALLS_OF_OURS = 8 * callsOfMoodle;
/** Rounds until V8 has compiled what a call needs, as it has in a server that has been running for a while. */
const WARM_UP = 5;

/** Calls a second, and milliseconds of the server's CPU for each, by round. */
interface Side {
  readonly rates: number[];
  readonly cpu: number[];
}

const server = new Program<ServerCommands>("server");
const toMoodle = new Program<LoadCommands>("load-generator");
const toOurs = new Program<LoadCommands>("load-generator");
try {
  const { port, certificate } = await server.ask("start", { wwwroot, port: Number(options.port), isSchool: true });
  if (options.join !== undefined) execSync(options.join, { stdio: "inherit" });
  const documents = [encodeCall(options.method, [])];

  const published = await request(`${moodle}/mnet/publickey.php`);
  const recipient = await published.body.text();
  const key = await server.ask("ownKey");
  await toMoodle.ask("aim", { url: `${moodle}/mnet/xmlrpc/server.php`, senders: [wwwroot], key, recipient, documents });

  const caller = await makeKey(CALLER);
  await server.ask("know", { wwwroot: CALLER, certificate: caller.certificate });
  const url = `http://127.0.0.1:${port}${new URL(wwwroot).pathname.replace(/\/$/, "")}/mnet/xmlrpc/server.php`;
  await toOurs.ask("aim", { url, senders: [CALLER], key: caller, recipient: certificate, documents });

  const sides = { moodle: newSide(), ours: newSide() };
  const rounds = Number(options.rounds);
  await interleave(
    {
      moodle: () => round(sides.moodle, toMoodle, callsOfMoodle, async () => moodleCpuMs(new RegExp(processes))),
      ours: () => round(sides.ours, toOurs, CALLS_OF_OURS, () => server.ask("cpu")),
    },
    { rounds, warmUp: WARM_UP },
  );
  for (const { rates, cpu } of Object.values(sides)) [rates, cpu].map((values) => values.splice(0, WARM_UP));
  report(sides);
} finally {
  await Promise.all([toMoodle.stop(), toOurs.stop()]);
  await server.stop();
}

function newSide(): Side {
  return { rates: [], cpu: [] };
}

async function round(
  side: Side,
  load: Program<LoadCommands>,
  calls: number,
  cpuMs: () => Promise<number>,
): Promise<number> {
  await load.ask("prepare", calls);
  await load.ask("connect", connections);
  const before = await cpuMs();
  const made: Load = await load.ask("closedLoop", calls);
  const after = await cpuMs();
  if (made.byStatus["200"] !== calls || made.odd > 0) {
    throw new Error(`Not all calls were answered alike: ${JSON.stringify(made)}`);
  }
  side.rates.push((calls / made.wallMs) * 1000);
  side.cpu.push((after - before) / calls);
  return made.wallMs / calls;
}

function moodleCpuMs(pattern: RegExp): number {
  const { seconds, processes: count } = cpuSecondsOf(pattern, "beside-moodle");
  if (count === 0) throw new Error(`No process matches ${String(pattern)}.`);
  return seconds * 1000;
}

function report({ moodle: theirs, ours }: { readonly moodle: Side; readonly ours: Side }): void {
  const bench = new Bench({ isQuick: false, report: () => undefined });
  bench.add("moodle.rate", "Calls a second: ours / Moodle's", ratios(ours.rates, theirs.rates), {
    unit: "×",
    bound: { atLeast: 6 },
    aim: 10,
  });
  bench.add("moodle.cpu", "CPU of the server for a call: Moodle's / ours", ratios(theirs.cpu, ours.cpu), {
    unit: "×",
    bound: { atLeast: 8 },
    aim: 10,
  });
  bench.add("moodle.rate-ours", "Calls a second, ours", ours.rates, { unit: "/s" });
  bench.add("moodle.rate-moodle", "Calls a second, Moodle", theirs.rates, { unit: "/s" });
  bench.add("moodle.cpu-ours", "CPU of the server for a call, ours", ours.cpu, { unit: "ms" });
  bench.add("moodle.cpu-moodle", "CPU of the server for a call, Moodle", theirs.cpu, { unit: "ms" });
  const { figures } = bench;
  const { software, method, json } = options;
  for (const { ok, title, value, unit, bound } of figures) {
    const limit = bound && "atLeast" in bound ? `, at least ${bound.atLeast}: ${ok ? "ok" : "FAIL"}` : "";
    console.log(`${title}: ${formatNumber(value)} ${unit}${limit}`);
  }
  const date = new Date().toISOString();
  const results: BesideMoodle = { schema: 1, date, machine: describeMachine(), software, method, connections, figures };
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, undefined, 2)}\n`);
  if (figures.some(({ ok }) => !ok)) process.exitCode = 1;
}
