import { existsSync, readFileSync } from "node:fs";

const folder = new URL("../../../shared/vectors/wycheproof/", import.meta.url);

/** Why a test of the vectors is skipped. */
export const VECTORS_ABSENT = "../shared/vectors is absent";

/** One case of Wycheproof's `rsaes_pkcs1_decrypt_schema_v1.json`. */
export interface DecryptionVector {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly msg: string;
  readonly ct: string;
  readonly result: "valid" | "invalid" | "acceptable";
}
export interface DecryptionVectors {
  readonly privateKeyPem: string;
  readonly tests: readonly DecryptionVector[];
}

/** Wycheproof's decryption vectors for a key size, or `undefined` where they are not at hand. */
export function decryptionVectors(bits: 2048 | 3072 | 4096): DecryptionVectors[] | undefined {
  const file = new URL(`rsa_pkcs1_${bits}_test.json`, folder);
  if (!existsSync(file)) return undefined;
  return (JSON.parse(readFileSync(file, "utf8")) as { testGroups: DecryptionVectors[] }).testGroups;
}
