import {
  constants,
  createHash,
  generateKeyPairSync,
  privateDecrypt,
  randomBytes,
  sign,
  type KeyObject,
} from "node:crypto";
import { Worker } from "node:worker_threads";
import { describe, expect, it, vi } from "vitest";
import { unpackOperations } from "../../src/crypto/batch.ts";
import { borrowCryptoPool, CryptoOverload, CryptoPool } from "../../src/crypto/crypto-pool.ts";
import type { PrivateOperation } from "../../src/crypto/private-operation.ts";
import { watchWorkers } from "../support/watched-workers.ts";

const keyOf = (modulusLength: number): KeyObject => generateKeyPairSync("rsa", { modulusLength }).privateKey;
const key = keyOf(1024);

/** A raw decryption of a random block, and what the platform makes of it. */
function decryption(privateKey = key, bytes = 128): { operation: PrivateOperation; expected: string } {
  const data = randomBytes(bytes);
  data[0] = 0;
  const expected = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, data).toString("hex");
  return { operation: { kind: "decrypt", key: privateKey, data }, expected };
}
const hex = async (result: Uint8Array | Promise<Uint8Array>): Promise<string> =>
  Buffer.from(await result).toString("hex");

const pools: CryptoPool[] = [];
async function started(options: ConstructorParameters<typeof CryptoPool>[0]): Promise<CryptoPool> {
  const pool = new CryptoPool({ worthWaking: 1, ...options });
  pools.push(pool);
  await pool.start();
  return pool;
}

const {
  workers: threads,
  messages,
  warnings,
} = watchWorkers(() => Promise.all(pools.splice(0).map((pool) => pool.close())));

/** What the threads were sent to do. */
const batches = (): { worker: Worker; size: number }[] =>
  messages.flatMap(({ worker, message }) =>
    message instanceof Uint8Array ? [{ worker, size: unpackOperations(message).length }] : [],
  );

