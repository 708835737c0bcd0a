import type { KeyObject } from "node:crypto";
import { decryptRaw, signSha1Digest } from "./rsa.ts";

/** One operation with a private RSA key: by far the most expensive part of a call, so it may be done in another thread. */
export interface PrivateOperation {
  /** `decrypt`: the raw operation on a wrapped session key. `sign`: RSASSA-PKCS1-v1_5 of a SHA-1 digest. */
  readonly kind: "decrypt" | "sign";
  readonly key: KeyObject;
  readonly data: Uint8Array;
}

/** Whose requests they are, among which threads are shared out: the id of a peer. */
export type Share = string | number;

/** Where private operations are done. */
export interface PrivateOperator {
  /**
   * @param share whose request it is for. Of what has a share, as much is refused as cannot be done in time; what has none
   *   belongs to a call that has begun, and is done first.
   */
  perform(operation: PrivateOperation, share?: Share): Uint8Array | Promise<Uint8Array>;
  /** Whether there is more to do than can be done in time. Absent: never. */
  readonly isFull?: boolean;
}

/** Does it in this thread, now. */
export function perform({ kind, key, data }: PrivateOperation): Uint8Array {
  return kind === "decrypt" ? decryptRaw(key, data) : signSha1Digest(key, data);
}
