import { writeFileSync } from "node:fs";
import { readArguments, USAGE, UsageError } from "../support/arguments.ts";
import type { Figure } from "../support/figures.ts";
import { describeMachine, measureRsaRates } from "../support/machine.ts";
import { Program } from "../support/processes.ts";
import { formatList, formatTable, type Results } from "../support/report.ts";
import { SUITES } from "../suites/index.ts";
import type { SuiteCommands } from "./suite.ts";

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const wanted = read(args);
  if (typeof wanted === "number") return wanted;
  const { isQuick, only, json } = wanted;
  const started = performance.now();
  const report = (line: string): void => void process.stderr.write(`${line}\n`);
  report("the machine's RSA");
  const machine = describeMachine();
  const rsa = await measureRsaRates(isQuick);
  const figures: Figure[] = [];
  for (const { name, title } of SUITES.filter((suite) => only?.includes(suite.name) ?? true)) {
    report(`${name}: ${title}`);
    figures.push(...(await measure(name, isQuick)));
  }
  const seconds = Math.round((performance.now() - started) / 1000);
  const results: Results = {
    schema: 1,
    date: new Date().toISOString(),
    machine,
    isQuick,
    seconds,
    rsa,
    ok: figures.every(({ ok }) => ok),
    figures,
  };
  const document = `${JSON.stringify(results, undefined, 2)}\n`;
  if (json === undefined) process.stdout.write(formatTable(results));
  else if (json === "-") process.stdout.write(document);
  else writeFileSync(json, document);
  return results.ok ? 0 : 1;
}

/** In a process of its own: what one suite leaves in the heap, or has taught the compiler, is not the next one's. */
async function measure(name: string, isQuick: boolean): Promise<readonly Figure[]> {
  const suite = new Program<SuiteCommands>("suite", { nodeFlags: ["--expose-gc"] });
  try {
    return await suite.ask("run", { name, isQuick });
  } finally {
    await suite.stop();
  }
}

function read(args: readonly string[]): Exclude<ReturnType<typeof readArguments>, "list"> | number {
  try {
    const wanted = readArguments(
      args,
      SUITES.map(({ name }) => name),
    );
    if (wanted !== "list") return wanted;
    process.stdout.write(formatList(SUITES));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}`);
    return 2;
  }
}
