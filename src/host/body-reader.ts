import type { Clock } from "../core/clock.ts";
import type { NowOrLater } from "../core/now-or-later.ts";
import type { Task } from "../core/task.ts";
import { isLarge } from "../crypto/work.ts";
import type { ClientAddress } from "./client-address.ts";
import { headerOf, type HttpRequest } from "./http.ts";

/** From the end of the head to the end of the body. Real sites need less than a second. */
export const BODY_DEADLINE_MS = 30_000;
/** Bodies that are being read at once. */
export const MAXIMUM_BODIES = 256;
/** Of them, from addresses from which no peer called lately. The rest is reserved for the others. */
export const MAXIMUM_STRANGERS = 192;
/** From one address, if no peer called from it lately. */
export const MAXIMUM_PER_STRANGER = 32;
/** From one address from which a peer called lately. */
export const MAXIMUM_PER_KNOWN = 128;
/** What all strangers' bodies together may hold of memory, but at least two of the largest. */
const STRANGERS_BYTES = 64 * 1024 * 1024;

/** Bodies of this size are put together in one piece of memory as they come. */
const LARGE_BODY = 256 * 1024;

/** Why a body is not there: more bytes than allowed, not there in time, or too many others are being read. */
export type BodyRefusal = "too-large" | "too-slow" | "too-many";

/** Reads bodies of whoever sends them, and lets nobody hold what others need by sending slowly (SEC-082). */
export class BodyReader {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #isKnown: (block: string) => boolean;
  readonly #reading = new Map<string, number>();
  #bodies = 0;
  #strangers = 0;
  #strangersBytes = 0;

  /** `isKnown`: whether a peer called lately from a `ClientAddress.block`. */
  constructor(options: {
    readonly clock: Clock;
    readonly maxBytes: number;
    readonly isKnown: (block: string) => boolean;
  }) {
    this.#clock = options.clock;
    this.#maxBytes = options.maxBytes;
    this.#isKnown = options.isKnown;
  }

  /**
   * A body, or why not. The memory of a large one is nobody else's, so that it can be given to a thread. Rejects with what
   * the body throws, or with why the task is to end.
   */
  read(request: HttpRequest, { block }: ClientAddress, task: Task): NowOrLater<Uint8Array | BodyRefusal> {
    const { body } = request;
    const length = Number(headerOf(request, "content-length") ?? 0);
    if (length > this.#maxBytes) return "too-large";
    if (body instanceof Uint8Array) return body.length > this.#maxBytes ? "too-large" : oursIfLarge(body);
    const isStranger = !this.#isKnown(block);
    return this.#hasRoom(block, isStranger) ? this.#readInTime(body, length, { block, isStranger }, task) : "too-many";
  }

  #hasRoom(block: string, isStranger: boolean): boolean {
    const own = this.#reading.get(block) ?? 0;
    if (this.#bodies >= MAXIMUM_BODIES) return false;
    return isStranger ? this.#strangers < MAXIMUM_STRANGERS && own < MAXIMUM_PER_STRANGER : own < MAXIMUM_PER_KNOWN;
  }

  #count(block: string, isStranger: boolean, change: 1 | -1): void {
    this.#bodies += change;
    if (isStranger) this.#strangers += change;
    const own = (this.#reading.get(block) ?? 0) + change;
    if (own > 0) this.#reading.set(block, own);
    else this.#reading.delete(block);
  }

  async #readInTime(
    body: AsyncIterable<Uint8Array>,
    announced: number,
    { block, isStranger }: Origin,
    task: Task,
  ): Promise<Uint8Array | BodyRefusal> {
    const parts = body[Symbol.asyncIterator]();
    const progress: Progress = { size: 0, isOver: false };
    let cancel = (): void => undefined;
    let unfollow = (): void => undefined;
    this.#count(block, isStranger, 1);
    try {
      return await new Promise((resolve, reject) => {
        cancel = this.#clock.after(BODY_DEADLINE_MS, () => resolve("too-slow"));
        unfollow = "endsWithCaller" in body ? task.onAbort(reject) : onAbort(task.signal, reject);
        this.#readParts(parts, new Chunks(announced), isStranger, progress).then(resolve, reject);
      });
    } finally {
      progress.isOver = true;
      cancel();
      unfollow();
      if (isStranger) this.#strangersBytes -= progress.size;
      this.#count(block, isStranger, -1);
      // Not awaited: it ends when the part that nobody waits for does.
      parts.return?.().catch(() => undefined);
    }
  }

  async #readParts(
    parts: AsyncIterator<Uint8Array>,
    chunks: Chunks,
    isStranger: boolean,
    progress: Progress,
  ): Promise<Uint8Array | BodyRefusal> {
    for (let next = await parts.next(); !next.done; next = await parts.next()) {
      // Nobody waits for it any more.
      if (progress.isOver) return "too-slow";
      progress.size += next.value.length;
      if (isStranger) this.#strangersBytes += next.value.length;
      if (progress.size > this.#maxBytes) return "too-large";
      if (isStranger && this.#strangersBytes > Math.max(STRANGERS_BYTES, 2 * this.#maxBytes)) return "too-many";
      chunks.add(next.value);
    }
    return chunks.join();
  }
}

/** From where a body comes. */
interface Origin {
  readonly block: string;
  readonly isStranger: boolean;
}

/** How far a body has been read. */
interface Progress {
  size: number;
  /** It has come to its end, or nobody waits for that any more. */
  isOver: boolean;
}

function onAbort(signal: AbortSignal, listener: (reason: Error) => void): () => void {
  const abort = (): void => listener(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  return () => signal.removeEventListener("abort", abort);
}

/** Parts of a body. Where its length is announced, a large one is put together as it comes: it never is there twice. */
class Chunks {
  readonly #whole: Buffer | undefined;
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  constructor(announced: number) {
    // Memory that nobody writes to is not used, so announcing much and sending little costs nothing.
    if (announced >= LARGE_BODY) this.#whole = Buffer.allocUnsafeSlow(announced);
  }

  add(part: Uint8Array): void {
    if (this.#whole && this.#length + part.length <= this.#whole.length) this.#whole.set(part, this.#length);
    else this.#parts.push(part);
    this.#length += part.length;
  }

  join(): Uint8Array {
    const [only] = this.#parts;
    if (!this.#whole)
      return only && this.#parts.length === 1 ? oursIfLarge(only) : Buffer.concat(this.#parts, this.#length);
    return this.#parts.length === 0
      ? this.#whole.subarray(0, this.#length)
      : Buffer.concat([this.#whole.subarray(0, this.#length - sizeOf(this.#parts)), ...this.#parts]);
  }
}

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((size, { length }) => size + length, 0);
/** Whoever gave it to us may need it again. */
const oursIfLarge = (bytes: Uint8Array): Uint8Array => (isLarge(bytes) ? Buffer.from(bytes) : bytes);
