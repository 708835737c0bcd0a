import { type Bound, type Figure } from "./figures.ts";
import type { Machine, RsaRates } from "./machine.ts";
import type { Suite } from "./suite.ts";

/** Everything that one run found: the JSON document of `npm run bench -- --json`. */
export interface Results {
  /** Goes up when a reader of the document would have to know. */
  readonly schema: 1;
  readonly date: string;
  readonly machine: Machine;
  readonly isQuick: boolean;
  readonly seconds: number;
  /** The yardstick. */
  readonly rsa: RsaRates;
  /** All figures are within their bounds. */
  readonly ok: boolean;
  readonly figures: readonly Figure[];
}

/** Benches whose question is one time; each is a command of its own. */
export const OTHER_BENCHES: Readonly<Record<string, string>> = {
  "bench:decryption-timing": "SEC-004: whether the time of a decryption tells good padding from bad",
  "bench:linear-scanning": "SEC-024: whether any text takes the readers longer than a benign one",
  "bench:logout": "SEC-077: how long a user waits for her logout when no site answers",
  "bench:forged-flood": "SEC-083: what a flood of forged envelopes does to the calls of a peer",
  "bench:secure-profile": "what a call in the secure profile costs",
  "bench:store-scale": "whether a large site's store answers as fast as a small one's",
  "bench:beside-moodle": "a Moodle and this library, asked the same",
};

/** A number with three digits that matter. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "?";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toLocaleString("en", { maximumFractionDigits: Math.min(digits, 6), useGrouping: value >= 10_000 });
}

const formatBound = (bound: Bound | undefined): string =>
  bound === undefined ? "" : "atLeast" in bound ? `≥ ${bound.atLeast}` : `≤ ${bound.atMost}`;

/** The table for people. */
export function formatTable(results: Results): string {
  const { machine, rsa, figures } = results;
  const rows = figures.map((figure) => [
    figure.bound === undefined ? "" : figure.ok ? "ok" : "FAIL",
    figure.id,
    `${formatNumber(figure.value)} ${figure.unit}`,
    figure.spread ? `${formatNumber(figure.spread.low)} … ${formatNumber(figure.spread.high)}` : "",
    formatBound(figure.bound),
    figure.aim === undefined ? "" : String(figure.aim),
    figure.title,
  ]);
  const failed = figures.filter(({ ok }) => !ok).length;
  return [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, OpenSSL ${machine.openssl}, commit ${machine.commit ?? "unknown"}`,
    ...(rsa.openssl
      ? [`RSA-2048 a second, openssl speed: sign ${rsa.openssl.sign}, verify ${rsa.openssl.verify}`]
      : []),
    `RSA-2048 a second, node:crypto: unwrap ${rsa.node.unwrap}, sign ${rsa.node.sign}, verify ${rsa.node.verify}, wrap ${rsa.node.wrap}; of whole calls ${rsa.node.calls}`,
    "",
    columns([["", "figure", "median", "quartiles", "bound", "aim", "what"], ...rows]),
    "",
    failed === 0
      ? `All within their bounds (${results.seconds} s).`
      : `${failed} out of bounds (${results.seconds} s).`,
    "",
  ].join("\n");
}

/** What `--list` says. */
export function formatList(suites: readonly Suite[]): string {
  return [
    "npm run bench measures:",
    columns(suites.map(({ name, title }) => [`  ${name}`, title])),
    "",
    "Commands of their own (npm run …):",
    columns(Object.entries(OTHER_BENCHES).map(([name, title]) => [`  ${name}`, title])),
    "",
  ].join("\n");
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
