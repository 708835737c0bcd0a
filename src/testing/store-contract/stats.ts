import assert from "node:assert/strict";
import type { PeerId } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import type { PeerCounters } from "../../peer/stats-store.ts";
import { type Checks, CONTENDERS, race } from "./check.ts";
import { counters } from "./sample-counters.ts";

/** Figures of each peer. */
export const STATS_CHECKS: Checks = {
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
};

/** A peer's counters; whether a store keeps zeros of codes and of buckets that come last is up to it. */
async function figures(store: Store, id: number): Promise<PeerCounters> {
  const { faultsByCode, latencies, ...totals } = await store.stats.get(id as PeerId);
  return {
    ...totals,
    faultsByCode: Object.fromEntries(Object.entries(faultsByCode).filter(([, count]) => count !== 0)),
    latencies: latencies.slice(0, latencies.findLastIndex((count) => count !== 0) + 1),
  };
}
