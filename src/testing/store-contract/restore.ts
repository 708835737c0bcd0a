import assert from "node:assert/strict";
import type { Fingerprint, PeerId, Wwwroot } from "../../core/ids.ts";
import type { StoreRecord } from "../../host/store-record.ts";
import type { Store } from "../../host/store.ts";
import type { StoredKey } from "../../keys/key-store.ts";
import type { PeerRecord } from "../../peer/peer-store.ts";
import { START, type Checks } from "./check.ts";

/** In no order, with gaps, as they are after years. */
const IDS = [7, 3, 900, 12];
const NAME = "Zoë's “Ångström” \\ 日本 \u{1f600}";

/** What `Store.restore` promises. */
export const RESTORE_CHECKS: Checks = {
  "restore: everything is there, for everybody, with its ids and versions": async (store, other) => {
    const generation = await other.peers.generation();
    await store.restore(from(site()));
    await requireSite(other);
    assert.notEqual(await other.peers.generation(), generation);
  },
  "restore: whoever is added later gets a higher id": async (store, other) => {
    await store.restore(from(site()));
    const { inserted, peer } = await other.peers.insert(withoutId(peerOf(1000)));
    assert.equal(inserted, true);
    assert.ok(peer.id > 900, `${peer.id} is not above 900`);
    assert.equal((await store.peers.insert(withoutId(peerOf(3)))).inserted, false);
    const found = await store.peers.list({}, undefined, 10);
    assert.deepEqual(
      found.items.map(({ id }) => id),
      [3, 7, 900, peer.id],
    );
  },
  "restore: what was restored can be changed": async (store, other) => {
    await store.restore(from(site()));
    const record = await other.peers.find(7 as PeerId);
    assert.ok(record);
    assert.equal((await other.peers.update({ ...record, name: "new" }))?.version, record.version + 1);
    const next = keyOf("d", "prepared", START + 9);
    await other.keys.prepare(next);
    assert.equal(await other.keys.promote(next.fingerprint, fingerprint("c"), START), true);
    await other.remoteCourses.replaceCourses(7 as PeerId, [], START);
    assert.deepEqual((await store.remoteCourses.enrolments(7 as PeerId, 5)).rows, []);
  },
  "restore: nothing is there if the source fails, and it can be done again": async (store, other) => {
    const all = site();
    const broken = async function* (): AsyncGenerator<StoreRecord> {
      yield* all;
      // Enough for any engine to have begun to write.
      for (let id = 1000; id < 1500; id += 1) yield { kind: "peer", peer: peerOf(id) };
      throw new RangeError("the disk with the archive is gone");
    };
    const generation = await store.peers.generation();
    await assert.rejects(store.restore(broken()), { name: "RangeError" });
    assert.deepEqual(await other.keys.list(), []);
    assert.deepEqual((await other.peers.list({}, undefined, 10)).items, []);
    assert.deepEqual(await other.peers.allHostsServices(), {});
    assert.deepEqual((await other.sessions.find({}, undefined, 10)).items, []);
    assert.equal(await other.access.get(7 as PeerId, NAME), undefined);
    assert.equal(await other.peers.generation(), generation);
    await other.restore(from(all));
    await requireSite(store);
  },
  "restore: a store that is in use is refused, and unchanged": async (store, other) => {
    const uses: readonly (() => Promise<unknown>)[] = [
      () => other.peers.changeAllHostsServices({ sso_idp: "publish" }),
      () => other.peers.insert(withoutId(peerOf(1))),
      () => other.keys.prepare(keyOf("z", "prepared", START)),
    ];
    for (const use of uses) {
      await use();
      const before = [await store.keys.list(), await store.peers.list({}, undefined, 10)];
      await assert.rejects(store.restore(from(site())), { code: "MNET_STORE_NOT_EMPTY" });
      assert.deepEqual([await store.keys.list(), await store.peers.list({}, undefined, 10)], before);
      // What is used in one way only must be refused as well.
      if (use === uses[0]) await other.peers.changeAllHostsServices({ sso_idp: "off" });
    }
  },
  "restore: of two at once, one succeeds": async (store, other) => {
    const results = await Promise.allSettled([store.restore(from(site())), other.restore(from(site()))]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const [refused] = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    assert.equal((refused as { readonly code?: unknown }).code, "MNET_STORE_NOT_EMPTY");
    await requireSite(store);
  },
  "restore: nothing at all is no error": async (store, other) => {
    await store.restore(from([]));
    await other.restore(from(site()));
    await requireSite(store);
  },
};

async function requireSite(store: Store): Promise<void> {
  assert.deepEqual(await store.keys.list(), [
    keyOf("c", "current", START + 3),
    { ...keyOf("b", "revoked", START + 2), privateKey: new Uint8Array() },
    keyOf("a", "archived", START + 1),
    { ...keyOf("o", "current", START), peer: 7 as PeerId },
  ]);
  assert.deepEqual(await store.peers.allHostsServices(), { sso_idp: "publish" });
  for (const id of IDS) assert.deepEqual(await store.peers.find(id as PeerId), peerOf(id));
  assert.equal(await store.peers.find(1 as PeerId), undefined);
  assert.deepEqual(await store.stats.get(3 as PeerId), COUNTERS);
  assert.equal(await store.access.get(7 as PeerId, NAME), "deny");
  const seven = await store.access.list(7 as PeerId, undefined, 10);
  assert.deepEqual(seven.items.map(({ username }) => username).sort(), [NAME, "ada"].sort());
  assert.deepEqual((await store.sessions.find({}, undefined, 10)).items, [SESSION, { ...SESSION, role: "sp" }]);
  assert.deepEqual(await store.remoteCourses.courses(7 as PeerId), { fetchedAt: START, courses: COURSES });
  assert.deepEqual(await store.remoteCourses.enrolments(7 as PeerId, 5), { fetchedAt: START + 1, rows: ENROLMENTS });
  assert.deepEqual(await store.remoteCourses.enrolments(7 as PeerId, 6), { fetchedAt: undefined, rows: ENROLMENTS });
}

const COUNTERS = {
  callsIn: 3,
  callsOut: 0,
  secureCalls: 2,
  bytesIn: 2 ** 40,
  bytesOut: 1,
  faultsByCode: { 7012: 4 },
  latencies: [0, 2],
};
const SESSION = {
  role: "idp" as const,
  peer: 7 as PeerId,
  accountId: NAME,
  username: NAME,
  userAgentHash: "ab".repeat(20),
  sessionId: "session",
  startedAt: START,
  expiresAt: START + 9,
};
const COURSES = [
  { id: 5, fields: { fullname: NAME, summary: "<p>'\"</p>" } },
  { id: 6, fields: {} },
];
const ENROLMENTS = [
  { username: NAME, roleName: NAME, method: "manual" },
  { username: "ada", roleName: "", method: "mnet", changedAt: START },
];

/** One record of every kind and state. */
function site(): readonly StoreRecord[] {
  const peer = 7 as PeerId;
  return [
    { kind: "key", key: keyOf("c", "current", START + 3) },
    { kind: "key", key: { ...keyOf("b", "revoked", START + 2), privateKey: new Uint8Array() } },
    { kind: "key", key: keyOf("a", "archived", START + 1) },
    { kind: "key", key: { ...keyOf("o", "current", START), peer } },
    { kind: "all-hosts", services: { sso_idp: "publish" } },
    ...IDS.map((id) => ({ kind: "peer" as const, peer: peerOf(id) })),
    { kind: "stats", peer: 3 as PeerId, counters: COUNTERS },
    { kind: "access", peer, username: NAME, rule: "deny" },
    { kind: "access", peer, username: "ada", rule: "allow" },
    { kind: "session", session: SESSION },
    { kind: "session", session: { ...SESSION, role: "sp" } },
    { kind: "courses", peer, fetchedAt: START, courses: COURSES },
    { kind: "enrolments", peer, course: 5, fetchedAt: START + 1, rows: ENROLMENTS },
    { kind: "enrolments", peer, course: 6, rows: ENROLMENTS },
  ];
}

async function* from(records: readonly StoreRecord[]): AsyncGenerator<StoreRecord> {
  yield* structuredClone(records);
}

const fingerprint = (name: string): Fingerprint => name.repeat(64) as Fingerprint;

const keyOf = (name: string, state: StoredKey["state"], createdAt: number): StoredKey => ({
  fingerprint: fingerprint(name),
  certificate: `certificate ${name}`,
  privateKey: Uint8Array.of(0, 1, 2, 255, name.charCodeAt(0)),
  state,
  createdAt,
});

/** Twelve is deleted, nine hundred has everything. */
function peerOf(id: number): PeerRecord {
  const wwwroot = `https://peer-${id}.example`;
  return {
    id: id as PeerId,
    version: id + 1,
    wwwroot: wwwroot as Wwwroot,
    canonical: wwwroot,
    name: NAME,
    application: id === 900 ? "mahara" : "moodle",
    state: id === 12 ? "deleted" : "active",
    certificate: `certificate of ${id}`,
    retired: id === 900 ? [fingerprint("e")] : [],
    settings: id === 900 ? { timeoutMs: 5, legacy: { smallKeys: true } } : {},
    services: id === 900 ? { sso_idp: "both" } : {},
    ...(id === 900 && {
      held: { certificate: "held", reason: "operator" as const, since: START },
      dialect: "epi" as const,
      lastContactAt: START + 5,
      profile: { proved: "secure/1" as const, provedAt: START + 4 },
    }),
  };
}

function withoutId({ id: _id, version: _version, ...peer }: PeerRecord): Omit<PeerRecord, "id" | "version"> {
  return peer;
}
