import { parentPort } from "node:worker_threads";
import { RsaOfCall } from "../support/rsa-of-call.ts";

const rsa = new RsaOfCall();
parentPort?.on("message", (calls: number) => {
  for (let n = 0; n < calls; n += 1) rsa.oneSide();
  parentPort?.postMessage("done");
});
parentPort?.postMessage("ready");
