import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import type { CliIo } from "./cli-io.ts";
import { demoCommand } from "./demo/demo-command.ts";
import { describeError } from "./describe-error.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { inspectCommand } from "./inspect/inspect-command.ts";
import { accessCommand } from "./site/access-command.ts";
import { coursesCommand, enrolCommand, enrolmentsCommand, unenrolCommand } from "./site/enrolment-commands.ts";
import { callCommand } from "./site/call-command.ts";
import { exportCommand } from "./site/export-command.ts";
import { importCommand } from "./site/import-command.ts";
import { importMoodleCommand } from "./site/import-moodle-command.ts";
import { keysCommand } from "./site/keys-command.ts";
import { logCommand } from "./site/log-command.ts";
import { maintainCommand } from "./site/maintain-command.ts";
import { migrateCommand } from "./site/migrate-command.ts";
import { peersCommand } from "./site/peers-command.ts";
import { servicesCommand } from "./site/services-command.ts";
import { sessionsCommand } from "./site/sessions-command.ts";
import { statsCommand } from "./site/stats-command.ts";
import { syncCommand } from "./site/sync-command.ts";
import { UsageError } from "./usage-error.ts";

const EPILOGUE = `
Exit codes: 0 all is well, 1 something failed, 2 the command was not understood.
Environment: NO_COLOR=1 no colours, MNET_DEBUG=1 stacks of errors.`;

/**
 * Runs the command line. Throws nothing: what fails is said on `io.stderr`.
 *
 * @param argv what the person typed after `mnet`.
 * @returns the exit code.
 */
export async function run(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const program = new Command("mnet")
    .description("Makes a Node.js application a member of a Moodle Network (MNet), and looks into what members say.")
    .version(versionOfPackage(), "-V, --version", "Show the version.")
    .helpOption("-h, --help", "Show help.")
    .helpCommand("help [command]", "Show help for a command.")
    .addHelpText("after", EPILOGUE)
    .showHelpAfterError("(mnet --help tells more)")
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    })
    .exitOverride();
  const finish = (code: ExitCode): void => {
    exitCode = code;
  };
  const commands = [
    demoCommand,
    inspectCommand,
    peersCommand,
    servicesCommand,
    accessCommand,
    sessionsCommand,
    keysCommand,
    coursesCommand,
    enrolmentsCommand,
    enrolCommand,
    unenrolCommand,
    syncCommand,
    callCommand,
    logCommand,
    statsCommand,
    maintainCommand,
    exportCommand,
    importCommand,
    importMoodleCommand,
    migrateCommand,
  ];
  for (const make of commands) {
    // Added rather than made by the program, so the settings have to be handed down.
    const command = make(io, finish).copyInheritedSettings(program);
    for (const inner of command.commands) inner.copyInheritedSettings(command);
    program.addCommand(command);
  }

  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has said what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    io.stderr.write(describeError(error, io.env));
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

/** The manifest lies two folders above this file, in the sources and in what is published. */
function versionOfPackage(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
