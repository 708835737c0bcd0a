// 10,000 rows over three sites, in a process that is killed with SIGKILL several times on the way: the sites and the journal
// must end as after a run in peace. `npm run test:bulk-crash [ROWS [KILLS]]`; takes some minutes (420 s on two busy cores).
import { isDeepStrictEqual } from "node:util";
import { crashBulkRun } from "../test/support/bulk-crash.ts";

const [rows = 10_000, kills = 8] = process.argv.slice(2).map(Number);
const startedAt = Date.now();
const report = await crashBulkRun({ rows, kills, concurrency: 8 });
const { cleanState, killedState, cleanOutcomes, killedOutcomes, sentAgain, inFlight } = report;

const counts: Record<string, number> = {};
for (const result of killedOutcomes.values()) counts[result] = (counts[result] ?? 0) + 1;
const checks = {
  "the sites end as after a run in peace": isDeepStrictEqual(killedState, cleanState),
  "one outcome for each row": killedOutcomes.size === rows && cleanOutcomes.size === rows,
  "the same outcome for each row": isDeepStrictEqual(killedOutcomes, cleanOutcomes),
  "killed as often as wanted": report.kills === kills,
  "at most one batch sent again for each kill": sentAgain >= 0 && sentAgain <= report.kills * inFlight,
};
console.log(
  `${rows} rows, ${report.kills} kills, ${killedState.length} enrolments, ${Math.round((Date.now() - startedAt) / 1000)} s`,
);
console.log(`sent again: ${sentAgain}; in flight at most ${inFlight} at each kill`);
console.log(counts);
for (const [check, holds] of Object.entries(checks)) console.log(`${holds ? "✓" : "✗"} ${check}`);
process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1;
