import { describe, expect, test } from "vitest";
import type { PeerId } from "../../src/core/ids.ts";
import type { Store } from "../../src/host/store.ts";
import type { ReplayStore } from "../../src/peer/replay-store.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { memoryReplayStore } from "../../src/stores/memory/replay-store.ts";
import { replayContract } from "../../src/testing/replay-contract.ts";
import { storeContract } from "../../src/testing/store-contract.ts";

type Remember = ReplayStore["remember"];

/** Runs the contract over memory with a fault; returns the names of the cases that fail. */
async function failing(spoil: (replay: ReplayStore) => Partial<ReplayStore>): Promise<readonly string[]> {
  const places = new Map<string, ReplayStore>();
  return failed(
    replayContract(async (place) => {
      const sound = places.get(place) ?? memoryReplayStore();
      places.set(place, sound);
      return { ...sound, ...spoil(sound) };
    }),
  );
}

/** The same for a whole store. */
async function failingStore(spoil: (store: Store) => Partial<Store>): Promise<readonly string[]> {
  const places = new Map<string, Store>();
  return failed(
    storeContract(async (place) => {
      const sound = places.get(place) ?? memoryStore();
      places.set(place, sound);
      return { ...sound, ...spoil(sound) };
    }),
  );
}

async function failed(cases: ReturnType<typeof replayContract>): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { name, run } of cases) await run().catch(() => names.push(name));
  return names;
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the contract of replay stores", () => {
  test("passes a sound one, and is part of that of stores", async () => {
    expect(await failing(() => ({}))).toEqual([]);
    const never = (): Promise<never> => Promise.reject(new Error("not called"));
    const names = storeContract(never).map(({ name }) => name);
    for (const { name } of replayContract(never)) expect(names).toContain(name);
  });

  test("passes one that forgets by itself", async () => {
    expect(
      await failing((replay) => ({
        async remember(...given) {
          await replay.prune(given[3], Infinity);
          return replay.remember(...given);
        },
        prune: async (now) => {
          await replay.prune(now, Infinity);
          return 0;
        },
      })),
    ).toEqual([]);
  });

  test.each<[string, string, (remember: Remember) => Remember]>([
    [
      "a key that is looked up and added in two steps",
      "SEC-033 replay: of many who remember one key at once, one is first",
      (remember) => {
        const seen = new Set<string>();
        return async (peer, key, limits, now) => {
          const isKnown = seen.has(`${peer} ${key}`);
          await pause();
          seen.add(`${peer} ${key}`);
          return { ...(await remember(peer, key, limits, now)), seen: isKnown ? "again" : "first" };
        };
      },
    ],
    [
      "one memory for all peers",
      "SEC-033 replay: one key of two peers is two",
      (remember) =>
        (_peer, ...rest) =>
          remember(1 as PeerId, ...rest),
    ],
    [
      "an entry that stays a moment too long",
      "SEC-033 replay: a key is forgotten at exactly its time, and can be first again",
      (remember) => (peer, key, limits, now) => remember(peer, key, { ...limits, until: limits.until + 1 }, now),
    ],
    [
      "no bound",
      "SEC-084 replay: of too many the oldest go, and are counted",
      (remember) => (peer, key, limits, now) => remember(peer, key, { ...limits, maxEntries: 1e9 }, now),
    ],
    [
      "a bound for all peers together",
      "SEC-084 replay: what one peer fills leaves the others alone",
      (remember) => (peer, key, limits, now) => remember(1 as PeerId, `${peer} ${key}`, limits, now),
    ],
    [
      "keys in which case does not count",
      "SEC-033 replay: keys are compared byte by byte",
      (remember) =>
        (peer, key, ...rest) =>
          remember(peer, key.toLowerCase(), ...rest),
    ],
    [
      "keys whose spaces at the end do not count",
      "SEC-033 replay: keys are compared byte by byte",
      (remember) =>
        (peer, key, ...rest) =>
          remember(peer, key.trimEnd(), ...rest),
    ],
  ])("finds %s", async (_what, name, spoil) => {
    expect(await failing((replay) => ({ remember: spoil((...given) => replay.remember(...given)) }))).toContain(name);
  });

  test("finds a prune without a bound, and one that takes too much", async () => {
    const name = "SEC-084 replay: prune removes what is forgotten and nothing else, at most so many at once";
    expect(await failing((replay) => ({ prune: (now) => replay.prune(now, Infinity) }))).toContain(name);
    expect(await failing((replay) => ({ prune: (now, limit) => replay.prune(now + 1, limit) }))).toContain(name);
  });
});

describe("the contract of stores", () => {
  test("finds additions that are lost", async () => {
    const names = await failingStore(() => {
      const { stats } = memoryStore();
      return {
        stats: {
          ...stats,
          async add(peer, counters) {
            if ((await stats.get(peer)).callsIn % 3 !== 2) return stats.add(peer, counters);
          },
        },
      };
    });
    expect(names).toContain("stats: of many additions at once none is lost");
  });

  test("finds a revoked key that keeps its private half, or can be promoted", async () => {
    const names = await failingStore(({ keys }) => ({ keys: { ...keys, revoke: async () => undefined } }));
    expect(names).toContain("SEC-050 keys: revoke forgets the private half of a key and keeps the rest, for everybody");
    expect(names).toContain("SEC-050 keys: a revoked key never comes back");
    expect(names).toContain("SEC-050 keys: the current key cannot be revoked");
  });

  test("finds a prune that takes too many keys", async () => {
    const names = await failingStore(({ keys }) => ({
      keys: { ...keys, prune: (generations, now) => keys.prune(generations - 1, now + 1) },
    }));
    expect(names).toContain("keys: prune forgets archived keys beyond the newest, and no others");
    expect(names).toContain("keys: prune forgets prepared keys that are older than a day");
  });
});
