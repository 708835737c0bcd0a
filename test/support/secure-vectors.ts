import { readFileSync } from "node:fs";
import { KeyPair } from "../../src/crypto/key-pair.ts";

/** A message of fixtures/secure/vectors.json. */
export interface SecureVector {
  readonly note: string;
  readonly profile: "secure/1" | "secure/2";
  /** Whose certificate is pinned for the sender. */
  readonly pinned: string;
  /** Whose key opens it. */
  readonly opens: string;
  /** Wwwroot of the receiver. */
  readonly self: string;
  readonly inReplyTo?: string;
  readonly body: string;
  readonly messageId: string;
  readonly signedXml: string;
  readonly valid: boolean;
  /** Base64. */
  readonly document?: string;
  readonly timestamp?: string;
  readonly code?: string;
}

const { keys, vectors } = JSON.parse(
  readFileSync(new URL("../../fixtures/secure/vectors.json", import.meta.url), "utf8"),
) as {
  readonly keys: Readonly<Record<string, { readonly certificate: string; readonly privateKey: string }>>;
  readonly vectors: readonly SecureVector[];
};
const pairs = new Map(Object.entries(keys).map(([name, pem]) => [name, KeyPair.parse(pem)]));

/** All of them, and the keys that they name. */
export const secureVectors = {
  vectors,
  pairOf: (name: string): KeyPair => {
    const pair = pairs.get(name);
    if (!pair) throw new Error(`No key is called ${name}.`);
    return pair;
  },
} as const;
