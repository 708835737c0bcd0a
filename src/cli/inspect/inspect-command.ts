import { readFile } from "node:fs/promises";
import { Command, Option } from "commander";
import { colorsFor, type CliIo } from "../cli-io.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { printableJson } from "../printable.ts";
import { formatRecorded } from "../recorded/format-recorded.ts";
import { inspectRecorded } from "../recorded/inspect-recorded.ts";
import { UsageError } from "../usage-error.ts";
import { explain } from "./explain.ts";
import { formatExplanation } from "./format-explanation.ts";
import { readKeyFiles, type KeyFile } from "./key-bag.ts";
import { readCapture, type Side } from "./read-capture.ts";

interface InspectOptions {
  readonly keys?: readonly string[];
  readonly recorded?: string;
  readonly side?: Side;
  readonly now?: Date;
  readonly showPayload?: true;
  readonly json?: true;
}

const EXAMPLES = `
A certificate verifies what its site signed; together with its private key it opens what was sent
to its site. They may come in one file or in several. Of the message nothing but its form is
shown, unless you ask with --show-payload.

Examples:
  mnet inspect request.xml --keys our-key.pem --keys their-certificate.pem
  mnet inspect exchange.json --side response --keys keys.json
  mnet inspect --recorded fixtures/moodle-4.5
  curl -s --data-binary @request.xml URL | mnet inspect - --keys our-key.pem --json

Exit codes: 0 opened, verified and nothing failed; 1 anything else; 2 the command was not understood.`;

/** `mnet inspect`: takes a captured message apart. */
export function inspectCommand(io: CliIo, finish: (code: ExitCode) => void): Command {
  return new Command("inspect")
    .description("Open a captured message and say which check fails.")
    .argument(
      "[file]",
      "body of a request or response as it was on the wire, or a recorded exchange; - is standard input",
    )
    .option("-k, --keys <file>", "PEM or key list; may be given several times", collect)
    .addOption(
      new Option("--side <side>", "half of a recorded exchange (default: request)").choices(["request", "response"]),
    )
    .option(
      "--now <time>",
      "moment to compare the timestamp with, ISO 8601 or Unix seconds (default: that of the recording)",
      readTime,
    )
    .option("--recorded <dir>", "instead of a file: check a folder of recorded exchanges (see docs/cli.md)")
    .option("--show-payload", "show the XML-RPC document, which may hold personal data")
    .option("--json", "for programs; the fields are in docs/cli.md")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string | undefined, options: InspectOptions) => {
      finish(await inspect(file, options, io));
    });
}

function inspect(file: string | undefined, options: InspectOptions, io: CliIo): Promise<ExitCode> {
  if (options.recorded !== undefined && file === undefined) return inspectFolder(options.recorded, options, io);
  if (options.recorded === undefined && file !== undefined) return inspectMessage(file, options, io);
  throw new UsageError("Name either one file, or a folder with --recorded.");
}

async function inspectFolder(directory: string, { json }: InspectOptions, io: CliIo): Promise<ExitCode> {
  const report = await inspectRecorded(directory);
  if (json) {
    io.stdout.write(`${printableJson(report)}\n`);
    io.stderr.write(`${report.passed} passed, ${report.failed} failed\n`);
  } else {
    io.stdout.write(formatRecorded(report, colorsFor(io.stdout, io.env)));
  }
  return report.failed === 0 ? EXIT.ok : EXIT.failed;
}

async function inspectMessage(file: string, options: InspectOptions, io: CliIo): Promise<ExitCode> {
  const capture = readCapture(file === "-" ? await readAll(io.stdin) : await readFileOf(file), options.side);
  const keys = readKeyFiles(await Promise.all((options.keys ?? []).map(readKeyFile)));
  const explanation = explain(capture.body, keys, {
    now: options.now ?? capture.recordedAt,
    showPayload: options.showPayload,
  });
  const text = options.json
    ? `${printableJson(explanation)}\n`
    : formatExplanation(explanation, colorsFor(io.stdout, io.env));
  io.stdout.write(text);
  return explanation.ok ? EXIT.ok : EXIT.failed;
}

const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

function readTime(text: string): Date {
  const time = new Date(/^[0-9]{1,12}$/.test(text) ? Number(text) * 1000 : text);
  if (Number.isNaN(time.getTime()))
    throw new UsageError(`--now wants a time such as 2026-11-21T12:00:00Z, not ${JSON.stringify(text)}.`);
  return time;
}

async function readKeyFile(name: string): Promise<KeyFile> {
  return { name, text: (await readFileOf(name)).toString("utf8") };
}

async function readFileOf(name: string): Promise<Buffer> {
  try {
    return await readFile(name);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new UsageError(`${name} cannot be read: ${REASONS[code] ?? code}.`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "this user may not read it",
};

async function readAll(input: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks);
}
