import type { KeyStore, StoredKey } from "../../keys/key-store.ts";
import { currentKeyStays, keysToForget } from "../key-rules.ts";
import type { MemoryState } from "./memory-store.ts";

/** Own keys in memory. Every method runs without a pause, so each is one step. */
export function memoryKeyStore(state: MemoryState): KeyStore {
  const { keys } = state;

  // Reversed before the stable sort: of two keys of one millisecond, the later stands first.
  const newestFirst = (): StoredKey[] => [...keys.values()].reverse().sort((a, b) => b.createdAt - a.createdAt);

  return {
    async list(owner) {
      const wanted = owner === "shared" ? undefined : owner;
      return newestFirst()
        .filter(({ peer }) => owner === undefined || peer === wanted)
        .map(copyOf);
    },
    async owners() {
      return [...new Set([...keys.values()].flatMap(({ peer }) => peer ?? []))];
    },
    async prepare(key) {
      if (keys.has(key.fingerprint)) return;
      keys.set(key.fingerprint, { ...copyOf(key), state: "prepared" });
      state.generation += 1;
    },
    async promote(next, expected) {
      const prepared = keys.get(next);
      const current = [...keys.values()].find((key) => key.state === "current" && key.peer === prepared?.peer);
      if (prepared?.state !== "prepared" || current?.fingerprint !== expected) return false;
      if (current) keys.set(current.fingerprint, { ...current, state: "archived" });
      keys.set(next, { ...prepared, state: "current" });
      state.generation += 1;
      return true;
    },
    async archive(fingerprint) {
      const key = keys.get(fingerprint);
      if (key?.state !== "current" || key.peer === undefined) return false;
      keys.set(fingerprint, { ...key, state: "archived" });
      state.generation += 1;
      return true;
    },
    async revoke(fingerprint) {
      const key = keys.get(fingerprint);
      if (key?.state === "current") throw currentKeyStays();
      if (key === undefined || key.state === "revoked") return;
      key.privateKey.fill(0);
      keys.set(fingerprint, { ...key, state: "revoked", privateKey: new Uint8Array() });
      state.generation += 1;
    },
    async rewrap(fingerprint, expected, privateKey) {
      const key = keys.get(fingerprint);
      if (key === undefined || key.state === "revoked" || Buffer.compare(key.privateKey, expected) !== 0) return false;
      key.privateKey.fill(0);
      keys.set(fingerprint, { ...key, privateKey: new Uint8Array(privateKey) });
      state.generation += 1;
      return true;
    },
    async prune(generations, now, before) {
      const forgotten = keysToForget(newestFirst(), { generations, now, ...(before !== undefined && { before }) });
      for (const key of forgotten) {
        key.privateKey.fill(0);
        keys.delete(key.fingerprint);
      }
      if (forgotten.length > 0) state.generation += 1;
    },
  };
}

function copyOf({ fingerprint, certificate, privateKey, state, createdAt, peer }: StoredKey): StoredKey {
  const owner = peer !== undefined && { peer };
  return { fingerprint, certificate, privateKey: new Uint8Array(privateKey), state, createdAt, ...owner };
}
