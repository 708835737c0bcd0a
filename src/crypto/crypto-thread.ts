import type { KeyObject } from "node:crypto";
import type { Worker } from "node:worker_threads";
import { startThread } from "../core/threads.ts";
import { packOperations, unpackResults } from "./batch.ts";
import type { KeyChange } from "./crypto-worker.ts";
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
  #operations = 0;
  #isReady = false;
  #isEnded = false;

  constructor(observer: ThreadObserver<T>) {
    this.#observer = observer;
    // Only work that is under way keeps the process alive.
    this.#worker = startThread(PROGRAM, { name: "mnet-crypto" }, (reason) => this.#lost(reason));
    this.#worker.on("message", (message: "ready" | Uint8Array) => {
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

  /** How many operations are in them. */
  get operations(): number {
    return this.#operations;
  }

  get hasRoom(): boolean {
    return this.#isReady && this.#underWay.length < BATCHES_AHEAD;
  }

  send(batch: readonly T[]): void {
    if (this.#underWay.length === 0) this.#worker.ref();
    this.#underWay.push(batch);
    this.#operations += batch.length;
    const added: [number, KeyObject][] = [];
    const now = performance.now();
    const operations = batch.map(({ operation: { kind, key, data } }) => ({
      kind,
      key: this.#numberOf(key, now, added),
      data,
    }));
    // The keys of this batch are the last ones, and fewer than are kept.
    const dropped = this.#dropOldKeys(now);
    if (added.length > 0 || dropped.length > 0) this.#worker.postMessage({ added, dropped } satisfies KeyChange);
    this.#worker.postMessage(packOperations(operations));
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#worker.terminate();
  }

  #ready(): void {
    this.#isReady = true;
    this.#observer.onReady();
  }

  #done(results: Uint8Array): void {
    const batch = this.#underWay.shift() ?? [];
    this.#operations -= batch.length;
    if (this.#underWay.length === 0) this.#worker.unref();
    this.#observer.onResults(batch, unpackResults(results, batch.length));
  }

  #lost(error: Error): void {
    this.#isReady = false;
    if (!this.#isEnded) this.#observer.onLost(this.#underWay.splice(0), error);
  }

  #numberOf(key: KeyObject, now: number, added: [number, KeyObject][]): number {
    let known = this.#keys.get(key);
    if (known) {
      this.#keys.delete(key);
      known.usedAt = now;
    } else {
      known = { number: ++this.#lastKey, usedAt: now };
      added.push([known.number, key]);
    }
    this.#keys.set(key, known);
    return known.number;
  }

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
