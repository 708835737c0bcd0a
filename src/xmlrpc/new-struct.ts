import type { XmlRpcValue } from "./value.ts";

/**
 * A struct to be filled: without a prototype, so that `__proto__` is a name like any other (SEC-020).
 *
 * `Object.create(null)` would give a hash table, which takes five times the memory and longer to fill and to read.
 */
export const newStruct = (): Record<string, XmlRpcValue> =>
  Object.setPrototypeOf({}, null) as Record<string, XmlRpcValue>;
