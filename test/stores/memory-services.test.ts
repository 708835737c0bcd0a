import { describe, expect, test } from "vitest";
import type { PeerId } from "../../src/core/ids.ts";
import { MEMORY_JOBS, memoryOutboxStore } from "../../src/stores/memory/outbox-store.ts";
import { MEMORY_RUNS, memoryRunStore } from "../../src/stores/memory/run-store.ts";
import { MEMORY_SESSIONS, memorySessionStore } from "../../src/stores/memory/session-store.ts";
import { MEMORY_TOKENS, memoryTokenStore } from "../../src/stores/memory/token-store.ts";
import { usedHeap } from "../support/used-heap.ts";

const ONE = 1 as PeerId;
const MANY = 1_000_000;
/** A million more of anything would take hundreds. */
const NOISE_BYTES = 20 * 2 ** 20;

/** Adds a million, and returns by how much memory grew after the bound was reached. */
async function growth(bound: number, add: (number: number) => Promise<unknown>): Promise<number> {
  for (let number = 0; number < 2 * bound; number += 1) await add(number);
  const early = usedHeap();
  for (let number = 2 * bound; number < MANY; number += 1) await add(number);
  return usedHeap() - early;
}

describe("what a memory store keeps for services is bounded", { timeout: 90_000 }, () => {
  test("SEC-084 tokens: 100,000, without those that expire first", async () => {
    expect(MEMORY_TOKENS).toBe(100_000);
    const tokens = memoryTokenStore();
    const by = { peer: ONE, userAgentHash: "agent" };
    const grown = await growth(MEMORY_TOKENS, (number) =>
      tokens.issue({ ...by, hash: `${number}`, accountId: "a", sessionId: "s", expiresAt: number + 1 }),
    );
    expect(grown).toBeLessThan(NOISE_BYTES);
    const outcome = async (number: number): Promise<string> =>
      (await tokens.redeem(`${number}`, by, { uses: 1, withinMs: 0 }, 0)).outcome;
    expect(await outcome(MANY - MEMORY_TOKENS - 1)).toBe("absent");
    expect(await outcome(MANY - MEMORY_TOKENS)).toBe("redeemed");
    expect(await tokens.prune(Infinity, MANY)).toBe(MEMORY_TOKENS);
  });

  test("SEC-084 sessions: 100,000, without those that expire first", async () => {
    expect(MEMORY_SESSIONS).toBe(100_000);
    const sessions = memorySessionStore();
    const grown = await growth(MEMORY_SESSIONS, (number) =>
      sessions.save({
        role: "idp",
        peer: ONE,
        accountId: `${number}`,
        username: "u",
        userAgentHash: "a",
        sessionId: "s",
        startedAt: 0,
        // The later come sooner to their end, from some point on.
        expiresAt: number < MANY - 10 ? MANY : number,
      }),
    );
    expect(grown).toBeLessThan(NOISE_BYTES);
    const count = (await sessions.find({ peer: ONE }, undefined, MANY)).items.length;
    expect(count).toBe(MEMORY_SESSIONS);
    expect((await sessions.find({ accountId: `${MANY - 1}` }, undefined, 9)).items).toEqual([]);
    expect(await sessions.prune(Infinity, MANY)).toBe(MEMORY_SESSIONS);
  });

  test("SEC-084 jobs: 100,000, without those that have been due for longest", async () => {
    expect(MEMORY_JOBS).toBe(100_000);
    const outbox = memoryOutboxStore();
    const grown = await growth(MEMORY_JOBS, (number) =>
      outbox.put([{ id: `${number}`, kind: "kill", peer: ONE, data: "{}" }], number),
    );
    expect(grown).toBeLessThan(NOISE_BYTES);
    const claimed = await outbox.claim("kill", MANY, MANY, MANY);
    expect(claimed).toHaveLength(MEMORY_JOBS);
    expect([claimed[0]?.id, claimed.at(-1)?.id]).toEqual([`${MANY - MEMORY_JOBS}`, `${MANY - 1}`]);
  });

  test("SEC-084 runs: 1,000, without those that were begun first", async () => {
    expect(MEMORY_RUNS).toBe(1000);
    const runs = memoryRunStore();
    for (let number = 0; number <= MEMORY_RUNS; number += 1) {
      await runs.record(`${number}`, [{ row: 1, digest: "d", outcome: "{}" }]);
    }
    expect(await runs.outcomes("0", 1, 9)).toEqual([]);
    expect(await runs.outcomes("1", 1, 9)).toHaveLength(1);
    expect(await runs.outcomes(`${MEMORY_RUNS}`, 1, 9)).toHaveLength(1);
  });
});
