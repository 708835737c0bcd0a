import { createPrivateKey } from "node:crypto";
import { MoodleImportError } from "../../core/errors.ts";
import { KeyPair } from "../../crypto/key-pair.ts";
import type { StoredKey } from "../../keys/key-store.ts";
import type { KeyWrapping } from "../../keys/key-wrapping.ts";
import { readPhpSerialized, type PhpValue } from "./php-serialized.ts";

/** A key pair, as a Moodle has it. */
interface MoodleKeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Between the two halves of the setting `openssl` (spec 2.3). */
const SEPARATOR = "@@@@@@@@";

/**
 * A Moodle's own keys, as a store keeps them, newest first: the current one, then the archive (spec 2.3).
 *
 * Throws `MNET_MOODLE_KEYS_UNREADABLE`, `MNET_MOODLE_NETWORKING_UNUSED` if there is no key, and what `wrapping` throws.
 */
export async function readMoodleKeys(
  plugin: ReadonlyMap<string, string>,
  wrapping: KeyWrapping,
): Promise<readonly [current: StoredKey, ...archived: StoredKey[]]> {
  const pairs = [currentPair(plugin.get("openssl") ?? ""), ...archivedPairs(plugin.get("openssl_history") ?? "")];
  const keys: StoredKey[] = [];
  for (const [index, pair] of pairs.entries()) {
    const isCurrent = index === 0;
    const what = isCurrent ? "the current key" : `key ${index} of the archive`;
    const { fingerprint, pem, notBefore } = parsed(pair, what).certificate;
    if (keys.some((key) => key.fingerprint === fingerprint)) continue;
    keys.push({
      fingerprint,
      certificate: pem,
      privateKey: await wrapping.wrap(pkcs8(pair.privateKey), fingerprint),
      state: isCurrent ? "current" : "archived",
      // Moodle's order counts, whatever its clock did.
      createdAt: Math.min(notBefore.getTime(), (keys.at(-1)?.createdAt ?? Infinity) - 1),
    });
  }
  return keys as unknown as readonly [StoredKey, ...StoredKey[]];
}

function currentPair(setting: string): MoodleKeyPair {
  const [certificate = "", privateKey = "", ...rest] = setting.split(SEPARATOR);
  if (certificate.trim() === "") {
    throw new MoodleImportError(
      "MNET_MOODLE_NETWORKING_UNUSED",
      "This Moodle has no key (the setting openssl of the plugin mnet is empty): it never was in a network.",
    );
  }
  if (privateKey === "" || rest.length > 0) throw unreadable("the setting openssl is not a certificate and a key");
  return { certificate, privateKey };
}

function archivedPairs(setting: string): readonly MoodleKeyPair[] {
  if (setting === "") return [];
  let history: PhpValue;
  try {
    history = readPhpSerialized(setting);
  } catch (cause) {
    throw unreadable("the setting openssl_history is damaged", cause);
  }
  if (!(history instanceof Map)) throw unreadable("the setting openssl_history is no list");
  return [...(history as ReadonlyMap<unknown, PhpValue>).values()].map((entry) => {
    const certificate = entry instanceof Map ? (entry.get("certificate") as unknown) : undefined;
    const privateKey = entry instanceof Map ? (entry.get("keypair_PEM") as unknown) : undefined;
    if (typeof certificate !== "string" || typeof privateKey !== "string") {
      throw unreadable("an entry of the setting openssl_history is no key");
    }
    return { certificate, privateKey };
  });
}

function parsed(pair: MoodleKeyPair, what: string): KeyPair {
  try {
    return KeyPair.parse(pair);
  } catch (cause) {
    throw unreadable(`${what} cannot be used`, cause);
  }
}

/** Old Moodles have PKCS#1. */
const pkcs8 = (pem: string): string => createPrivateKey(pem).export({ type: "pkcs8", format: "pem" }).toString();

const unreadable = (why: string, cause?: unknown): MoodleImportError =>
  new MoodleImportError(
    "MNET_MOODLE_KEYS_UNREADABLE",
    `The Moodle's own keys cannot be read: ${why}. Without them its peers would notice.`,
    { cause },
  );
