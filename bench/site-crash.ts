/**
 * Kill -9 of random processes of a site under load: is a key lost, a token redeemed twice, an enrolment lost or done twice?
 *
 * Run it with `npm run crash`, or `npm run crash -- --engine sqlite --minutes 1`. By default ten minutes on SQLite and ten
 * on PostgreSQL, which it starts itself. Exits with 1 if something was lost or done twice, or if nothing was done. The
 * result of a run is in docs/stores.md.
 */
import { parseArgs } from "node:util";
import { crashSite, type SiteCrashCounts, type SiteCrashOptions } from "../test/support/site-crash.ts";

const ENGINES: readonly SiteCrashOptions["engine"][] = ["sqlite", "postgresql", "mariadb"];
const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "sqlite,postgresql" },
    minutes: { type: "string", default: "10" },
    processes: { type: "string", default: "4" },
  },
});
const engines = values.engine.split(",").map((name) => {
  const engine = ENGINES.find((known) => known === name);
  if (!engine) throw new Error(`There is no engine ${name}. There are ${ENGINES.join(", ")}.`);
  return engine;
});

// What is interrupted cleans up, too.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

for (const engine of engines) {
  const started = performance.now();
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`;
  const { counts, violations } = await crashSite({
    engine,
    durationMs: Number(values.minutes) * 60_000,
    processes: Number(values.processes),
    progress: (figures) => console.log(`${engine} ${seconds().padStart(6)}  ${show(figures)}`),
  });
  console.log(`\n${engine}, ${values.processes} processes, Node ${process.version}, ${seconds()}`);
  const { failed, ...rest } = counts;
  console.table(rest);
  if (Object.keys(failed).length > 0) console.table(failed);
  for (const violation of violations.slice(0, 50)) console.log(`✗ ${violation}`);
  if (violations.length > 0) process.exitCode = 1;
  else
    console.log(
      "✓ No key was lost, nothing was redeemed or taken twice, no enrolment and no job was lost or done twice.",
    );
}

function show({ failed: _failed, ...counts }: SiteCrashCounts): string {
  return Object.entries(counts)
    .map(([what, count]) => `${String(count)} ${what}`)
    .join(", ");
}
