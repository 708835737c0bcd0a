// One process of several on one file. Says "ready", waits for a line on its standard input, acts, and writes what came of it.
import { once } from "node:events";
import type { Fingerprint, PeerId } from "../../src/core/ids.ts";
import { openStore } from "../../src/stores/open-store.ts";

const [action, file = "", argument = ""] = process.argv.slice(2);
const store = openStore(`sqlite:${file}`);
const fingerprint = argument as Fingerprint;

const go = once(process.stdin, "data");
say("ready");
await go;

switch (action) {
  case "open":
    await store.open();
    say(await store.pendingMigrations());
    break;
  case "migrate":
    say((await store.migrate()).applied);
    break;
  case "promote":
    say(await store.keys.promote(fingerprint, undefined, 0));
    break;
  case "rename": {
    // Adds its mark to a peer many times, each time from what it last read.
    let lost = 0;
    for (let turn = 0; turn < 20;) {
      const peer = await store.peers.find(1 as PeerId);
      if (peer && (await store.peers.update({ ...peer, name: peer.name + argument }))) turn += 1;
      else lost += 1;
    }
    say(lost);
    break;
  }
  case "prepare":
    await store.open();
    await store.keys.prepare({
      fingerprint,
      certificate: "certificate",
      privateKey: Uint8Array.of(1, 2, 3),
      state: "prepared",
      createdAt: 1,
    });
    say("prepared");
    // Until somebody kills it.
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    break;
  default:
    throw new Error("No such action.");
}
await store.close();
process.exit();

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
