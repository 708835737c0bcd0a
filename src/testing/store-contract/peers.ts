import assert from "node:assert/strict";
import type { Cursor, Fingerprint, PeerId, Wwwroot } from "../../core/ids.ts";
import type { PeerFilter, PeerRecord } from "../../peer/peer-store.ts";
import { type Checks, CONTENDERS, DAY_MS, HOSTILE_TEXTS, race, START } from "./check.ts";
import { counters } from "./sample-counters.ts";
import { event } from "./sample-events.ts";
import { fingerprint, key } from "./sample-keys.ts";
import { everyPeer, fullPeer, peer } from "./sample-peers.ts";

/** The other sites. */
export const PEER_CHECKS: Checks = {
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
    for (const other of near) assert.equal(await store.peers.find(other as Wwwroot), undefined, JSON.stringify(other));
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
  "SEC-085 peers: a taken wwwroot or canonical form gives the peer that has it, in any state": async (store, other) => {
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
      const attempts = [
        () => retired.push("spoilt"),
        () => Object.assign(services, { spoilt: "both" }),
        () => Object.assign(settings, { timeoutMs: -1 }),
      ];
      for (const attempt of attempts) {
        try {
          attempt();
        } catch (error) {
          // What a store hands out may be frozen.
          assert.ok(error instanceof TypeError);
        }
      }
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
};
