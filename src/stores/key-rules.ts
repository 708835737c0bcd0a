import { ConfigError } from "../core/errors.ts";

/** How long a prepared key waits to be promoted before `KeyStore.prune` takes it for one that nobody will promote. */
export const PREPARED_FOR_MS = 86_400_000;

/** What `KeyStore.revoke` throws for the current key. Nothing was changed. */
export function currentKeyStays(): ConfigError {
  return new ConfigError("MNET_CONFIG_INVALID", "The current key cannot be revoked. Promote another first.", {
    option: "fingerprint",
  });
}
