/**
 * Keys over months: four hosts rotate on random sides and call each other all the while. Is a call lost, or executed
 * twice?
 *
 * Run it with `npm run soak`, or `npm run soak -- --calls 1000 --rotations 20 --seed 7`. It takes some minutes, and exits
 * with 1 if one is. The result of a run is in docs/soak.md.
 */
import { parseArgs } from "node:util";
import { runSoak } from "./soak-run.ts";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "10000" },
    rotations: { type: "string", default: "150" },
    seed: { type: "string", default: "20260101" },
    hosts: { type: "string", default: "4" },
  },
});
const started = performance.now();
const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`;
let shown = 0;

const counts = await runSoak({
  calls: Number(values.calls),
  rotations: Number(values.rotations),
  seed: Number(values.seed),
  hosts: Number(values.hosts),
  progress({ calls, rotations, lost }) {
    if (calls < shown + 500) return;
    shown = calls;
    console.log(
      `${String(calls).padStart(6)} calls ${String(rotations).padStart(4)} rotations ${lost} lost ${seconds()}`,
    );
  },
});

const { failures, ...rest } = counts;
console.log(`\nseed ${values.seed}, Node ${process.version}, ${seconds()}`);
console.table(rest);
if (Object.keys(failures).length > 0) console.table(failures);
const isSound = counts.lost === 0 && counts.twice === 0 && counts.unknown === 0;
console.log(isSound ? "Nothing was lost and nothing executed twice." : "THE NETWORK LOST CALLS.");
process.exitCode = isSound ? 0 : 1;
