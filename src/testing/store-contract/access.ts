import assert from "node:assert/strict";
import type { Cursor, PeerId } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import { type Checks, CONTENDERS, everyPage, HOSTILE_TEXTS, race } from "./check.ts";

const [ONE, TWO] = [1 as PeerId, 2 as PeerId];

/** Which users of peers may log in here. */
export const ACCESS_CHECKS: Checks = {
  "access: a rule is set, changed and taken away, for everybody": async (store, other) => {
    assert.equal(await store.access.get(ONE, "ada"), undefined);
    await store.access.set(ONE, "ada", "deny");
    assert.equal(await other.access.get(ONE, "ada"), "deny");
    await other.access.set(ONE, "ada", "allow");
    assert.equal(await store.access.get(ONE, "ada"), "allow");
    await store.access.set(ONE, "ada", undefined);
    await store.access.set(ONE, "ada", undefined);
    assert.equal(await other.access.get(ONE, "ada"), undefined);
    assert.deepEqual(await other.access.list(ONE, undefined, 9), { items: [] });
  },
  "SEC-059 access: names are compared exactly, and are each peer's own": async (store) => {
    const names = ["ada", "Ada", "ada ", "\u00e9", "e\u0301", "E\u0301", "\ufb01", "fi", "ß", "ss"];
    for (const name of names) {
      assert.equal(await store.access.get(ONE, name), undefined, name);
      await store.access.set(ONE, name, "deny");
    }
    assert.equal(await store.access.get(TWO, "ada"), undefined);
    await store.access.set(TWO, "ada", "allow");
    assert.equal(await store.access.get(ONE, "ada"), "deny");
    assert.equal((await list(store)).length, names.length);
  },
  "access: rules are listed by name, byte by byte, in pages without gaps": async (store, other) => {
    const names = ["", "A", "B", "a", "a ", "aa", "b", "z", "\u00e9", "\u{ffee}", "\u{1f600}"];
    for (const name of [...names].reverse()) await store.access.set(ONE, name, name === "a" ? "deny" : "allow");
    await store.access.set(TWO, "c", "allow");
    for (const limit of [1, 2, 10, 11, 12]) {
      const found = await list(other, limit);
      assert.deepEqual(
        found,
        names.map((username) => ({ username, rule: username === "a" ? "deny" : "allow" })),
        `pages of ${limit}`,
      );
    }
  },
  "access: of many who set rules at once, each is there": async (store, other) => {
    await race((contender, index) => contender.access.set(ONE, `u${index >> 1}`, "deny"), store, other);
    assert.equal((await list(store)).length, CONTENDERS / 2);
  },
  "SEC-057 access: quotes, backslashes and Unicode in names": async (store, other) => {
    for (const name of HOSTILE_TEXTS) {
      assert.equal(await store.access.get(ONE, name), undefined, JSON.stringify(name));
      await store.access.set(ONE, name, "deny");
      assert.equal(await other.access.get(ONE, name), "deny", JSON.stringify(name));
    }
    assert.deepEqual(new Set((await list(other, 3)).map(({ username }) => username)), new Set(HOSTILE_TEXTS));
    await store.access.set(ONE, "'", undefined);
    assert.equal((await list(other)).length, HOSTILE_TEXTS.length - 1);
  },
  "SEC-057 access: a cursor that no list gave is refused, or finds nothing": async (store) => {
    await store.access.set(ONE, "ada", "deny");
    for (const text of HOSTILE_TEXTS) {
      const page = await store.access.list(ONE, text as Cursor, 5).catch(() => undefined);
      assert.ok(page === undefined || page.items.length === 0, JSON.stringify(text));
    }
  },
  "access: the longest name fits": async (store, other) => {
    const long = "\u{1f600}".repeat(255);
    await store.access.set(ONE, long, "deny");
    assert.equal(await other.access.get(ONE, long), "deny");
  },
};

const list = (store: Store, limit = 50) => everyPage((after) => store.access.list(ONE, after, limit));
