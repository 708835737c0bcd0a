import type { KeyStore, StoredKey } from "../../src/keys/key-store.ts";

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
    async list() {
      record("list");
      return [...keys].sort((left, right) => right.createdAt - left.createdAt);
    },
    async prepare(key) {
      record("prepare");
      if (!keys.some(({ fingerprint }) => fingerprint === key.fingerprint)) keys.push({ ...key, state: "prepared" });
    },
    async promote(next, expected) {
      record("promote");
      const at = keys.findIndex(({ fingerprint, state }) => fingerprint === next && state === "prepared");
      const current = keys.findIndex(({ state }) => state === "current");
      if (at < 0 || keys[current]?.fingerprint !== expected) return false;
      if (current >= 0) keys[current] = { ...keys[current]!, state: "archived" };
      keys[at] = { ...keys[at]!, state: "current" };
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
    async prune(generations) {
      record("prune");
      const archived = keys
        .filter(({ state }) => state === "archived")
        .sort((left, right) => right.createdAt - left.createdAt);
      for (const key of archived.slice(generations)) keys.splice(keys.indexOf(key), 1);
    },
  };
  return store;
}
