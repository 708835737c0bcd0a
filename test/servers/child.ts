// One process of several on one database. Says "ready", waits for a line on its standard input, acts, and writes what came of it.
import { once } from "node:events";
import { createClient } from "redis";
import { StoreError } from "../../src/core/errors.ts";
import type { PeerId } from "../../src/core/ids.ts";
import type { ReplayStore } from "../../src/peer/replay-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { redisReplay } from "../../src/stores/redis/redis-replay.ts";
import { inParallel, raceToken } from "./race-tokens.ts";

const [action = "", url = "", argument = ""] = process.argv.slice(2);
const count = Number(argument);
const NOW = 1000;

const go = once(process.stdin, "data");
say("ready");
await go;

switch (action) {
  case "redeem": {
    // Offers every token, and says which of them it has redeemed.
    const store = openStore(url, { maxConnections: 4 });
    await store.open();
    const redeemed: number[] = [];
    const by = { peer: 1 as PeerId, userAgentHash: "agent" };
    await inParallel(count, 8, async (number) => {
      const { outcome } = await untilDone(() =>
        store.tokens.redeem(raceToken(number).hash, by, { uses: 0, withinMs: 0 }, NOW),
      );
      if (outcome === "redeemed") redeemed.push(number);
      else if (outcome !== "used") throw new Error(`Token ${number} is ${outcome}.`);
    });
    await store.close();
    say(redeemed);
    break;
  }
  case "remember": {
    const store = openStore(url, { maxConnections: 4 });
    await store.open();
    const first = await remembering(store.replay);
    await store.close();
    say(first);
    break;
  }
  case "remember-in-redis": {
    const client = createClient({ url });
    await client.connect();
    const first = await remembering(redisReplay(client));
    client.destroy();
    say(first);
    break;
  }
  default:
    throw new Error("No such action.");
}
process.exit();

/** Offers every message, of three peers, and says with which of them it was the first. */
async function remembering(replay: ReplayStore): Promise<readonly number[]> {
  const first: number[] = [];
  const limits = { until: NOW + 1, maxEntries: 1_000_000 };
  await inParallel(count, 32, async (number) => {
    const peer = (1 + (number % 3)) as PeerId;
    const { seen } = await untilDone(() => replay.remember(peer, `${number}`, limits, NOW));
    if (seen === "first") first.push(number);
  });
  return first;
}

/** SQLite has one lock and no queue: who is never in time hears that it may try again. Nothing was done then. */
async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(url.includes("sqlite:") && error instanceof StoreError && error.retryable)) throw error;
    }
  }
}

function say(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
