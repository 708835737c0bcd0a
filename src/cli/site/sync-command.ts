import { createReadStream } from "node:fs";
import { basename } from "node:path";
import cliProgress from "cli-progress";
import { Command, Option } from "commander";
import { readEnrolmentCsv } from "../../services/enrolment/read-enrolment-csv.ts";
import type {
  BulkOptions,
  BulkOutcome,
  BulkRow,
  Person,
  RemoteCourse,
} from "../../services/enrolment/remote-enrolment.ts";
import type { CliIo } from "../cli-io.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../usage-error.ts";
import { withSiteOptions, type SiteOptions } from "./open-site.ts";
import { showOutcomes } from "./show-outcomes.ts";
import { courseNamed, withEnrolment, type EnrollingHost } from "./with-enrolment.ts";

interface SyncOptions extends SiteOptions {
  readonly key?: string;
  readonly concurrency?: number;
  readonly exact?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `mnet sync FILE`: works off a CSV file, and goes on where it stopped. */
export function syncCommand(io: CliIo, finish: (code: ExitCode) => void): Command {
  return withSiteOptions(new Command("sync"))
    .description("Enrol and unenrol many people from a CSV file. Stopped, it goes on when it is started again.")
    .argument("<file>", "CSV: peer, course, username, and action, email, firstname, lastname, …")
    .option("--dry-run", "change nothing; say what would change")
    .option("--exact", "each course in the file gets exactly its people of the file; others of MNet are unenrolled")
    .option("--key <text>", "name of the run (default: the file's name); other rows need another one")
    .addOption(new Option("--concurrency <number>", "calls at once, per peer").default(4).argParser(Number))
    .option("--json", "for programs")
    .action(async (file: string, options: SyncOptions) => {
      // All of it is read before anything is sent: a mistake in the last line is found first.
      const total = await countRows(file);
      const interruption = io.interruption();
      await withEnrolment(options, async (host) => {
        const run = {
          key: options.key ?? basename(file),
          concurrency: options.concurrency,
          dryRun: options.dryRun ?? false,
          signal: interruption,
        };
        const outcomes = await withProgress(io, total, async (told) => {
          const seen: BulkOutcome[] = [];
          try {
            for await (const outcome of options.exact ? reconciled(host, file, run) : worked(host, file, run)) {
              seen.push(outcome);
              told(outcome);
            }
          } catch (error) {
            if (!interruption.aborted) throw error;
          }
          return seen;
        });
        const code = showOutcomes(io, options, outcomes);
        if (interruption.aborted) io.stderr.write("Stopped. Started again, it goes on where it is.\n");
        finish(interruption.aborted ? EXIT.failed : code);
      });
    });
}

const rowsOf = (file: string): AsyncIterable<BulkRow> => readEnrolmentCsv(createReadStream(file));

async function countRows(file: string): Promise<number> {
  let rows = 0;
  for await (const _row of rowsOf(file)) rows += 1;
  return rows;
}

const worked = (host: EnrollingHost, file: string, run: BulkOptions): AsyncIterable<BulkOutcome> =>
  host.enrolment.bulk(rowsOf(file), run);

/** Course by course. A course that the file names in two ways is one course. */
async function* reconciled(host: EnrollingHost, file: string, run: BulkOptions): AsyncGenerator<BulkOutcome> {
  const groups = new Map<string, { readonly course: RemoteCourse; readonly people: Person[] }>();
  const courses = new Map<string, RemoteCourse>();
  for await (const { action, person, course: named } of rowsOf(file)) {
    if (action !== "enrol")
      throw new UsageError("With --exact the file says who is in, so it has no action but enrol.");
    if (!("course" in named)) continue;
    const name = JSON.stringify([named.peer, named.course]);
    const course = courses.get(name) ?? (await courseNamed(host, await host.peers.get(named.peer), named.course));
    courses.set(name, course);
    const key = `${course.peer.id} ${course.id}`;
    const group = groups.get(key) ?? { course, people: [] };
    groups.set(key, group);
    group.people.push(person);
  }
  let before = 0;
  for (const [name, { course, people }] of groups) {
    let rows = 0;
    for await (const outcome of host.enrolment.reconcile(course, people, { ...run, key: `${run.key} ${name}` })) {
      rows += 1;
      yield { ...outcome, row: before + outcome.row };
    }
    before += rows;
  }
}

/** Shows a bar on a terminal while the work goes on. */
async function withProgress<T>(
  { stderr }: CliIo,
  total: number,
  work: (told: (outcome: BulkOutcome) => void) => Promise<T>,
): Promise<T> {
  if (stderr.isTTY !== true) return work(() => undefined);
  const bar = new cliProgress.SingleBar(
    {
      format: "{bar} {value}/{total} · {failed} failed · {eta_formatted} to go",
      stream: stderr as unknown as NodeJS.WritableStream,
      hideCursor: true,
      clearOnComplete: true,
    },
    cliProgress.Presets.shades_classic,
  );
  let failed = 0;
  bar.start(total, 0, { failed });
  try {
    return await work(({ result }) => {
      if (result === "failed") failed += 1;
      bar.increment({ failed });
    });
  } finally {
    bar.stop();
  }
}
