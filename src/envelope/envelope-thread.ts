import { setImmediate as nextTurn } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { type Borrowed, Shared } from "../core/shared.ts";
import { canStartThreads, startThread } from "../core/threads.ts";
import { CryptoOverload } from "../crypto/crypto-pool.ts";
import { performBulk, type BulkOperator, type BulkStep } from "../crypto/work.ts";
import { FUNCTIONS, pack, unpack, type Outcome, type FunctionCall } from "./thread-messages.ts";

/** Large messages that wait for the one that is under way: a second's work, and some hundred megabytes. */
const MAXIMUM_WAITING = 16;
/** A thread that has nothing to do ends. */
const KEEP_UNUSED_MS = 60_000;
/** After one has ended by itself. */
const REST_MS = 60_000;

const PROGRAM = new URL("envelope-worker", import.meta.url);
/** It needs room for slices of text only; the larger the room, the longer it is kept. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4 };

const NAMES = new Map<BulkStep["work"], FunctionCall["name"]>(
  (Object.keys(FUNCTIONS) as FunctionCall["name"][]).map((name) => [FUNCTIONS[name], name]),
);

/** What waits for the thread. */
interface Job {
  readonly name: FunctionCall["name"];
  readonly step: BulkStep;
  /** If the thread dies, nobody has the large arguments any more. */
  readonly gives: boolean;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads and writes large messages in a thread, one after the other, so that they do not hold up the event loop.
 *
 * The thread is there while there is something to do for it. If it dies, or cannot be started, everything is done here for
 * a while; what was given away to it is lost, and refused as if there had been no time for it.
 */
export class EnvelopeThread implements BulkOperator {
  #thread: Worker | undefined;
  #isReady = false;
  /** The first is under way. */
  readonly #jobs: Job[] = [];
  #endUnused: NodeJS.Timeout | undefined;
  #restsUntil = 0;
  #isClosed = false;
  #whenIdle: (() => void) | undefined;

  perform(step: BulkStep, gives: boolean): unknown {
    const name = NAMES.get(step.work);
    if (!name || !this.#isAvailable()) return performBulk(step);
    return new Promise((resolve, reject) => {
      this.#jobs.push({ name, step, gives, resolve, reject });
      if (this.#jobs.length === 1) this.#sendFirst();
    });
  }

  get isFull(): boolean {
    return this.#jobs.length > MAXIMUM_WAITING;
  }

  /** Ends the thread when what was begun is done. What comes later is done here. */
  async close(): Promise<void> {
    while (this.#jobs.length > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    this.#isClosed = true;
    await this.#end();
  }

  #isAvailable(): boolean {
    return !this.#isClosed && canStartThreads() && performance.now() >= this.#restsUntil;
  }

  #sendFirst(): void {
    clearTimeout(this.#endUnused);
    const [job] = this.#jobs;
    if (!job) {
      this.#thread?.unref();
      this.#endUnused = setTimeout(() => void this.#end(), KEEP_UNUSED_MS).unref();
      this.#whenIdle?.();
      return;
    }
    const thread = (this.#thread ??= this.#start());
    // Only what is under way keeps the process alive.
    thread.ref();
    // Nothing is given to a thread that may never come.
    if (!this.#isReady) return;
    const { value, memory } = pack(job.step.args, job.gives ? "memory" : "copy");
    thread.postMessage({ name: job.name, args: value } satisfies FunctionCall, memory);
  }

  #start(): Worker {
    const options = { name: "mnet-envelopes", resourceLimits: RESOURCE_LIMITS };
    const thread = startThread(PROGRAM, options, (reason) => {
      if (thread === this.#thread) this.#lost(reason);
    });
    thread.on("message", (message) => {
      if (message === "ready") this.#isReady = true;
      else this.#done(unpack(message) as Outcome);
      this.#sendFirst();
    });
    // What cannot be received will never come.
    thread.on("messageerror", () => void thread.terminate());
    return thread;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#endUnused);
    const thread = this.#thread;
    this.#forget();
    await thread?.terminate();
  }

  #forget(): void {
    this.#thread = undefined;
    this.#isReady = false;
  }

  #done(outcome: Outcome): void {
    const job = this.#jobs.shift();
    if ("thrown" in outcome) job?.reject(outcome.thrown);
    else job?.resolve(outcome.result);
  }

  #lost(reason: Error): void {
    const [job] = this.#jobs;
    const isGiven = this.#isReady && job?.gives === true;
    this.#forget();
    this.#restsUntil = performance.now() + REST_MS;
    process.emitWarning(
      `The thread for large messages ended; they are read and written without for a minute. ${reason.message}`,
      { type: "MnetWarning", code: "MNET_CRYPTO_THREAD" },
    );
    if (isGiven) this.#jobs.shift()?.reject(new CryptoOverload());
    void this.#finishHere();
  }

  async #finishHere(): Promise<void> {
    for (let job = this.#jobs.shift(); job; job = this.#jobs.shift()) {
      const { step, resolve, reject } = job;
      try {
        resolve(performBulk(step));
      } catch (error) {
        reject(error);
      }
      await nextTurn();
    }
    this.#whenIdle?.();
  }
}

const threads = new Shared<undefined, EnvelopeThread>(() => new EnvelopeThread());

/** The thread that all hosts of the process share, for as long as it is not given back. */
export const borrowEnvelopeThread = (): Borrowed<EnvelopeThread> => threads.borrow(undefined);
