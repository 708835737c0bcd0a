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
  case "remember": {
    // Numbers as keys; says which of them it was the first with.
    await store.open();
    const first: number[] = [];
    for (let key = 0; key < Number(argument); key += 1) {
      const { seen } = await store.replay.remember(1 as PeerId, `${key}`, { until: 9, maxEntries: 1000 }, 1);
      if (seen === "first") first.push(key);
    }
    say(first);
    break;
  }
  case "remember-and-wait":
    await store.open();
    say(await store.replay.remember(1 as PeerId, argument, { until: 9, maxEntries: 9 }, 1));
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    break;
  case "count":
    for (let turn = 0; turn < 100; turn += 1) {
      await store.stats.add(1 as PeerId, {
        callsIn: 1,
        callsOut: 2,
        secureCalls: 5,
        bytesIn: 3,
        bytesOut: 4,
        faultsByCode: { [argument]: 1, 7: 1 },
        latencies: [0, 1],
      });
    }
    say("counted");
    break;
  case "redeem": {
    // Half of the calls are of the peer that the token is for. Says how many were answered, by peer.
    await store.open();
    const [calls = 0, uses = 0, withinMs = 0] = argument.split(",").map(Number);
    const redeemed = { 1: 0, 2: 0 };
    await Promise.all(
      Array.from({ length: calls }, async (_, index) => {
        const peer = index % 2 === 0 ? 1 : 2;
        const by = { peer: peer as PeerId, userAgentHash: "agent" };
        const { outcome } = await store.tokens.redeem("hash", by, { uses, withinMs }, 1 + index);
        if (outcome === "redeemed") redeemed[peer] += 1;
      }),
    );
    say(redeemed);
    break;
  }
  case "claim": {
    // One job at a time, until none is left; says which.
    await store.open();
    const claimed: string[] = [];
    for (;;) {
      const [job] = await store.outbox.claim("kill", 1, 9, 1);
      if (!job) break;
      claimed.push(job.id);
    }
    say(claimed);
    break;
  }
  case "take": {
    await store.open();
    say((await store.sessions.take({ username: argument })).map(({ sessionId }) => sessionId));
    break;
  }
  case "issue-and-wait":
    await store.open();
    await store.tokens.issue({
      hash: "hash",
      peer: 1 as PeerId,
      accountId: "account",
      sessionId: "session",
      userAgentHash: "agent",
      expiresAt: 9,
    });
    say("issued");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    break;
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
