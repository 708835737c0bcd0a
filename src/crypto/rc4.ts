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
  return rc4InPlace(key, Buffer.from(data));
}

/** The same in the place of the data: of a large message there is one copy less. */
export function rc4InPlace<T extends Uint8Array>(key: Uint8Array, data: T): T {
  setUp(key);
  generate(data, 0, data.length);
  STATE.fill(0);
  return data;
}

/**
 * The same, if its first 1,024 bytes are what is wanted; else the data stays as it is. `isWanted` does not call back here.
 *
 * @returns whether they were.
 */
export function rc4InPlaceIf(key: Uint8Array, data: Uint8Array, isWanted: (beginning: Uint8Array) => boolean): boolean {
  const length = Math.min(data.length, BEGINNING);
  setUp(key);
  generate(data, 0, length);
  const goesOn = isWanted(data.subarray(0, length));
  if (goesOn) {
    generate(data, length, data.length);
  } else {
    // The same stream once more gives back what was there.
    setUp(key);
    generate(data, 0, length);
  }
  STATE.fill(0);
  return goesOn;
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

function generate(data: Uint8Array, from: number, to: number): void {
  let j = lastJ;
  for (let n = from; n < to; n++) {
    const i = (n + 1) & 0xff;
    const a = STATE[i]!;
    j = (j + a) & 0xff;
    const b = STATE[j]!;
    STATE[i] = b;
    STATE[j] = a;
    data[n]! ^= STATE[(a + b) & 0xff]!;
  }
  lastJ = j;
}
