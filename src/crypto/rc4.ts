const STATE_SIZE = 256;

/**
 * RC4 (the "arcfour" of XML encryption) with no keystream dropped, as `openssl_seal` has it.
 *
 * The cipher is broken (RFC 7465) and gives no integrity; MNet's envelope has no other.
 * It is written out here because OpenSSL 3 only has it in the legacy provider, which Node does not load.
 * Encryption and decryption are the same operation. Vectors: RFC 6229.
 *
 * @param key 1 to 256 bytes.
 * @param length how much of the data to process; default all of it.
 */
export function rc4(key: Uint8Array, data: Uint8Array, length: number = data.length): Buffer {
  const state = new Uint8Array(STATE_SIZE);
  for (let i = 0; i < STATE_SIZE; i++) state[i] = i;
  for (let i = 0, j = 0; i < STATE_SIZE; i++) {
    const swapped = state[i]!;
    j = (j + swapped + key[i % key.length]!) & 0xff;
    state[i] = state[j]!;
    state[j] = swapped;
  }

  const output = Buffer.allocUnsafe(length);
  for (let n = 0, i = 0, j = 0; n < length; n++) {
    i = (i + 1) & 0xff;
    const a = state[i]!;
    j = (j + a) & 0xff;
    const b = state[j]!;
    state[i] = b;
    state[j] = a;
    output[n] = data[n]! ^ state[(a + b) & 0xff]!;
  }
  return output;
}
