import { spawn } from "node:child_process";
import { once } from "node:events";
import { build } from "tsdown";

/** Below the folder in which npm runs its scripts. */
const OUTPUT = "reports/bench";

/**
 * Runs a program of this folder as JavaScript, file by file as the package is published: other processes and threads can
 * be started from such files on any Node, and what is measured is what users run.
 *
 * @returns the program's exit code.
 */
export async function runCompiled(
  name: string,
  args: readonly string[],
  nodeFlags: readonly string[] = [],
): Promise<number> {
  await build({
    entry: ["src/**/*.ts", "bench/{suites,support,programs}/*.ts", "!**/*.d.ts"],
    outDir: OUTPUT,
    config: false,
    unbundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    fixedExtension: false,
    dts: false,
    skipNodeModulesBundle: true,
    logLevel: "error",
  });
  const program = spawn(process.execPath, [...nodeFlags, `${OUTPUT}/bench/programs/${name}.js`, ...args], {
    stdio: "inherit",
  });
  const [code] = (await once(program, "exit")) as [number | null];
  return code ?? 1;
}
