import { createWriteStream } from "node:fs";
import process from "node:process";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import type { MoodleDatabase } from "../../moving/moodle/moodle-database.ts";
import { importMoodle, moodleUsers, previewMoodle, type MoodleImport } from "../../moving/moodle/import-moodle.ts";
import { openMoodleDatabase } from "../../moving/moodle/open-moodle-database.ts";
import type { CliIo } from "../cli-io.ts";
import { printable } from "../printable.ts";
import { UsageError } from "../usage-error.ts";
import {
  encryptionOf,
  withKeyOptions,
  withStoreOptions,
  openSiteStore,
  type KeyFileOptions,
  type StoreOptions,
} from "./open-site.ts";
import { showFields } from "./show.ts";

type Options = StoreOptions &
  KeyFileOptions & {
    readonly prefix: string;
    readonly wwwroot?: string;
    readonly users?: string;
    readonly dryRun?: boolean;
    readonly json?: boolean;
  };

/** `mnet import-moodle DATABASE-URL`: takes a Moodle's place in its network. */
export function importMoodleCommand(io: CliIo): Command {
  return withKeyOptions(withStoreOptions(new Command("import-moodle")))
    .description("Take a Moodle's place: its keys, peers, boxes and rules out of its database, into an empty store.")
    .argument("[url]", "mysql://… or postgres://… of the Moodle's database (or: MOODLE_DATABASE)")
    .option("--prefix <prefix>", "$CFG->prefix of the Moodle", "mdl_")
    .option("--wwwroot <url>", "refuse a Moodle with another one")
    .option("--users <file>", "write the users of other sites there, as JSON lines, for the application")
    .option("--dry-run", "read everything, write nothing")
    .option("--json", "for programs")
    .action(async (given: string | undefined, options: Options) => {
      const url = given ?? process.env["MOODLE_DATABASE"];
      if (!url) throw new UsageError("Give the URL of the Moodle's database, or set MOODLE_DATABASE.");
      const database = openMoodleDatabase(url, { prefix: options.prefix });
      try {
        const report = await takeOver(database, options);
        if (options.users !== undefined && !options.dryRun) {
          await pipeline(userLines(database), createWriteStream(options.users, { flags: "wx", mode: 0o600 }));
        }
        show(io, options, report);
      } finally {
        await database.close();
      }
    });
}

async function takeOver(database: MoodleDatabase, options: Options): Promise<MoodleImport> {
  const importOptions = { wwwroot: options.wwwroot, keys: encryptionOf(options) };
  if (options.dryRun) return previewMoodle(database, importOptions);
  const store = openSiteStore(options);
  try {
    return await importMoodle(store, database, importOptions);
  } finally {
    await store.close();
  }
}

async function* userLines(database: MoodleDatabase): AsyncGenerator<string, void, undefined> {
  for await (const user of moodleUsers(database)) yield `${JSON.stringify(user)}\n`;
}

function show(io: CliIo, { json, dryRun }: Options, report: MoodleImport): void {
  if (json) {
    showFields(io, true, { ...report });
    return;
  }
  const { wwwroot, release, imported, host, warnings } = report;
  const { keys, peers, accessRules } = imported;
  showFields(io, false, { wwwroot, release, keys, peers, "rules for users": accessRules, createHost: host });
  for (const warning of warnings) {
    io.stdout.write(`warning: ${printable(warning.host)}: ${printable(warning.message, 500)}\n`);
  }
  io.stdout.write(
    dryRun
      ? "Nothing was written.\n"
      : "Start the host at the same wwwroot, in place of the Moodle. Then make a new key: mnet keys rotate\n",
  );
}
