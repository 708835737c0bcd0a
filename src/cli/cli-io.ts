import picocolors from "picocolors";

/** Where a command writes to. */
export interface Output {
  write(text: string): unknown;
  /** Whether a person sees it as it is written. */
  readonly isTTY?: boolean | undefined;
}

/** The world outside of a command; `main.ts` passes the process, tests pass their own. */
export interface CliIo {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when somebody wants the command to stop. Until it is called, Ctrl-C ends the process as everywhere. */
  readonly interruption: () => AbortSignal;
}

/** Functions that colour text, or leave it alone. */
export type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours for people only: on a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal has none. */
export function colorsFor({ isTTY }: Output, env: CliIo["env"]): Colors {
  return picocolors.createColors(isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb");
}
