import assert from "node:assert/strict";
import type { Cursor, PeerId } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import type { SessionMatch, SessionRecord } from "../../service-stores/session-store.ts";
import { type Checks, CONTENDERS, everyPage, HOSTILE_TEXTS, race, START } from "./check.ts";

const [ONE, TWO] = [1 as PeerId, 2 as PeerId];

/** Browser sessions that are shared with peers. */
export const SESSION_CHECKS: Checks = {
  "sessions: one that was saved is found by everybody, unchanged": async (store, other) => {
    await store.sessions.save(session(1));
    assert.deepEqual(await all(other), [session(1)]);
  },
  "sessions: the newer replaces the older of one role, peer, account and user agent, where that stood": async (
    store,
    other,
  ) => {
    await store.sessions.save(session(1));
    await store.sessions.save(session(2));
    const newer = { ...session(1), username: "new", sessionId: "new", startedAt: START + 5, expiresAt: START + 9 };
    await other.sessions.save(newer);
    assert.deepEqual(await all(store), [newer, session(2)]);
    const others = [
      { ...newer, role: "sp" as const },
      { ...newer, peer: TWO },
      { ...newer, accountId: "ACCOUNT 1" },
      { ...newer, userAgentHash: "another" },
    ];
    for (const one of others) await store.sessions.save(one);
    assert.deepEqual(await all(other), [newer, session(2), ...others]);
  },
  "sessions: of many who save one at once, one is there": async (store, other) => {
    await race((contender, index) => contender.sessions.save({ ...session(1), sessionId: `${index}` }), store, other);
    const [only, ...rest] = await all(store);
    assert.deepEqual(rest, []);
    assert.ok(only && Number(only.sessionId) < CONTENDERS);
  },
  "sessions: are found by each member and by all of them, compared exactly": async (store) => {
    const given = session(1);
    const decoys: readonly SessionRecord[] = [
      { ...session(2), role: "sp" },
      { ...session(3), peer: TWO },
      { ...session(4), username: given.username.toUpperCase() },
      { ...session(5), username: `${given.username} ` },
      { ...session(6), username: "user\u0301 1" },
    ];
    for (const one of [given, ...decoys]) await store.sessions.save(one);
    const found = async (match: SessionMatch): Promise<readonly string[]> =>
      (await all(store, match)).map(({ accountId }) => accountId);
    assert.deepEqual(await found({ role: "sp" }), ["account 2"]);
    assert.deepEqual(await found({ peer: TWO }), ["account 3"]);
    assert.deepEqual(await found({ username: given.username }), ["account 1"]);
    assert.deepEqual(await found({ username: "USER 1" }), ["account 4"]);
    assert.deepEqual(await found({ accountId: "account 5" }), ["account 5"]);
    assert.deepEqual(await found({ sessionId: "session 6" }), ["account 6"]);
    assert.deepEqual(await found({ userAgentHash: "agent 1" }), ["account 1"]);
    const { role, peer, accountId, username, userAgentHash, sessionId } = given;
    const everything = { role, peer, accountId, username, userAgentHash, sessionId };
    assert.deepEqual(await found(everything), ["account 1"]);
    for (const name of Object.keys(everything)) {
      assert.deepEqual(await found({ ...everything, [name]: name === "peer" ? 9 : "none" }), [], name);
    }
    assert.equal((await found({})).length, 6);
  },
  "sessions: pages have no gap and no double, whatever their size": async (store, other) => {
    for (let index = 1; index <= 10; index += 1) {
      await store.sessions.save({ ...session(index), peer: index % 2 === 0 ? ONE : TWO, username: "u" });
    }
    for (const limit of [1, 2, 4, 5, 6]) {
      for (const match of [{ peer: ONE }, { peer: ONE, username: "u" }]) {
        const found = await everyPage((after) => other.sessions.find(match, after, limit));
        assert.deepEqual(
          found.map(({ sessionId }) => sessionId),
          [2, 4, 6, 8, 10].map((index) => `session ${index}`),
        );
      }
    }
  },
  "SEC-057 sessions: a cursor that no list gave is refused, or finds nothing": async (store) => {
    await store.sessions.save(session(1));
    for (const text of HOSTILE_TEXTS) {
      const page = await store.sessions.find({}, text as Cursor, 5).catch(() => undefined);
      assert.ok(page === undefined || page.items.length === 0, JSON.stringify(text));
    }
  },
  "sessions: take removes and returns what matches, expired or not, and nothing else": async (store, other) => {
    for (const index of [1, 2, 3]) await store.sessions.save({ ...session(index), username: "u", expiresAt: index });
    await store.sessions.save({ ...session(4), username: "u", peer: TWO });
    assert.deepEqual(await other.sessions.take({ peer: ONE, username: "nobody" }), []);
    const taken = await other.sessions.take({ peer: ONE, username: "u" });
    assert.deepEqual(
      taken.map(({ accountId }) => accountId),
      ["account 1", "account 2", "account 3"],
    );
    assert.deepEqual(taken[0], { ...session(1), username: "u", expiresAt: 1 });
    assert.deepEqual(await store.sessions.take({ peer: ONE, username: "u" }), []);
    assert.deepEqual(await all(store), [{ ...session(4), username: "u", peer: TWO }]);
  },
  "sessions: to take without saying which is refused, and takes nothing": async (store) => {
    await store.sessions.save(session(1));
    await assert.rejects(store.sessions.take({}), TypeError);
    assert.equal((await all(store)).length, 1);
  },
  "sessions: of many who take at once, each session goes to one": async (store, other) => {
    for (let index = 0; index < 30; index += 1) await store.sessions.save({ ...session(index), username: "u" });
    const taken = await race((contender) => contender.sessions.take({ role: "idp", username: "u" }), store, other);
    assert.deepEqual(
      taken
        .flat()
        .map(({ sessionId }) => sessionId)
        .sort(),
      Array.from({ length: 30 }, (_, index) => `session ${index}`).sort(),
    );
    assert.deepEqual(await all(store), []);
  },
  "sessions: take returns any number, in order": async (store) => {
    for (let index = 0; index < 1100; index += 1) await store.sessions.save(session(index));
    const taken = await store.sessions.take({ peer: ONE });
    assert.deepEqual(
      taken.map(({ sessionId }) => sessionId),
      Array.from({ length: 1100 }, (_, index) => `session ${index}`),
    );
    assert.deepEqual(await all(store), []);
  },
  "SEC-065 sessions: extend reaches this peer's users of this role that have not expired, and no others": async (
    store,
    other,
  ) => {
    const given: readonly SessionRecord[] = [
      { ...session(1), expiresAt: START + 1 },
      { ...session(2), expiresAt: START },
      { ...session(3), expiresAt: START + 100 },
      { ...session(4), role: "sp", username: "user 1" },
      { ...session(5), peer: TWO, username: "user 1" },
      { ...session(6), username: "USER 1" },
      session(7),
    ];
    for (const one of given) await store.sessions.save(one);
    const usernames = ["user 3", "user 1", "user 2", "user 1", "nobody"];
    const extended = await other.sessions.extend({ role: "idp", peer: ONE, usernames }, START + 50, START);
    assert.deepEqual(extended, [
      { username: "user 1", sessionId: "session 1" },
      { username: "user 3", sessionId: "session 3" },
    ]);
    assert.deepEqual(await all(store), [{ ...session(1), expiresAt: START + 50 }, ...given.slice(1)]);
    assert.deepEqual(await store.sessions.extend({ role: "idp", peer: ONE, usernames: [] }, START + 50, START), []);
  },
  "sessions: extend takes many names in one go, and tells of each session": async (store) => {
    const names = Array.from({ length: 450 }, (_, index) => `user ${index}`);
    for (const index of names.keys()) await store.sessions.save({ ...session(index), sessionId: `s${index >> 1}` });
    const extended = await store.sessions.extend({ role: "idp", peer: ONE, usernames: names }, START + 5000, START);
    assert.deepEqual(
      extended,
      names.map((username, index) => ({ username, sessionId: `s${index >> 1}` })),
    );
    for (const { expiresAt } of await all(store)) assert.equal(expiresAt, START + 5000);
  },
  "SEC-057 sessions: quotes, backslashes and Unicode come back from every text as they were": async (store, other) => {
    for (const text of HOSTILE_TEXTS) {
      const given = { ...session(1), accountId: text, username: text, userAgentHash: text, sessionId: text };
      await store.sessions.save(given);
      for (const match of [{ accountId: text }, { username: text }, { userAgentHash: text }, { sessionId: text }]) {
        assert.deepEqual(await all(other, match), [given], JSON.stringify(text));
      }
      const whom = { role: "idp", peer: ONE, usernames: [text] } as const;
      assert.deepEqual(await other.sessions.extend(whom, START + 5000, START), [{ username: text, sessionId: text }]);
      assert.deepEqual(await store.sessions.take({ username: text }), [{ ...given, expiresAt: START + 5000 }]);
    }
  },
  "sessions: the longest values fit": async (store, other) => {
    const long = "\u{1f600}".repeat(255);
    const given = { ...session(1), accountId: long, username: long, sessionId: long, expiresAt: 2 ** 53 - 1 };
    await store.sessions.save(given);
    assert.deepEqual(await all(other, { accountId: long }), [given]);
  },
  "SEC-084 sessions: prune forgets those that expired before a moment, at most so many, the oldest first": async (
    store,
    other,
  ) => {
    for (const index of [3, 1, 4, 2]) await store.sessions.save({ ...session(index), expiresAt: START + index });
    const left = async (): Promise<readonly string[]> => (await all(other)).map(({ sessionId }) => sessionId);
    assert.equal(await store.sessions.prune(START + 1, 9), 0);
    assert.equal(await store.sessions.prune(START + 4, 2), 2);
    assert.deepEqual(await left(), ["session 3", "session 4"]);
    assert.equal(await other.sessions.prune(START + 4, 2), 1);
    assert.deepEqual(await left(), ["session 4"]);
  },
  "SEC-084 sessions: many are pruned in one go; what was extended stays": async (store) => {
    for (let index = 0; index < 450; index += 1) await store.sessions.save(session(index));
    await store.sessions.extend({ role: "idp", peer: ONE, usernames: ["user 7"] }, START + 5000, START);
    assert.equal(await store.sessions.prune(START + 5000, 1000), 449);
    assert.deepEqual(await all(store), [{ ...session(7), expiresAt: START + 5000 }]);
  },
};

/** A session of a user of ours at the first peer. */
const session = (number: number): SessionRecord => ({
  role: "idp",
  peer: ONE,
  accountId: `account ${number}`,
  username: `user ${number}`,
  userAgentHash: `agent ${number}`,
  sessionId: `session ${number}`,
  startedAt: START,
  expiresAt: START + 1000,
});

const all = (store: Store, match: SessionMatch = {}): Promise<readonly SessionRecord[]> =>
  everyPage((after) => store.sessions.find(match, after, 500));
