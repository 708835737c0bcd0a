import { createReadStream } from "node:fs";
import { Command } from "commander";
import { importSite } from "../../moving/archive/import-site.ts";
import type { CliIo } from "../cli-io.ts";
import { passphraseOf, withPassphrase, type ArchiveOptions } from "./export-command.ts";
import { encryptionOf, openSiteStore, withKeyOptions, withStoreOptions } from "./open-site.ts";
import { showFields } from "./show.ts";

/** `mnet import FILE`: a restored backup, or the second half of a move. */
export function importCommand(io: CliIo): Command {
  return withPassphrase(withKeyOptions(withStoreOptions(new Command("import"))))
    .description("Read an archive of mnet export into an empty store, all of it or nothing.")
    .argument("<file>", "what mnet export has written")
    .option("--json", "for programs")
    .action(async (file: string, options: ArchiveOptions & { readonly json?: boolean }) => {
      const store = openSiteStore(options);
      try {
        const { createdAt, records } = await importSite(store, createReadStream(file), {
          passphrase: passphraseOf(options),
          keys: encryptionOf(options),
        });
        showFields(io, options.json, options.json ? { createdAt, records } : { "made at": createdAt, ...records });
        if (!options.json)
          io.stdout.write("Now make a new key, so that nothing old can be played back: mnet keys rotate\n");
      } finally {
        await store.close();
      }
    });
}
