import type { Fingerprint } from "../../core/ids.ts";
import type { Store } from "../../host/store.ts";
import type { StoredKey } from "../../keys/key-store.ts";
import { START } from "./check.ts";

export const fingerprint = (name: string): Fingerprint =>
  Buffer.from(name).toString("hex").padEnd(64, "0") as Fingerprint;

export function key(name: string): StoredKey {
  return {
    fingerprint: fingerprint(name),
    certificate: `-----BEGIN CERTIFICATE-----\n${name}'"\\\n-----END CERTIFICATE-----\n`,
    privateKey: Uint8Array.of(0, 39, 92, 128, 255),
    state: "prepared",
    createdAt: START,
  };
}

export const fingerprints = async (store: Store): Promise<readonly Fingerprint[]> =>
  (await store.keys.list()).map((one) => one.fingerprint);
