import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { MnetEvent } from "../core/events.ts";
import type { Cursor, Fingerprint, PeerId, Wwwroot } from "../core/ids.ts";
import type { Page } from "../core/listing.ts";
import type { LogEntry, LogFilter } from "../host/log-store.ts";
import type { Store } from "../host/store.ts";
import type { StoredKey } from "../keys/key-store.ts";
import type { PeerFilter, PeerRecord } from "../peer/peer-store.ts";
import type { PeerCounters } from "../peer/stats-store.ts";
import type { ContractCase } from "./contract-case.ts";
import { REPLAY_CHECKS } from "./replay-contract.ts";

/** Two stores on one place, as two processes would have them. */
type Check = (store: Store, other: Store) => Promise<void>;

const START = Date.UTC(2026, 0, 1);
const CONTENDERS = 20;
const DAY_MS = 86_400_000;

/** Texts that break what is pasted together or compared loosely. */
const HOSTILE_TEXTS: readonly string[] = [
  "'",
  "''",
  '"',
  "`",
  "\\",
  "\\'",
  "\\\\' or 1=1 -- ",
  "'; drop table mnet_peer; --",
  '"; drop table mnet_peer; --',
  "%",
  "_",
  "$1 ? :name @name ${x} {{x}}",
  "/* */ # --",
  " leading and trailing ",
  "tab\tline\r\nend",
  "null",
  "",
  "e\u0301 \u00e9 \u212b \ufeff \u202e \u200d",
  "日本語 עברית",
  "\u{1f600}\u{10ffff}",
];

/**
 * What every `Store` promises, as cases for any test runner.
 *
 * `open` is called with a fresh name of a place per run, safe in file names, URLs and identifiers. Nothing may be there yet.
 * Two calls with one name must give stores that see the same data, as two processes would; they may be the same object.
 * The suite opens and closes them; removing the place is up to the caller.
 *
 * @example
 * for (const { name, run } of storeContract(async (place) => openStore(`sqlite:${directory}/${place}.db`))) test(name, run);
 */
export function storeContract(open: (place: string) => Promise<Store>): readonly ContractCase[] {
  return Object.entries(checks(open)).map(([name, check]) => ({
    name,
    run: () => onFreshPlace(open, (_place, store, other) => check(store, other)),
  }));
}

