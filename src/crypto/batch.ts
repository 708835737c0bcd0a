import type { PrivateOperation } from "./private-operation.ts";

// Some operations on their way to a thread, and what came of them, as bytes in one piece: cloning objects takes a message
// twice as long. Numbers are those of the platform, for its other threads.

/** One operation, with a number for its key. */
export interface NumberedOperation {
  readonly kind: PrivateOperation["kind"];
  readonly key: number;
  readonly data: Uint8Array;
}

const KINDS = ["decrypt", "sign"] as const satisfies readonly PrivateOperation["kind"][];
/** Kind, key, length of the data. */
const NUMBERS_OF_OPERATION = 3;
const FAILED = -1;

/** How many there are, the numbers of each, and their data one after the other. */
export function packOperations(operations: readonly NumberedOperation[]): Uint8Array {
  const numbers = [operations.length];
  for (const { kind, key, data } of operations) numbers.push(KINDS.indexOf(kind), key, data.length);
  return pack(
    numbers,
    operations.map(({ data }) => data),
  );
}

export function unpackOperations(packed: Uint8Array): NumberedOperation[] {
  const [count = 0] = numbersOf(packed, 1);
  const numbers = numbersOf(packed, 1 + count * NUMBERS_OF_OPERATION);
  let at = numbers.byteLength;
  return Array.from({ length: count }, (_, n) => {
    const from = 1 + n * NUMBERS_OF_OPERATION;
    const kind = KINDS[numbers[from]!]!;
    return { kind, key: numbers[from + 1]!, data: packed.subarray(at, (at += numbers[from + 2]!)) };
  });
}

/** In the order of the operations. `undefined` for what failed. */
export function packResults(results: readonly (Uint8Array | undefined)[]): Uint8Array {
  const done = results.filter((result) => result !== undefined);
  return pack(
    results.map((result) => result?.length ?? FAILED),
    done,
  );
}

/** @param count how many operations there were. */
export function unpackResults(packed: Uint8Array, count: number): (Uint8Array | undefined)[] {
  const lengths = numbersOf(packed, count);
  let at = lengths.byteLength;
  return Array.from(lengths, (length) => (length === FAILED ? undefined : packed.subarray(at, (at += length))));
}

/** In memory of its own: a slice of Node's pool of buffers would take the whole pool along. */
function pack(numbers: readonly number[], pieces: readonly Uint8Array[]): Uint8Array {
  let at = numbers.length * Int32Array.BYTES_PER_ELEMENT;
  const packed = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, at));
  numbersOf(packed, numbers.length).set(numbers);
  for (const piece of pieces) {
    packed.set(piece, at);
    at += piece.length;
  }
  return packed;
}

const numbersOf = (packed: Uint8Array, count: number): Int32Array =>
  new Int32Array(packed.buffer, packed.byteOffset, count);