describe("CryptoPool", () => {
  it("answers each operation with its own result, whatever thread it came from", async () => {
    const pool = await started({ threads: 2 });
    const large = keyOf(2048);
    const cases = Array.from({ length: 100 }, (_, n) => (n % 3 === 0 ? decryption(large, 256) : decryption()));
    const results = await Promise.all(cases.map(({ operation }) => hex(pool.perform(operation))));
    expect(results).toEqual(cases.map(({ expected }) => expected));
    expect(threads.size).toBe(2);
    expect(warnings).toEqual([]);
  });

  it("signs as the platform does", async () => {
    const pool = await started({ threads: 1 });
    const document = Buffer.from("<methodCall/>");
    const digest = createHash("sha1").update(document).digest();
    expect(await hex(pool.perform({ kind: "sign", key, data: digest }))).toBe(
      sign("sha1", document, key).toString("hex"),
    );
    expect(threads.size).toBe(1);
  });

  it("does without threads what is not worth while, and everything if there are to be none", async () => {
    const quiet = new CryptoPool({ threads: 2 });
    pools.push(quiet);
    const { operation, expected } = decryption();
    expect(await hex(quiet.perform(operation))).toBe(expected);
    const none = await started({ threads: 0 });
    expect(await hex(none.perform(operation, "a peer"))).toBe(expected);
    expect(threads.size).toBe(0);
  });

  it("does two operations at once itself, shares a few with one thread, and leaves more to all of them", async () => {
    const pool = await started({ threads: 1, worthWaking: 6 });
    for (const [atOnce, sent] of [
      [1, []],
      [2, []],
      [3, [1]],
      [5, [2]],
      [6, [6]],
    ] as const) {
      const before = batches().length;
      const cases = Array.from({ length: atOnce }, () => decryption());
      expect(await Promise.all(cases.map(({ operation }) => hex(pool.perform(operation, "a peer"))))).toEqual(
        cases.map(({ expected }) => expected),
      );
      expect(batches().slice(before)).toMatchObject(sent.map((size) => ({ size })));
    }
  });

  it("shares with the thread that is awake, while a few are under way", async () => {
    const pool = await started({ threads: 2, worthWaking: 6 });
    const { operation, expected } = decryption(keyOf(4096), 512);
    const inTurn = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n += 1) {
        expect(await hex(pool.perform(operation))).toBe(expected);
        await new Promise(setImmediate);
      }
    };
    const atOnce = (callers: number, calls: number): Promise<unknown> =>
      Promise.all(Array.from({ length: callers }, () => inTurn(calls)));
    while (threads.size < 2) await atOnce(20, 1);
    const before = batches().length;
    await atOnce(5, 10);
    expect(new Set(batches().map(({ worker }) => worker)).size).toBe(2);
    const few = batches().slice(before);
    expect(new Set(few.map(({ worker }) => worker)).size).toBe(1);
    expect(few.length).toBeGreaterThan(1);
  });

  it("keeps the threads in use until hardly anything is under way", async () => {
    const pool = await started({ threads: 1, worthWaking: 10 });
    const { operation } = decryption(keyOf(4096), 512);
    const some = (count: number): Promise<Uint8Array>[] =>
      Array.from({ length: count }, async () => pool.perform(operation));
    // Two batches.
    const many = some(16);
    await many[0];
    const sent = batches().length;
    // Nine are under way then; from the beginning so few would be shared.
    await Promise.all([...many, ...some(1)]);
    expect(batches().slice(sent)).toMatchObject([{ size: 1 }]);
    const afterwards = batches().length;
    await Promise.all(some(9));
    expect(batches().slice(afterwards)).toMatchObject([{ size: 4 }]);
  });

  it("gives a thread its next batch before it looks at the results of the last", async () => {
    const pool = await started({ threads: 1 });
    const { operation } = decryption();
    // A batch in work, one ahead of it, and two that wait for room.
    const results = Array.from({ length: 20 }, async () => pool.perform(operation));
    await new Promise(setImmediate);
    expect(batches()).toMatchObject([{ size: 10 }, { size: 8 }]);
    let sent = 0;
    await results[0]?.then(() => (sent = batches().length));
    expect(sent).toBe(3);
    await Promise.all(results);
  });

  it("is closed when such a few are done", async () => {
    const pool = await started({ threads: 1, worthWaking: 4 });
    const { operation, expected } = decryption();
    const result = pool.perform(operation);
    await pool.close();
    expect(await hex(result)).toBe(expected);
    expect(threads.size).toBe(0);
  });

  it("starts its threads by itself when there is enough to do", async () => {
    const pool = new CryptoPool({ worthWaking: 1, threads: 1 });
    pools.push(pool);
    const slow = keyOf(4096);
    const { operation, expected } = decryption(slow, 512);
    for (let n = 0; n < 10_000 && threads.size === 0; n += 1) {
      expect(await hex(pool.perform(operation))).toBe(expected);
      await new Promise(setImmediate);
    }
    expect(threads.size).toBe(1);
  });

  it("an operation that fails does so with the platform's own error, and harms no other of its batch", async () => {
    const pool = await started({ threads: 1 });
    const { operation, expected } = decryption();
    const tooLarge = { ...operation, data: Buffer.alloc(128, 0xff) };
    const results = await Promise.allSettled([operation, tooLarge, operation].map((one) => hex(pool.perform(one))));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: { code: "ERR_OSSL_RSA_DATA_TOO_LARGE_FOR_MODULUS" } });
    expect(results[2]).toMatchObject({ value: expected });
  });

  it("knows more keys than a thread keeps", async () => {
    const pool = await started({ threads: 1 });
    const keys = Array.from({ length: 70 }, () => keyOf(512));
    const cases = [...keys, ...keys, ...keys.toReversed()].map((one) => decryption(one, 64));
    const results = await Promise.all(cases.map(({ operation }) => hex(pool.perform(operation))));
    expect(results).toEqual(cases.map(({ expected }) => expected));
  });

  it("a thread that dies is replaced, and nothing that it had to do is lost", async () => {
    const pool = await started({ threads: 2 });
    const cases = Array.from({ length: 200 }, () => decryption());
    const results = cases.map(({ operation }) => hex(pool.perform(operation)));
    await new Promise(setImmediate);
    const [first] = threads;
    expect(first).toBeDefined();
    await first?.terminate();
    expect(await Promise.all(results)).toEqual(cases.map(({ expected }) => expected));
    expect(warnings).toEqual([expect.stringMatching(/^A thread for private-key operations ended and is replaced\./)]);
    const { operation, expected } = decryption();
    expect(await hex(pool.perform(operation))).toBe(expected);
  });

  it("what takes every thread along that it is given to is done here", async () => {
    const pool = await started({ threads: 2 });
    vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
      void this.terminate();
    });
    const { operation, expected } = decryption();
    expect(await hex(pool.perform(operation))).toBe(expected);
  });

  it("the half that was given to a thread is not lost with it", async () => {
    const pool = await started({ threads: 1, worthWaking: 6 });
    let given = 0;
    vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
      given += 1;
      void this.terminate();
    });
    const cases = Array.from({ length: 4 }, () => decryption());
    const results = await Promise.all(cases.map(({ operation }) => hex(pool.perform(operation))));
    expect(results).toEqual(cases.map(({ expected }) => expected));
    expect(given).toBeGreaterThan(0);
    expect(warnings).toContainEqual(expect.stringMatching(/^A thread for private-key operations ended/));
  });

  it("goes on without threads if they keep dying", async () => {
    const pool = await started({ threads: 2 });
    vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
      void this.terminate();
    });
    const { operation, expected } = decryption();
    for (let n = 0; n < 100_000 && warnings.length < 6; n += 1) {
      expect(await hex(pool.perform(operation))).toBe(expected);
      await new Promise(setImmediate);
    }
    expect(await hex(pool.perform(operation))).toBe(expected);
    expect(warnings.at(-1)).toMatch(/^Threads for private-key operations keep ending;/);
    // The other thread may have been dying meanwhile.
    expect(warnings.length).toBeLessThanOrEqual(7);
  });

  it("SEC-083 refuses requests that cannot be served in time, and never what belongs to a call that has begun", async () => {
    const pool = await started({ threads: 1, maximumWaiting: 10 });
    const slow = keyOf(4096);
    const { operation, expected } = decryption(slow, 512);
    const outcome = (share?: string): Promise<string> =>
      hex(pool.perform(operation, share)).then(
        (result) => (result === expected ? "served" : "wrong"),
        (error: unknown) => (error instanceof CryptoOverload ? "refused" : "failed"),
      );
    const crowd = Array.from({ length: 60 }, () => outcome("crowd"));
    const others = ["a", "b", "c"].map((share) => outcome(share));
    const begun = Array.from({ length: 30 }, () => outcome());
    const served = (await Promise.all(crowd)).filter((what) => what === "served").length;
    expect(await Promise.all(crowd)).toContain("refused");
    expect(served).toBeGreaterThanOrEqual(7);
    expect(served).toBeLessThan(30);
    expect(await Promise.all(others)).toEqual(["served", "served", "served"]);
    expect(new Set(await Promise.all(begun))).toEqual(new Set(["served"]));
    // And is over as soon as there is room again.
    expect(await outcome("crowd")).toBe("served");
  });

  it("closes when what was begun is done, and does the rest without threads", async () => {
    const pool = await started({ threads: 2 });
    const cases = Array.from({ length: 50 }, () => decryption());
    const results = cases.map(({ operation }) => hex(pool.perform(operation)));
    await pool.close();
    expect(await Promise.all(results)).toEqual(cases.map(({ expected }) => expected));
    const { operation, expected } = decryption();
    expect(await hex(pool.perform(operation))).toBe(expected);
    expect(warnings).toEqual([]);
  });
});

describe("borrowCryptoPool", () => {
  it("is one for all that want as many threads, until the last has given it back", async () => {
    const [one, two] = [borrowCryptoPool(3), borrowCryptoPool(3)];
    const other = borrowCryptoPool(0);
    expect(two.value).toBe(one.value);
    expect(other.value).not.toBe(one.value);
    await one.giveBack();
    expect(borrowCryptoPool(3).value).toBe(two.value);
    await Promise.all([two.giveBack(), two.giveBack(), other.giveBack()]);
    const later = borrowCryptoPool(3);
    expect(later.value).not.toBe(one.value);
    await later.giveBack();
  });
});
