import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import type { ExitCode } from "../exit-code.ts";
export function demoCommand(_io: CliIo, _finish: (code: ExitCode) => void): Command { return new Command("demo"); }
