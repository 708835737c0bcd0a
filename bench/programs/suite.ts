import type { Figure } from "../support/figures.ts";
import { serveCommands } from "../support/processes.ts";
import { Bench } from "../support/suite.ts";
import { SUITES } from "../suites/index.ts";

const commands = {
  async run({ name, isQuick }: { readonly name: string; readonly isQuick: boolean }): Promise<readonly Figure[]> {
    const bench = new Bench({ isQuick, report: (line) => void process.stderr.write(`${line}\n`) });
    await SUITES.find((suite) => suite.name === name)?.run(bench);
    return bench.figures;
  },
};
/** The program that `new Program<SuiteCommands>("suite")` starts. */
export type SuiteCommands = typeof commands;

serveCommands(commands);
