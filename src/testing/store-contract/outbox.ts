import assert from "node:assert/strict";
import type { PeerId } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import type { Job } from "../../service-stores/outbox-store.ts";
import { type Checks, CONTENDERS, HOSTILE_TEXTS, race, START } from "./check.ts";

const ONE = 1 as PeerId;
const LEASE_MS = 1000;

/** Work that waits for peers. */
export const OUTBOX_CHECKS: Checks = {
  "outbox: a job is claimed when it is due, by one, with how often it was claimed before": async (store, other) => {
    await store.outbox.put([job("a")], START + 5);
    assert.deepEqual(await claim(other, START + 4), []);
    assert.deepEqual(await claim(other, START + 5), [{ ...job("a"), attempts: 0 }]);
    assert.deepEqual(await claim(store, START + 5), []);
  },
  "outbox: a claim that nobody ends falls back into the queue at the end of its lease": async (store, other) => {
    await store.outbox.put([job("a")], START);
    await claim(store, START);
    assert.deepEqual(await claim(other, START + LEASE_MS - 1), []);
    assert.deepEqual(await claim(other, START + LEASE_MS), [{ ...job("a"), attempts: 1 }]);
  },
  "outbox: what is done is gone, claimed or not": async (store, other) => {
    await store.outbox.put([job("a"), job("b"), job("c")], START);
    await store.outbox.claim("kill", 1, START + LEASE_MS, START);
    await other.outbox.done(["a", "b", "unknown"]);
    await other.outbox.done([]);
    assert.deepEqual(ids(await claim(store, START + LEASE_MS)), ["c"]);
  },
  "outbox: a job that is retried is due at its time, and no earlier": async (store, other) => {
    await store.outbox.put([job("a")], START);
    await claim(store, START);
    await store.outbox.retry("a", START + 5);
    await store.outbox.retry("unknown", START);
    assert.deepEqual(await claim(other, START + 4), []);
    assert.deepEqual(await claim(other, START + 5), [{ ...job("a"), attempts: 1 }]);
    await other.outbox.retry("a", START + 9 * LEASE_MS);
    assert.deepEqual(await claim(store, START + 2 * LEASE_MS), []);
    assert.deepEqual(await claim(store, START + 9 * LEASE_MS), [{ ...job("a"), attempts: 2 }]);
  },
  "outbox: the longest due is claimed first, at most so many; of equals, which was put first": async (store) => {
    await store.outbox.put([job("d"), job("c")], START + 3);
    await store.outbox.put([job("b")], START + 1);
    await store.outbox.put([job("a")], START + 2);
    assert.deepEqual(ids(await store.outbox.claim("kill", 3, START + LEASE_MS, START + 9)), ["b", "a", "d"]);
    assert.deepEqual(ids(await store.outbox.claim("kill", 3, START + LEASE_MS, START + 9)), ["c"]);
  },
  "outbox: kinds do not see each other's jobs": async (store) => {
    await store.outbox.put([job("a"), { ...job("b"), kind: "Kill" }, { ...job("c"), kind: "other" }], START);
    assert.deepEqual(ids(await claim(store, START)), ["a"]);
    assert.deepEqual(ids(await store.outbox.claim("other", 9, START + LEASE_MS, START)), ["c"]);
  },
  "outbox: an id that is there already is left as it is": async (store, other) => {
    await store.outbox.put([job("a")], START);
    await claim(store, START);
    await other.outbox.put([{ ...job("a"), data: "other" }, job("b"), { ...job("b"), data: "twice" }], START);
    assert.deepEqual(await claim(other, START), [{ ...job("b"), attempts: 0 }]);
    assert.deepEqual(await claim(other, START + LEASE_MS), [
      { ...job("a"), attempts: 1 },
      { ...job("b"), attempts: 1 },
    ]);
  },
  "outbox: to put nothing is harmless; many are put and claimed in one go": async (store, other) => {
    await store.outbox.put([], START);
    const many = Array.from({ length: 450 }, (_, index) => job(`${index}`));
    await store.outbox.put(many, START);
    assert.deepEqual(
      ids(await other.outbox.claim("kill", 1000, START + LEASE_MS, START)),
      many.map(({ id }) => id),
    );
    await other.outbox.done(many.map(({ id }) => id));
    assert.deepEqual(await claim(store, START + LEASE_MS), []);
  },
  "outbox: of many who claim at once, each job goes to one": async (store, other) => {
    await store.outbox.put(
      Array.from({ length: 50 }, (_, index) => job(`${index}`)),
      START,
    );
    const claimed = await race((contender) => contender.outbox.claim("kill", 5, START + LEASE_MS, START), store, other);
    const all = ids(claimed.flat());
    assert.equal(new Set(all).size, all.length);
    // Whoever met somebody else's lock may have got fewer; nothing is lost.
    const rest = ids(await store.outbox.claim("kill", 50, START + LEASE_MS, START));
    assert.equal(new Set([...all, ...rest]).size, 50);
  },
  "outbox: of many who put one id at once, one job is there": async (store, other) => {
    await race((contender, index) => contender.outbox.put([{ ...job("a"), data: `${index}` }], START), store, other);
    const [only, ...rest] = await claim(store, START);
    assert.deepEqual(rest, []);
    assert.ok(only && Number(only.data) < CONTENDERS);
  },
  "SEC-057 outbox: quotes, backslashes and Unicode come back from every text as they were": async (store, other) => {
    for (const text of HOSTILE_TEXTS) {
      const given = { id: text, kind: text, peer: ONE, data: text };
      await store.outbox.put([given], START);
      assert.deepEqual(await other.outbox.claim(text, 9, START + LEASE_MS, START), [{ ...given, attempts: 0 }]);
      await other.outbox.retry(text, START);
      assert.deepEqual(await store.outbox.claim(text, 9, START, START), [{ ...given, attempts: 1 }]);
      await store.outbox.done([text]);
      assert.deepEqual(await store.outbox.claim(text, 9, START, START + LEASE_MS), []);
    }
  },
  "outbox: the longest values fit": async (store, other) => {
    const given = {
      id: "i".repeat(64),
      kind: "k".repeat(40),
      peer: Number.MAX_SAFE_INTEGER as PeerId,
      data: "d".repeat(50_000),
    };
    await store.outbox.put([given], Number.MAX_SAFE_INTEGER);
    const [found] = await other.outbox.claim(given.kind, 1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    assert.deepEqual(found, { ...given, attempts: 0 });
  },
};

const job = (id: string): Omit<Job, "attempts"> => ({ id, kind: "kill", peer: ONE, data: `{"of":"${id}"}` });

const ids = (jobs: readonly Job[]): readonly string[] => jobs.map(({ id }) => id);

const claim = (store: Store, now: number): Promise<readonly Job[]> =>
  store.outbox.claim("kill", 10, now + LEASE_MS, now);
