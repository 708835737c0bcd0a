#!/usr/bin/env node
import process from "node:process";
import { run } from "./run.ts";

// A reader that has seen enough, such as `head`, closes the pipe; that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  interruption() {
    const controller = new AbortController();
    const stop = (): void => {
      controller.abort();
    };
    // Once: a second Ctrl-C ends the process at once.
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
    return controller.signal;
  },
});
