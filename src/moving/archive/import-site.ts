import { timingSafeEqual } from "node:crypto";
import * as v from "valibot";
import { ArchiveError } from "../../core/errors.ts";
import type { Fingerprint, PeerId } from "../../core/ids.ts";
import type { Secret } from "../../core/secret.ts";
import { KeyPair } from "../../crypto/key-pair.ts";
import type { StoreRecord } from "../../host/store-record.ts";
import type { Store } from "../../host/store.ts";
import { KeyWrapping, type WrappingOptions } from "../../keys/key-wrapping.ts";
import {
  FORMAT,
  HEADER,
  MAXIMUM_LINE_BYTES,
  RECORD,
  TRAILER,
  VERSION,
  type ArchivedRecord,
  type Header,
} from "./archive-format.ts";
import { ArchiveKeys } from "./archive-keys.ts";

/** How a site is imported. */
export interface ImportOptions {
  /** The one that the archive was made with. */
  readonly passphrase: Secret;
  /** How private keys are encrypted in the new store, as `keys` of `createHost`; it need not be as in the old one. */
  readonly keys?: WrappingOptions | undefined;
}

/** What came out of an archive. */
export interface ImportReport {
  /** When it was made. */
  readonly createdAt: Date;
  /** How many records there are of each kind. */
  readonly records: Readonly<Partial<Record<StoreRecord["kind"], number>>>;
}

/**
 * An archive of `exportSite` into an empty store, of any engine: all of it, with the ids of peers, or nothing. Everything is
 * checked before any of it counts.
 *
 * Throws `ArchiveError`: `MNET_ARCHIVE_MALFORMED`, `_VERSION`, `_INCOMPLETE`, `_TAMPERED`, `_PASSPHRASE_WRONG`; `StoreError`,
 * such as `MNET_STORE_NOT_EMPTY`; and what the source throws.
 *
 * @param store opened here, and not closed.
 * @param source the bytes of the archive, once.
 *
 * @example
 * await importSite(store, createReadStream("site.mnet"), { passphrase: Secret.fromEnv("ARCHIVE_KEY") });
 */
export async function importSite(
  store: Store,
  source: AsyncIterable<Uint8Array>,
  { passphrase, keys: wrappingOptions }: ImportOptions,
): Promise<ImportReport> {
  const wrapping = new KeyWrapping(wrappingOptions);
  const records: Partial<Record<StoreRecord["kind"], number>> = {};
  let createdAt = new Date(0);
  await store.open();
  await store.restore(read());
  return { createdAt, records };

  async function* read(): AsyncGenerator<StoreRecord, void, undefined> {
    const lines = linesOf(source);
    const first = await lines.next();
    if (first.done) throw new ArchiveError("MNET_ARCHIVE_INCOMPLETE", "The archive is empty.");
    const header = headerOf(first.value);
    createdAt = new Date(header.createdAt);
    const keys = await ArchiveKeys.open(passphrase, header);
    const hmac = keys.hmac().update(first.value);
    let line = 1;
    let total = 0;
    for await (const bytes of lines) {
      line += 1;
      const value = parse(bytes, line);
      const end = v.safeParse(TRAILER, value);
      if (end.success) {
        requireSame(hmac.digest(), end.output.hmac, total === end.output.records);
        if (!(await lines.next()).done) throw malformed("Something follows its end.", line + 1);
        return;
      }
      hmac.update(bytes);
      const record = check(value, line);
      records[record.kind] = (records[record.kind] ?? 0) + 1;
      total += 1;
      yield await unarchived(record, keys, wrapping, line);
    }
    throw new ArchiveError("MNET_ARCHIVE_INCOMPLETE", `The archive ends early, after line ${line}.`, { line });
  }
}

/** Each with the line feed at its end. The last one may lack it, which is for the caller to judge by what it says. */
async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  const line = (): Buffer => {
    const whole = Buffer.concat(parts);
    parts.length = 0;
    length = 0;
    return whole;
  };
  for await (const chunk of source) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      parts.push(rest.subarray(0, end + 1));
      yield line();
      rest = rest.subarray(end + 1);
    }
    length += rest.length;
    if (length > MAXIMUM_LINE_BYTES) throw malformed("A line is too long.", undefined);
    if (rest.length > 0) parts.push(rest);
  }
  if (parts.length > 0) yield line();
}

function parse(bytes: Buffer, line: number): unknown {
  // The last line of an archive that was cut off.
  if (bytes.at(-1) !== 10) {
    throw new ArchiveError("MNET_ARCHIVE_INCOMPLETE", `The archive ends early, in line ${line}.`, { line });
  }
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw malformed(`Line ${line} is no JSON.`, line);
  }
}

function headerOf(bytes: Buffer): Header {
  const value = parse(bytes, 1) as { readonly format?: unknown; readonly version?: unknown } | null;
  if (typeof value !== "object" || value?.format !== FORMAT) throw malformed("It is no archive of mnet.", 1);
  if (value.version !== VERSION) {
    throw new ArchiveError(
      "MNET_ARCHIVE_VERSION",
      `The archive has version ${String(value.version)}; this program reads ${VERSION}. Use the mnet that wrote it, or a newer one.`,
      { line: 1 },
    );
  }
  const result = v.safeParse(HEADER, value);
  if (!result.success) throw malformed("Its first line is damaged.", 1);
  return result.output;
}

function check(value: unknown, line: number): ArchivedRecord {
  const result = v.safeParse(RECORD, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw malformed(`Line ${line} is no record: ${v.getDotPath(issue) ?? "it"} is not right.`, line);
}

function requireSame(digest: Buffer, expected: string, isComplete: boolean): void {
  const given = Buffer.from(expected, "base64");
  if (isComplete && given.length === digest.length && timingSafeEqual(given, digest)) return;
  throw new ArchiveError(
    "MNET_ARCHIVE_TAMPERED",
    "The archive is not as it was written: somebody or something changed it.",
  );
}

async function unarchived(
  record: ArchivedRecord,
  keys: ArchiveKeys,
  wrapping: KeyWrapping,
  line: number,
): Promise<StoreRecord> {
  // What the brands of ids promise was checked by whoever wrote the archive, and by its digest that it is still so.
  if (record.kind !== "key") return record as StoreRecord;
  const { state, certificate, privateKey, createdAt, peer } = record.key;
  const fingerprint = record.key.fingerprint as Fingerprint;
  const key = { fingerprint, certificate, state, createdAt, ...(peer !== undefined && { peer: peer as PeerId }) };
  if (state === "revoked") return { kind: "key", key: { ...key, privateKey: new Uint8Array() } };
  const pem = keys.decrypt(privateKey, fingerprint)?.toString("utf8");
  if (pem === undefined) {
    throw new ArchiveError("MNET_ARCHIVE_TAMPERED", `The private key in line ${line} is not as it was written.`, {
      line,
    });
  }
  // Whatever else is wrong: a key that does not work must not become the site's.
  KeyPair.parse({ certificate, privateKey: pem });
  return { kind: "key", key: { ...key, privateKey: await wrapping.wrap(pem, fingerprint) } };
}

const malformed = (why: string, line: number | undefined): ArchiveError =>
  new ArchiveError("MNET_ARCHIVE_MALFORMED", `This archive cannot be read. ${why}`, { line });
