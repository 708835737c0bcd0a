import { mkdirSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from "vitest/node";

const ID = /\b(?:MNET|SEC)-\d{3}\b/g;
const WIDTH = 110;

interface Coverage {
  tests: number;
  readonly files: Set<string>;
}
interface Skipped {
  readonly title: string;
  readonly file: string;
  readonly missing: string;
}

/**
 * Says at the end of a run which requirements (`MNET-…`, `SEC-…` in the titles of tests and their suites) passed,
 * which failed, and which tests were skipped because something is missing. The same is in `reports/`, of the last run.
 */
export default class CoveredIdsReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const vitest = this.#vitest;
    if (!vitest || vitest.config.watch) return;
    const passed = new Map<string, Coverage>();
    const failed = new Map<string, Coverage>();
    const skippedIds = new Map<string, Coverage>();
    const skipped: Skipped[] = [];

    for (const module of modules) {
      const file = relative(vitest.config.root, module.moduleId).replaceAll("\\", "/");
      for (const test of module.children.allTests()) {
        const result = test.result();
        const state = result.state === "skipped" && preparationFailed(test) ? "failed" : result.state;
        const missing = result.state === "skipped" ? result.note : undefined;
        // With `vitest -t …` the tests that do not match count as skipped, too.
        if (state === "skipped" && missing === undefined && vitest.config.testNamePattern) continue;
        if (state === "skipped") {
          const reason = missing ?? (test.options.mode === "todo" ? "not written yet" : "no reason given");
          skipped.push({ title: test.fullName, file, missing: reason });
        }
        const ids = state === "passed" ? passed : state === "failed" ? failed : skippedIds;
        for (const id of new Set(test.fullName.match(ID))) {
          const entry = ids.get(id) ?? { tests: 0, files: new Set() };
          entry.tests++;
          entry.files.add(file);
          ids.set(id, entry);
        }
      }
    }
    const covered = [...passed].filter(([id]) => !failed.has(id)).sort(byId);
    const broken = [...failed].sort(byId);
    const open = [...skippedIds].filter(([id]) => !passed.has(id) && !failed.has(id)).sort(byId);

    mkdirSync("reports", { recursive: true });
    writeFileSync(
      "reports/covered-ids.json",
      json({ covered: rows(covered), failed: rows(broken), skipped: rows(open) }),
    );
    writeFileSync("reports/covered-ids.md", markdown(covered, broken, open));
    writeFileSync("reports/skipped.json", json(skipped));

    const out: string[] = [];
    if (covered.length > 0) out.push(`Requirements with passing tests: ${covered.length}`, ...columns(covered));
    if (broken.length > 0) out.push(`Requirements with failing tests: ${broken.length}`, ...columns(broken));
    if (open.length > 0) out.push(`Requirements whose tests were all skipped: ${open.length}`, ...columns(open));
    for (const { title, missing } of skipped) out.push(`skipped: ${title}: ${missing}`);
    if (out.length > 0) vitest.logger.log(`\n${out.join("\n")}\n`);
  }
}

type Row = readonly [id: string, coverage: Coverage];

/** Whether a `beforeAll` above a test threw: then vitest calls the test skipped. */
function preparationFailed(test: TestCase): boolean {
  for (let above: TestSuite | TestModule = test.parent; ; above = above.parent) {
    if (above.errors().length > 0) return true;
    if (above.type === "module") return false;
  }
}
function byId([left]: Row, [right]: Row): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
function rows(list: readonly Row[]) {
  return list.map(([id, { tests, files }]) => ({ id, tests, files: [...files].sort() }));
}
function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
function columns(list: readonly Row[]): string[] {
  const cells = list.map(([id, { tests }]) => `${id} ×${tests}`);
  const width = Math.max(...cells.map((cell) => cell.length)) + 2;
  const perLine = Math.floor(WIDTH / width);
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += perLine) {
    const line = cells.slice(at, at + perLine).map((cell) => cell.padEnd(width));
    lines.push(`  ${line.join("").trimEnd()}`);
  }
  return lines;
}
function markdown(covered: readonly Row[], broken: readonly Row[], open: readonly Row[]): string {
  const table = (title: string, list: readonly Row[]) =>
    list.length === 0
      ? []
      : [
          `## ${title}: ${list.length}`,
          "",
          "| Id | Tests | Files |",
          "| --- | ---: | --- |",
          ...rows(list).map(({ id, tests, files }) => `| ${id} | ${tests} | ${files.join(", ")} |`),
          "",
        ];
  return [
    "# Requirements in the last test run",
    "",
    ...table("Passing", covered),
    ...table("Failing", broken),
    ...table("Skipped", open),
  ].join("\n");
}
