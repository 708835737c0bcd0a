import assert from "node:assert/strict";
import type { Fingerprint, PeerId } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import type { StoredKey } from "../../keys/key-store.ts";
import { type Checks, CONTENDERS, DAY_MS, HOSTILE_TEXTS, race, START } from "./check.ts";
import { fingerprint, fingerprints, key } from "./sample-keys.ts";

/** Own key pairs. */
export const KEY_CHECKS: Checks = {
  "keys: there are none at first": async (store) => {
    assert.deepEqual(await store.keys.list(), []);
  },
  "keys: a prepared key is seen by everybody, unchanged and not current": async (store, other) => {
    // Every byte, because some drivers take bytes for text; and a view into a larger buffer, as `Buffer` often is.
    const bytes = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
    const given: StoredKey = { ...key("a"), privateKey: bytes.subarray(128, 384), state: "current" };
    await store.keys.prepare(given);
    const [stored, ...rest] = await other.keys.list();
    assert.deepEqual(rest, []);
    assert.ok(stored);
    assert.equal(Object.getPrototypeOf(stored.privateKey), Uint8Array.prototype);
    assert.deepEqual(stored, {
      ...given,
      privateKey: Uint8Array.from({ length: 256 }, (_, index) => (index + 128) % 256),
      state: "prepared",
    });
  },
  "keys: preparing a key again changes nothing": async (store, other) => {
    await store.keys.prepare(key("a"));
    assert.equal(await store.keys.promote(fingerprint("a"), undefined, START), true);
    await other.keys.prepare({ ...key("a"), certificate: "another", createdAt: START + 99 });
    assert.deepEqual(await store.keys.list(), [{ ...key("a"), state: "current" }]);
  },
  "keys: of many who prepare one key at once, all succeed and one key is there": async (store, other) => {
    await race((contender) => contender.keys.prepare(key("a")), store, other);
    assert.equal((await store.keys.list()).length, 1);
  },
  "keys: are listed newest first": async (store) => {
    await store.keys.prepare({ ...key("b"), createdAt: START + 2 });
    await store.keys.prepare({ ...key("c"), createdAt: START + 3 });
    await store.keys.prepare({ ...key("a"), createdAt: START + 1 });
    assert.deepEqual(await fingerprints(store), ["c", "b", "a"].map(fingerprint));
  },
  "keys: promote makes the next current and archives the one that was": async (store, other) => {
    await store.keys.prepare({ ...key("a"), createdAt: START + 1 });
    await store.keys.prepare({ ...key("b"), createdAt: START + 2 });
    await store.keys.prepare({ ...key("c"), createdAt: START + 3 });
    assert.equal(await store.keys.promote(fingerprint("a"), undefined, START + 4), true);
    assert.deepEqual(await states(other), ["prepared", "prepared", "current"]);
    assert.equal(await other.keys.promote(fingerprint("b"), fingerprint("a"), START + 5), true);
    assert.deepEqual(await states(store), ["prepared", "current", "archived"]);
  },
  "keys: promote changes nothing if another key is current, or the next is not prepared": async (store) => {
    for (const name of ["a", "b", "c"]) await store.keys.prepare(key(name));
    const refuses = async (next: string, expected: string | undefined): Promise<void> => {
      const before = await store.keys.list();
      const [a, b] = [fingerprint(next), expected === undefined ? undefined : fingerprint(expected)];
      assert.equal(await store.keys.promote(a, b, START), false, `promote ${next}, expecting ${expected ?? "none"}`);
      assert.deepEqual(await store.keys.list(), before);
    };
    await refuses("a", "b");
    await refuses("a", "a");
    await refuses("unknown", undefined);
    assert.equal(await store.keys.promote(fingerprint("a"), undefined, START), true);
    await refuses("b", undefined);
    await refuses("b", "b");
    await refuses("b", "unknown");
    await refuses("a", "a");
    assert.equal(await store.keys.promote(fingerprint("b"), fingerprint("a"), START), true);
    await refuses("a", "b");
    await refuses("b", "b");
    await refuses("c", "a");
  },
  "keys: of many who promote the first key at once, one succeeds": async (store, other) => {
    await store.keys.prepare(key("a"));
    const won = await race((contender) => contender.keys.promote(fingerprint("a"), undefined, START), store, other);
    assert.equal(won.filter(Boolean).length, 1);
  },
  "keys: of many who promote different keys over one at once, one succeeds": async (store, other) => {
    await store.keys.prepare(key("old"));
    await store.keys.promote(fingerprint("old"), undefined, START);
    for (let index = 0; index < CONTENDERS; index += 1) await store.keys.prepare(key(`new ${index}`));
    const won = await race(
      (contender, index) => contender.keys.promote(fingerprint(`new ${index}`), fingerprint("old"), START + 1),
      store,
      other,
    );
    assert.equal(won.filter(Boolean).length, 1);
    const current = (await store.keys.list()).filter(({ state }) => state === "current");
    assert.deepEqual(
      current.map((one) => one.fingerprint),
      [fingerprint(`new ${won.indexOf(true)}`)],
    );
    assert.equal((await store.keys.list()).filter(({ state }) => state === "archived").length, 1);
  },
  "SEC-050 keys: revoke forgets the private half of a key and keeps the rest, for everybody": async (store, other) => {
    await store.keys.prepare({ ...key("a"), createdAt: START + 1 });
    await store.keys.promote(fingerprint("a"), undefined, START + 1);
    await store.keys.prepare({ ...key("b"), createdAt: START + 2 });
    await store.keys.promote(fingerprint("b"), fingerprint("a"), START + 2);
    await store.keys.prepare({ ...key("c"), createdAt: START + 3 });
    await store.keys.revoke(fingerprint("a"));
    await other.keys.revoke(fingerprint("c"));
    for (const one of [store, other]) {
      assert.deepEqual(await one.keys.list(), [
        { ...key("c"), createdAt: START + 3, state: "revoked", privateKey: new Uint8Array() },
        { ...key("b"), createdAt: START + 2, state: "current" },
        { ...key("a"), createdAt: START + 1, state: "revoked", privateKey: new Uint8Array() },
      ]);
    }
  },
  "SEC-050 keys: a revoked key never comes back": async (store, other) => {
    for (const name of ["a", "b"]) await store.keys.prepare(key(name));
    await store.keys.revoke(fingerprint("a"));
    const before = await store.keys.list();
    assert.equal(await other.keys.promote(fingerprint("a"), undefined, START), false);
    await other.keys.prepare(key("a"));
    await store.keys.revoke(fingerprint("a"));
    await store.keys.prune(0, START + 9 * DAY_MS);
    assert.deepEqual(
      await store.keys.list(),
      before.filter(({ state }) => state === "revoked"),
    );
    assert.equal(await store.keys.promote(fingerprint("a"), undefined, START), false);
  },
  "SEC-050 keys: the current key cannot be revoked": async (store, other) => {
    await store.keys.prepare(key("a"));
    await store.keys.promote(fingerprint("a"), undefined, START);
    await assert.rejects(other.keys.revoke(fingerprint("a")), { code: "MNET_CONFIG_INVALID", option: "fingerprint" });
    assert.deepEqual(await store.keys.list(), [{ ...key("a"), state: "current" }]);
  },
  "keys: revoking an unknown key changes nothing": async (store) => {
    await store.keys.prepare(key("a"));
    for (const name of ["b", ...HOSTILE_TEXTS]) await store.keys.revoke(fingerprint(name));
    assert.deepEqual(await store.keys.list(), [key("a")]);
  },
  "SEC-050 keys: where one promotes a key and one revokes it at once, one succeeds": async (store, other) => {
    for (let turn = 0; turn < 10; turn += 1) {
      const name = `${turn}`;
      await store.keys.prepare({ ...key(name), createdAt: START + turn });
      const expected = (await store.keys.list()).find(({ state }) => state === "current")?.fingerprint;
      const promote = (): Promise<boolean> => other.keys.promote(fingerprint(name), expected, START);
      const revoke = (): Promise<boolean> =>
        store.keys.revoke(fingerprint(name)).then(
          () => true,
          () => false,
        );
      const [one, two] = await Promise.all(turn % 2 === 0 ? [promote(), revoke()] : [revoke(), promote()]);
      assert.notEqual(one, two);
      const [newest] = await store.keys.list();
      const isPromoted = turn % 2 === 0 ? one : two;
      assert.equal(newest?.state, isPromoted ? "current" : "revoked");
      assert.equal(newest.privateKey.length, isPromoted ? 5 : 0);
    }
  },
  "SEC-051 keys: rewrap stores the private half otherwise, for everybody, and nothing else changes": async (
    store,
    other,
  ) => {
    await store.keys.prepare({ ...key("a"), createdAt: START + 1 });
    await store.keys.promote(fingerprint("a"), undefined, START + 1);
    await store.keys.prepare({ ...key("b"), createdAt: START + 2 });
    const before = await store.keys.list();
    const generation = await other.peers.generation();
    const wrapped = Uint8Array.from({ length: 300 }, (_, index) => index % 256);
    assert.equal(await store.keys.rewrap(fingerprint("a"), key("a").privateKey, wrapped), true);
    const after = before.map((one) => (one.state === "current" ? { ...one, privateKey: wrapped } : one));
    assert.deepEqual(await other.keys.list(), after);
    assert.notEqual(await other.peers.generation(), generation);
  },
  "SEC-051 keys: rewrap changes nothing where the key is stored otherwise, revoked or unknown": async (
    store,
    other,
  ) => {
    for (const name of ["a", "b"]) await store.keys.prepare(key(name));
    await store.keys.revoke(fingerprint("b"));
    const before = await store.keys.list();
    const generation = await store.peers.generation();
    const bytes = key("a").privateKey;
    const wrapped = Uint8Array.of(1, 2, 3);
    for (const stale of [new Uint8Array(), wrapped, bytes.subarray(1), Uint8Array.of(...bytes, 0)]) {
      assert.equal(await other.keys.rewrap(fingerprint("a"), stale, wrapped), false);
    }
    assert.equal(await other.keys.rewrap(fingerprint("b"), new Uint8Array(), wrapped), false);
    assert.equal(await other.keys.rewrap(fingerprint("c"), bytes, wrapped), false);
    assert.deepEqual(await store.keys.list(), before);
    assert.equal(await store.peers.generation(), generation);
  },
  "SEC-051 keys: of many who rewrap one key at once, one succeeds": async (store, other) => {
    await store.keys.prepare(key("a"));
    const won = await race(
      (contender, index) => contender.keys.rewrap(fingerprint("a"), key("a").privateKey, Uint8Array.of(index, 1)),
      store,
      other,
    );
    assert.equal(won.filter(Boolean).length, 1);
    const [stored] = await store.keys.list();
    assert.deepEqual(stored?.privateKey, Uint8Array.of(won.indexOf(true), 1));
  },
  "keys: prune forgets archived keys beyond the newest, and no others": async (store, other) => {
    let current: Fingerprint | undefined;
    for (const [index, name] of ["a", "b", "c", "d", "e", "f"].entries()) {
      await store.keys.prepare({ ...key(name), createdAt: START + index });
      assert.equal(await store.keys.promote(fingerprint(name), current, START + index), true);
      current = fingerprint(name);
    }
    await store.keys.prepare({ ...key("g"), createdAt: START + 9 });
    await store.keys.revoke(fingerprint("b"));
    const left = async (): Promise<readonly Fingerprint[]> => fingerprints(other);
    await store.keys.prune(9, START + 9);
    await store.keys.prune(4, START + 9);
    assert.deepEqual(await left(), ["g", "f", "e", "d", "c", "b", "a"].map(fingerprint));
    await store.keys.prune(3, START + 9);
    assert.deepEqual(await left(), ["g", "f", "e", "d", "c", "b"].map(fingerprint));
    await other.keys.prune(1, START + 9);
    assert.deepEqual(await left(), ["g", "f", "e", "b"].map(fingerprint));
    await store.keys.prune(0, START + 9);
    assert.deepEqual(await left(), ["g", "f", "b"].map(fingerprint));
    assert.deepEqual(await states(store), ["prepared", "current", "revoked"]);
  },
  "keys: prune forgets prepared keys that are older than a day": async (store, other) => {
    await store.keys.prepare({ ...key("a"), createdAt: START });
    await store.keys.prepare({ ...key("b"), createdAt: START + 1 });
    await store.keys.promote(fingerprint("b"), undefined, START + 1);
    await store.keys.prepare({ ...key("c"), createdAt: START + 1 });
    await store.keys.prune(3, START + DAY_MS);
    assert.deepEqual(await fingerprints(other), ["c", "b", "a"].map(fingerprint));
    await other.keys.prune(3, START + DAY_MS + 1);
    assert.deepEqual(await fingerprints(store), ["c", "b"].map(fingerprint));
    assert.equal(await store.keys.promote(fingerprint("a"), fingerprint("b"), START), false);
  },
  "keys: a key that is promoted while others prune is there, or was not promoted": async (store, other) => {
    await store.keys.prepare(key("a"));
    const won = await race(
      async (contender, index) => {
        if (index === CONTENDERS / 2) return contender.keys.promote(fingerprint("a"), undefined, START);
        await contender.keys.prune(3, START + 2 * DAY_MS);
        return false;
      },
      store,
      other,
    );
    assert.deepEqual(await states(store), won.includes(true) ? ["current"] : []);
  },
  "SEC-032 keys: each owner has a current key and an archive of its own": async (store, other) => {
    const make = async (name: string, peer?: number, at = START): Promise<void> => {
      await store.keys.prepare({ ...keyOf(name, peer), createdAt: at });
    };
    await make("shared 1");
    await make("seven 1", 7, START + 1);
    await make("eight 1", 8, START + 2);
    assert.deepEqual(await store.keys.owners().then(sorted), [7, 8]);
    for (const name of ["shared 1", "seven 1", "eight 1"]) {
      assert.equal(await store.keys.promote(fingerprint(name), undefined, START), true, name);
    }
    assert.deepEqual(await other.keys.list("shared"), [{ ...key("shared 1"), state: "current" }]);
    assert.deepEqual(await other.keys.list(7 as PeerId), [
      { ...keyOf("seven 1", 7), createdAt: START + 1, state: "current" },
    ]);
    assert.deepEqual(await other.keys.list(9 as PeerId), []);
    assert.deepEqual(await fingerprints(other), ["eight 1", "seven 1", "shared 1"].map(fingerprint));

    // Nobody's key takes another's place.
    await make("seven 2", 7, START + 3);
    for (const expected of [undefined, "shared 1", "eight 1"]) {
      const name = expected === undefined ? undefined : fingerprint(expected);
      assert.equal(await other.keys.promote(fingerprint("seven 2"), name, START), false, expected);
    }
    assert.equal(await other.keys.promote(fingerprint("seven 2"), fingerprint("seven 1"), START), true);
    assert.deepEqual(await statesOf(store, 7), ["current", "archived"]);
    assert.deepEqual(await statesOf(store, "shared"), ["current"]);
    assert.deepEqual(await statesOf(store, 8), ["current"]);
  },
  "SEC-032 keys: of many who promote the first key of a peer at once, one succeeds": async (store, other) => {
    await store.keys.prepare(key("shared"));
    await store.keys.promote(fingerprint("shared"), undefined, START);
    for (let index = 0; index < CONTENDERS; index += 1) await store.keys.prepare(keyOf(`own ${index}`, 7));
    const won = await race(
      (contender, index) => contender.keys.promote(fingerprint(`own ${index}`), undefined, START),
      store,
      other,
    );
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal((await statesOf(other, 7)).filter((state) => state === "current").length, 1);
    assert.deepEqual(await statesOf(other, "shared"), ["current"]);
  },
  "SEC-032 keys: a peer's current key is archived with none in its place, and a shared one never": async (
    store,
    other,
  ) => {
    await store.keys.prepare(key("shared"));
    await store.keys.prepare(keyOf("own", 7));
    assert.equal(await store.keys.archive(fingerprint("own"), START), false);
    for (const name of ["shared", "own"]) await store.keys.promote(fingerprint(name), undefined, START);
    const generation = await other.peers.generation();
    for (const name of ["shared", "unknown", ...HOSTILE_TEXTS]) {
      assert.equal(await other.keys.archive(fingerprint(name), START), false);
    }
    assert.equal(await other.peers.generation(), generation);
    const won = await race((contender) => contender.keys.archive(fingerprint("own"), START), store, other);
    assert.equal(won.filter(Boolean).length, 1);
    assert.notEqual(await other.peers.generation(), generation);
    assert.deepEqual(await other.keys.list(7 as PeerId), [{ ...keyOf("own", 7), state: "archived" }]);
    assert.deepEqual(await statesOf(other, "shared"), ["current"]);
    await store.keys.prepare({ ...keyOf("next", 7), createdAt: START + 1 });
    assert.equal(await other.keys.promote(fingerprint("next"), undefined, START), true);
  },
  "SEC-032 keys: prune counts the archived keys of each owner, and those of peers have an end": async (
    store,
    other,
  ) => {
    const current = new Map<number | undefined, Fingerprint>();
    for (const [index, peer] of [undefined, 7, undefined, 7, 8, 7, undefined, 8].entries()) {
      const name = `${peer ?? "shared"} ${index}`;
      await store.keys.prepare({ ...keyOf(name, peer), createdAt: START + index });
      assert.equal(await store.keys.promote(fingerprint(name), current.get(peer), START), true);
      current.set(peer, fingerprint(name));
    }
    await store.keys.prune(2, START);
    assert.equal((await other.keys.list()).length, 8);
    await store.keys.prune(1, START, START + 3);
    assert.deepEqual(await fingerprints(other), ["8 7", "shared 6", "7 5", "8 4", "7 3", "shared 2"].map(fingerprint));
    await other.keys.prune(1, START, START + 4);
    assert.deepEqual(await fingerprints(store), ["8 7", "shared 6", "7 5", "8 4", "shared 2"].map(fingerprint));
    await other.keys.prune(1, START, START + DAY_MS);
    // Current ones stay, and what is shared has no end but the next.
    assert.deepEqual(await fingerprints(store), ["8 7", "shared 6", "7 5", "shared 2"].map(fingerprint));
  },
  "keys: what a caller does to its copy does not reach the store": async (store) => {
    const given = key("a");
    await store.keys.prepare(given);
    given.privateKey.fill(0);
    const [first] = await store.keys.list();
    first?.privateKey.fill(0);
    assert.deepEqual(await store.keys.list(), [key("a")]);
  },
};

const keyOf = (name: string, peer: number | undefined): StoredKey => ({
  ...key(name),
  ...(peer !== undefined && { peer: peer as PeerId }),
});

const sorted = (ids: readonly PeerId[]): readonly PeerId[] => [...ids].sort((a, b) => a - b);

const statesOf = async (store: Store, owner: number | "shared"): Promise<readonly StoredKey["state"][]> =>
  (await store.keys.list(owner as PeerId | "shared")).map(({ state }) => state);

const states = async (store: Store): Promise<readonly StoredKey["state"][]> =>
  (await store.keys.list()).map(({ state }) => state);
