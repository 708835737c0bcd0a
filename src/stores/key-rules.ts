import { ConfigError } from "../core/errors.ts";
import type { StoredKey } from "../keys/key-store.ts";

/** How long a prepared key waits to be promoted before `KeyStore.prune` takes it for one that nobody will promote. */
export const PREPARED_FOR_MS = 86_400_000;

/**
 * Which keys `KeyStore.prune` forgets.
 *
 * @param keys newest first.
 */
export function keysToForget<Key extends Pick<StoredKey, "state" | "createdAt" | "peer">>(
  keys: readonly Key[],
  { generations, now, before = 0 }: { readonly generations: number; readonly now: number; readonly before?: number },
): readonly Key[] {
  const archived = new Map<StoredKey["peer"], number>();
  return keys.filter(({ state, createdAt, peer }) => {
    if (state === "prepared") return createdAt < now - PREPARED_FOR_MS;
    if (state !== "archived") return false;
    const newer = archived.get(peer) ?? 0;
    archived.set(peer, newer + 1);
    return newer >= generations || (peer !== undefined && createdAt < before);
  });
}

/** What `KeyStore.revoke` throws for the current key. Nothing was changed. */
export function currentKeyStays(): ConfigError {
  return new ConfigError("MNET_CONFIG_INVALID", "The current key cannot be revoked. Promote another first.", {
    option: "fingerprint",
  });
}
