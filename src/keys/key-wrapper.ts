/**
 * Encrypts private keys with a key that is kept elsewhere, such as in a KMS (SEC-051).
 *
 * Both must reject, and never resolve with a guess, when they cannot do it. What is passed on as it is: a `StoreError` with
 * `MNET_STORE_UNAVAILABLE`, for a service that is away for the moment. Anything else becomes the cause of
 * `MNET_STORE_KEY_WRONG` in `unwrap`, and of `MNET_STORE_UNAVAILABLE` in `wrap`.
 */
export interface KeyWrapper {
  /** Encrypts a private key of about 2 KB. Called when a key is made or encrypted anew. */
  wrap(plain: Uint8Array): Promise<Uint8Array>;
  /** The reverse, also for what an older key of the KMS encrypted. Called once for each key and process. */
  unwrap(wrapped: Uint8Array): Promise<Uint8Array>;
}
