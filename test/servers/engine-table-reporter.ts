import type { TestModule } from "vitest/node";
import CoveredIdsReporter from "../support/covered-ids-reporter.ts";

const COLUMNS = ["memory", "sqlite by libsql", "sqlite by node:sqlite", "postgresql", "mariadb", "redis"];

interface Cell {
  passed: number;
  failed: number;
  skipped: number;
}

/** Says at the end of a run which suite ran on which engine, and how many of its tests passed. */
export default class EngineTableReporter extends CoveredIdsReporter {
  override onTestRunEnd(modules: readonly TestModule[]): void {
    super.onTestRunEnd(modules);
    const rows = new Map<string, Map<string, Cell>>();
    for (const module of modules) {
      for (const suite of module.children.suites()) {
        for (const engine of suite.children.suites()) {
          const row = rows.get(suite.name) ?? new Map<string, Cell>();
          rows.set(suite.name, row);
          const cell = row.get(engine.name) ?? { passed: 0, failed: 0, skipped: 0 };
          row.set(engine.name, cell);
          for (const test of engine.children.allTests()) {
            const { state } = test.result();
            if (state !== "pending") cell[state] += 1;
          }
        }
      }
    }
    const width = Math.max(...[...rows.keys()].map((name) => name.length), 5);
    const line = (name: string, cells: readonly string[]): string =>
      `${name.padEnd(width)}  ${cells.map((cell, index) => cell.padStart((COLUMNS[index] ?? "").length)).join("  ")}`;
    console.log(line("suite", COLUMNS));
    for (const [name, row] of rows)
      console.log(
        line(
          name,
          COLUMNS.map((column) => show(row.get(column))),
        ),
      );
  }
}

/** Tests that passed; `-` where the suite does not run on the engine. */
function show(cell: Cell | undefined): string {
  if (cell === undefined) return "-";
  if (cell.failed > 0) return `${cell.failed} FAILED`;
  return cell.skipped > 0 ? "skipped" : String(cell.passed);
}
