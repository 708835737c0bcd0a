import { spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { EnvelopeError } from "../../src/core/errors.ts";
import type { NowOrLater } from "../../src/core/now-or-later.ts";
import { CryptoOverload } from "../../src/crypto/crypto-pool.ts";
import { HERE, inBulk, workBy, workHere, type Work } from "../../src/crypto/work.ts";
import { decryptingMessage, readPlaintext, type EncryptedMessage } from "../../src/envelope/encrypted-message.ts";
import { borrowEnvelopeThread, EnvelopeThread } from "../../src/envelope/envelope-thread.ts";
import { readingEnvelope } from "../../src/envelope/open.ts";
import { seal, sealingMessage } from "../../src/envelope/seal.ts";
import { alice, bob, edit, encryptedToBob, mallory, signedByAlice, TIMESTAMP } from "../support/envelopes.ts";
import { watchWorkers } from "../support/watched-workers.ts";

const LOADER = new URL("../support/typescript.mjs", import.meta.url).href;

const MB = 1024 * 1024;
const documentOf = (bytes: number): Buffer => Buffer.alloc(bytes, "course ");
const sealedFor = (recipient = bob.certificate, bytes = MB): Promise<Uint8Array> =>
  seal(documentOf(bytes), { sender: alice.wwwroot, key: alice.key, recipient, timestamp: TIMESTAMP });

const threads: EnvelopeThread[] = [];
function thread(): EnvelopeThread {
  const made = new EnvelopeThread();
  threads.push(made);
  return made;
}
const by = <T>(bulk: EnvelopeThread, work: Work<T>, gives = false): NowOrLater<T> =>
  workBy({ ...HERE, bulk }, work, undefined, gives);
const reading = (body: Uint8Array): Work<unknown> => readingEnvelope(body, Infinity);

const { workers, warnings } = watchWorkers(() => Promise.all(threads.splice(0).map((one) => one.close())));

/** What is in a value, in short: comparing megabytes byte by byte takes seconds. */
const summaryOf = (value: unknown): string =>
  JSON.stringify(value, function (this: Record<string, unknown>, name, part: unknown) {
    const bytes = this[name];
    if (bytes instanceof Uint8Array) return [bytes.constructor.name, bytes.length, hash("sha1", bytes)];
    return part instanceof EnvelopeError ? [part.code, part.message] : part;
  });

/** What becomes of a message. */
async function outcomeOf(body: Uint8Array, does: <T>(work: Work<T>) => T | Promise<T>): Promise<string> {
  const attempt = async <T>(work: Work<T>): Promise<T | EnvelopeError> => {
    try {
      return await does(work);
    } catch (error) {
      if (error instanceof EnvelopeError) return error;
      throw error;
    }
  };
  const envelope = await attempt(readingEnvelope(body, 4 * MB));
  if (envelope instanceof EnvelopeError || envelope.kind !== "encrypted") return summaryOf({ envelope });
  const { message } = envelope;
  const decrypted = await attempt(decryptingMessage(message, [bob.key]));
  if (decrypted instanceof EnvelopeError) return summaryOf({ message, decrypted, cause: decrypted.cause });
  return summaryOf({ message: { ...message, ciphertext: undefined }, decrypted });
}

describe("EnvelopeThread", () => {
  const damages: Record<string, (bytes: number) => Promise<Uint8Array> | Uint8Array> = {
    "a message": (bytes) => sealedFor(bob.certificate, bytes),
    "one for somebody else": (bytes) => sealedFor(mallory.certificate, bytes),
    "one with damaged base64": async (bytes) =>
      edit(await sealedFor(bob.certificate, bytes), /(?<=<CipherValue>)(?=.{999})/, "*"),
    "one in another layout": async (bytes) => edit(await sealedFor(bob.certificate, bytes), "<wwwroot>", "<wwwroot >"),
    "one that is malformed inside": (bytes) =>
      encryptedToBob(edit(signedByAlice(documentOf(bytes)), "<object", "<objet")),
    "one that nobody signed": (bytes) => encryptedToBob(`<methodCall>${"x".repeat(bytes)}</methodCall>`),
    "one that is signed only": (bytes) => signedByAlice(documentOf(bytes)),
    "one in clear": (bytes) => Buffer.from(`<methodCall>${"x".repeat(bytes)}</methodCall>`),
    "something else": (bytes) => documentOf(bytes),
    "one that is too large": (bytes) => sealedFor(bob.certificate, 4 * MB + bytes),
  };

  it.each(Object.entries(damages))("reads %s as it is read here", async (_, make) => {
    const body = await make(MB);
    const bulk = thread();
    const here = await outcomeOf(Buffer.from(body), workHere);
    expect(await outcomeOf(body, (work) => by(bulk, work, true))).toEqual(here);
    expect(body).toHaveLength(0);
    expect(workers.size).toBe(1);
    expect(warnings).toEqual([]);
  });

  it("around the limit, whatever is large and whatever is not is read the same", async () => {
    const bulk = thread();
    // Of the document, the signed envelope, and both.
    const limits = [MB, (MB - 1176) * 0.75, ((MB - 1400) * 0.75 - 1176) * 0.75].map(Math.floor);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.values(damages).slice(0, 5)),
        fc.constantFrom(...limits),
        fc.integer({ min: -20, max: 20 }),
        fc.boolean(),
        async (make, limit, offset, gives) => {
          const body = await make(limit + offset);
          const here = await outcomeOf(Buffer.from(body), workHere);
          expect(await outcomeOf(body, (work) => by(bulk, work, gives))).toEqual(here);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("writes as it is written here", async () => {
    const document = documentOf(MB + 1);
    const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7);
    for (const recipient of [undefined, bob.certificate]) {
      const options = { sender: alice.wwwroot, key: alice.key, timestamp: TIMESTAMP, recipient, random };
      const written = await by(thread(), sealingMessage(document, options));
      // The padding of a wrapped key is random.
      const withoutKey = (body: Uint8Array): string =>
        Buffer.from(body)
          .toString("latin1")
          .replace(/(?<=<CipherValue>)[^<]{172}(?=<)/, "");
      expect(withoutKey(written) === withoutKey(workHere(sealingMessage(document, options)))).toBe(true);
    }
    expect(document.equals(documentOf(MB + 1))).toBe(true);
    expect(workers.size).toBe(2);
  });

  it("takes nobody's memory who did not give it", async () => {
    const body = await sealedFor();
    const before = Buffer.from(body);
    await by(thread(), reading(body));
    expect(before.equals(body)).toBe(true);
    expect(workers.size).toBe(1);
  });

  it("SEC-005 leaves what it cannot open for other keys", async () => {
    const bulk = thread();
    const read = async (): Promise<EncryptedMessage> => {
      const { message } = (await by(bulk, reading(await sealedFor()))) as { message: EncryptedMessage };
      // What is not below a key's modulus is not tried with it at all, and moduli differ from run to run.
      return mallory.key.fits(message.wrappedKey) ? message : read();
    };
    const message = await read();
    const before = Buffer.from(message.ciphertext);
    for (let n = 0; n < 2; n += 1) {
      const opening = by(bulk, decryptingMessage(message, [mallory.key]), true);
      await expect(opening).rejects.toMatchObject({ code: "MNET_ENVELOPE_DECRYPTION_FAILED" });
      expect(before.equals(message.ciphertext)).toBe(true);
    }
    const { openedWith } = await by(bulk, decryptingMessage(message, [mallory.key, bob.key]), true);
    expect(openedWith).toBe(bob.key);
  });

  it("does one after the other, in the order in which they came, and says when too many wait", async () => {
    const body = await sealedFor();
    const bulk = thread();
    const order: number[] = [];
    const all = Array.from({ length: 17 }, async (_, n) => {
      expect(bulk.isFull).toBe(false);
      await by(bulk, reading(Buffer.from(body)), true);
      order.push(n);
    });
    expect(bulk.isFull).toBe(true);
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 17 }, (_, n) => n));
    expect(bulk.isFull).toBe(false);
    expect(workers.size).toBe(1);
  });

  it("passes on what a function throws that should not", async () => {
    const broken = inBulk(readPlaintext, undefined as unknown as Buffer, Buffer.alloc(16));
    await expect(by(thread(), broken)).rejects.toThrow(TypeError);
    const unknown = (bytes: Uint8Array): number => bytes.length;
    expect(await by(thread(), inBulk(unknown, documentOf(3)))).toBe(3);
  });

  it("a thread that dies takes along what was given to it, and nothing else", async () => {
    const body = await sealedFor();
    const bulk = thread();
    vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker, message, memory) {
      structuredClone(message, { transfer: [...(memory ?? [])] as ArrayBuffer[] });
      void this.terminate();
    });
    const given = await Promise.allSettled(
      [true, true, false].map((gives) => by(bulk, reading(Buffer.from(body)), gives)),
    );
    expect(given.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(given[0]).toMatchObject({ reason: new CryptoOverload() });
    await new Promise(setImmediate);
    expect(warnings).toEqual([expect.stringMatching(/^The thread for large messages ended;/)]);
  });

  it("what was not given is done here if the thread dies of it, and after a minute there is another", async () => {
    const body = await sealedFor();
    const bulk = thread();
    vi.useFakeTimers({ toFake: ["performance"] });
    const dying = vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
      void this.terminate();
    });
    expect(await by(bulk, reading(body))).toMatchObject({ kind: "encrypted" });
    expect(dying).toHaveBeenCalledTimes(1);
    expect(await by(bulk, reading(Buffer.from(body)), true)).toMatchObject({ kind: "encrypted" });
    expect(dying).toHaveBeenCalledTimes(1);
    await new Promise(setImmediate);
    vi.advanceTimersByTime(60_000);
    expect(await by(bulk, reading(body))).toMatchObject({ kind: "encrypted" });
    expect(dying).toHaveBeenCalledTimes(2);
  });

  it("nothing is given to a thread that does not start", async () => {
    const body = await sealedFor();
    const bulk = thread();
    const { execArgv } = process;
    process.execArgv = ["--import", "data:text/javascript,process.exit()"];
    try {
      expect(await by(bulk, reading(body), true)).toMatchObject({ kind: "encrypted" });
    } finally {
      process.execArgv = execArgv;
    }
    expect(workers.size).toBe(0);
    expect(warnings).toHaveLength(1);
  });

  it("starts none where Node forbids it", async () => {
    Object.defineProperty(process, "permission", { value: { has: () => false }, configurable: true });
    try {
      expect(await by(thread(), reading(await sealedFor()))).toMatchObject({ kind: "encrypted" });
    } finally {
      Reflect.deleteProperty(process, "permission");
    }
    expect(workers.size).toBe(0);
  });

  it("ends when it has had nothing to do for a minute, and starts again", async () => {
    const body = await sealedFor();
    const bulk = thread();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await by(bulk, reading(body));
    const [first] = workers;
    const ended = new Promise((resolve) => first?.once("exit", resolve));
    vi.advanceTimersByTime(60_000);
    await ended;
    await by(bulk, reading(body));
    expect(workers.size).toBe(2);
    expect(warnings).toEqual([]);
  });

  it("closes when what was begun is done, and does the rest here", async () => {
    const body = await sealedFor();
    const bulk = thread();
    const results = Array.from({ length: 3 }, () => by(bulk, reading(body)));
    await bulk.close();
    expect(await Promise.all(results)).toHaveLength(3);
    expect([...workers].map(({ threadId }) => threadId)).toEqual([-1]);
    expect(await by(bulk, reading(body), true)).toMatchObject({ kind: "encrypted" });
    expect(workers.size).toBe(1);
    expect(warnings).toEqual([]);
  });

  it("keeps no process alive", () => {
    const program = `
      import { HERE, workBy } from "./src/crypto/work.ts";
      import { EnvelopeThread } from "./src/envelope/envelope-thread.ts";
      import { readingEnvelope } from "./src/envelope/open.ts";
      const bulk = new EnvelopeThread();
      const { kind } = await workBy({ ...HERE, bulk }, readingEnvelope(new Uint8Array(${2 * MB}), Infinity), undefined, true);
      console.log(kind);`;
    const { stdout, status } = spawnSync(process.execPath, ["--import", LOADER, "--input-type=module", "-e", program], {
      encoding: "utf8",
      timeout: 15_000,
    });
    expect([stdout, status]).toEqual(["plain\n", 0]);
  });
});

describe("borrowEnvelopeThread", () => {
  it("is one for all, until the last has given it back", async () => {
    const [one, two] = [borrowEnvelopeThread(), borrowEnvelopeThread()];
    expect(two.value).toBe(one.value);
    await one.giveBack();
    const three = borrowEnvelopeThread();
    expect(three.value).toBe(two.value);
    await Promise.all([two.giveBack(), three.giveBack()]);
    const later = borrowEnvelopeThread();
    expect(later.value).not.toBe(one.value);
    await later.giveBack();
  });
});
