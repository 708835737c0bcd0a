import type { KeyStore, StoredKey } from "../../src/keys/key-store.ts";
import { keysToForget } from "../../src/stores/key-rules.ts";

/** A key store in memory that tells what it was asked and fails when it is told to. */
export interface FakeKeyStore extends KeyStore {
  readonly keys: StoredKey[];
  /** Names of the methods that were called, in order. */
  readonly calls: string[];
  /** The next call rejects with this. */
  failure: Error | undefined;
}

export function fakeKeyStore(keys: StoredKey[] = []): FakeKeyStore {
  const record = (call: string): void => {
    store.calls.push(call);
    const { failure } = store;
    store.failure = undefined;
    if (failure) throw failure;
  };
  const store: FakeKeyStore = {
    keys,
    calls: [],
    failure: undefined,
    async list(owner) {
      record("list");
      const wanted = owner === "shared" ? undefined : owner;
      return keys
        .filter(({ peer }) => owner === undefined || peer === wanted)
        .sort((left, right) => right.createdAt - left.createdAt);
    },
    async owners() {
      record("owners");
      return [...new Set(keys.flatMap(({ peer }) => peer ?? []))];
    },
    async prepare(key) {
      record("prepare");
      if (!keys.some(({ fingerprint }) => fingerprint === key.fingerprint)) keys.push({ ...key, state: "prepared" });
    },
    async promote(next, expected) {
      record("promote");
      const at = keys.findIndex(({ fingerprint, state }) => fingerprint === next && state === "prepared");
      const current = keys.findIndex(({ state, peer }) => state === "current" && peer === keys[at]?.peer);
      if (at < 0 || keys[current]?.fingerprint !== expected) return false;
      if (current >= 0) keys[current] = { ...keys[current]!, state: "archived" };
      keys[at] = { ...keys[at]!, state: "current" };
      return true;
    },
    async archive(fingerprint) {
      record("archive");
      const at = keys.findIndex((key) => key.fingerprint === fingerprint && key.state === "current");
      if (keys[at]?.peer === undefined) return false;
      keys[at] = { ...keys[at], state: "archived" };
      return true;
    },
    async revoke(fingerprint) {
      record("revoke");
      const at = keys.findIndex((key) => key.fingerprint === fingerprint && key.state !== "current");
      if (at >= 0) keys[at] = { ...keys[at]!, state: "revoked", privateKey: new Uint8Array() };
    },
    async rewrap(fingerprint, expected, privateKey) {
      record("rewrap");
      const at = keys.findIndex((key) => key.fingerprint === fingerprint && key.state !== "revoked");
      if (at < 0 || Buffer.compare(keys[at]!.privateKey, expected) !== 0) return false;
      keys[at] = { ...keys[at]!, privateKey };
      return true;
    },
    async prune(generations, _now, before) {
      record("prune");
      const newestFirst = keys.toSorted((left, right) => right.createdAt - left.createdAt);
      // Prepared ones stay, however old.
      for (const key of keysToForget(newestFirst, { generations, now: 0, ...(before !== undefined && { before }) })) {
        keys.splice(keys.indexOf(key), 1);
      }
    },
  };
  return store;
}
