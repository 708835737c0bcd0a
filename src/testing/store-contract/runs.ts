import assert from "node:assert/strict";
import type { RunEntry } from "../../service-stores/run-store.ts";
import { type Checks, CONTENDERS, HOSTILE_TEXTS, race, START } from "./check.ts";

const LATER = START + 1000;

/** Journals of bulk work. */
export const RUN_CHECKS: Checks = {
  "runs: one owner at a time, until the lease ends": async (store, other) => {
    assert.equal(await store.runs.acquire("a", "one", LATER, START), true);
    assert.equal(await other.runs.acquire("a", "two", LATER, START), false);
    assert.equal(await other.runs.acquire("b", "two", LATER, START), true);
    assert.equal(await other.runs.acquire("a", "two", LATER + 1, LATER - 1), false);
    assert.equal(await other.runs.acquire("a", "two", LATER + 1, LATER), true);
    assert.equal(await store.runs.acquire("a", "one", LATER + 9, LATER), false);
  },
  "runs: the same owner renews, also after the end": async (store, other) => {
    await store.runs.acquire("a", "one", LATER, START);
    assert.equal(await store.runs.acquire("a", "one", LATER + 5, START), true);
    assert.equal(await other.runs.acquire("a", "two", LATER + 9, LATER + 4), false);
    assert.equal(await store.runs.acquire("a", "one", LATER + 20, LATER + 9), true);
    assert.equal(await other.runs.acquire("a", "ONE", LATER + 20, LATER + 9), false);
  },
  "runs: an owner releases its own lease and nobody else's": async (store, other) => {
    await store.runs.acquire("a", "one", LATER, START);
    await other.runs.release("a", "two");
    await other.runs.release("unknown", "two");
    assert.equal(await other.runs.acquire("a", "two", LATER, START), false);
    await store.runs.release("a", "one");
    assert.equal(await other.runs.acquire("a", "two", LATER, START), true);
  },
  "runs: of many who acquire one at once, one gets it": async (store, other) => {
    for (const [key, now] of [
      ["new", START],
      ["over", LATER],
    ] as const) {
      if (key === "over") await store.runs.acquire(key, "old", LATER, START);
      const got = await race(
        (contender, index) => contender.runs.acquire(key, `${index}`, LATER + 9, now),
        store,
        other,
      );
      assert.equal(got.filter(Boolean).length, 1, key);
    }
  },
  "runs: what was recorded is read by everybody, by row, from any row on, at most so many": async (store, other) => {
    await store.runs.record("a", [entry(3), entry(1)]);
    await other.runs.record("a", [entry(2), entry(10)]);
    await other.runs.record("b", [entry(4)]);
    await store.runs.record("a", []);
    assert.deepEqual(await store.runs.outcomes("a", 1, 9), [entry(1), entry(2), entry(3), entry(10)]);
    assert.deepEqual(await other.runs.outcomes("a", 2, 2), [entry(2), entry(3)]);
    assert.deepEqual(await other.runs.outcomes("a", 11, 9), []);
    assert.deepEqual(await other.runs.outcomes("unknown", 1, 9), []);
  },
  "runs: a row that is there already is replaced, also within one go": async (store, other) => {
    await store.runs.record("a", [entry(1), entry(2)]);
    const newer = { ...entry(1), digest: "new", outcome: "{}" };
    await other.runs.record("a", [entry(1), newer]);
    assert.deepEqual(await store.runs.outcomes("a", 1, 9), [newer, entry(2)]);
  },
  "runs: a journal outlives its lease, and another owner reads it": async (store, other) => {
    await store.runs.acquire("a", "one", LATER, START);
    await store.runs.record("a", [entry(1)]);
    assert.equal(await other.runs.acquire("a", "two", LATER + 9, LATER), true);
    assert.deepEqual(await other.runs.outcomes("a", 1, 9), [entry(1)]);
  },
  "runs: many rows are recorded in one go, and by many at once": async (store, other) => {
    const rows = Array.from({ length: 450 }, (_, index) => entry(index + 1));
    await store.runs.record("a", rows);
    assert.deepEqual(await other.runs.outcomes("a", 1, 1000), rows);
    await race((contender, index) => contender.runs.record("b", [entry(index)]), store, other);
    assert.equal((await store.runs.outcomes("b", 0, 100)).length, CONTENDERS);
  },
  "runs: what is forgotten is gone, with its lease; others stay": async (store, other) => {
    for (const key of ["a", "b"]) {
      await store.runs.acquire(key, "one", LATER, START);
      await store.runs.record(key, [entry(1)]);
    }
    await other.runs.forget("a");
    await other.runs.forget("unknown");
    assert.deepEqual(await store.runs.outcomes("a", 1, 9), []);
    assert.deepEqual(await store.runs.outcomes("b", 1, 9), [entry(1)]);
    assert.equal(await other.runs.acquire("a", "two", LATER, START), true);
    assert.deepEqual(await store.runs.outcomes("a", 1, 9), []);
  },
  "SEC-084 runs: prune forgets what nobody has had since a moment, and nothing else": async (store, other) => {
    await store.runs.acquire("old", "one", START, START - 9);
    await store.runs.record("old", [entry(0), entry(1)]);
    await store.runs.release("old", "one");
    // Whoever had this one was killed.
    await store.runs.acquire("killed", "one", START, START - 9);
    await store.runs.acquire("empty", "one", START - 1, START - 9);
    await store.runs.acquire("later", "one", LATER, START);
    await store.runs.record("later", [entry(1)]);
    assert.equal(await other.runs.prune(START, 9), 1);
    assert.equal(await other.runs.prune(START + 1, 9), 4);
    assert.equal(await other.runs.prune(LATER, 9), 0);
    assert.deepEqual(await store.runs.outcomes("old", 0, 9), []);
    assert.deepEqual(await store.runs.outcomes("later", 1, 9), [entry(1)]);
    assert.equal(await store.runs.acquire("later", "two", LATER + 9, START), false);
    assert.equal(await store.runs.acquire("killed", "two", LATER, START), true);
    assert.equal(await store.runs.acquire("old", "two", LATER, START), true);
    await store.runs.record("old", [entry(2)]);
    assert.deepEqual(await other.runs.outcomes("old", 0, 9), [entry(2)]);
  },
  "SEC-084 runs: prune goes in bites, from the end of a journal; who works on it again keeps the rest": async (
    store,
    other,
  ) => {
    await store.runs.acquire("a", "one", START, START - 9);
    await store.runs.record(
      "a",
      Array.from({ length: 450 }, (_, row) => entry(row)),
    );
    assert.equal(await other.runs.prune(LATER, 300), 300);
    assert.deepEqual(
      (await store.runs.outcomes("a", 0, 999)).map(({ row }) => row),
      Array.from({ length: 150 }, (_, row) => row),
    );
    assert.equal(await other.runs.prune(LATER, 140), 140);
    assert.equal(await store.runs.acquire("a", "two", LATER, START), true);
    assert.equal(await other.runs.prune(LATER, 9), 0);
    assert.deepEqual((await store.runs.outcomes("a", 0, 999)).length, 10);
    // All rows, and then the run itself.
    assert.equal(await other.runs.prune(LATER + 1, 10), 10);
    assert.equal(await other.runs.prune(LATER + 1, 10), 1);
    assert.equal(await other.runs.prune(LATER + 1, 10), 0);
  },
  "SEC-057 runs: quotes, backslashes and Unicode come back from every text as they were": async (store, other) => {
    for (const text of HOSTILE_TEXTS) {
      assert.equal(await store.runs.acquire(text, text, LATER, START), true);
      assert.equal(await other.runs.acquire(text, `${text}.`, LATER, START), false);
      const given = { row: 1, digest: text, outcome: text };
      await store.runs.record(text, [given]);
      assert.deepEqual(await other.runs.outcomes(text, 1, 9), [given]);
    }
  },
  "runs: the longest values fit": async (store, other) => {
    const key = "\u{1f600}".repeat(255);
    const given = { row: 2 ** 31, digest: "d".repeat(64), outcome: "o".repeat(50_000) };
    assert.equal(await store.runs.acquire(key, "o".repeat(64), Number.MAX_SAFE_INTEGER, START), true);
    await store.runs.record(key, [given]);
    assert.deepEqual(await other.runs.outcomes(key, 1, 9), [given]);
  },
};

const entry = (row: number): RunEntry => ({ row, digest: `digest ${row}`, outcome: `{"row":${row}}` });
