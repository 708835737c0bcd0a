import { run } from "../../src/cli/run.ts";

/** What a command wrote, and how it ended. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How the world around a command is. */
export interface CliWorld {
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether standard output is a terminal. */
  readonly isTTY?: boolean;
  /** Whether standard error is one. */
  readonly isErrorTTY?: boolean;
  /** Aborted when somebody presses Ctrl-C. */
  readonly interruption?: AbortSignal;
  /** Told of each piece of output. */
  readonly onOutput?: (soFar: string) => void;
}

/** Runs `mnet` in this process. */
export async function runCli(argv: readonly string[], world: CliWorld = {}): Promise<CliResult> {
  const { stdin = new Uint8Array(), env = {}, isTTY = false, interruption = new AbortController().signal } = world;
  let [stdout, stderr] = ["", ""];
  const code = await run(argv, {
    stdin: (async function* () {
      yield stdin;
    })(),
    stdout: {
      isTTY,
      write(text) {
        stdout += text;
        world.onOutput?.(stdout);
      },
    },
    stderr: { isTTY: world.isErrorTTY, write: (text) => (stderr += text) },
    env,
    interruption: () => interruption,
  });
  return { code, stdout, stderr };
}
