import { ConfigError, StoreError } from "../../core/errors.ts";
import type { ReplayStore } from "../../peer/replay-store.ts";
import { PRUNE, REMEMBER, type RedisScript } from "./scripts.ts";

/** A connected client of the package `redis`, or of `ioredis`. */
export type RedisClient =
  | {
      /** As a client of `redis` has it. */
      sendCommand(args: string[]): Promise<unknown>;
    }
  | {
      /** As a client of `ioredis` has it. */
      call(command: string, ...args: string[]): Promise<unknown>;
    };

/** What can be said about a replay memory in Redis. */
export interface RedisReplayOptions {
  /** What the names of its keys begin with. Default `mnet:`; sites that share a Redis have one each. */
  readonly prefix?: string | undefined;
}

const ANSWER_TIMEOUT_MS = 5000;
/** Beyond the time of the newest message, because the clocks of a host and of Redis differ. */
const KEPT_LONGER_MS = 3_600_000;
const PEERS_AT_ONCE = 100;
const MESSAGES_AT_ONCE = 200;

/**
 * Replay memory for many processes, in place of the store's: `createHost({ replay: redisReplay(client) })`.
 * The client is the application's: connected before, closed after the host. It must reach one Redis (6 or later), with
 * replicas or without; a cluster is not one.
 *
 * Redis has to keep what it is told: `maxmemory-policy noeviction`, and `appendonly yes`, or a restart forgets messages
 * that can then be taken once more.
 *
 * Throws `MNET_CONFIG_INVALID`. Its methods throw `MNET_STORE_UNAVAILABLE`, also where no answer comes for five seconds.
 *
 * @example
 * const client = await createClient({ url: "redis://cache.example.edu" }).connect();
 * const host = await createHost({ wwwroot, name, store, replay: redisReplay(client) });
 */
export function redisReplay(client: RedisClient, { prefix = "mnet:" }: RedisReplayOptions = {}): ReplayStore {
  const command = commandOf(client);
  const keysOf = (peer: string): readonly string[] => [
    `${prefix}replay:${peer}:until`,
    `${prefix}replay:${peer}:age`,
    `${prefix}replay:${peer}:newest`,
    `${prefix}replay`,
  ];

  async function run(script: RedisScript, peer: string, ...args: readonly string[]): Promise<unknown> {
    const keys = keysOf(peer);
    const rest = [String(keys.length), ...keys, peer, ...args];
    try {
      return await command("EVALSHA", script.sha1, ...rest);
    } catch (error) {
      // Redis forgets programs when it is restarted.
      if (!isMissingScript(error)) throw error;
      return command("EVAL", script.text, ...rest);
    }
  }

  return {
    async remember(peer, key, { until, maxEntries }, now) {
      const numbers = [until, maxEntries, now, until - now + KEPT_LONGER_MS].map(String);
      const [isFirst, evicted] = (await run(REMEMBER, String(peer), key, ...numbers)) as [unknown, unknown];
      return { seen: Number(isFirst) === 1 ? "first" : "again", evicted: Number(evicted) };
    },
    async prune(now, limit) {
      let removed = 0;
      while (removed < limit) {
        const found = ["ZRANGEBYSCORE", `${prefix}replay`, "-inf", String(now), "LIMIT", "0", String(PEERS_AT_ONCE)];
        const [name = "", ...args] = found;
        const peers = ((await command(name, ...args)) as unknown[]).map(String);
        if (peers.length === 0) break;
        for (const peer of peers) {
          if (removed >= limit) break;
          removed += Number(await run(PRUNE, peer, String(now), String(Math.min(limit - removed, MESSAGES_AT_ONCE))));
        }
      }
      return removed;
    },
  };
}

type Command = (name: string, ...args: readonly string[]) => Promise<unknown>;

/** One way to send commands. `ioredis` has a `sendCommand` too, which wants something else. */
function commandOf(client: unknown): Command {
  const { call, sendCommand } = (client ?? {}) as { readonly call?: unknown; readonly sendCommand?: unknown };
  if (typeof call === "function") {
    const send = call.bind(client) as Command;
    return (name, ...args) => answered(() => send(name, ...args));
  }
  if (typeof sendCommand === "function") {
    const send = sendCommand.bind(client) as (args: readonly string[]) => Promise<unknown>;
    return (name, ...args) => answered(() => send([name, ...args]));
  }
  throw new ConfigError("MNET_CONFIG_INVALID", "This is no client of redis or ioredis.", { option: "client" });
}

/** Clients wait for a server that is away as long as it takes; whoever calls us does not. */
async function answered(send: () => Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new StoreError("MNET_STORE_UNAVAILABLE", "Redis does not answer.", { retryable: true }));
    }, ANSWER_TIMEOUT_MS);
  });
  try {
    return await Promise.race([send(), late]);
  } catch (error) {
    throw isMissingScript(error) ? error : redisError(error);
  } finally {
    clearTimeout(timer);
  }
}

const isMissingScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT");

/** By the first word of what Redis says. */
const REASONS: { readonly [word: string]: { readonly text: string; readonly retryable?: boolean } } = {
  NOAUTH: { text: "wants a password" },
  WRONGPASS: { text: "refuses this user or password" },
  NOPERM: { text: "does not let this user do that" },
  READONLY: { text: "is read-only: a replica", retryable: true },
  OOM: { text: "is full: it has used its maxmemory" },
  MISCONF: { text: "cannot write to its disk" },
  LOADING: { text: "is starting", retryable: true },
  MASTERDOWN: { text: "has lost its master", retryable: true },
  BUSY: { text: "is busy with somebody's program", retryable: true },
  CROSSSLOT: { text: "is a cluster, which cannot be used" },
  MOVED: { text: "is a cluster, which cannot be used" },
  WRONGTYPE: { text: "has something else where our keys are; use another prefix" },
};

function redisError(thrown: unknown): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // In a program, the word may come after some of Redis' own.
  const word = Object.keys(REASONS).find((one) => new RegExp(`(^|[ -])${one} `).test(message));
  // Whatever is no answer of Redis is about the connection.
  const { text, retryable = false } = (word === undefined ? undefined : REASONS[word]) ?? {
    text: "cannot be reached",
    retryable: true,
  };
  return new StoreError("MNET_STORE_UNAVAILABLE", `Redis ${text}.`, { retryable, cause: new Error(message) });
}