function checks(open: (place: string) => Promise<Store>): Readonly<Record<string, Check>> {
  return {
    "store: is ready after open, and a second open is harmless": async (store) => {
      assert.deepEqual(await store.pendingMigrations(), []);
      await store.peers.insert(peer(1));
      await store.open();
      assert.equal((await everyPeer(store)).length, 1);
    },
    "store: a migration that is not needed applies nothing, from any number of callers": async (store, other) => {
      const results = await race((contender) => contender.migrate(), store, other);
      for (const { applied } of results) assert.deepEqual(applied, []);
    },
    "store: keeps everything while nobody has it open": () =>
      onFreshPlace(open, async (place, store, other) => {
        await store.keys.prepare(key("a"));
        await store.peers.insert(peer(1));
        await store.peers.changeAllHostsServices({ sso_idp: "both" });
        await store.replay.remember(1 as PeerId, "a", { until: START + 9, maxEntries: 9 }, START);
        await store.stats.add(1 as PeerId, counters({ callsIn: 3 }));
        await store.log.append([event(1)]);
        await store.close();
        await other.close();
        const later = await open(place);
        await later.open();
        try {
          assert.deepEqual(await fingerprints(later), [fingerprint("a")]);
          assert.deepEqual(await later.peers.find(1 as PeerId), { ...peer(1), id: 1, version: 1 });
          assert.deepEqual(await later.peers.allHostsServices(), { sso_idp: "both" });
          const { seen } = await later.replay.remember(1 as PeerId, "a", { until: START + 9, maxEntries: 9 }, START);
          assert.equal(seen, "again");
          assert.equal((await later.stats.get(1 as PeerId)).callsIn, 3);
          assert.deepEqual((await everyEntry(later)).map(numberOf), [1]);
        } finally {
          await later.close();
        }
      }),
    "store: closing twice is harmless": async (store) => {
      await store.close();
      await store.close();
    },

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
    "SEC-050 keys: revoke forgets the private half of a key and keeps the rest, for everybody": async (
      store,
      other,
    ) => {
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
    "keys: what a caller does to its copy does not reach the store": async (store) => {
      const given = key("a");
      await store.keys.prepare(given);
      given.privateKey.fill(0);
      const [first] = await store.keys.list();
      first?.privateKey.fill(0);
      assert.deepEqual(await store.keys.list(), [key("a")]);
    },

    "peers: a new peer gets an id and version 1, and is seen by everybody": async (store, other) => {
      const given = fullPeer(1);
      const { inserted, peer: record } = await store.peers.insert(given);
      assert.equal(inserted, true);
      assert.ok(Number.isSafeInteger(record.id) && record.id >= 1);
      assert.deepEqual(record, { ...given, id: record.id, version: 1 });
      assert.deepEqual(await other.peers.find(record.id), record);
      assert.deepEqual(await other.peers.find(given.wwwroot), record);
    },
    "peers: what is optional stays absent": async (store) => {
      const { peer: record } = await store.peers.insert(peer(1));
      for (const name of ["held", "dialect", "profile", "lastContactAt"]) assert.ok(!(name in record), name);
      assert.deepEqual(await store.peers.find(record.id), record);
      const full = await store.peers.update({ ...record, ...fullPeer(1) });
      assert.ok(full?.held && full.dialect && full.profile && full.lastContactAt);
      // Taken away again: an update replaces, it does not merge.
      const bare = await store.peers.update({ ...record, version: full.version });
      assert.deepEqual(bare, { ...record, version: 3 });
      assert.deepEqual(await store.peers.find(record.id), bare);
    },
    "peers: nobody is found who is not there": async (store) => {
      await store.peers.insert(peer(1));
      for (const id of [0, -1, 2, 1.5, NaN, Infinity, 2 ** 53]) {
        assert.equal(await store.peers.find(id as PeerId), undefined, String(id));
      }
      assert.equal(await store.peers.find("" as Wwwroot), undefined);
      assert.equal(await store.peers.find("1" as Wwwroot), undefined);
    },
    "MNET-002 peers: wwwroots are compared byte by byte": async (store) => {
      const wwwroot = "http://a.test/x\u00e9";
      await store.peers.insert({ ...peer(1), wwwroot: wwwroot as Wwwroot });
      const near = [
        "http://A.test/x\u00e9",
        "HTTP://a.test/x\u00e9",
        "http://a.test/X\u00e9",
        "http://a.test/xe\u0301",
        "http://a.test/xe",
        "http://a.test/x\u00e9/",
        "http://a.test/x\u00e9 ",
        " http://a.test/x\u00e9",
        "http://a.test/x\u00e9\0",
        "http://a.test/x\u00e9\0y",
        "http://a.test/x\u00e9\u200b",
        "http://a.test/x%",
        "http://a.test/x_",
      ];
      for (const other of near)
        assert.equal(await store.peers.find(other as Wwwroot), undefined, JSON.stringify(other));
      assert.ok(await store.peers.find(wwwroot as Wwwroot));
      // Neither does any of them count as taken.
      for (const [index, other] of near.filter((text) => !text.includes("\0")).entries()) {
        const added = await store.peers.insert({ ...peer(index + 2), wwwroot: other as Wwwroot });
        assert.equal(added.inserted, true, JSON.stringify(other));
      }
    },
    "MNET-002 peers: a lone surrogate is not its replacement": async (store) => {
      await store.peers.insert({ ...peer(1), wwwroot: "http://a.test/\ufffd" as Wwwroot });
      assert.equal(await store.peers.find("http://a.test/\ud800" as Wwwroot), undefined);
    },
    "SEC-085 peers: a taken wwwroot or canonical form gives the peer that has it, in any state": async (
      store,
      other,
    ) => {
      for (const [index, state] of (["pending", "active", "suspended", "deleted"] as const).entries()) {
        const { peer: first } = await store.peers.insert({ ...peer(index), state });
        const again = await other.peers.insert({ ...peer(index), canonical: "fresh", name: "Mallory" });
        assert.deepEqual(again, { inserted: false, peer: first });
        const confusable = await other.peers.insert({ ...peer(index), wwwroot: `HTTP://${index}` as Wwwroot });
        assert.deepEqual(confusable, { inserted: false, peer: first });
        assert.deepEqual(await store.peers.find(first.id), first);
      }
    },
    "peers: where the wwwroot is one peer's and the canonical form another's, the wwwroot decides": async (store) => {
      const { peer: one } = await store.peers.insert(peer(1));
      const { peer: two } = await store.peers.insert(peer(2));
      assert.deepEqual((await store.peers.insert({ ...peer(1), wwwroot: two.wwwroot })).peer, two);
      assert.deepEqual((await store.peers.insert({ ...peer(2), wwwroot: one.wwwroot })).peer, one);
    },
    "peers: of many who insert one wwwroot at once, one inserts and all get the same peer": async (store, other) => {
      const results = await race(
        (contender, index) => contender.peers.insert({ ...peer(1), name: `${index}` }),
        store,
        other,
      );
      const winners = results.filter(({ inserted }) => inserted);
      assert.equal(winners.length, 1);
      for (const result of results) assert.deepEqual(result.peer, winners[0]?.peer);
      assert.equal((await everyPeer(store)).length, 1);
    },
    "SEC-085 peers: of many who insert confusable wwwroots at once, one inserts": async (store, other) => {
      const results = await race(
        (contender, index) => contender.peers.insert({ ...peer(index), canonical: "http://same.test" }),
        store,
        other,
      );
      const winners = results.filter(({ inserted }) => inserted);
      assert.equal(winners.length, 1);
      for (const result of results) assert.deepEqual(result.peer, winners[0]?.peer);
    },
    "peers: of many who insert different peers at once, each gets an id of its own": async (store, other) => {
      const results = await race((contender, index) => contender.peers.insert(peer(index)), store, other);
      assert.ok(results.every(({ inserted }) => inserted));
      assert.equal(new Set(results.map(({ peer: { id } }) => id)).size, CONTENDERS);
    },
    "peers: ids go up and never come twice, refused and deleted peers included": async (store, other) => {
      const ids: number[] = [];
      for (let index = 0; index < 5; index += 1) {
        const { peer: record } = await (index % 2 === 0 ? store : other).peers.insert(peer(index));
        ids.push(record.id);
        await store.peers.insert(peer(index));
        assert.ok(await store.peers.update({ ...record, state: "deleted" }));
      }
      assert.deepEqual(
        ids,
        [...new Set(ids)].sort((a, b) => a - b),
      );
    },
    "peers: an update replaces the record and adds one to its version": async (store, other) => {
      const { peer: record } = await store.peers.insert(peer(1));
      const wanted = { ...record, ...fullPeer(7) };
      const updated = await store.peers.update(wanted);
      assert.deepEqual(updated, { ...wanted, version: 2 });
      assert.deepEqual(await other.peers.find(record.id), updated);
      assert.equal(await other.peers.find(record.wwwroot), undefined);
      assert.deepEqual(await other.peers.find(wanted.wwwroot), updated);
    },
    "peers: an update of an old version, or of nobody, changes nothing": async (store, other) => {
      const { peer: record } = await store.peers.insert(peer(1));
      const updated = await store.peers.update({ ...record, name: "second" });
      assert.equal(await other.peers.update({ ...record, name: "lost" }), undefined);
      assert.equal(await other.peers.update({ ...record, version: 3, name: "early" }), undefined);
      assert.equal(await other.peers.update({ ...record, id: 99 as PeerId }), undefined);
      assert.deepEqual(await store.peers.find(record.id), updated);
      assert.equal((await everyPeer(store)).length, 1);
    },
    "peers: of many who update one version at once, one succeeds": async (store, other) => {
      const { peer: record } = await store.peers.insert(peer(1));
      const results = await race(
        (contender, index) => contender.peers.update({ ...record, name: `${index}` }),
        store,
        other,
      );
      const winners = results.filter((result) => result !== undefined);
      assert.equal(winners.length, 1);
      assert.deepEqual(await store.peers.find(record.id), winners[0]);
    },
    "peers: no update is lost where everybody reads again after losing": async (store, other) => {
      const { peer: record } = await store.peers.insert({ ...peer(1), retired: [] });
      await race(
        async (contender, index) => {
          for (;;) {
            const read = await contender.peers.find(record.id);
            assert.ok(read);
            if (await contender.peers.update({ ...read, retired: [...read.retired, fingerprint(`${index}`)] })) return;
          }
        },
        store,
        other,
      );
      const end = await store.peers.find(record.id);
      assert.ok(end);
      assert.equal(end.version, CONTENDERS + 1);
      assert.deepEqual(
        [...end.retired].sort(),
        Array.from({ length: CONTENDERS }, (_, index) => fingerprint(`${index}`)).sort(),
      );
    },
    "SEC-085 peers: an update cannot take another peer's wwwroot or canonical form": async (store) => {
      const { peer: one } = await store.peers.insert(peer(1));
      const { peer: two } = await store.peers.insert(peer(2));
      const generation = await store.peers.generation();
      await assert.rejects(store.peers.update({ ...two, wwwroot: one.wwwroot }));
      await assert.rejects(store.peers.update({ ...two, canonical: one.canonical }));
      assert.deepEqual(await everyPeer(store), [one, two]);
      assert.equal(await store.peers.generation(), generation);
    },
    "peers: are listed by id, in pages, without gaps": async (store, other) => {
      for (let index = 0; index < 7; index += 1) await store.peers.insert(peer(index));
      const all = await everyPeer(other, {}, 100);
      assert.deepEqual(
        all.map(({ wwwroot }) => wwwroot),
        Array.from({ length: 7 }, (_, index) => peer(index).wwwroot),
      );
      for (const limit of [1, 2, 3, 6, 7, 8])
        assert.deepEqual(await everyPeer(other, {}, limit), all, `pages of ${limit}`);
      const full = await store.peers.list({}, undefined, 7);
      assert.equal(full.next, undefined);
    },
    "peers: one who is added while the list is paged comes at its end": async (store, other) => {
      for (let index = 0; index < 4; index += 1) await store.peers.insert(peer(index));
      const first = await store.peers.list({}, undefined, 2);
      await other.peers.insert(peer(4));
      const rest = await store.peers.list({}, first.next, 10);
      assert.deepEqual(
        [...first.items, ...rest.items].map(({ name }) => name),
        Array.from({ length: 5 }, (_, index) => peer(index).name),
      );
    },
    "SEC-057 peers: a cursor that no list gave is refused, or finds nothing": async (store) => {
      await store.peers.insert(peer(1));
      await store.log.append([event(1)]);
      for (const text of HOSTILE_TEXTS) {
        const readings = [store.peers.list({}, text as Cursor, 5), store.log.list({}, text as Cursor, 5)];
        for (const reading of readings) {
          const page = await reading.catch(() => undefined);
          assert.ok(page === undefined || page.items.length === 0, JSON.stringify(text));
        }
      }
    },
    "peers: filters by state and held certificate; without one, all but the deleted": async (store) => {
      const given = [
        { ...peer(0), state: "active" },
        { ...fullPeer(1), state: "active" },
        { ...fullPeer(2), state: "pending" },
        { ...fullPeer(3), state: "deleted" },
        { ...peer(4), state: "deleted" },
        { ...peer(5), state: "suspended" },
      ] as const;
      for (const one of given) await store.peers.insert(one);
      const found = async (filter: PeerFilter): Promise<readonly number[]> => {
        const names = (await everyPeer(store, filter, 1)).map(({ wwwroot }) => wwwroot);
        return names.map((name) => given.findIndex(({ wwwroot }) => wwwroot === name));
      };
      assert.deepEqual(await found({}), [0, 1, 2, 5]);
      assert.deepEqual(await found({ state: undefined, held: undefined }), [0, 1, 2, 5]);
      assert.deepEqual(await found({ state: "active" }), [0, 1]);
      assert.deepEqual(await found({ state: "deleted" }), [3, 4]);
      assert.deepEqual(await found({ state: "suspended" }), [5]);
      assert.deepEqual(await found({ held: true }), [1, 2]);
      assert.deepEqual(await found({ held: true, state: "deleted" }), [3]);
    },
    "peers: the boxes for All Hosts are empty at first, and changed one by one": async (store, other) => {
      assert.deepEqual(await store.peers.allHostsServices(), {});
      await store.peers.changeAllHostsServices({ sso_idp: "both", mnet_enrol: "publish" });
      assert.deepEqual(await other.peers.allHostsServices(), { sso_idp: "both", mnet_enrol: "publish" });
      await other.peers.changeAllHostsServices({ sso_sp: "subscribe", mnet_enrol: "off" });
      assert.deepEqual(await store.peers.allHostsServices(), { sso_idp: "both", sso_sp: "subscribe" });
    },
    "peers: of concurrent changes of the boxes for All Hosts none is lost": async (store, other) => {
      await store.peers.changeAllHostsServices({ withdrawn: "both" });
      const services = Array.from({ length: CONTENDERS }, (_, n) => `service${n}`);
      await Promise.all([
        ...services.map((name, n) => (n % 2 ? store : other).peers.changeAllHostsServices({ [name]: "publish" })),
        other.peers.changeAllHostsServices({ withdrawn: "off" }),
      ]);
      const expected = Object.fromEntries(services.map((name) => [name, "publish"]));
      assert.deepEqual(await store.peers.allHostsServices(), expected);
    },
    "peers: the generation changes with every change, for everybody": async (store, other) => {
      let seen = await store.peers.generation();
      const changes = async (what: string, work: () => Promise<unknown>): Promise<void> => {
        await work();
        const now = await other.peers.generation();
        assert.notEqual(now, seen, what);
        assert.equal(await store.peers.generation(), now, what);
        seen = now;
      };
      const { peer: record } = await store.peers.insert(peer(1));
      seen = await store.peers.generation();
      await changes("insert", () => other.peers.insert(peer(2)));
      await changes("update", () => other.peers.update({ ...record, name: "another" }));
      await changes("All Hosts", () => store.peers.changeAllHostsServices({ sso_idp: "both" }));
      await changes("prepare", () => other.keys.prepare(key("a")));
      await changes("promote", () => store.keys.promote(fingerprint("a"), undefined, START));
      await other.keys.prepare(key("b"));
      await other.keys.prepare(key("c"));
      seen = await store.peers.generation();
      await changes("revoke", () => other.keys.revoke(fingerprint("b")));
      await changes("prune", () => store.keys.prune(0, START + 2 * DAY_MS));
    },
    "peers: the generation stays where nothing changed": async (store) => {
      const { peer: record } = await store.peers.insert(peer(1));
      await store.keys.prepare(key("b"));
      await store.keys.revoke(fingerprint("b"));
      await store.keys.prepare(key("a"));
      await store.keys.promote(fingerprint("a"), undefined, START);
      const before = await store.peers.generation();
      await store.open();
      await store.migrate();
      await store.peers.insert(peer(1));
      await store.peers.update({ ...record, version: 9 });
      await store.peers.find(record.id);
      await store.peers.list({}, undefined, 9);
      await store.peers.allHostsServices();
      await store.keys.prepare(key("a"));
      await store.keys.promote(fingerprint("a"), undefined, START);
      await store.keys.revoke(fingerprint("b"));
      await store.keys.revoke(fingerprint("unknown"));
      await assert.rejects(store.keys.revoke(fingerprint("a")));
      await store.keys.prune(0, START * 2);
      await store.keys.list();
      await store.replay.remember(record.id, "a", { until: START + 9, maxEntries: 9 }, START);
      await store.replay.prune(START * 2, 9);
      await store.stats.add(record.id, counters({ callsIn: 1 }));
      await store.stats.get(record.id);
      await store.log.append([event(1)]);
      await store.log.list({}, undefined, 9);
      await store.log.prune(START * 2, 9);
      assert.equal(await store.peers.generation(), before);
    },
    "peers: the generation counts every one of many changes at once": async (store, other) => {
      const seen = new Set<number>();
      await race(
        async (contender, index) => {
          await contender.peers.insert(peer(index));
          seen.add(await contender.peers.generation());
        },
        store,
        other,
      );
      const end = await store.peers.generation();
      await store.peers.insert(peer(CONTENDERS));
      assert.ok(!seen.has(await store.peers.generation()));
      assert.ok(seen.has(end));
    },
    "peers: what a caller does to its copy does not reach the store": async (store) => {
      const given = fullPeer(1);
      const { peer: record } = await store.peers.insert(given);
      const spoil = (one: unknown): void => {
        const { retired, services, settings } = one as { retired: string[]; services: object; settings: object };
        retired.push("spoilt");
        Object.assign(services, { spoilt: "both" });
        Object.assign(settings, { timeoutMs: -1 });
      };
      spoil(given);
      spoil(record);
      spoil(await store.peers.find(record.id));
      spoil((await store.peers.list({}, undefined, 1)).items[0]);
      spoil((await store.peers.insert(peer(1))).peer);
      const boxes = { sso_idp: "both" } as const;
      await store.peers.changeAllHostsServices(boxes);
      Object.assign(boxes, { spoilt: "both" });
      Object.assign(await store.peers.allHostsServices(), { spoilt: "both" });
      assert.deepEqual(await store.peers.find(record.id), { ...fullPeer(1), id: record.id, version: 1 });
      assert.deepEqual(await store.peers.allHostsServices(), { sso_idp: "both" });
    },
    "SEC-057 peers: quotes, backslashes and Unicode come back from every text as they were": async (store, other) => {
      for (const [index, text] of HOSTILE_TEXTS.entries()) {
        const given: Omit<PeerRecord, "id" | "version"> = {
          ...fullPeer(index),
          wwwroot: `http://${index}.test/${text}` as Wwwroot,
          canonical: `http://${index}.test/${text}`,
          name: text,
          certificate: text,
          retired: [text as Fingerprint, text as Fingerprint],
          held: { certificate: text, reason: "operator", since: START },
          settings: { allowAddresses: [text] },
          services: { [text]: "both", __proto__x: "off" },
        };
        const { peer: record } = await store.peers.insert(given);
        assert.deepEqual(await other.peers.find(given.wwwroot), { ...given, id: record.id, version: 1 });
        assert.deepEqual(await other.peers.update(record), { ...record, version: 2 });
        assert.deepEqual(await store.peers.find(record.id), { ...record, version: 2 });
        await store.peers.changeAllHostsServices({ [text]: "publish" });
        assert.deepEqual(await other.peers.allHostsServices(), { [text]: "publish" });
        await store.peers.changeAllHostsServices({ [text]: "off" });
      }
      assert.equal((await everyPeer(store)).length, HOSTILE_TEXTS.length);
    },
    "peers: the longest values fit": async (store, other) => {
      // 255 bytes of the longest identity, 80 characters of four bytes each, certificates as large as they are accepted.
      const longest: Omit<PeerRecord, "id" | "version"> = {
        ...fullPeer(1),
        wwwroot: `https://${"a".repeat(247)}` as Wwwroot,
        canonical: `https://${"b".repeat(247)}`,
        name: "\u{1f600}".repeat(80),
        certificate: "C".repeat(16_384),
        retired: Array.from({ length: 200 }, (_, index) => fingerprint(`${index}`)),
        held: { certificate: "H".repeat(16_384), reason: "signed-by-new-key", since: Number.MAX_SAFE_INTEGER },
        settings: { allowAddresses: Array.from({ length: 200 }, () => "2001:db8:0000:0000:0000:0000:0000:0000/128") },
        services: Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`service_${index}`, "both"] as const)),
        lastContactAt: Number.MAX_SAFE_INTEGER,
      };
      const { peer: record } = await store.peers.insert(longest);
      assert.deepEqual(await other.peers.find(longest.wwwroot), { ...longest, id: record.id, version: 1 });
      const sibling = { ...longest, wwwroot: `${longest.wwwroot.slice(0, 254)}x` as Wwwroot, canonical: "c" };
      assert.equal((await store.peers.insert(sibling)).inserted, true);
    },

    ...Object.fromEntries(
      Object.entries(REPLAY_CHECKS).map(([name, check]): [string, Check] => [
        name,
        (store, other) => check(store.replay, other.replay),
      ]),
    ),

    "stats: are zero at first": async (store) => {
      assert.deepEqual(await figures(store, 1), counters({}));
      await store.stats.add(1 as PeerId, counters({}));
      assert.deepEqual(await figures(store, 1), counters({}));
    },
    "stats: are the sums of what was added, of each peer": async (store, other) => {
      const one = {
        callsIn: 1,
        callsOut: 20,
        secureCalls: 13,
        bytesIn: 300,
        bytesOut: 4000,
        faultsByCode: { 7020: 1, [-32601]: 2 },
      };
      await store.stats.add(1 as PeerId, { ...one, latencies: [0, 1, 0, 2] });
      assert.deepEqual(await figures(other, 1), { ...one, latencies: [0, 1, 0, 2] });
      await other.stats.add(
        1 as PeerId,
        counters({ bytesIn: 7, faultsByCode: { 0: 4, 7020: 9 }, latencies: [5, 0, 0, 0, 0, 6] }),
      );
      assert.deepEqual(await figures(store, 1), {
        callsIn: 1,
        callsOut: 20,
        secureCalls: 13,
        bytesIn: 307,
        bytesOut: 4000,
        faultsByCode: { 0: 4, 7020: 10, [-32601]: 2 },
        latencies: [5, 1, 0, 2, 0, 6],
      });
      await store.stats.add(2 as PeerId, counters({ callsOut: 1, latencies: Array.from({ length: 64 }, () => 1) }));
      assert.equal((await figures(store, 1)).callsOut, 20);
      assert.deepEqual(
        await figures(other, 2),
        counters({ callsOut: 1, latencies: Array.from({ length: 64 }, () => 1) }),
      );
      assert.deepEqual(await figures(other, 3), counters({}));
    },
    "stats: of many additions at once none is lost": async (store, other) => {
      await race(
        async (contender, index) => {
          for (let turn = 0; turn < 10; turn += 1) {
            const faultsByCode = { 1: 1, [index]: 1 };
            const latencies = Array.from({ length: index + 1 }, () => 1);
            await contender.stats.add(1 as PeerId, {
              callsIn: 1,
              callsOut: 2,
              secureCalls: 5,
              bytesIn: 3,
              bytesOut: 4,
              faultsByCode,
              latencies,
            });
          }
        },
        store,
        other,
      );
      const total = CONTENDERS * 10;
      assert.deepEqual(await figures(store, 1), {
        callsIn: total,
        callsOut: 2 * total,
        secureCalls: 5 * total,
        bytesIn: 3 * total,
        bytesOut: 4 * total,
        faultsByCode: Object.fromEntries(
          Array.from({ length: CONTENDERS }, (_, code) => [code, code === 1 ? total : 10] as const),
        ),
        latencies: Array.from({ length: CONTENDERS }, (_, bucket) => 10 * (CONTENDERS - bucket)),
      });
    },
    "stats: large numbers are exact": async (store, other) => {
      const [large, id] = [2 ** 52, Number.MAX_SAFE_INTEGER as PeerId];
      await store.stats.add(id, counters({ bytesIn: large, faultsByCode: { [-(2 ** 31)]: large, [2 ** 31 - 1]: 1 } }));
      await other.stats.add(id, counters({ bytesIn: large - 1, faultsByCode: { [-(2 ** 31)]: 1 } }));
      const { bytesIn, faultsByCode } = await figures(store, id);
      assert.equal(bytesIn, Number.MAX_SAFE_INTEGER);
      assert.deepEqual(faultsByCode, { [-(2 ** 31)]: large + 1, [2 ** 31 - 1]: 1 });
    },
    "stats: what a caller does to its copy does not reach the store": async (store) => {
      const given = { ...counters({ callsIn: 1 }), faultsByCode: { 7: 1 }, latencies: [1] };
      await store.stats.add(1 as PeerId, given);
      for (const one of [given, await store.stats.get(1 as PeerId)]) {
        Object.assign(one, { callsIn: 9 });
        Object.assign(one.faultsByCode, { 7: 9, 8: 9 });
        Object.assign(one.latencies, [9, 9]);
      }
      assert.deepEqual(await figures(store, 1), {
        ...counters({ callsIn: 1 }),
        faultsByCode: { 7: 1 },
        latencies: [1],
      });
    },

    "SEC-090 log: entries are listed newest first, with numbers that go up": async (store, other) => {
      assert.deepEqual(await store.log.list({}, undefined, 10), { items: [] });
      await store.log.append([]);
      await store.log.append([event(1), event(2)]);
      await other.log.append([event(3)]);
      const entries = await everyEntry(store);
      assert.deepEqual(entries.map(numberOf), [3, 2, 1]);
      const sequences = entries.map(({ sequence }) => sequence);
      assert.deepEqual(
        sequences,
        [...new Set(sequences)].sort((a, b) => b - a),
      );
    },
    "log: every type of event comes back as it was, dates as dates": async (store, other) => {
      const peerRef = { id: 7 as PeerId, wwwroot: "https://seven.test" as Wwwroot };
      const base = { at: new Date(START + 123), level: "info", peer: peerRef, exchange: "x-1" } as const;
      const sizes = { method: "m", durationMs: 1.5, bytesIn: 10, bytesOut: 20 };
      const events: readonly MnetEvent[] = [
        { ...base, type: "call.served", ...sizes, faultCode: 17 },
        {
          ...base,
          type: "call.refused",
          code: "MNET_ENVELOPE_REPLAYED",
          faultCode: 7020,
          detail: "d",
          remoteAddress: "::1",
        },
        { ...base, type: "call.sent", ...sizes },
        { ...base, type: "call.failed", method: "m", durationMs: 0, code: "MNET_TRANSPORT_TIMEOUT" },
        { ...base, type: "envelope.remark", remark: "r" },
        { ...base, type: "clock.off", offsetMs: -1234 },
        { ...base, type: "peer.added", wwwroot: "https://seven.test", by: "itself" },
        { ...base, type: "peer.changed", state: "suspended", changed: ["state", "services"] },
        { ...base, type: "peer.key-expiring", notAfter: new Date(START + 456), daysLeft: 3 },
        { at: base.at, level: "debug", type: "key.created", fingerprint: fingerprint("a") },
      ];
      await store.log.append(events);
      const entries = (await everyEntry(other)).toReversed();
      assert.deepEqual(
        entries.map(({ sequence: _, ...rest }) => rest),
        events,
      );
    },
    "log: takes whatever a handler threw; of an error it keeps name and message": async (store) => {
      const circular: Record<string, unknown> = {};
      circular["self"] = circular;
      const error = Object.assign(new RangeError("too far"), { token: "secret", cause: circular });
      for (const thrown of [error, circular, undefined, null, "text", 5, 5n, Symbol("s"), () => 1, new Map()]) {
        await store.log.append([
          { type: "handler.failed", method: "m", error: thrown, at: new Date(START), level: "error" },
        ]);
      }
      const entries = (await everyEntry(store)).toReversed();
      assert.equal(entries.length, 10);
      const [first] = entries;
      assert.ok(first?.type === "handler.failed");
      assert.deepEqual(first.error, { name: "RangeError", message: "too far" });
    },
    "SEC-057 log: quotes, backslashes and Unicode come back from every text as they were": async (store) => {
      for (const text of [...HOSTILE_TEXTS, "nul \0 in it", "\u{1f600}".repeat(20_000)]) {
        const given: MnetEvent = { ...event(1), type: "envelope.remark", remark: text, exchange: text };
        await store.log.append([given]);
        const { items } = await store.log.list({}, undefined, 1);
        assert.deepEqual(items, [{ ...given, sequence: items[0]?.sequence }]);
      }
      for (const text of HOSTILE_TEXTS) {
        assert.deepEqual(await everyEntry(store, { type: text as MnetEvent["type"] }), []);
        assert.deepEqual(await everyEntry(store, { code: text as "MNET_KEY_HELD" }), []);
      }
    },
    "log: what a caller does to its copy does not reach the store": async (store) => {
      const given: MnetEvent = {
        type: "peer.changed",
        state: "active",
        changed: ["name"],
        at: new Date(START),
        level: "info",
      };
      await store.log.append([given]);
      given.at.setTime(0);
      const spoil = (entry: LogEntry | undefined): void => {
        assert.ok(entry?.type === "peer.changed");
        (entry.changed as string[]).push("spoilt");
        entry.at.setTime(0);
      };
      spoil((await everyEntry(store))[0]);
      const [entry] = await everyEntry(store);
      assert.ok(entry?.type === "peer.changed");
      assert.deepEqual(entry.changed, ["name"]);
      assert.equal(entry.at.getTime(), START);
    },
    "log: filters by peer, type, code and time, and by all of them": async (store) => {
      const at = (ms: number): Date => new Date(START + ms);
      const from = (id: number) => ({ id: id as PeerId, wwwroot: `https://${id}.test` as Wwwroot });
      await store.log.append([
        {
          type: "call.failed",
          method: "1",
          durationMs: 1,
          code: "MNET_PEER_UNKNOWN",
          at: at(1),
          level: "warn",
          peer: from(1),
        },
        {
          type: "call.failed",
          method: "2",
          durationMs: 1,
          code: "MNET_KEY_HELD",
          at: at(2),
          level: "warn",
          peer: from(1),
        },
        {
          type: "call.failed",
          method: "3",
          durationMs: 1,
          code: "MNET_KEY_HELD",
          at: at(3),
          level: "warn",
          peer: from(2),
        },
        { type: "call.unchecked", method: "4", at: at(4), level: "info", peer: from(2) },
        { type: "call.unchecked", method: "5", at: at(4), level: "info" },
        { type: "call.refused", detail: "6", faultCode: 7, code: "MNET_KEY_HELD", at: at(5), level: "warn" },
      ]);
      const found = async (filter: LogFilter): Promise<readonly number[]> =>
        (await everyEntry(store, filter, 1)).map(numberOf);
      assert.deepEqual(await found({}), [6, 5, 4, 3, 2, 1]);
      assert.deepEqual(await found({ peer: undefined, type: undefined, code: undefined }), [6, 5, 4, 3, 2, 1]);
      assert.deepEqual(await found({ peer: from(1) }), [2, 1]);
      assert.deepEqual(await found({ peer: from(9) }), []);
      assert.deepEqual(await found({ type: "call.unchecked" }), [5, 4]);
      assert.deepEqual(await found({ code: "MNET_KEY_HELD" }), [6, 3, 2]);
      assert.deepEqual(await found({ since: at(4) }), [6, 5, 4]);
      assert.deepEqual(await found({ until: at(4) }), [3, 2, 1]);
      assert.deepEqual(await found({ since: at(2), until: at(3) }), [2]);
      assert.deepEqual(await found({ since: at(3), until: at(3) }), []);
      assert.deepEqual(await found({ peer: from(2), code: "MNET_KEY_HELD" }), [3]);
      const all = { peer: from(1), type: "call.failed", code: "MNET_KEY_HELD", since: at(2), until: at(3) } as const;
      assert.deepEqual(await found(all), [2]);
    },
    "log: pages have no gap and no double, whatever their size and while entries are added": async (store, other) => {
      await store.log.append(Array.from({ length: 10 }, (_, index) => event(index + 1)));
      for (const limit of [1, 2, 3, 9, 10, 11]) {
        const seen: number[] = [];
        let after: Cursor | undefined;
        do {
          const page: Page<LogEntry> = await store.log.list({ until: new Date(START + 11) }, after, limit);
          assert.ok(page.items.length <= limit);
          seen.push(...page.items.map(numberOf));
          after = page.next;
          await other.log.append([event(100)]);
        } while (after !== undefined);
        assert.deepEqual(seen, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], `pages of ${limit}`);
      }
    },
    "log: many who append at once lose nothing, and each keeps its order": async (store, other) => {
      await race(
        (contender, index) => contender.log.append(Array.from({ length: 30 }, (_, turn) => event(index * 100 + turn))),
        store,
        other,
      );
      const entries = await everyEntry(store, {}, 97);
      assert.equal(new Set(entries.map(numberOf)).size, CONTENDERS * 30);
      assert.equal(new Set(entries.map(({ sequence }) => sequence)).size, CONTENDERS * 30);
      for (let index = 0; index < CONTENDERS; index += 1) {
        const own = entries.map(numberOf).filter((number) => Math.floor(number / 100) === index);
        assert.deepEqual(
          own,
          [...own].sort((a, b) => b - a),
        );
      }
    },
    "log: takes many events in one go": async (store) => {
      await store.log.append(Array.from({ length: 2500 }, (_, index) => event(index)));
      const entries = await everyEntry(store, {}, 1000);
      assert.deepEqual(
        entries.map(numberOf),
        Array.from({ length: 2500 }, (_, index) => 2499 - index),
      );
    },
    "log: prune forgets what is older than a moment, the oldest first, at most so many": async (store, other) => {
      await store.log.append([1, 2, 3, 4, 5, 6].map(event));
      assert.equal(await store.log.prune(START + 1, 10), 0);
      assert.equal(await store.log.prune(START + 5, 3), 3);
      assert.deepEqual((await everyEntry(other)).map(numberOf), [6, 5, 4]);
      assert.equal(await other.log.prune(START + 5, 3), 1);
      assert.equal(await other.log.prune(START + 5, 3), 0);
      assert.deepEqual((await everyEntry(store)).map(numberOf), [6, 5]);
    },
    "log: prune keeps what is new enough, wherever it stands": async (store) => {
      // Clocks of several processes differ: an older event may come later.
      await store.log.append([9, 1, 8, 2, 7, 3].map(event));
      assert.equal(await store.log.prune(START + 5, 2), 2);
      assert.deepEqual((await everyEntry(store)).map(numberOf), [3, 7, 8, 9]);
    },
    "log: numbers are not used again after everything was forgotten": async (store, other) => {
      await store.log.append([event(1), event(2)]);
      const last = (await everyEntry(store))[0]?.sequence ?? NaN;
      assert.equal(await other.log.prune(START + 9, 10), 2);
      await store.log.append([event(3)]);
      const [next] = await everyEntry(store);
      assert.ok(next && next.sequence > last);
    },
  };
}

