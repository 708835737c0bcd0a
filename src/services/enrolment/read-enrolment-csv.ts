import { pipeline } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { EnrolmentError } from "../../core/errors.ts";
import type { BulkRow, PersonDetails } from "./remote-enrolment.ts";

const REQUIRED = ["peer", "course", "username"] as const;
/** Columns that a `Profile` has members for. */
const OPTIONAL_MEMBERS = new Set("idnumber institution department city country lang timezone description".split(" "));
const COLUMN_NAME = /^[a-z][a-z0-9_]{0,63}$/;
/** Longer first lines are no header. */
const LONGEST_HEADER = 100_000;

/**
 * Reads rows for `bulk` from CSV (RFC 4180), as they are needed: columns `peer` (wwwroot), `course` (id, short name or id
 * number) and `username`; and, where they are known, `action` (`enrol`, the default, or `unenrol`), `email`, `firstname`,
 * `lastname` and any profile column by wire name. The first line names them, in any order and case.
 *
 * Text is UTF-8, with or without BOM; lines end with LF, CRLF or CR; between values are commas, or semicolons or tabs if
 * those separate the names in the first line. White space around values is dropped, empty lines are passed over.
 *
 * Throws `MNET_ENROLMENT_CSV_INVALID`, with the line in its message and the row, for what is no such file.
 *
 * @example
 * const rows = readEnrolmentCsv(createReadStream("autumn.csv"));
 * for await (const outcome of host.enrolment.bulk(rows, { key: "autumn" })) console.log(outcome.row, outcome.result);
 */
export async function* readEnrolmentCsv(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<BulkRow> {
  const [head, chunks] = await firstLine(decoded(source));
  const parser = parse({
    delimiter: /[,;\t]/.exec(head)?.[0] ?? ",",
    record_delimiter: ["\r\n", "\n", "\r"],
    skip_empty_lines: true,
    trim: true,
    info: true,
  });
  // What goes wrong on the way destroys the parser, and so comes out of the loop.
  pipeline(chunks, parser, () => undefined);
  let columns: readonly string[] | undefined;
  let row = 0;
  try {
    for await (const { record, info } of parser as AsyncIterable<Line>) {
      if (columns === undefined) {
        columns = columnsOf(record);
        continue;
      }
      row += 1;
      yield rowOf(new Map(columns.map((name, index) => [name, record[index] ?? ""])), row, info.lines);
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    // Its message quotes what it has read, which is data of people. It has read further than was taken so far.
    const { lines, records } = error as CsvError & { readonly lines?: number; readonly records?: number };
    const where = lines === undefined ? "" : ` at line ${lines}`;
    throw invalid(`The CSV is not well-formed${where} (${error.code}).`, records);
  }
  if (columns === undefined) throw invalid("The CSV is empty: its first line names the columns.");
}

interface Line {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function columnsOf(record: readonly string[]): readonly string[] {
  const names = record.map((name) => name.toLowerCase());
  const odd = names.find((name) => !COLUMN_NAME.test(name));
  if (odd !== undefined) {
    throw invalid(`${JSON.stringify(odd.slice(0, 64))} in the first line of the CSV cannot be the name of a column.`);
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`The CSV has two columns ${twice}.`);
  const missing = REQUIRED.filter((name) => !names.includes(name));
  if (missing.length > 0) throw invalid(`The first line of the CSV does not name the columns ${missing.join(", ")}.`);
  return names;
}

function rowOf(values: ReadonlyMap<string, string>, row: number, line: number): BulkRow {
  const {
    action,
    peer = "",
    course = "",
    username = "",
    email = "",
    firstname = "",
    lastname = "",
    ...more
  } = Object.fromEntries(values) as Readonly<Record<string, string>>;
  const verb = action === undefined || action === "" ? "enrol" : action.toLowerCase();
  if (verb !== "enrol" && verb !== "unenrol") {
    throw invalid(`The action in line ${line} of the CSV is neither enrol nor unenrol.`, row);
  }
  const told = Object.entries(more).filter(([, value]) => value !== "");
  const other = told.filter(([name]) => !OPTIONAL_MEMBERS.has(name));
  const person: PersonDetails = {
    username,
    email,
    firstname,
    lastname,
    ...Object.fromEntries(told.filter(([name]) => OPTIONAL_MEMBERS.has(name))),
    ...(other.length > 0 && { other: Object.fromEntries(other) }),
  };
  return { action: verb, person, course: { peer: peer.replace(/\/$/, ""), course } };
}

/** Text without its BOM. What is no UTF-8 would be damaged names. */
async function* decoded(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let isFirst = true;
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch {
      throw invalid("The CSV is not in UTF-8; export it as UTF-8.");
    }
  };
  for await (const chunk of source) {
    const text = typeof chunk === "string" ? chunk : decode(chunk);
    if (text === "") continue;
    yield isFirst ? text.replace(/^\ufeff/, "") : text;
    isFirst = false;
  }
  yield decode();
}

/** The text up to the first line's end, and then all of it. */
async function firstLine(
  source: AsyncGenerator<string>,
): Promise<readonly [head: string, chunks: AsyncIterable<string>]> {
  let text = "";
  while (!/[^\r\n][\r\n]/.test(text) && text.length < LONGEST_HEADER) {
    const next = await source.next();
    if (next.done === true) break;
    text += next.value;
  }
  const chunks = async function* (): AsyncGenerator<string> {
    if (text !== "") yield text;
    yield* source;
  };
  const head = /[^\r\n]+/.exec(text)?.[0] ?? "";
  return [head, chunks()];
}

const invalid = (message: string, row?: number): EnrolmentError =>
  new EnrolmentError("MNET_ENROLMENT_CSV_INVALID", message, { row });
