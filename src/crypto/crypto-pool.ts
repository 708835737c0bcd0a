import { setImmediate as nextTurn } from "node:timers/promises";
import { type Borrowed, Shared } from "../core/shared.ts";
import { canStartThreads } from "../core/threads.ts";
import { CryptoThread } from "./crypto-thread.ts";
import { perform, type PrivateOperation, type PrivateOperator, type Share } from "./private-operation.ts";
import { QueueBound } from "./queue-bound.ts";
import { WaitingOperations } from "./waiting-operations.ts";

/** What waits for a thread. */
interface Job {
  readonly operation: PrivateOperation;
  readonly share: Share | undefined;
  readonly resolve: (result: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  /** Threads that died of it, or with it. */
  losses: number;
}

/** Requests that wait; with keys of 2048 bits a quarter of a second's work for two cores. */
const MAXIMUM_WAITING = 300;
/** Those that wait for each thread while there is lasting overload. */
const LASTING_PER_THREAD = 20;
/** Operations that travel together while some wait; while many do, this part of them, and while very many do, so many. */
const LARGE_BATCH = 8;
const PART_OF_MANY = 1 / 2;
const LARGEST_BATCH = 32;
/** Fewer operations at once are shared with one thread: to wake more of them costs more than they save. */
const WORTH_WAKING = 6;
/** Fewer still are done here. While there are so many, all threads that are in use stay so. */
const WORTH_SHARING = 3;
/** Operations are done here until they take more than this part of the thread's time, and that for so long. */
const WORTHWHILE_PART = 0.1;
const WORTHWHILE_MS = 250;
/** Threads that end by themselves in such a time: more, and there is something wrong with all of them. */
const MAXIMUM_LOSSES = 5;
const LOSSES_FORGOTTEN_AFTER_MS = 60_000;

/** There is more to do than can be done in time, and this request is not among it. Nothing has been read of it. */
export class CryptoOverload extends Error {
  override readonly name = "CryptoOverload";

  constructor() {
    super("More requests wait for a private-key operation than can be served in time.");
  }
}

/** One for all: it says the same each time, and what an error costs is most of what refusing does. */
const OVERLOAD = new CryptoOverload();

/**
 * Does private operations on threads, so that they neither hold up the event loop nor each other.
 *
 * A quiet site needs no threads: they are started when there is enough to do for them, and until they are ready the
 * operations are done here. A thread that dies is replaced, and what it had to do is done by another; if they keep dying,
 * or cannot be started at all, everything is done here as if there were none.
 */
export class CryptoPool implements PrivateOperator {
  readonly #size: number;
  readonly #worthWaking: number;
  readonly #waiting: WaitingOperations<Job>;
  readonly #threads = new Set<CryptoThread<Job>>();
  #isStarted = false;
  #isClosed = false;
  #isDispatching = false;
  /** Whether all threads are in use, rather than one. */
  #areAllInUse = false;
  #losses: number[] = [];
  /** How much has been done here lately, and when that was counted. */
  #busyMs = 0;
  #countedAt = performance.now();
  #whenIdle: (() => void) | undefined;

  /**
   * @param options `threads`: at most; 0 for none. `maximumWaiting`: requests. `worthWaking`: operations at once from which
   *   on they are left to the threads.
   */
  constructor(options: { threads: number; maximumWaiting?: number; worthWaking?: number }) {
    const { threads, maximumWaiting = MAXIMUM_WAITING, worthWaking = WORTH_WAKING } = options;
    this.#size = threads;
    this.#worthWaking = worthWaking;
    const lasting = Math.min(LASTING_PER_THREAD * threads, maximumWaiting);
    this.#waiting = new WaitingOperations(new QueueBound({ maximum: maximumWaiting, lasting }));
  }

