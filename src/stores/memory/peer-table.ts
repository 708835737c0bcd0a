import type { PeerId } from "../../core/ids.ts";
import type { PeerRecord } from "../../peer/peer-store.ts";

/** The peers in memory, by whatever they are looked up by. Its records are its own, and frozen: nobody needs a copy. */
export class PeerTable {
  readonly #byId = new Map<PeerId, PeerRecord>();
  readonly #byWwwroot = new Map<string, PeerRecord>();
  readonly #byCanonical = new Map<string, PeerRecord>();

  get size(): number {
    return this.#byId.size;
  }

  get(key: PeerId | string): PeerRecord | undefined {
    return typeof key === "number" ? this.#byId.get(key) : this.#byWwwroot.get(key);
  }

  /** The peer that has the wwwroot, or else the one that has its confusable form; `but`: not this one. */
  sameSite({ wwwroot, canonical }: Pick<PeerRecord, "wwwroot" | "canonical">, but?: PeerId): PeerRecord | undefined {
    const same = [this.#byWwwroot.get(wwwroot), this.#byCanonical.get(canonical)];
    return same.find((peer) => peer && peer.id !== but);
  }

  /** Adds a record, or replaces that of the same id. Returns it as it is kept. */
  set(record: PeerRecord): PeerRecord {
    const before = this.#byId.get(record.id);
    if (before) {
      this.#byWwwroot.delete(before.wwwroot);
      this.#byCanonical.delete(before.canonical);
    }
    const kept = frozen(structuredClone(record));
    this.#byId.set(kept.id, kept);
    this.#byWwwroot.set(kept.wwwroot, kept);
    this.#byCanonical.set(kept.canonical, kept);
    return kept;
  }

  /** In the order of their ids. */
  inOrder(): PeerRecord[] {
    return [...this.#byId.values()].sort((a, b) => a.id - b.id);
  }
}

function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === "object" && inner !== null) frozen(inner as object);
  return Object.freeze(value);
}
