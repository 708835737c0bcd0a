import { Worker, type WorkerOptions } from "node:worker_threads";

/** In the build programs are JavaScript; in the sources as they are, TypeScript. */
const isBuilt = import.meta.url.endsWith(".js");

/** Of the program's own options, threads get the modules that are loaded first: one of them may load TypeScript. */
const loaders = (): string[] =>
  process.execArgv.flatMap((option, at, options) => (option === "--import" ? [option, options[at + 1] ?? ""] : []));

/** Whether threads can be started: not where Node forbids it, and from the sources only where TypeScript is read. */
export const canStartThreads = (): boolean =>
  (isBuilt || loaders().length > 0 || "typescript" in process.features) && isPermitted();

/** `process.permission` is there only if Node was told to ask it. */
function isPermitted(): boolean {
  const { permission } = process as { readonly permission?: NodeJS.ProcessPermission };
  return permission?.has("worker") ?? true;
}

/**
 * Starts a thread that does not keep the process alive.
 *
 * @param program its file, without `.js` or `.ts`.
 * @param onEnd called once when it has ended, by itself or not.
 */
export function startThread(program: URL, options: WorkerOptions, onEnd: (reason: Error) => void): Worker {
  const thread = new Worker(new URL(program.href + (isBuilt ? ".js" : ".ts")), {
    execArgv: isBuilt ? [] : loaders(),
    ...options,
  });
  thread.unref();
  let reason: Error | undefined;
  thread.on("error", (error) => (reason = error));
  thread.on("exit", (code) => onEnd(reason ?? new Error(`The thread ended with code ${code}.`)));
  return thread;
}
