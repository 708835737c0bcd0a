import type { KeyObject } from "node:crypto";
import { perform, type PrivateOperation } from "../../src/crypto/private-operation.ts";

const keys = new Map<number, KeyObject>();

/** One private operation, as a task of Piscina. A key comes with the first task that needs it. */
export default function run(task: {
  readonly kind: PrivateOperation["kind"];
  readonly data: Uint8Array;
  readonly number: number;
  readonly key?: KeyObject;
}): Uint8Array {
  if (task.key) keys.set(task.number, task.key);
  const key = keys.get(task.number);
  if (!key) throw new Error(`There is no key ${task.number}.`);
  return perform({ kind: task.kind, key, data: task.data });
}
