import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { PeerId } from "../core/ids.ts";
import type { ReplayStore } from "../peer/replay-store.ts";
import type { ContractCase } from "./contract-case.ts";

/** Two stores on one place, as two processes would have them. */
type Check = (replay: ReplayStore, other: ReplayStore) => Promise<void>;

const NOW = Date.UTC(2026, 0, 1);
const LATER = NOW + 1000;
const CONTENDERS = 50;
const [ONE, TWO] = [1 as PeerId, 2 as PeerId];

/**
 * What every `ReplayStore` promises, as cases for any test runner. Stores in a `Store` have these in `storeContract`.
 *
 * `open` is called with a fresh name of a place per run, safe in file names, URLs and identifiers. Nothing may be there yet.
 * Two calls with one name must give stores that see the same data, as two processes would; they may be the same object.
 * Closing them and removing the place are up to the caller.
 *
 * @example
 * for (const { name, run } of replayContract(async (place) => myReplayStore({ prefix: place }))) test(name, run);
 */
export function replayContract(open: (place: string) => Promise<ReplayStore>): readonly ContractCase[] {
  return Object.entries(REPLAY_CHECKS).map(([name, check]) => ({
    name,
    run: async () => {
      const place = `mnet_${randomBytes(8).toString("hex")}`;
      await check(await open(place), await open(place));
    },
  }));
}

