import type { Colors } from "../cli-io.ts";
import type { ExchangeReport, RecordedReport } from "./inspect-recorded.ts";

/** The report for people: what failed, what deviates and why, and a last line with the counts. */
export function formatRecorded(report: RecordedReport, colors: Colors): string {
  const withVerdict = (verdict: ExchangeReport["verdict"]): readonly ExchangeReport[] =>
    report.exchanges.filter((exchange) => exchange.verdict === verdict);
  const failed = withVerdict("failed");
  const deviating = withVerdict("deviates");
  const lines = [
    `${report.exchanges.length} recorded exchanges in ${report.directory}`,
    "",
    ...failed.flatMap((exchange) => [colors.red(heading("failed", exchange)), ...exchange.details.map(indented)]),
    ...deviating.flatMap((exchange) => [
      colors.yellow(heading("deviates", exchange)),
      ...exchange.details.map((reason) => indented(`${exchange.id ?? ""} ${reason}`)),
    ]),
    ...(failed.length + deviating.length > 0 ? [""] : []),
    `${report.passed} passed, ${report.failed} failed`,
  ];
  return `${lines.join("\n")}\n`;
}

const heading = (verdict: string, { name, recorded, ours }: ExchangeReport): string =>
  `${verdict}  ${name}: recorded ${recorded}; here ${ours}`;

const indented = (text: string): string => `          ${text}`;
