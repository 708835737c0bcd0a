import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import type { Secret } from "../../core/secret.ts";
import { exportSite } from "../../moving/archive/export-site.ts";
import type { CliIo } from "../cli-io.ts";
import { UsageError } from "../usage-error.ts";
import {
  encryptionOf,
  secretOf,
  withKeyOptions,
  withStoreOptions,
  openSiteStore,
  type KeyFileOptions,
  type StoreOptions,
} from "./open-site.ts";

/** Options of a command that reads or writes an archive. */
export type ArchiveOptions = StoreOptions & KeyFileOptions & { readonly passphraseFile?: string };

/** `mnet export FILE`: a backup, or the first half of a move. */
export function exportCommand(io: CliIo): Command {
  return withPassphrase(withKeyOptions(withStoreOptions(new Command("export"))))
    .description("Write the site into an archive: keys, peers, boxes, settings, rules, sessions.")
    .argument("<file>", "is made, for its owner only; must not be there")
    .action(async (file: string, options: ArchiveOptions) => {
      const store = openSiteStore(options);
      try {
        const archive = exportSite(store, { passphrase: passphraseOf(options), keys: encryptionOf(options) });
        await writeWhole(file, archive);
        io.stdout.write(`The site is in ${file}.\n`);
      } finally {
        await store.close();
      }
    });
}

export const withPassphrase = (command: Command): Command =>
  command.option("--passphrase-file <file>", "that of the archive (or: MNET_ARCHIVE_KEY)");

export function passphraseOf({ passphraseFile }: ArchiveOptions): Secret {
  const passphrase = secretOf(passphraseFile, "MNET_ARCHIVE_KEY");
  if (!passphrase) throw new UsageError("Give the archive's passphrase in MNET_ARCHIVE_KEY or --passphrase-file.");
  return passphrase;
}

/** Under its name there is a whole archive, or none. */
async function writeWhole(file: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const unfinished = `${file}.unfinished`;
  // What is there already is somebody's backup.
  const claim = createWriteStream(file, { flags: "wx", mode: 0o600 });
  await pipeline([], claim);
  try {
    await pipeline(archive, createWriteStream(unfinished, { flags: "wx", mode: 0o600, flush: true }));
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    await rm(file, { force: true });
    throw error;
  }
}
