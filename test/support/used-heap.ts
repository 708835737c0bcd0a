import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that are really in use. */
export function usedHeap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
