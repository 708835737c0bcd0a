import type { Fingerprint, PeerId } from "../core/ids.ts";

/** One of our key pairs, as a store keeps it. */
export interface StoredKey {
  /** SHA-256 of the certificate; the key's name everywhere. */
  readonly fingerprint: Fingerprint;
  /** Canonical PEM (spec 2.2). */
  readonly certificate: string;
  /** As wrapped by the host; a store never sees it plain when a wrapper is configured. */
  readonly privateKey: Uint8Array;
  /** `prepared`: durable, not yet used. At most one of each owner is `current`. */
  readonly state: "prepared" | "current" | "archived" | "revoked";
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** The peer that it is for, its owner here. Absent: it is shared by all that have none of their own. */
  readonly peer?: PeerId;
}

/** Keeps our own key pairs. Every promise holds across processes. */
export interface KeyStore {
  /** All keys, or those of one owner; newest first by `createdAt`. */
  list(owner?: PeerId | "shared"): Promise<readonly StoredKey[]>;
  /** The peers that have keys of their own, in whatever state. */
  owners(): Promise<readonly PeerId[]>;
  /** Durable before it returns; not yet current. Preparing a key that is there already changes nothing. */
  prepare(key: StoredKey): Promise<void>;
  /**
   * Makes `next`, which was prepared, current and archives `expected`, in one step. Both are of one owner; keys of others
   * stay. Of any number of concurrent calls with one `expected`, exactly one succeeds.
   *
   * @param expected the owner's key that is current so far, or `undefined` where there is none.
   * @returns `false`, and no change, if another key is current by now or `next` is not prepared.
   */
  promote(next: Fingerprint, expected: Fingerprint | undefined, now: number): Promise<boolean>;
  /**
   * Archives the current key of a peer with no other in its place.
   *
   * @returns `false`, and no change, if it is not current by now, or shared: one of those always is.
   */
  archive(fingerprint: Fingerprint, now: number): Promise<boolean>;
  /**
   * Marks a prepared or archived key as revoked and forgets its private half (SEC-050). The current key cannot be
   * revoked: promote another first. Unknown and revoked keys: no change.
   */
  revoke(fingerprint: Fingerprint): Promise<void>;
  /**
   * Stores the private half of a key in another form, only if it is still stored as `expected`. The bytes that were there
   * are made unreadable as far as the database can.
   *
   * @returns `false`, and no change, if it is stored otherwise by now, or the key is unknown or revoked.
   */
  rewrap(fingerprint: Fingerprint, expected: Uint8Array, privateKey: Uint8Array): Promise<boolean>;
  /**
   * Forgets archived keys beyond the newest `generations` of each owner, and prepared ones that were never promoted and are
   * older than a day.
   *
   * @param before peers' archived keys that were made before this are forgotten, too. Default: none.
   */
  prune(generations: number, now: number, before?: number): Promise<void>;
}
