import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, expect, test } from "vitest";
import type { PeerId } from "../../src/core/ids.ts";
import type { ReplayStore } from "../../src/peer/replay-store.ts";
import { redisReplay, type RedisClient } from "../../src/stores/redis/redis-replay.ts";
import { replayContract } from "../../src/testing/replay-contract.ts";
import { startServer } from "../support/database-servers.ts";
import { onEngines } from "./engines.ts";

const ONE = 1 as PeerId;
const limits = (until: number, maxEntries = 9): Parameters<ReplayStore["remember"]>[2] => ({ until, maxEntries });

for (const [name, connect] of [
  ["redis", connectRedis],
  ["ioredis", connectIoRedis],
] as const) {
  onEngines(`replay contract, by ${name}`, ["redis"], (engine) => {
    const closing: (() => void)[] = [];
    afterAll(() => {
      for (const close of closing) close();
    });
    let clients: Promise<readonly [RedisClient, RedisClient]> | undefined;
    let turn = 0;
    const open = async (): Promise<readonly [RedisClient, RedisClient]> => {
      const url = await engine.database();
      const [one, other] = await Promise.all([connect(url), connect(url)]);
      closing.push(one.close, other.close);
      return [one.client, other.client];
    };
    const cases = replayContract(async (place) => {
      const [one, other] = await (clients ??= open());
      turn += 1;
      return redisReplay(turn % 2 === 0 ? one : other, { prefix: `${place}:` });
    });
    for (const { name: title, run } of cases) test(title, run);
  });
}

onEngines("replay in Redis", ["redis"], () => {
  test("what nobody prunes goes by itself", async () => {
    const server = await startServer("redis");
    const { client, close } = await connectRedis(await server.database(""));
    try {
      const replay = redisReplay(client);
      await replay.remember(ONE, "a", limits(60_000), 0);
      await replay.remember(ONE, "b", limits(5000), 0);
      const keys = await client.sendCommand<string[]>(["KEYS", "*"]);
      expect(keys.sort()).toEqual([
        "mnet:replay",
        ...["age", "newest", "until"].map((part) => `mnet:replay:1:${part}`),
      ]);
      for (const key of keys.slice(1)) {
        const ttl = Number(await client.sendCommand(["PTTL", key]));
        expect(ttl).toBeGreaterThan(60_000);
        expect(ttl).toBeLessThanOrEqual(60_000 + 3_600_000);
      }
      expect(await replay.prune(60_000, 9)).toBe(2);
      expect(await client.sendCommand(["ZCARD", "mnet:replay"])).toBe(0);
    } finally {
      close();
      await server.remove();
    }
  });

  test("a bound that falls far is reached bit by bit, the oldest first", async () => {
    const server = await startServer("redis");
    const { client, close } = await connectRedis(await server.database(""));
    try {
      const replay = redisReplay(client);
      await Promise.all(Array.from({ length: 2500 }, (_, n) => replay.remember(ONE, `${n}`, limits(9, 1e6), 1)));
      expect((await replay.remember(ONE, "x", limits(9, 10), 1)).evicted).toBe(1000);
      expect((await replay.remember(ONE, "y", limits(9, 10), 1)).evicted).toBe(1000);
      expect((await replay.remember(ONE, "z", limits(9, 10), 1)).evicted).toBe(493);
      expect((await replay.remember(ONE, "2499", limits(9, 10), 1)).seen).toBe("again");
    } finally {
      close();
      await server.remove();
    }
  });

  test("away, full, read-only or with another type in the way: a store error that says so", async () => {
    const server = await startServer("redis");
    const { client, close } = await connectRedis(await server.database(""));
    const replay = redisReplay(client);
    try {
      await replay.remember(ONE, "a", limits(9), 1);
      await server.administer("", "CONFIG SET maxmemory 1");
      await expect(replay.remember(ONE, "b", limits(9), 1)).rejects.toMatchObject({
        code: "MNET_STORE_UNAVAILABLE",
        message: expect.stringContaining("full") as string,
        retryable: false,
      });
      await server.administer("", "CONFIG SET maxmemory 0", "REPLICAOF 127.0.0.1 1");
      await expect(replay.remember(ONE, "b", limits(9), 1)).rejects.toMatchObject({
        message: expect.stringContaining("read-only") as string,
        retryable: true,
      });
      await server.administer("", "REPLICAOF NO ONE", "SET mnet:replay:2:until x", "SCRIPT FLUSH");
      await expect(replay.remember(2 as PeerId, "b", limits(9), 1)).rejects.toMatchObject({
        message: expect.stringContaining("another prefix") as string,
      });
      await server.crash();
      await expect(replay.remember(ONE, "b", limits(9), 1)).rejects.toMatchObject({
        code: "MNET_STORE_UNAVAILABLE",
        retryable: true,
      });
      await server.restart();
      // It was told to keep what it knows.
      await expect
        .poll(() => replay.remember(ONE, "a", limits(9), 1).catch(String), { timeout: 10_000 })
        .toEqual({ seen: "again", evicted: 0 });
    } finally {
      close();
      await server.remove();
    }
  });

  test("a Redis that hangs does not hold up a call for longer than five seconds", async () => {
    const server = await startServer("redis");
    const { client, close } = await connectIoRedis(await server.database(""));
    try {
      server.signal("SIGSTOP");
      const started = performance.now();
      await expect(redisReplay(client).remember(ONE, "a", limits(9), 1)).rejects.toMatchObject({
        message: "Redis does not answer.",
        retryable: true,
      });
      expect(performance.now() - started).toBeLessThan(10_000);
    } finally {
      server.signal("SIGCONT");
      close();
      await server.remove();
    }
  });

  test("what is no client is refused", () => {
    for (const client of [undefined, null, {}, { call: 1 }, "redis://127.0.0.1"]) {
      expect(() => redisReplay(client as never)).toThrow(expect.objectContaining({ code: "MNET_CONFIG_INVALID" }));
    }
  });
});

async function connectRedis(url: string) {
  const client = createClient({ url });
  client.on("error", () => undefined);
  await client.connect();
  return { client, close: () => client.destroy() };
}

async function connectIoRedis(url: string) {
  const client = new Redis(url);
  client.on("error", () => undefined);
  return { client, close: () => client.disconnect() };
}