async function onFreshPlace(
  open: (place: string) => Promise<Store>,
  check: (place: string, store: Store, other: Store) => Promise<void>,
): Promise<void> {
  const place = `mnet_${randomBytes(8).toString("hex")}`;
  const store = await open(place);
  try {
    await store.open();
    const other = await open(place);
    try {
      await other.open();
      await check(place, store, other);
    } finally {
      await other.close();
    }
  } finally {
    await store.close();
  }
}

/** Lets all contenders begin before any can end, half of them on each store. */
function race<T>(run: (store: Store, index: number) => Promise<T>, store: Store, other: Store): Promise<T[]> {
  return Promise.all(Array.from({ length: CONTENDERS }, (_, index) => run(index % 2 === 0 ? store : other, index)));
}

const fingerprint = (name: string): Fingerprint => Buffer.from(name).toString("hex").padEnd(64, "0") as Fingerprint;

function key(name: string): StoredKey {
  return {
    fingerprint: fingerprint(name),
    certificate: `-----BEGIN CERTIFICATE-----\n${name}'"\\\n-----END CERTIFICATE-----\n`,
    privateKey: Uint8Array.of(0, 39, 92, 128, 255),
    state: "prepared",
    createdAt: START,
  };
}

/** Zeros, but for what is given. */
const counters = (given: Partial<PeerCounters>): PeerCounters => ({
  callsIn: 0,
  callsOut: 0,
  secureCalls: 0,
  bytesIn: 0,
  bytesOut: 0,
  faultsByCode: {},
  latencies: [],
  ...given,
});

