/**
 * Draws the charts of docs/performance.md and writes its results.
 *
 * `npm run bench:charts [FOLDER]` reads `results.json` in the folder (default `docs/performance`), which `npm run bench --
 * --json docs/performance/results.json` writes, and `beside-moodle.json` if it is there.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { barChartSvg } from "./support/bar-chart.ts";
import type { Results } from "./support/report.ts";
import { chartsOf, resultsMarkdown, withResults, type BesideMoodle } from "./support/results-page.ts";

const PAGE = "docs/performance.md";
const folder = process.argv[2] ?? "docs/performance";
const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));

const results = read("results.json") as Results;
const moodle = existsSync(join(folder, "beside-moodle.json"))
  ? (read("beside-moodle.json") as BesideMoodle)
  : undefined;
for (const [name, chart] of Object.entries(chartsOf(results, moodle))) {
  writeFileSync(join(folder, `${name}.svg`), barChartSvg(chart));
}
const page = withResults(readFileSync(PAGE, "utf8"), resultsMarkdown(results, moodle));
writeFileSync(PAGE, await format(page, { parser: "markdown", printWidth: 120 }));