  /** Rejects with `CryptoOverload` what has a share, when too much waits. */
  perform(operation: PrivateOperation, share?: Share): Uint8Array | Promise<Uint8Array> {
    if (!this.#isReady()) return this.#performHere(operation);
    return new Promise((resolve, reject) => {
      const excess = this.#waiting.add({ operation, share, resolve, reject, losses: 0 });
      excess?.reject(OVERLOAD);
      this.#dispatchSoon();
    });
  }

  /** Whether there is more to do than can be done in time. */
  get isFull(): boolean {
    return this.#waiting.isFull;
  }

  /** Starts the threads now. Resolves when one of them is ready, or none will be. */
  async start(): Promise<void> {
    this.#start();
    while (this.#threads.size > 0 && !this.#isReady()) await nextTurn();
  }

  /** Ends the threads when what was begun is done. What comes later is done here. */
  async close(): Promise<void> {
    if (this.#isBusy()) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    this.#isClosed = true;
    const threads = [...this.#threads];
    this.#threads.clear();
    await Promise.all(threads.map((thread) => thread.end()));
  }

  #isReady(): boolean {
    for (const thread of this.#threads) if (thread.isReady) return true;
    return false;
  }

  #isBusy(): boolean {
    return this.#waiting.size + this.#operationsOfThreads() > 0;
  }

  #performHere(operation: PrivateOperation): Uint8Array {
    const started = performance.now();
    const result = perform(operation);
    const now = performance.now();
    this.#busyMs = Math.max(0, this.#busyMs - (started - this.#countedAt) * WORTHWHILE_PART) + (now - started);
    this.#countedAt = now;
    if (this.#busyMs > WORTHWHILE_MS) this.#start();
    return result;
  }

  #start(): void {
    if (this.#isStarted || this.#isClosed || !canStartThreads()) return;
    this.#isStarted = true;
    for (let n = 0; n < this.#size; n += 1) this.#addThread();
  }

  #addThread(): void {
    const thread: CryptoThread<Job> = new CryptoThread<Job>({
      onReady: () => this.#dispatch(),
      onResults: (batch, results) => {
        // First: what comes of the results takes its time here, and the thread should not wait for it.
        this.#sendNext(thread);
        batch.forEach((job, n) => this.#settle(job, results[n]));
        this.#dispatchSoon();
        if (!this.#isBusy()) this.#whenIdle?.();
      },
      onLost: (batches, error) => {
        this.#threads.delete(thread);
        this.#replace(batches.flat(), error);
      },
    });
    this.#threads.add(thread);
  }

  /** What comes up in one turn of the event loop travels together: half of what a message costs is waking up for it. */
  #dispatchSoon(): void {
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    setImmediate(() => {
      this.#isDispatching = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#areAllWorthUsing()) this.#dispatchMany();
    else this.#dispatchFew();
  }

  /** Notes the answer, too: those that are in use stay so with fewer operations than were worth waking them for. */
  #areAllWorthUsing(): boolean {
    const enough = this.#areAllInUse ? Math.min(WORTH_SHARING, this.#worthWaking) : this.#worthWaking;
    this.#areAllInUse = this.#waiting.size + this.#operationsOfThreads() >= enough;
    return this.#areAllInUse;
  }

  #operationsOfThreads(): number {
    let sum = 0;
    for (const { operations } of this.#threads) sum += operations;
    return sum;
  }

  /** To a thread that has just brought results, and so is awake: its part of what waits, or all of a few. */
  #sendNext(thread: CryptoThread<Job>): void {
    const parts = this.#areAllWorthUsing() ? this.#threads.size : 1;
    if (this.#waiting.size > 0) thread.send(this.#takeBatch(parts));
  }

  /** Half of all that is under way to the thread that is awake, or to one; the others are done here meanwhile. */
  #dispatchFew(): void {
    const underWay = this.#operationsOfThreads();
    const all = this.#waiting.size + underWay;
    const half = all < WORTH_SHARING ? 0 : Math.floor(all / 2);
    let busiest: CryptoThread<Job> | undefined;
    for (const thread of this.#threads) {
      if (thread.hasRoom && thread.operations >= (busiest?.operations ?? 0)) busiest = thread;
    }
    if (half > underWay) busiest?.send(this.#takeWaiting(half - underWay));
    this.#doHere();
  }

  /** To the idlest thread that has room, in batches that are the larger the more waits. */
  #dispatchMany(): void {
    while (this.#waiting.size > 0) {
      let idlest: CryptoThread<Job> | undefined;
      for (const thread of this.#threads) {
        if (thread.hasRoom && thread.load < (idlest?.load ?? Infinity)) idlest = thread;
      }
      if (!idlest) return;
      idlest.send(this.#takeBatch(this.#threads.size));
    }
  }

  /** One of so many parts of what waits, as far as that fits into a batch. */
  #takeBatch(parts: number): Job[] {
    const { size: waiting } = this.#waiting;
    // When the event loop is slow to come round, threads have to have enough to do until it does.
    const largest = Math.min(LARGEST_BATCH, Math.max(LARGE_BATCH, waiting * PART_OF_MANY));
    return this.#takeWaiting(Math.min(largest, Math.ceil(waiting / parts)));
  }

  /** The next ones, so many at most. */
  #takeWaiting(size: number): Job[] {
    const batch: Job[] = [];
    for (let job = this.#waiting.take(); job; job = batch.length < size ? this.#waiting.take() : undefined) {
      batch.push(job);
    }
    return batch;
  }

  #doHere(): void {
    for (let job = this.#waiting.take(); job; job = this.#waiting.take()) this.#settle(job, undefined);
    if (!this.#isBusy()) this.#whenIdle?.();
  }

  #settle({ operation, resolve, reject }: Job, result: Uint8Array | undefined): void {
    if (result) {
      resolve(result);
      return;
    }
    try {
      // Here, the error is the platform's own.
      resolve(perform(operation));
    } catch (error) {
      reject(error as Error);
    }
  }

  #replace(unfinished: readonly Job[], error: Error): void {
    const now = performance.now();
    this.#losses = [...this.#losses.filter((at) => now - at < LOSSES_FORGOTTEN_AFTER_MS), now];
    const isHopeless = this.#losses.length > MAXIMUM_LOSSES;
    process.emitWarning(
      isHopeless
        ? `Threads for private-key operations keep ending; the operations are done without. ${error.message}`
        : `A thread for private-key operations ended and is replaced. ${error.message}`,
      { type: "MnetWarning", code: "MNET_CRYPTO_THREAD" },
    );
    for (const job of [...unfinished].reverse()) {
      job.losses += 1;
      // One that has taken two threads along is not given to a third.
      if (job.losses > 1) this.#settle(job, undefined);
      else this.#waiting.addFirst(job);
    }
    if (!isHopeless && !this.#isClosed) this.#addThread();
    if (this.#threads.size > 0) this.#dispatch();
    else void this.#finishHere();
  }

  async #finishHere(): Promise<void> {
    for (let job = this.#waiting.take(); job; job = this.#waiting.take()) {
      this.#settle(job, undefined);
      await nextTurn();
    }
    this.#whenIdle?.();
  }
}

/** One pool for all hosts of a process that want as many threads. */
const pools = new Shared((threads: number) => new CryptoPool({ threads }));

/** A pool of that many threads, for as long as it is not given back. */
export const borrowCryptoPool = (threads: number): Borrowed<CryptoPool> => pools.borrow(threads);
