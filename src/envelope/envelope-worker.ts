import { MessageChannel, parentPort } from "node:worker_threads";
import { FUNCTIONS, pack, unpack, type Outcome, type FunctionCall } from "./thread-messages.ts";

// The thread of envelope-thread.ts.

/** A closed port. Memory that is sent there is free at once; the garbage collector may take its time. */
const { port1: nowhere } = new MessageChannel();
nowhere.close();

function perform(name: FunctionCall["name"], args: readonly unknown[]): Outcome {
  const work: (...args: never[]) => unknown = FUNCTIONS[name];
  try {
    return { result: work(...(args as never[])) };
  } catch (thrown) {
    return { thrown };
  }
}

parentPort?.on("message", ({ name, args: packed }: FunctionCall) => {
  const args = unpack(packed) as readonly unknown[];
  const { value, memory } = pack(perform(name, args), "memory");
  parentPort?.postMessage(value, memory);
  for (const arg of args) {
    // What has gone back with the outcome has no bytes any more.
    if (arg instanceof Uint8Array && arg.length > 0) nowhere.postMessage(undefined, [arg.buffer as ArrayBuffer]);
  }
});
parentPort?.on("messageerror", (error) => {
  throw error;
});
parentPort?.postMessage("ready");
