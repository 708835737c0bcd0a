import { describe, expect, test } from "vitest";
import type { Store } from "../../src/host/store.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { storeContract } from "../../src/testing/store-contract.ts";

/** Runs the contract over memory stores with a fault; returns the names of the cases that fail. */
async function failing(spoil: (store: Store) => Partial<Store>): Promise<readonly string[]> {
  const places = new Map<string, Store>();
  const cases = storeContract(async (place) => {
    const sound = places.get(place) ?? memoryStore();
    places.set(place, sound);
    return { ...sound, ...spoil(sound) };
  });
  const failed: string[] = [];
  for (const { name, run } of cases) {
    await run().catch(() => failed.push(name));
  }
  return failed;
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the contract", () => {
  test("has names that differ", () => {
    const names = storeContract(() => Promise.reject(new Error("not called"))).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test("passes a sound store", async () => {
    expect(await failing(() => ({}))).toEqual([]);
  });

  test("finds a promote that is two steps", async () => {
    const names = await failing(({ keys }) => ({
      keys: {
        ...keys,
        async promote(next, expected, now) {
          const current = (await keys.list()).find(({ state }) => state === "current")?.fingerprint;
          if (current !== expected) return false;
          await pause();
          await keys.promote(next, (await keys.list()).find(({ state }) => state === "current")?.fingerprint, now);
          return true;
        },
      },
    }));
    expect(names).toContain("keys: of many who promote different keys over one at once, one succeeds");
  });

  test("finds wwwroots that are compared loosely", async () => {
    const names = await failing(({ peers }) => ({
      peers: {
        ...peers,
        async find(key) {
          if (typeof key === "number") return peers.find(key);
          const { items } = await peers.list({}, undefined, 1000);
          return items.find(({ wwwroot }) => wwwroot.toLowerCase() === key.toLowerCase());
        },
      },
    }));
    expect(names).toContain("MNET-002 peers: wwwroots are compared byte by byte");
  });

  test("finds lost updates", async () => {
    const names = await failing(({ peers }) => ({
      peers: {
        ...peers,
        async update(peer) {
          const stored = await peers.find(peer.id);
          if (stored?.version !== peer.version) return undefined;
          await pause();
          return peers.update({ ...peer, version: (await peers.find(peer.id))?.version ?? 0 });
        },
      },
    }));
    expect(names).toContain("peers: of many who update one version at once, one succeeds");
    expect(names).toContain("peers: no update is lost where everybody reads again after losing");
  });

  test("finds a generation that stands still", async () => {
    const names = await failing(({ peers }) => ({ peers: { ...peers, generation: async () => 1 } }));
    expect(names).toContain("peers: the generation changes with every change, for everybody");
  });

  test("finds a restore that is no transaction, one that gives ids anew, and one that overwrites", async () => {
    const piecemeal = await failing((store) => ({
      async restore(records) {
        for await (const record of records) if (record.kind === "peer") await store.peers.insert(record.peer);
      },
    }));
    expect(piecemeal).toEqual(
      expect.arrayContaining([
        "restore: everything is there, for everybody, with its ids and versions",
        "restore: nothing is there if the source fails, and it can be done again",
        "restore: a store that is in use is refused, and unchanged",
        "restore: of two at once, one succeeds",
      ]),
    );
  });

  test("finds a rewrap that does not look at what is there", async () => {
    const names = await failing(({ keys }) => ({
      keys: {
        ...keys,
        async rewrap(fingerprint, _expected, privateKey) {
          const stored = (await keys.list()).find((key) => key.fingerprint === fingerprint);
          return stored !== undefined && keys.rewrap(fingerprint, stored.privateKey, privateKey);
        },
      },
    }));
    expect(names).toContain(
      "SEC-051 keys: rewrap changes nothing where the key is stored otherwise, revoked or unknown",
    );
  });

  test("finds paging by offset", async () => {
    const names = await failing(({ log }) => ({
      log: {
        ...log,
        async list(filter, after, limit) {
          const offset = Number(after ?? 0);
          const { items } = await log.list(filter, undefined, offset + limit);
          const page = { items: items.slice(offset) };
          return page.items.length < limit ? page : { ...page, next: String(offset + limit) as never };
        },
      },
    }));
    expect(names).toContain("SEC-057 peers: a cursor that no list gave is refused, or finds nothing");
  });
});
