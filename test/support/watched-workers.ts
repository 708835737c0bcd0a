import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, vi } from "vitest";

// Threads run what stands in `src`.
process.execArgv.push("--import", new URL("./typescript.mjs", import.meta.url).href);

/** What each test's threads did. Call it once in a file, at its top. */
export interface WatchedWorkers {
  /** Those that were sent something, in order. */
  readonly workers: ReadonlySet<Worker>;
  /** What they were sent. */
  readonly messages: readonly { readonly worker: Worker; readonly message: unknown }[];
  /** Of the process. */
  readonly warnings: readonly string[];
}

/** @param close ends what a test has started. */
export function watchWorkers(close: () => Promise<unknown>): WatchedWorkers {
  const workers = new Set<Worker>();
  const messages: { worker: Worker; message: unknown }[] = [];
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.message);
  beforeEach(() => {
    // eslint-disable-next-line @typescript-eslint/unbound-method
    const { postMessage } = Worker.prototype;
    vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker, ...message) {
      workers.add(this);
      messages.push({ worker: this, message: message[0] });
      postMessage.apply(this, message);
    });
    process.on("warning", onWarning);
  });
  afterEach(async () => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    await close();
    await new Promise(setImmediate);
    process.off("warning", onWarning);
    workers.clear();
    messages.length = 0;
    warnings.length = 0;
  });
  return { workers, messages, warnings };
}
