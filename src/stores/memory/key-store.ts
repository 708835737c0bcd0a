import type { Fingerprint } from "../../core/ids.ts";
import type { KeyStore, StoredKey } from "../../keys/key-store.ts";
import type { MemoryState } from "./memory-store.ts";

/** Own keys in memory. Every method runs without a pause, so each is one step. */
export function memoryKeyStore(state: MemoryState): KeyStore {
  const keys = new Map<Fingerprint, StoredKey>();
  return {
    async list() {
      // Reversed before the stable sort: of two keys of one millisecond, the later stands first.
      return [...keys.values()]
        .reverse()
        .sort((a, b) => b.createdAt - a.createdAt)
        .map(copyOf);
    },
    async prepare(key) {
      if (keys.has(key.fingerprint)) return;
      keys.set(key.fingerprint, { ...copyOf(key), state: "prepared" });
      state.generation += 1;
    },
    async promote(next, expected) {
      const prepared = keys.get(next);
      const current = [...keys.values()].find((key) => key.state === "current");
      if (prepared?.state !== "prepared" || current?.fingerprint !== expected) return false;
      if (current) keys.set(current.fingerprint, { ...current, state: "archived" });
      keys.set(next, { ...prepared, state: "current" });
      state.generation += 1;
      return true;
    },
  };
}

function copyOf({ fingerprint, certificate, privateKey, state, createdAt }: StoredKey): StoredKey {
  return { fingerprint, certificate, privateKey: new Uint8Array(privateKey), state, createdAt };
}
