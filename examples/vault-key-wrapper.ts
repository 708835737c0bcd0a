// Private keys that only HashiCorp Vault can decrypt: its transit engine encrypts and decrypts them, and never gives its
// own key away. Any other KMS is the same two calls.
import { StoreError, type KeyWrapper, type Secret } from "mnet";

export function vaultKeyWrapper(vault: { address: string; token: Secret; key: string }): KeyWrapper {
  async function transit(action: "encrypt" | "decrypt", input: object): Promise<Record<string, string>> {
    const response = await fetch(`${vault.address}/v1/transit/${action}/${vault.key}`, {
      method: "POST",
      headers: { "x-vault-token": vault.token.reveal() },
      body: JSON.stringify(input),
      signal: AbortSignal.timeout(5000),
    }).catch((cause: unknown) => {
      throw new StoreError("MNET_STORE_UNAVAILABLE", "Vault does not answer.", { cause, retryable: true });
    });
    // Sealed, standby, overloaded: all for the moment. A 400 is a ciphertext that is not Vault's, or another key's.
    if (response.status >= 429) {
      throw new StoreError("MNET_STORE_UNAVAILABLE", `Vault says ${response.status}.`, { retryable: true });
    }
    if (!response.ok) throw new Error(`Vault says ${response.status}.`);
    return ((await response.json()) as { data: Record<string, string> }).data;
  }
  return {
    async wrap(plain) {
      const { ciphertext = "" } = await transit("encrypt", { plaintext: Buffer.from(plain).toString("base64") });
      return Buffer.from(ciphertext, "utf8");
    },
    async unwrap(wrapped) {
      const { plaintext = "" } = await transit("decrypt", { ciphertext: Buffer.from(wrapped).toString("utf8") });
      return Buffer.from(plaintext, "base64");
    },
  };
}
