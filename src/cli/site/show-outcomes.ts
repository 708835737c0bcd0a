import type { BulkOutcome } from "../../services/enrolment/remote-enrolment.ts";
import type { CliIo } from "../cli-io.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { show } from "./show.ts";

/** More rows than a person reads. */
const MOST_SHOWN = 200;

/** How many rows had which result. */
export function countsOf(
  outcomes: readonly BulkOutcome[],
): Readonly<Record<BulkOutcome["result"] | "resumed", number>> {
  const counts = { done: 0, "no-change": 0, failed: 0, resumed: 0 };
  for (const { result, resumed } of outcomes) {
    counts[result] += 1;
    if (resumed) counts.resumed += 1;
  }
  return counts;
}

/** What became of rows: to people those that failed, and those that changed or would change; to programs all. Failed if a row did. */
export function showOutcomes(
  io: CliIo,
  { json, dryRun = false }: { readonly json?: boolean; readonly dryRun?: boolean },
  outcomes: readonly BulkOutcome[],
): ExitCode {
  const sorted = [...outcomes].sort((a, b) => a.row - b.row);
  const counts = countsOf(outcomes);
  const telling = sorted.filter(({ result }) => result !== "no-change");
  const failed = sorted.filter(({ result }) => result === "failed");
  const rows = telling.length <= MOST_SHOWN ? telling : failed.slice(0, MOST_SHOWN);
  if (json || rows.length > 0) {
    show(
      io,
      json,
      { dryRun, counts, outcomes: sorted },
      {
        head: ["row", "action", "username", "course", "result", "because"],
        rows: rows.map(({ row, action, username, courseId, peer, result, error }) => [
          row,
          action,
          username,
          courseId === undefined ? peer : `${courseId} at ${peer}`,
          dryRun && result === "done" ? "would be done" : result,
          error && `${error.code}: ${error.message}`,
        ]),
      },
    );
  }
  if (!json) {
    const { done, "no-change": same, failed: wrong, resumed } = counts;
    const hidden = failed.length > rows.length ? ` (${failed.length - rows.length} of them not shown; use --json)` : "";
    io.stdout.write(
      `${done} ${dryRun ? "would be done" : "done"}, ${same} no change, ${wrong} failed${hidden}` +
        `${resumed > 0 ? `; ${resumed} of them before` : ""}\n`,
    );
  }
  return counts.failed === 0 ? EXIT.ok : EXIT.failed;
}
