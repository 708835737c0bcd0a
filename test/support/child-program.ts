import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A process of a program, that is talked to in lines. */
export interface Child {
  /** What it says next, of JSON. */
  readonly hear: () => Promise<unknown>;
  /** All that it says from now on, until it ends; also what it said before it was killed. */
  readonly said: () => AsyncGenerator;
  readonly tell: (line: string) => void;
  /** Tells it that nothing more will come. */
  readonly end: () => void;
  /** With SIGKILL. */
  readonly kill: () => Promise<void>;
  /** The signal that ended it, or its exit code. */
  readonly ended: Promise<string>;
}

/** A program of this repository that can be run in processes of its own, on any Node. */
export interface ChildProgram {
  start(...args: readonly string[]): Child;
  /** Kills what still runs, and removes the program. */
  remove(): Promise<void>;
}

/** Turns a program and what it imports into JavaScript, because Node 20 runs no TypeScript. */
export function childProgram(source: string): ChildProgram {
  const directory = mkdtempSync(join(tmpdir(), "mnet-child-"));
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  const program = compile(source, directory, new Set());
  const running = new Set<ChildProcess>();
  // A run that is interrupted leaves nothing behind.
  process.once("exit", () => {
    for (const child of running) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    start(...args) {
      const child = spawn(process.execPath, [program, ...args], { stdio: ["pipe", "pipe", "inherit"] });
      running.add(child);
      child.once("exit", () => running.delete(child));
      const ended = once(child, "exit").then(([code, signal]) => String((signal as string | null) ?? code));
      // Whoever was killed reads nothing any more.
      child.stdin.on("error", () => undefined);
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      return {
        async hear() {
          const line = await lines.next();
          if (line.done === true) throw new Error(`The child ended, with ${await ended}.`);
          return JSON.parse(line.value) as unknown;
        },
        async *said() {
          for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
            yield JSON.parse(line.value) as unknown;
          }
        },
        tell: (line) => void child.stdin.write(`${line}\n`),
        end: () => void child.stdin.end(),
        kill: () => killed(child),
        ended,
      };
    },
    async remove() {
      await Promise.all([...running].map(killed));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Returns where the program is. */
function compile(source: string, into: string, done: Set<string>): string {
  done.add(source);
  const { outputText } = ts.transpileModule(readFileSync(join(ROOT, source), "utf8"), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  const target = join(into, source.replace(/\.ts$/, ".js"));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, outputText);
  for (const [, imported = ""] of outputText.matchAll(/from "(\.[^"]+)\.js"/g)) {
    const next = `${join(dirname(source), imported)}.ts`;
    if (!done.has(next)) compile(next, into, done);
  }
  return target;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
