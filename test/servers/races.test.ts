import { afterAll, beforeAll, expect, test } from "vitest";
import type { PeerId } from "../../src/core/ids.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { childProgram, type ChildProgram } from "../support/child-program.ts";
import { ENGINES, onEngines, type Engine } from "./engines.ts";
import { inParallel, raceToken } from "./race-tokens.ts";

const PROCESSES = 8;
/** Ten thousand take some minutes on each engine. */
const TOKENS = Number(process.env["MNET_RACE_TOKENS"] ?? 500);
const EVERY = Array.from({ length: TOKENS }, (_, number) => number);
const PATIENCE_MS = 540_000;

let program: ChildProgram;
beforeAll(() => {
  program = childProgram("test/servers/child.ts");
});
afterAll(() => program.remove());

/** Starts all processes, lets them go at once, and returns what each has won. */
async function race(action: string, url: string): Promise<readonly (readonly number[])[]> {
  const children = Array.from({ length: PROCESSES }, () => program.start(action, url, `${TOKENS}`));
  await Promise.all(children.map(async (child) => expect(await child.hear()).toBe("ready")));
  for (const child of children) child.tell("go");
  return Promise.all(children.map(async (child) => (await child.hear()) as readonly number[]));
}

const sorted = (numbers: readonly (readonly number[])[]): readonly number[] => numbers.flat().sort((a, b) => a - b);

onEngines(`8 processes, ${TOKENS} tokens`, ENGINES.sql, (engine: Engine) => {
  test("SEC-061 SEC-063 each token is redeemed exactly once", { timeout: PATIENCE_MS }, async () => {
    const url = await engine.database();
    const store = openStore(url);
    await store.migrate();
    await inParallel(TOKENS, 10, (number) => store.tokens.issue(raceToken(number)));
    const redeemed = await race("redeem", url);
    expect(sorted(redeemed)).toEqual(EVERY);
    const by = { peer: 1 as PeerId, userAgentHash: "agent" };
    expect(await store.tokens.redeem(raceToken(7).hash, by, { uses: 0, withinMs: 0 }, 1000)).toEqual({
      outcome: "used",
    });
    await store.close();
  });
});

onEngines(`8 processes, ${TOKENS} messages`, [...ENGINES.sql, "redis"], (engine: Engine) => {
  test("SEC-033 each message is first exactly once", { timeout: PATIENCE_MS }, async () => {
    const url = await engine.database();
    if (engine.name === "redis") {
      expect(sorted(await race("remember-in-redis", url))).toEqual(EVERY);
      return;
    }
    const store = openStore(url);
    await store.migrate();
    await store.close();
    expect(sorted(await race("remember", url))).toEqual(EVERY);
  });
});
