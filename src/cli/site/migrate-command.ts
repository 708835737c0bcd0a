import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import { printable, printableJson } from "../printable.ts";
import { openSiteStore, withStoreOptions, type StoreOptions } from "./open-site.ts";

/** `mnet migrate`: prepares a database, or brings it up to date. */
export function migrateCommand(io: CliIo): Command {
  return withStoreOptions(new Command("migrate"))
    .description("Prepare the store, or bring its schema up to date. Safe beside running processes, and twice at once.")
    .option("--sql", "print what would be run, and run nothing: for those who apply it by hand")
    .option("--json", "for programs")
    .action(async (options: StoreOptions & { readonly sql?: boolean; readonly json?: boolean }) => {
      const store = openSiteStore(options);
      try {
        if (options.sql) {
          const pending = await store.pendingMigrations();
          io.stdout.write(options.json ? `${printableJson(pending)}\n` : pending.map(script).join("\n"));
          return;
        }
        const { applied } = await store.migrate();
        if (options.json) io.stdout.write(`${printableJson({ applied })}\n`);
        else if (applied.length === 0) io.stdout.write("The store is up to date.\n");
        else for (const name of applied) io.stdout.write(`${printable(name)}\n`);
      } finally {
        await store.close();
      }
    });
}

const script = ({ name, sql }: { readonly name: string; readonly sql: string }): string => `-- ${name}\n${sql}`;
