import { performance } from "node:perf_hooks";
import type { Colors, Output } from "../cli-io.ts";
import { printable } from "../printable.ts";

/** A step got another answer than it should. */
export class DemoFailure extends Error {
  override readonly name = "DemoFailure";
}

/** Tells what happens, step by step, and holds it to what should. */
export class Narrator {
  readonly #output: Output;
  readonly #colors: Colors;
  readonly #interruption: AbortSignal;
  #steps = 0;
  #checks = 0;

  constructor(output: Output, colors: Colors, interruption: AbortSignal) {
    this.#output = output;
    this.#colors = colors;
    this.#interruption = interruption;
  }

  /** How many checks held. */
  get checks(): number {
    return this.#checks;
  }

  /** A line, or several. */
  say(...lines: readonly string[]): void {
    for (const line of lines.length > 0 ? lines : [""]) this.#output.write(`${line}\n`);
  }

  /** Runs one numbered step; its lines follow its title, the time it took ends it. Throws the reason of an interruption. */
  async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    this.#interruption.throwIfAborted();
    this.say("", this.#colors.bold(`${String(++this.#steps).padStart(2)}  ${title}`));
    const started = performance.now();
    const result = await work();
    this.say(this.#colors.dim(`    took ${duration(performance.now() - started)}`));
    return result;
  }

  /** What happened, indented. */
  tell(text: string): void {
    this.say(`    ${printable(text, 400)}`);
  }

  /** Says what was checked, and that it holds; throws if it does not. */
  check(holds: boolean, what: string): void {
    if (!holds) {
      this.say(`    ${this.#colors.red("✗")} ${printable(what, 400)}`);
      throw new DemoFailure(`This does not hold: ${what}`);
    }
    this.#checks++;
    this.say(`    ${this.#colors.green("✓")} ${printable(what, 400)}`);
  }
}

/** A duration as people say it. */
export const duration = (milliseconds: number): string =>
  milliseconds < 1000
    ? `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
