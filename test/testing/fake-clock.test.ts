import { expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";

const START = Date.UTC(2026, 0, 1);

test("starts at the beginning of 2026, or where it is told, and stands still", async () => {
  const clock = fakeClock();
  expect(clock.now()).toBe(START);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(clock.now()).toBe(START);
  expect(fakeClock(new Date(5)).now()).toBe(5);
});

test("runs what falls due in order, each at its own moment", async () => {
  const clock = fakeClock(new Date(0));
  const ran: string[] = [];
  const note = (name: string) => () => {
    ran.push(`${name}@${clock.now()}`);
  };
  clock.after(30, note("c"));
  clock.after(10, note("a"));
  clock.after(20, note("b1"));
  clock.after(20, note("b2"));
  clock.after(31, note("late"));
  clock.after(-5, note("past"));
  await clock.advance(30);
  expect(ran).toEqual(["past@0", "a@10", "b1@20", "b2@20", "c@30"]);
  expect(clock.now()).toBe(30);
  await clock.advance(1);
  expect(ran.at(-1)).toBe("late@31");
});

test("runs timers that timers set, and lets chains of promises settle between them", async () => {
  const clock = fakeClock(new Date(0));
  const ran: number[] = [];
  const again = (): void => {
    void (async () => {
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      ran.push(clock.now());
      if (ran.length < 5) clock.after(10, again);
    })();
  };
  clock.after(10, again);
  await clock.advance(45);
  expect(ran).toEqual([10, 20, 30, 40]);
  await clock.advance(1000);
  expect(ran).toEqual([10, 20, 30, 40, 50]);
});

test("a chain that was begun before the clock is moved sets its timer in time", async () => {
  const clock = fakeClock(new Date(0));
  let ranAt: number | undefined;
  void Promise.resolve()
    .then(() => undefined)
    .then(() => clock.after(5, () => (ranAt = clock.now())));
  await clock.advance(5);
  expect(ranAt).toBe(5);
});

test("what was cancelled does not run, also when another timer cancels it", async () => {
  const clock = fakeClock(new Date(0));
  const ran: string[] = [];
  const cancel = clock.after(10, () => ran.push("cancelled"));
  const cancelLater = clock.after(10, () => ran.push("cancelled by a timer"));
  clock.after(5, () => {
    cancelLater();
  });
  cancel();
  cancel();
  clock.after(10, () => ran.push("kept"));
  await clock.advance(10);
  expect(ran).toEqual(["kept"]);
});

test("two moves at once add up", async () => {
  const clock = fakeClock(new Date(0));
  const ran: number[] = [];
  for (const at of [5, 15, 25]) clock.after(at, () => ran.push(clock.now()));
  await Promise.all([clock.advance(10), clock.advance(10)]);
  expect(clock.now()).toBe(20);
  expect(ran).toEqual([5, 15]);
});

test("what a timer throws comes out of advance, and the clock goes on from there", async () => {
  const clock = fakeClock(new Date(0));
  const ran: number[] = [];
  clock.after(5, () => {
    throw new Error("thrown");
  });
  clock.after(6, () => ran.push(clock.now()));
  await expect(clock.advance(10)).rejects.toThrow("thrown");
  expect(clock.now()).toBe(5);
  await clock.advance(1);
  expect(ran).toEqual([6]);
});

test("time does not go backwards", async () => {
  const clock = fakeClock();
  for (const ms of [-1, NaN, Infinity]) await expect(clock.advance(ms)).rejects.toThrow(ConfigError);
  expect(clock.now()).toBe(START);
});
