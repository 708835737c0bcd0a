import assert from "node:assert/strict";
import type { PeerId } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import { type Checks, onFreshPlace, race, START } from "./check.ts";
import { counters } from "./sample-counters.ts";
import { event, everyEntry, numberOf } from "./sample-events.ts";
import { fingerprint, fingerprints, key } from "./sample-keys.ts";
import { everyPeer, peer } from "./sample-peers.ts";

/** The store as a whole. */
export const wholeStoreChecks = (open: (place: string) => Promise<Store>): Checks => ({
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
});
