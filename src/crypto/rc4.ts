const STATE_SIZE = 256;
const INITIAL_STATE = Uint8Array.from({ length: STATE_SIZE }, (_, n) => n);

/**
 * The state of the stream that is being made: no call lasts longer than its stream. One for all, because V8 knows where a
 * constant array is and how long, which makes the loop three times as fast.
 */
const STATE = new Uint8Array(STATE_SIZE);
let lastJ = 0;

/** How much of a stream is shown before the rest is made. */
const BEGINNING = 1024;

/**
 * RC4 (the "arcfour" of XML encryption) with no keystream dropped, as `openssl_seal` has it.
 *
 * The cipher is broken (RFC 7465) and gives no integrity; MNet's envelope has no other.
 * It is written out here because OpenSSL 3 only has it in the legacy provider, which Node does not load.
 * Encryption and decryption are the same operation. Vectors: RFC 6229.
 *
 * @param key 1 to 256 bytes.
 */
export function rc4(key: Uint8Array, data: Uint8Array): Buffer {
  const output = Buffer.allocUnsafe(data.length);
  setUp(key);
  generate(data, output, 0, data.length);
  STATE.fill(0);
  return output;
}

/** The same, if its first 1,024 bytes are what is wanted; `undefined` if they are not. `isWanted` does not call back here. */
export function rc4If(key: Uint8Array, data: Uint8Array, isWanted: (beginning: Buffer) => boolean): Buffer | undefined {
  const output = Buffer.allocUnsafe(data.length);
  const beginning = Math.min(data.length, BEGINNING);
  setUp(key);
  generate(data, output, 0, beginning);
  const goesOn = isWanted(output.subarray(0, beginning));
  if (goesOn) generate(data, output, beginning, data.length);
  STATE.fill(0);
  return goesOn ? output : undefined;
}

function setUp(key: Uint8Array): void {
  STATE.set(INITIAL_STATE);
  for (let i = 0, j = 0; i < STATE_SIZE; i++) {
    const swapped = STATE[i]!;
    j = (j + swapped + key[i % key.length]!) & 0xff;
    STATE[i] = STATE[j]!;
    STATE[j] = swapped;
  }
  lastJ = 0;
}

function generate(data: Uint8Array, output: Uint8Array, from: number, to: number): void {
  let j = lastJ;
  for (let n = from; n < to; n++) {
    const i = (n + 1) & 0xff;
    const a = STATE[i]!;
    j = (j + a) & 0xff;
    const b = STATE[j]!;
    STATE[i] = b;
    STATE[j] = a;
    output[n] = data[n]! ^ STATE[(a + b) & 0xff]!;
  }
  lastJ = j;
}
