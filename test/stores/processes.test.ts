import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Fingerprint, PeerId, Wwwroot } from "../../src/core/ids.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { childProgram, type Child, type ChildProgram } from "../support/child-program.ts";

let program: ChildProgram;
let directory = "";
let file = "";

beforeAll(() => {
  program = childProgram("test/stores/child.ts");
});
afterAll(() => program.remove());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mnet-processes-"));
  file = join(directory, "mnet.db");
});
afterEach(async () => {
  await Promise.all([...running].map((child) => child.kill()));
  running.clear();
  rmSync(directory, { recursive: true, force: true });
});

const running = new Set<Child>();
async function start(...args: readonly string[]): Promise<Child> {
  const child = program.start(...args);
  running.add(child);
  expect(await child.hear()).toBe("ready");
  return child;
}

/** Starts several, lets them go at once, and returns what each says. */
async function together(count: number, args: (index: number) => readonly string[]): Promise<readonly unknown[]> {
  const children = await Promise.all(Array.from({ length: count }, (_, index) => start(...args(index))));
  for (const child of children) child.tell("go");
  return Promise.all(children.map((child) => child.hear()));
}

describe("several processes on one file", () => {
  test("migrate at once: one does it, nobody fails", async () => {
    const applied = await together(4, () => ["migrate", file]);
    expect(applied.flat()).toEqual(["0001-base", "0002-services", "0010-secure-profile", "0011-keys-of-peers"]);
    const store = openStore(`sqlite:${file}`);
    await store.open();
    expect(await store.peers.generation()).toBe(1);
    await store.close();
  });

  test("open a new file at once: all find it ready", async () => {
    expect(await together(4, () => ["open", file])).toEqual([[], [], [], []]);
  });

  test("promote at once: one succeeds", async () => {
    const store = openStore(`sqlite:${file}`);
    await store.open();
    for (const name of ["a", "b", "c", "d"]) {
      const fingerprint = name as Fingerprint;
      await store.keys.prepare({
        fingerprint,
        certificate: "",
        privateKey: Uint8Array.of(1),
        state: "prepared",
        createdAt: 1,
      });
    }
    const won = await together(4, (index) => ["promote", file, "abcd".charAt(index)]);
    expect(won.filter((one) => one === true)).toHaveLength(1);
    expect((await store.keys.list()).filter(({ state }) => state === "current")).toHaveLength(1);
    await store.close();
  });

  test("change one peer again and again: no change is lost", async () => {
    const store = openStore(`sqlite:${file}`);
    await store.open();
    await store.peers.insert({
      wwwroot: "http://a.test" as Wwwroot,
      canonical: "http://a.test",
      name: "",
      application: "moodle",
      state: "active",
      certificate: "",
      retired: [],
      settings: {},
      services: {},
    });
    await together(3, (index) => ["rename", file, "xyz".charAt(index)]);
    const peer = await store.peers.find(1 as PeerId);
    expect(peer?.version).toBe(61);
    expect([...(peer?.name ?? "")].sort().join("")).toBe("x".repeat(20) + "y".repeat(20) + "z".repeat(20));
    await store.close();
  });

  test("SEC-033 remember the same messages at once: each is first in one of them", async () => {
    const first = (await together(4, () => ["remember", file, "100"])) as readonly (readonly number[])[];
    expect(first.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, key) => key));
    const store = openStore(`sqlite:${file}`);
    expect(await store.replay.prune(9, 1000)).toBe(100);
    await store.close();
  });

  test("SEC-033 a message that was taken is remembered after the process was killed", async () => {
    const child = await start("remember-and-wait", file, "abc");
    child.tell("go");
    expect(await child.hear()).toEqual({ seen: "first", evicted: 0 });
    await child.kill();
    const store = openStore(`sqlite:${file}`);
    await store.open();
    expect((await store.replay.remember(1 as PeerId, "abc", { until: 9, maxEntries: 9 }, 1)).seen).toBe("again");
    await store.close();
  });

  describe("redeem one token at once, a thousand times by each of two peers", () => {
    test.each([
      ["one use: one, of the issuing peer", 1, 0, 1],
      ["the default grace: three, all of the issuing peer", 3, 10_000, 3],
    ])("SEC-062 SEC-063 %s", async (_, uses, withinMs, answered) => {
      const store = openStore(`sqlite:${file}`);
      await store.open();
      const by = { peer: 1 as PeerId, userAgentHash: "agent" };
      const token = { hash: "hash", ...by, accountId: "account", sessionId: "session", expiresAt: 30_000 };
      await store.tokens.issue(token);
      const told = await together(2, () => ["redeem", file, `1000,${uses},${withinMs}`]);
      const counts = told as readonly { readonly 1: number; readonly 2: number }[];
      expect(counts.reduce((sum, count) => sum + count[1], 0)).toBe(answered);
      expect(counts.map((count) => count[2])).toEqual([0, 0]);
      expect(await store.tokens.redeem("hash", by, { uses, withinMs }, 1000)).toEqual({ outcome: "used" });
      await store.close();
    });
  });

  test("SEC-063 a token that was issued is there after the process was killed", async () => {
    const child = await start("issue-and-wait", file);
    child.tell("go");
    expect(await child.hear()).toBe("issued");
    await child.kill();
    const store = openStore(`sqlite:${file}`);
    await store.open();
    const by = { peer: 1 as PeerId, userAgentHash: "agent" };
    expect(await store.tokens.redeem("hash", by, { uses: 1, withinMs: 0 }, 1)).toMatchObject({ outcome: "redeemed" });
    await store.close();
  });

  test("claim the same jobs at once: each goes to one of them", async () => {
    const store = openStore(`sqlite:${file}`);
    await store.open();
    const jobs = Array.from({ length: 90 }, (_, index) => `${index}`).sort();
    await store.outbox.put(
      jobs.map((id) => ({ id, kind: "kill", peer: 1 as PeerId, data: "" })),
      0,
    );
    const claimed = (await together(3, () => ["claim", file])) as readonly (readonly string[])[];
    expect(claimed.flat().sort()).toEqual(jobs);
    await store.close();
  });

  test("take the same sessions at once: each goes to one of them", async () => {
    const store = openStore(`sqlite:${file}`);
    await store.open();
    const sessions = Array.from({ length: 60 }, (_, index) => `${index}`).sort();
    for (const sessionId of sessions) {
      await store.sessions.save({
        role: "idp",
        peer: 1 as PeerId,
        accountId: sessionId,
        username: "ada",
        userAgentHash: "agent",
        sessionId,
        startedAt: 0,
        expiresAt: 9,
      });
    }
    const taken = (await together(3, () => ["take", file, "ada"])) as readonly (readonly string[])[];
    expect(taken.flat().sort()).toEqual(sessions);
    await store.close();
  });

  test("count at once: no addition is lost", async () => {
    const store = openStore(`sqlite:${file}`);
    await store.open();
    await together(3, (index) => ["count", file, `${index}`]);
    expect(await store.stats.get(1 as PeerId)).toEqual({
      callsIn: 300,
      callsOut: 600,
      secureCalls: 1500,
      bytesIn: 900,
      bytesOut: 1200,
      faultsByCode: { 0: 100, 1: 100, 2: 100, 7: 300 },
      latencies: [0, 300],
    });
    await store.close();
  });

  test("a key that was prepared is there after the process was killed", async () => {
    const child = await start("prepare", file, "abc");
    child.tell("go");
    expect(await child.hear()).toBe("prepared");
    await child.kill();
    const store = openStore(`sqlite:${file}`);
    await store.open();
    expect(await store.keys.list()).toEqual([
      {
        fingerprint: "abc",
        certificate: "certificate",
        privateKey: Uint8Array.of(1, 2, 3),
        state: "prepared",
        createdAt: 1,
      },
    ]);
    await store.close();
  });
});
