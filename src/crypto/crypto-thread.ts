import type { KeyObject } from "node:crypto";
import type { Worker } from "node:worker_threads";
import { startThread } from "../core/threads.ts";
import type { Batch, BatchResult } from "./crypto-worker.ts";
import type { PrivateOperation } from "./private-operation.ts";

/** One batch in work, one that waits in the thread for its end: it never has to wait for us. */
const BATCHES_AHEAD = 2;
/** A thread keeps the keys that were used lately. */
const MAXIMUM_KEYS = 64;
const KEEP_UNUSED_MS = 10 * 60 * 1000;

const PROGRAM = new URL("crypto-worker", import.meta.url);

/** Whoever started the thread. `results`: in the order of the batch, `undefined` for what failed. */
export interface ThreadObserver<T> {
  onReady(): void;
  onResults(batch: readonly T[], results: readonly (Uint8Array | undefined)[]): void;
  /** It ended without being asked; these batches were not done. It is called once. */
  onLost(batches: readonly (readonly T[])[], error: Error): void;
}

/** A thread that does private operations, batch by batch. */
export class CryptoThread<T extends { readonly operation: PrivateOperation }> {
  readonly #worker: Worker;
  readonly #observer: ThreadObserver<T>;
  readonly #underWay: (readonly T[])[] = [];
  /** The one that was not used for longest comes first. */
  readonly #keys = new Map<KeyObject, { readonly number: number; usedAt: number }>();
  #lastKey = 0;
  #isReady = false;
  #isEnded = false;

  constructor(observer: ThreadObserver<T>) {
    this.#observer = observer;
    // Only work that is under way keeps the process alive.
    this.#worker = startThread(PROGRAM, { name: "mnet-crypto" }, (reason) => this.#lost(reason));
    this.#worker.on("message", (message: "ready" | BatchResult) => {
      if (message === "ready") this.#ready();
      else this.#done(message);
    });
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** How many batches it has. */
  get load(): number {
    return this.#underWay.length;
  }

  get hasRoom(): boolean {
    return this.#isReady && this.#underWay.length < BATCHES_AHEAD;
  }

  send(batch: readonly T[]): void {
    if (this.#underWay.length === 0) this.#worker.ref();
    this.#underWay.push(batch);
    this.#worker.postMessage(this.#pack(batch.map(({ operation }) => operation)));
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#worker.terminate();
  }

  #ready(): void {
    this.#isReady = true;
    this.#observer.onReady();
  }

  #done({ lengths, data }: BatchResult): void {
    const batch = this.#underWay.shift() ?? [];
    if (this.#underWay.length === 0) this.#worker.unref();
    let at = 0;
    const results = lengths.map((length) => (length < 0 ? undefined : data.subarray(at, (at += length))));
    this.#observer.onResults(batch, results);
  }

  #lost(error: Error): void {
    this.#isReady = false;
    if (!this.#isEnded) this.#observer.onLost(this.#underWay.splice(0), error);
  }

  #pack(operations: readonly PrivateOperation[]): Batch {
    const now = performance.now();
    const newKeys: [number, KeyObject][] = [];
    const packed = operations.map(({ kind, key, data }) => ({
      kind,
      key: this.#numberOf(key, now, newKeys),
      length: data.length,
    }));
    // A copy of its own: a slice of Node's pool of buffers would take the whole pool along.
    const joined = new Uint8Array(operations.reduce((sum, { data }) => sum + data.length, 0));
    let end = 0;
    for (const { data } of operations) {
      joined.set(data, end);
      end += data.length;
    }
    return { operations: packed, data: joined, newKeys, oldKeys: this.#dropOldKeys(now) };
  }

  #numberOf(key: KeyObject, now: number, newKeys: [number, KeyObject][]): number {
    let known = this.#keys.get(key);
    if (known) {
      this.#keys.delete(key);
      known.usedAt = now;
    } else {
      known = { number: ++this.#lastKey, usedAt: now };
      newKeys.push([known.number, key]);
    }
    this.#keys.set(key, known);
    return known.number;
  }

  /** After the batch that is being packed: its keys are the last ones, and fewer than are kept. */
  #dropOldKeys(now: number): number[] {
    const dropped: number[] = [];
    for (const [key, { number, usedAt }] of this.#keys) {
      if (this.#keys.size <= MAXIMUM_KEYS && now - usedAt < KEEP_UNUSED_MS) break;
      this.#keys.delete(key);
      dropped.push(number);
    }
    return dropped;
  }
}
