import { expect, test } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import { MEMORY_LOG_ENTRIES } from "../../src/stores/memory/log-store.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";

const event = (number: number): MnetEvent => ({
  type: "call.unchecked",
  method: `${number}`,
  at: new Date(number),
  level: "info",
});

test("the log keeps the newest 10,000 entries, however they come", async () => {
  expect(MEMORY_LOG_ENTRIES).toBe(10_000);
  const { log } = memoryStore();
  await log.append(Array.from({ length: 9_999 }, (_, index) => event(index)));
  for (let number = 9_999; number < 11_500; number += 1) await log.append([event(number)]);
  const { items, next } = await log.list({}, undefined, 20_000);
  expect(next).toBeUndefined();
  expect(items).toHaveLength(10_000);
  expect(items.at(-1)).toMatchObject({ sequence: 1_501, method: "1500" });
  expect(await log.prune(Infinity, 20_000)).toBe(10_000);
  expect((await log.list({}, undefined, 1)).items).toEqual([]);
});

test("an event that cannot be kept keeps the others of its call out as well", async () => {
  const { log } = memoryStore();
  const broken = { ...event(2), method: 5n } as unknown as MnetEvent;
  await expect(log.append([event(1), broken])).rejects.toThrow();
  expect((await log.list({}, undefined, 9)).items).toEqual([]);
  await log.append([event(3)]);
  expect((await log.list({}, undefined, 9)).items).toMatchObject([{ sequence: 1 }]);
});
