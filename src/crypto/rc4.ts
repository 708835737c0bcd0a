const STATE_SIZE = 256;
/** Integers, because V8 is faster with them than with bytes. */
const INITIAL_STATE = Int32Array.from({ length: STATE_SIZE }, (_, n) => n);

/**
 * RC4 (the "arcfour" of XML encryption) with no keystream dropped, as `openssl_seal` has it, part by part.
 *
 * The cipher is broken (RFC 7465) and gives no integrity; MNet's envelope has no other.
 * It is written out here because OpenSSL 3 only has it in the legacy provider, which Node does not load.
 * Encryption and decryption are the same operation. Vectors: RFC 6229.
 */
export class Rc4 {
  readonly #state = INITIAL_STATE.slice();
  #i = 0;
  #j = 0;

  /** @param key 1 to 256 bytes. */
  constructor(key: Uint8Array) {
    const state = this.#state;
    for (let i = 0, j = 0; i < STATE_SIZE; i++) {
      const swapped = state[i]!;
      j = (j + swapped + key[i % key.length]!) & 0xff;
      state[i] = state[j]!;
      state[j] = swapped;
    }
  }

  /** Processes what follows in the stream. `output` is at least as long. */
  process(data: Uint8Array, output: Uint8Array): void {
    const state = this.#state;
    const { length } = data;
    const before = this.#i;
    let j = this.#j;
    for (let n = 0; n < length; n++) {
      const i = (before + n + 1) & 0xff;
      const a = state[i]!;
      j = (j + a) & 0xff;
      const b = state[j]!;
      state[i] = b;
      state[j] = a;
      output[n] = data[n]! ^ state[(a + b) & 0xff]!;
    }
    this.#i = (before + length) & 0xff;
    this.#j = j;
  }
}

/** The whole of a stream. */
export function rc4(key: Uint8Array, data: Uint8Array): Buffer {
  const output = Buffer.allocUnsafe(data.length);
  new Rc4(key).process(data, output);
  return output;
}
