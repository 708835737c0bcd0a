import { KeyWrapping, type WrappingOptions } from "../../keys/key-wrapping.ts";
import type { Secret } from "../../core/secret.ts";
import { SCRYPT_COST, type ScryptCost } from "../../crypto/passphrase.ts";
import type { StoreRecord } from "../../host/store-record.ts";
import type { Store } from "../../host/store.ts";
import { FORMAT, VERSION } from "./archive-format.ts";
import { ArchiveKeys } from "./archive-keys.ts";
import { siteRecords } from "./site-records.ts";

/** How a site is exported. */
export interface ExportOptions {
  /** Encrypts the private keys in the archive and vouches for all of it. At least 12 characters. */
  readonly passphrase: Secret;
  /** How private keys are encrypted in the store, as `keys` of `createHost`. */
  readonly keys?: WrappingOptions | undefined;
  /** What the archive says when it was made. Default: now. */
  readonly now?: Date | undefined;
}

/** Lines are given away in pieces of about this size. */
const CHUNK_BYTES = 64 * 1024;

/**
 * A site as an archive: keys, peers, boxes, settings, access rules, sessions, what is known of courses of peers, and the
 * figures of calls; see docs/moving.md for what is not in it. Each line is a JSON object. The store may be in use; for a
 * move, stop the site's processes first.
 *
 * The iteration throws `MNET_STORE_KEY_WRONG` and other `StoreError`s, `MNET_CONFIG_INVALID` for a short passphrase.
 *
 * @param store opened here, and not closed.
 *
 * @example
 * await pipeline(exportSite(store, { passphrase: Secret.fromEnv("ARCHIVE_KEY") }), createWriteStream("site.mnet", { mode: 0o600 }));
 */
export function exportSite(store: Store, options: ExportOptions): AsyncGenerator<Uint8Array, void, undefined> {
  return writeArchive(store, options, SCRYPT_COST);
}

/** `exportSite`, with a cost that a test can pay hundreds of times. */
export async function* writeArchive(
  store: Store,
  { passphrase, keys: wrappingOptions, now = new Date() }: ExportOptions,
  cost: ScryptCost,
): AsyncGenerator<Uint8Array, void, undefined> {
  const wrapping = new KeyWrapping(wrappingOptions);
  const { keys, header } = await ArchiveKeys.create(passphrase, cost);
  await store.open();
  const hmac = keys.hmac();
  let records = 0;
  let waiting = "";
  const write = (line: object): void => {
    waiting += `${JSON.stringify(line)}\n`;
  };
  const take = (): Buffer => {
    const chunk = Buffer.from(waiting, "utf8");
    waiting = "";
    return chunk;
  };

  write({ format: FORMAT, version: VERSION, createdAt: now.toISOString(), ...header });
  for await (const record of siteRecords(store)) {
    write(await archived(record, wrapping, keys));
    records += 1;
    if (waiting.length < CHUNK_BYTES) continue;
    const chunk = take();
    hmac.update(chunk);
    yield chunk;
  }
  const chunk = take();
  hmac.update(chunk);
  yield chunk;
  write({ kind: "end", records, hmac: hmac.digest("base64") });
  yield take();
}

async function archived(record: StoreRecord, wrapping: KeyWrapping, keys: ArchiveKeys): Promise<object> {
  if (record.kind !== "key") return record;
  const { fingerprint, privateKey: stored, state } = record.key;
  if (state === "revoked") return { kind: "key", key: { ...record.key, privateKey: "" } };
  const { privateKey } = await wrapping.unwrap(stored, fingerprint);
  const encrypted = keys.encrypt(Buffer.from(privateKey, "utf8"), fingerprint);
  return { kind: "key", key: { ...record.key, privateKey: encrypted } };
}
