import { fork, type ChildProcess } from "node:child_process";

interface Question {
  readonly id: number;
  readonly command: string;
  readonly argument: unknown;
}
interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What a program of `bench/programs` can be asked to do. */
export type Commands = Readonly<Record<string, (argument: never) => unknown>>;

/** A process of its own, so that its time and memory are nobody else's. */
export class Program<C extends Commands> {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #questions = 0;

  /** Starts `bench/programs/<name>`; compiled, because Node 20 runs no TypeScript. */
  constructor(
    name: string,
    options: { readonly nodeFlags?: readonly string[]; readonly args?: readonly string[] } = {},
  ) {
    this.#child = fork(new URL(`../programs/${name}.js`, import.meta.url), options.args ?? [], {
      execArgv: [...(options.nodeFlags ?? [])],
      serialization: "advanced",
    });
    this.#child.on("message", ({ id, value, error }: Answer) => {
      const waiting = this.#open.get(id);
      this.#open.delete(id);
      if (error === undefined) waiting?.resolve(value as never);
      else waiting?.reject(new Error(`${name}: ${error}`));
    });
    this.#child.once("exit", (code, signal) => {
      for (const { reject } of this.#open.values()) reject(new Error(`${name} ended with ${signal ?? code}.`));
    });
  }

  ask<Name extends keyof C & string>(
    command: Name,
    ...[argument]: Parameters<C[Name]>
  ): Promise<Awaited<ReturnType<C[Name]>>> {
    return new Promise((resolve, reject) => {
      const id = (this.#questions += 1);
      this.#open.set(id, { resolve, reject });
      this.#child.send({ id, command, argument } satisfies Question);
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill();
    await exit;
  }
}

/** The other side: answers until the parent ends. */
export function serveCommands(commands: Commands): void {
  process.on("message", ({ id, command, argument }: Question) => {
    const run = async (): Promise<unknown> => commands[command]?.(argument as never);
    run().then(
      (value) => process.send?.({ id, value } satisfies Answer),
      (error: unknown) => process.send?.({ id, error: String((error as Error).stack) } satisfies Answer),
    );
  });
  process.once("disconnect", () => process.exit());
}
