import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PeerId } from "../../src/core/ids.ts";
import { memoryReplayStore } from "../../src/stores/memory/replay-store.ts";
import { judge, type Count, type Message, type ReplayRow } from "../../src/stores/sql/replay-judgement.ts";

const PEERS = [1, 2] as const;

/** A table that has what judgements change. Tells what is said of each message. */
function remembering() {
  let rows: ReplayRow[] = [];
  const counts = new Map<PeerId, Count>(PEERS.map((peer) => [peer as PeerId, { entries: 0, newest: 0 }]));
  return {
    counts,
    rows: () => rows,
    together(messages: readonly Message[]): readonly unknown[] {
      const keys = new Set(messages.map(({ key }) => key));
      const known = rows.filter(({ key }) => keys.has(key));
      const said = new Map<Message, string>();
      for (const [peer, count] of counts) {
        const judgement = judge(peer, messages, known, count);
        for (const [message, seen] of judgement.seen) said.set(message, seen);
        rows = rows.filter((row) => row.peer !== peer || !judgement.replaced.includes(row.age));
        rows.push(...judgement.added);
        counts.set(peer, judgement.count);
      }
      return messages.map((message) => said.get(message));
    },
  };
}

const message = fc.record({
  peer: fc.constantFrom(...PEERS).map((peer) => peer as PeerId),
  key: fc.constantFrom("a", "b", "c"),
  until: fc.integer({ min: 0, max: 20 }),
  maxEntries: fc.constant(100),
});

describe("judge", () => {
  it("SEC-033 says of messages that come together what it says of them one by one, and what the store in memory says", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.array(message, { maxLength: 6 }), { maxLength: 8 }), async (goes) => {
        const [together, apart, memory] = [remembering(), remembering(), memoryReplayStore()];
        for (const [turn, go] of goes.entries()) {
          const messages = go.map((each): Message => ({ ...each, now: 3 * turn }));
          const said = together.together(messages);
          expect(said).toEqual(messages.flatMap((each) => apart.together([each])));
          const byMemory = [];
          for (const { peer, key, now, ...limits } of messages) {
            byMemory.push((await memory.remember(peer, key, limits, now)).seen);
          }
          expect(said).toEqual(byMemory);
          expect(together.rows()).toEqual(expect.arrayContaining([...apart.rows()]));
          expect(together.counts).toEqual(apart.counts);
          for (const [peer, { entries, newest }] of together.counts) {
            const ages = together.rows().flatMap((row) => (row.peer === peer ? [row.age] : []));
            expect([ages.length, new Set(ages).size]).toEqual([entries, entries]);
            expect(Math.max(0, ...ages)).toBeLessThanOrEqual(newest);
          }
        }
      }),
    ));

  it("SEC-033 a key twice among messages that come together is the first once", () => {
    const twice = [1, 2].map((): Message => ({ peer: 1 as PeerId, key: "a", until: 9, maxEntries: 9, now: 1 }));
    const { seen, added, last } = judge(1 as PeerId, twice, [], { entries: 5, newest: 7 });
    expect([...seen.values()]).toEqual(["first", "again"]);
    expect(added).toEqual([{ peer: 1, key: "a", age: 8, until: 9 }]);
    expect(last).toBe(twice[0]);
  });

  it("SEC-033 what is not remembered any more makes room for the same key", () => {
    const again: Message = { peer: 1 as PeerId, key: "a", until: 20, maxEntries: 9, now: 10 };
    const judgement = judge(1 as PeerId, [again], [{ peer: 1, key: "a", age: 3, until: 10 }], {
      entries: 4,
      newest: 6,
    });
    expect(judgement).toMatchObject({ replaced: [3], count: { entries: 4, newest: 7 }, added: [{ age: 7 }] });
  });
});