/** The cases, for two stores on one fresh place. */
export const REPLAY_CHECKS: Readonly<Record<string, Check>> = {
  "SEC-033 replay: a key is first once, for everybody": async (replay, other) => {
    assert.deepEqual(await remember(replay, "a"), { seen: "first", evicted: 0 });
    assert.deepEqual(await remember(replay, "a"), { seen: "again", evicted: 0 });
    assert.deepEqual(await remember(other, "a"), { seen: "again", evicted: 0 });
    assert.deepEqual(await remember(other, "b"), { seen: "first", evicted: 0 });
    assert.deepEqual(await remember(replay, "b"), { seen: "again", evicted: 0 });
  },
  "SEC-033 replay: of many who remember one key at once, one is first": async (replay, other) => {
    for (const [key, stores] of [
      ["one store", [replay, replay]],
      ["two stores", [replay, other]],
    ] as const) {
      const results = await race(stores, (store) => remember(store, key));
      assert.equal(firsts(results), 1, key);
      assert.equal(sum(results), 0, key);
    }
  },
  "SEC-033 replay: of many who remember different keys at once, all are first": async (replay, other) => {
    const results = await race([replay, other], (store, index) => remember(store, `${index}`));
    assert.equal(firsts(results), CONTENDERS);
    for (let index = 0; index < CONTENDERS; index += 1) {
      assert.equal((await remember(replay, `${index}`)).seen, "again");
    }
  },
  "SEC-033 replay: one key of two peers is two": async (replay, other) => {
    const peers = [ONE, TWO, (2 ** 31) as PeerId, Number.MAX_SAFE_INTEGER as PeerId];
    for (const peer of peers) assert.equal((await remember(replay, "a", { peer })).seen, "first", `${peer}`);
    for (const peer of peers) assert.equal((await remember(other, "a", { peer })).seen, "again", `${peer}`);
  },
  "SEC-033 replay: a key is forgotten at exactly its time, and can be first again": async (replay, other) => {
    await remember(replay, "a", { until: LATER });
    assert.equal((await remember(other, "a", { until: LATER + 9, now: LATER - 1 })).seen, "again");
    // Being seen again has not prolonged it.
    assert.equal((await remember(other, "a", { until: LATER + 5, now: LATER })).seen, "first");
    assert.equal((await remember(replay, "a", { until: LATER + 9, now: LATER + 4 })).seen, "again");
    assert.equal((await remember(replay, "a", { until: LATER + 9, now: LATER + 5 })).seen, "first");
  },
  "SEC-033 replay: of many who remember one forgotten key at once, one is first": async (replay, other) => {
    await remember(replay, "a", { until: LATER });
    const results = await race([replay, other], (store) => remember(store, "a", { until: LATER + 9, now: LATER }));
    assert.equal(firsts(results), 1);
  },
  "replay: what is forgotten at once takes no place": async (replay) => {
    await remember(replay, "a", { maxEntries: 1 });
    assert.deepEqual(await remember(replay, "b", { maxEntries: 1, until: NOW }), { seen: "first", evicted: 0 });
    assert.deepEqual(await remember(replay, "c", { maxEntries: 1, until: NOW - 1 }), { seen: "first", evicted: 0 });
    assert.equal((await remember(replay, "a", { maxEntries: 1 })).seen, "again");
  },
  "replay: the largest time fits": async (replay, other) => {
    await remember(replay, "a", { until: Number.MAX_SAFE_INTEGER });
    const now = Number.MAX_SAFE_INTEGER - 1;
    assert.equal((await remember(other, "a", { until: Number.MAX_SAFE_INTEGER, now })).seen, "again");
  },
  "SEC-033 replay: keys are compared byte by byte": async (replay, other) => {
    const odd = [
      ...["", " ", "a", "A", "a ", " a", "a\t", "a\n", "a'", 'a"', "a`", "a\\", "a%", "a_", "a:b", "a*", "a?", "[a]"],
      ...["0", "00", "-0", "1", "1.0", "1e0", "0x1", "null", "undefined", "NaN", "true", "__proto__", "constructor"],
      ...["'; drop table mnet_replay; --", "$1 ? :name @name ${x} {{x}}", "/* */ # --", "\x7f", "\r\n", "a\r\nb"],
      ...["f".repeat(63), "f".repeat(64), "F".repeat(64), `${"f".repeat(63)}0`],
    ];
    for (const key of odd) assert.equal((await remember(replay, key)).seen, "first", JSON.stringify(key));
    for (const key of odd) assert.equal((await remember(other, key)).seen, "again", JSON.stringify(key));
  },

  "SEC-084 replay: of too many the oldest go, and are counted": async (replay, other) => {
    const evicted: number[] = [];
    for (let index = 0; index < 25; index += 1) {
      // Seen again, the first is no newer than before.
      if (index === 9) assert.equal((await remember(other, "0", { maxEntries: 10 })).seen, "again");
      const result = await remember(index % 2 === 0 ? replay : other, `${index}`, { maxEntries: 10 });
      assert.equal(result.seen, "first");
      evicted.push(result.evicted);
    }
    assert.deepEqual(
      evicted,
      Array.from({ length: 25 }, (_, index) => (index < 10 ? 0 : 1)),
    );
    for (let index = 24; index >= 15; index -= 1) {
      assert.equal((await remember(replay, `${index}`, { maxEntries: 10 })).seen, "again", `${index}`);
    }
    assert.deepEqual(await remember(replay, "14", { maxEntries: 10 }), { seen: "first", evicted: 1 });
    assert.equal((await remember(other, "15", { maxEntries: 10 })).seen, "first");
  },
  "SEC-084 replay: of too many at once, as many as are too many go": async (replay, other) => {
    const results = await race([replay, other], (store, index) => remember(store, `${index}`, { maxEntries: 10 }));
    assert.equal(firsts(results), CONTENDERS);
    assert.equal(sum(results), CONTENDERS - 10);
    const after = await race([replay, other], (store, index) => remember(store, `${index}`));
    assert.equal(firsts(after), CONTENDERS - 10);
  },
  "SEC-084 replay: a lower bound is kept from then on": async (replay, other) => {
    for (let index = 0; index < 10; index += 1) await remember(replay, `${index}`, { maxEntries: 10 });
    assert.deepEqual(await remember(other, "new", { maxEntries: 3 }), { seen: "first", evicted: 8 });
    for (const key of ["new", "9", "8"]) assert.equal((await remember(replay, key)).seen, "again", key);
    assert.equal((await remember(replay, "7")).seen, "first");
  },
  "SEC-084 replay: what one peer fills leaves the others alone": async (replay, other) => {
    for (let index = 0; index < 5; index += 1) await remember(replay, `${index}`, { peer: TWO, maxEntries: 5 });
    for (let index = 0; index < 20; index += 1) await remember(other, `${index}`, { peer: ONE, maxEntries: 5 });
    for (let index = 0; index < 5; index += 1) {
      assert.deepEqual(await remember(other, `${index}`, { peer: TWO, maxEntries: 5 }), { seen: "again", evicted: 0 });
    }
  },
  "SEC-084 replay: nothing goes for the sake of what is forgotten already": async (replay, other) => {
    await remember(replay, "long", { until: LATER + 99, maxEntries: 2 });
    await remember(replay, "short", { until: LATER, maxEntries: 2 });
    const after = { until: LATER + 99, maxEntries: 2, now: LATER };
    assert.deepEqual(await remember(other, "new", after), { seen: "first", evicted: 0 });
    assert.equal((await remember(replay, "long", after)).seen, "again");
    // A forgotten key that comes back is a new one, with the place and the age of one.
    await remember(replay, "brief", { until: LATER + 1, maxEntries: 3, now: LATER });
    assert.equal((await remember(other, "brief", { ...after, maxEntries: 3, now: LATER + 1 })).evicted, 0);
    assert.deepEqual(await remember(replay, "newest", { ...after, maxEntries: 3, now: LATER + 1 }), {
      seen: "first",
      evicted: 1,
    });
    for (const key of ["new", "brief", "newest"]) {
      assert.equal((await remember(other, key, { ...after, maxEntries: 3, now: LATER + 1 })).seen, "again", key);
    }
  },

  "SEC-084 replay: prune removes what is forgotten and nothing else, at most so many at once": async (
    replay,
    other,
  ) => {
    for (let index = 0; index < 7; index += 1) {
      await remember(replay, `${index}`, { until: LATER + (index % 2), peer: (1 + (index % 3)) as PeerId });
    }
    assert.equal(await replay.prune(LATER - 1, 100), 0);
    assert.equal(await replay.prune(LATER, 0), 0);
    let removed = 0;
    for (let turn = 0; turn < 9; turn += 1) {
      const one = await (turn % 2 === 0 ? replay : other).prune(LATER, 3);
      assert.ok(one >= 0 && one <= 3, `${one}`);
      removed += one;
    }
    // Fewer where the store has forgotten some by itself.
    assert.ok(removed <= 4, `${removed}`);
    assert.equal(await replay.prune(LATER, 100), 0);
    for (const index of [1, 3, 5]) {
      const given = { until: LATER + 1, peer: (1 + (index % 3)) as PeerId, now: LATER };
      assert.equal((await remember(other, `${index}`, given)).seen, "again", `${index}`);
    }
  },
  "SEC-084 replay: what was pruned takes no place": async (replay, other) => {
    for (let index = 0; index < 5; index += 1) await remember(replay, `${index}`, { until: LATER, maxEntries: 10 });
    for (let index = 5; index < 10; index += 1)
      await remember(replay, `${index}`, { until: LATER + 9, maxEntries: 10 });
    await other.prune(LATER, 100);
    for (let index = 10; index < 15; index += 1) {
      const given = { until: LATER + 9, maxEntries: 10, now: LATER };
      assert.deepEqual(await remember(replay, `${index}`, given), { seen: "first", evicted: 0 });
    }
    const given = { until: LATER + 9, maxEntries: 10, now: LATER };
    assert.deepEqual(await remember(other, "15", given), { seen: "first", evicted: 1 });
  },
  "SEC-033 replay: many who prune while others remember disturb nobody": async (replay, other) => {
    for (let index = 0; index < 30; index += 1) await remember(replay, `old ${index}`, { until: LATER });
    const given = { until: LATER + 9, now: LATER };
    const results = await race([replay, other], async (store, index) => {
      if (index % 5 === 0) assert.ok((await store.prune(LATER, 4)) <= 4);
      return remember(store, `${index % 25}`, given);
    });
    assert.equal(firsts(results), 25);
    assert.equal(sum(results), 0);
  },
};

type Seen = Awaited<ReturnType<ReplayStore["remember"]>>;

const remember = (
  store: ReplayStore,
  key: string,
  { peer = ONE, until = LATER, maxEntries = 1000, now = NOW } = {},
): Promise<Seen> => store.remember(peer, key, { until, maxEntries }, now);

/** Lets all contenders begin before any can end, in turn on each store. */
function race<T>(stores: readonly ReplayStore[], run: (store: ReplayStore, index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(
    Array.from({ length: CONTENDERS }, (_, index) => {
      const store = stores[index % stores.length];
      assert.ok(store);
      return run(store, index);
    }),
  );
}

const firsts = (results: readonly Seen[]): number => results.filter(({ seen }) => seen === "first").length;

const sum = (results: readonly Seen[]): number => results.reduce((total, { evicted }) => total + evicted, 0);
