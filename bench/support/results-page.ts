import { escapeXml } from "../../src/xml/escape.ts";
import type { BarChart } from "./bar-chart.ts";
import type { Figure } from "./figures.ts";
import type { Machine } from "./machine.ts";
import { formatNumber, type Results } from "./report.ts";

/** What `npm run bench:beside-moodle -- --json FILE` writes. */
export interface BesideMoodle {
  readonly schema: 1;
  readonly date: string;
  readonly machine: Machine;
  readonly software: string;
  readonly method: string;
  readonly connections: number;
  readonly figures: readonly Figure[];
}

const START = "<!-- results: written by npm run bench:charts -->";
const END = "<!-- end of results -->";

/** Replaces what stands between the two marks in a page. */
export function withResults(page: string, results: string): string {
  const [start, end] = [page.indexOf(START), page.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`The page has no ${START} … ${END}.`);
  return `${page.slice(0, start + START.length)}\n\n${results}\n\n${page.slice(end)}`;
}

const boundOf = ({ bound }: Figure): string =>
  bound === undefined ? "" : "atLeast" in bound ? `≥ ${bound.atLeast}` : `≤ ${bound.atMost}`;
const valueOf = ({ value, unit }: Figure): string => `${formatNumber(value)} ${unit}`.trim();
const spreadOf = ({ spread }: Figure): string =>
  spread ? `${formatNumber(spread.low)} to ${formatNumber(spread.high)}` : "";

/** How far a figure is within its bound: 1 is at the bound, 2 twice as good. */
export function marginOf({ value, bound }: Figure): number {
  if (bound === undefined) return NaN;
  // JSON has null for what is no number.
  if (!Number.isFinite(value)) return 0;
  return "atLeast" in bound ? value / bound.atLeast : bound.atMost / value;
}

/** By file name: the charts of a run. */
export function chartsOf(results: Results, moodle: BesideMoodle | undefined): Readonly<Record<string, BarChart>> {
  const bounded = [...results.figures, ...(moodle?.figures ?? [])].filter(
    (figure) => figure.bound !== undefined && figure.unit !== "",
  );
  const starting = (prefix: string): readonly Figure[] => results.figures.filter(({ id }) => id.startsWith(prefix));
  const bar = (figure: Figure, label = figure.title): BarChart["bars"][number] => ({
    label,
    value: figure.value,
    text: valueOf(figure),
    kind: "ours",
  });
  const limit = results.rsa.node.calls;
  return {
    bounds: {
      title: "Each figure that has a bound, and how far it is from it",
      description: "1 is at the bound; longer is better.",
      mark: { at: 1, label: "bound" },
      bars: bounded.map((figure) => ({
        label: shorten(figure.title),
        // A figure far from its bound would make all others short.
        value: Math.min(marginOf(figure), LONGEST_MARGIN),
        text: `${valueOf(figure)} (${boundOf(figure)})`,
        kind: figure.ok ? "ours" : "bad",
      })),
    },
    http: {
      title: "Calls a second over HTTP, 1 KB each way, by threads for cryptography",
      description: "The line is what RSA alone allows one core.",
      mark: { at: limit, label: `RSA alone, one core: ${formatNumber(limit)}` },
      bars: starting("http.rate-").map((figure) => bar(figure, `${figure.id.slice("http.rate-".length)} workers`)),
    },
    codec: {
      title: "XML-RPC: how many times as fast as npm xmlrpc and @foxglove/xmlrpc",
      description: "Time of the other library divided by ours, on the same document.",
      mark: { at: 1, label: "as fast as ours" },
      bars: starting("xmlrpc.")
        .filter(({ unit, id }) => unit === "×" && id.includes("100kb"))
        .map((figure) => ({
          ...bar(figure, figure.title.replace(" / ours", "")),
          kind: figure.id.endsWith("foxglove") ? "other" : "ours",
        })),
    },
    envelope: {
      title: "Sealing and opening, by size of the document",
      description: "Milliseconds; up to 10 KB nearly all of it is RSA.",
      bars: starting("envelope.")
        .filter(({ unit }) => unit === "ms")
        .map((figure) => bar(figure)),
    },
    ...(moodle && {
      moodle: {
        title: `Beside ${moodle.software}: the same call over ${moodle.connections} connections`,
        description: `${moodle.method}, on the same machine.`,
        bars: moodle.figures.map((figure) => ({
          ...bar(figure),
          kind: figure.id.endsWith("-moodle") ? ("other" as const) : ("ours" as const),
        })),
      },
    }),
  };
}

const LONGEST_MARGIN = 4;
const LONGEST_LABEL = 60;
const shorten = (text: string): string =>
  text.length <= LONGEST_LABEL ? text : `${text.slice(0, LONGEST_LABEL - 1).trimEnd()}…`;

/** The part of docs/performance.md that is made of a run. */
export function resultsMarkdown(results: Results, moodle: BesideMoodle | undefined): string {
  const { machine, rsa, figures, date } = results;
  const charts = chartsOf(results, moodle);
  const image = (name: string): string => {
    const chart = charts[name];
    return chart ? `![${escapeXml(chart.title)}](performance/${name}.svg)` : "";
  };
  const bounded = [...figures, ...(moodle?.figures ?? [])].filter(({ bound }) => bound !== undefined);
  const others = figures.filter(({ bound }) => bound === undefined);
  const openssl = rsa.openssl
    ? `\`openssl speed\` has ${rsa.openssl.sign} signatures and ${rsa.openssl.verify} verifications a second; `
    : "";
  return [
    `Measured on ${date.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, Node ${machine.node.slice(1)}, OpenSSL ${machine.openssl}${results.isQuick ? ", in a quick run" : ""}. RSA-2048 on one core: ${openssl}node:crypto ${rsa.node.sign} signatures, ${rsa.node.unwrap} unwrappings, ${rsa.node.verify} verifications and ${rsa.node.wrap} wrappings, which makes ${rsa.node.calls} calls.`,
    image("bounds"),
    table(
      ["Figure", "Median", "Quartiles", "Bound", "Aim", "Within"],
      bounded.map((figure) => [
        figure.title,
        valueOf(figure),
        spreadOf(figure),
        boundOf(figure),
        figure.aim === undefined ? "" : String(figure.aim),
        figure.ok ? "yes" : "**no**",
      ]),
    ),
    image("http"),
    image("codec"),
    image("envelope"),
    image("moodle"),
    "<details>\n<summary>Everything else that was measured</summary>",
    table(
      ["Figure", "Median", "Quartiles"],
      others.map((figure) => [figure.title, valueOf(figure), spreadOf(figure)]),
    ),
    "</details>",
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
