import type { KeyObject } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { perform, type PrivateOperation } from "./private-operation.ts";

// One of the threads of crypto-pool.ts.

/** Some operations at once: sending a message costs as much as a tenth of one. */
export interface Batch {
  readonly operations: readonly {
    readonly kind: PrivateOperation["kind"];
    /** Number of the key. */
    readonly key: number;
    /** Length of its data, which stand one after the other in `data`. */
    readonly length: number;
  }[];
  readonly data: Uint8Array;
  /** Keys that the thread does not have yet. */
  readonly newKeys: readonly (readonly [number, KeyObject])[];
  /** Keys that are not used any more. */
  readonly oldKeys: readonly number[];
}

/** What became of a batch: the lengths of the results, in order, -1 for one that failed, and the results one after the other. */
export interface BatchResult {
  readonly lengths: readonly number[];
  readonly data: Uint8Array;
}

const keys = new Map<number, KeyObject>();

function work({ operations, data, newKeys, oldKeys }: Batch): BatchResult {
  for (const [number, key] of newKeys) keys.set(number, key);
  for (const number of oldKeys) keys.delete(number);
  let at = 0;
  const results = operations.map(({ kind, key: number, length }) => {
    const key = keys.get(number);
    const input = data.subarray(at, (at += length));
    try {
      return key && perform({ kind, key, data: input });
    } catch {
      return undefined;
    }
  });
  // A copy of its own: a slice of Node's pool of buffers would take the whole pool along.
  const joined = new Uint8Array(results.reduce((sum, result) => sum + (result?.length ?? 0), 0));
  let end = 0;
  for (const result of results) {
    if (!result) continue;
    joined.set(result, end);
    end += result.length;
  }
  return { lengths: results.map((result) => result?.length ?? -1), data: joined };
}

parentPort?.on("message", (batch: Batch) => {
  parentPort?.postMessage(work(batch));
});
parentPort?.postMessage("ready");