/** A peer's counters; whether a store keeps zeros of codes and of buckets that come last is up to it. */
async function figures(store: Store, id: number): Promise<PeerCounters> {
  const { faultsByCode, latencies, ...totals } = await store.stats.get(id as PeerId);
  return {
    ...totals,
    faultsByCode: Object.fromEntries(Object.entries(faultsByCode).filter(([, count]) => count !== 0)),
    latencies: latencies.slice(0, latencies.findLastIndex((count) => count !== 0) + 1),
  };
}

/** With no more than it must have. */
function peer(number: number): Omit<PeerRecord, "id" | "version"> {
  return {
    wwwroot: `https://${number}.test` as Wwwroot,
    canonical: `https://${number}.test/canonical`,
    name: `Peer ${number}`,
    application: "moodle",
    state: "active",
    certificate: `certificate of ${number}`,
    retired: [],
    settings: {},
    services: {},
  };
}

/** With everything. */
function fullPeer(number: number): Omit<PeerRecord, "id" | "version"> {
  return {
    ...peer(number),
    application: "mahara",
    state: "pending",
    retired: [fingerprint("b"), fingerprint("a")],
    held: { certificate: `held of ${number}`, reason: "registered-itself", since: START + number },
    settings: { timeoutMs: 5000, driftToleranceMs: 100, allowAddresses: ["10.0.0.0/8", "::1/128"] },
    services: { sso_idp: "both", sso_sp: "publish", mnet_enrol: "subscribe", own: "off" },
    dialect: "pxr",
    profile: { proved: "secure/1", provedAt: START + 6, askedAt: START + 4 },
    lastContactAt: START + 5,
  };
}

/** An event that can be told apart, `number` milliseconds after the start. */
const event = (number: number): MnetEvent => ({
  type: "call.unchecked",
  method: `${number}`,
  at: new Date(START + number),
  level: "info",
});

const numberOf = (entry: LogEntry): number =>
  Number("method" in entry ? entry.method : "detail" in entry ? entry.detail : NaN);

const fingerprints = async (store: Store): Promise<readonly Fingerprint[]> =>
  (await store.keys.list()).map((one) => one.fingerprint);

const states = async (store: Store): Promise<readonly StoredKey["state"][]> =>
  (await store.keys.list()).map(({ state }) => state);

const everyPeer = (store: Store, filter: PeerFilter = {}, limit = 50): Promise<readonly PeerRecord[]> =>
  everyPage((after) => store.peers.list(filter, after, limit));

const everyEntry = (store: Store, filter: LogFilter = {}, limit = 50): Promise<readonly LogEntry[]> =>
  everyPage((after) => store.log.list(filter, after, limit));

async function everyPage<T>(read: (after: Cursor | undefined) => Promise<Page<T>>): Promise<readonly T[]> {
  const all: T[] = [];
  let after: Cursor | undefined;
  do {
    const page = await read(after);
    all.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return all;
}
