import { figureOf, type Figure, type FigureOptions } from "./figures.ts";

/** Some figures that are measured together. */
export interface Suite {
  readonly name: string;
  /** What it measures, for people. */
  readonly title: string;
  run(bench: Bench): Promise<void>;
}

/** What a suite is given: how thorough to be, and where to put what it found. */
export class Bench {
  readonly isQuick: boolean;
  readonly figures: Figure[] = [];
  readonly #report: (line: string) => void;

  constructor(options: { readonly isQuick: boolean; readonly report: (line: string) => void }) {
    this.isQuick = options.isQuick;
    this.#report = options.report;
  }

  /** The first in a full run, the second in a quick one. */
  either(full: number, quick: number): number {
    return this.isQuick ? quick : full;
  }

  /** Keeps a figure: the median of the values of its rounds. */
  add(id: string, title: string, values: number | readonly number[], options: FigureOptions): void {
    const figure = figureOf(id, title, values, options);
    this.figures.push(figure);
    this.#report(`  ${figure.ok ? " " : "!"} ${figure.title}: ${figure.value.toPrecision(3)} ${figure.unit}`);
  }
}
