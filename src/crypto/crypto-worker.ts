import type { KeyObject } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { packResults, unpackOperations } from "./batch.ts";
import { perform } from "./private-operation.ts";

// One of the threads of crypto-pool.ts. It is sent operations, some at once, because sending a message costs as much as a
// tenth of one; and before those, which keys they need.

/** Which keys a thread has from now on. */
export interface KeyChange {
  readonly added: readonly (readonly [number, KeyObject])[];
  readonly dropped: readonly number[];
}

const keys = new Map<number, KeyObject>();

function change({ added, dropped }: KeyChange): void {
  for (const [number, key] of added) keys.set(number, key);
  for (const number of dropped) keys.delete(number);
}

function work(operations: Uint8Array): Uint8Array {
  const results = unpackOperations(operations).map(({ kind, key: number, data }) => {
    const key = keys.get(number);
    try {
      return key && perform({ kind, key, data });
    } catch {
      return undefined;
    }
  });
  return packResults(results);
}

parentPort?.on("message", (message: Uint8Array | KeyChange) => {
  if (message instanceof Uint8Array) parentPort?.postMessage(work(message));
  else change(message);
});
parentPort?.postMessage("ready");
