import { Command } from "commander";
import type { CliIo } from "../cli-io.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { showFields } from "./show.ts";

/** `mnet maintain`: all periodic work, once; for cron. */
export function maintainCommand(io: CliIo, finish: (code: ExitCode) => void): Command {
  return withSiteOptions(new Command("maintain"))
    .description("Do all periodic work once: rotate keys, prune, warn. Safe beside running processes; for cron.")
    .option("--json", "for programs")
    .action((options: SiteOptions & { readonly json?: boolean }) =>
      withSite(options, async (host) => {
        const { failed, ...report } = await host.maintain();
        const failures = failed.map(({ task, error }) => ({ task, code: error.code, message: error.message }));
        showFields(io, options.json, { ...report, failed: failures });
        finish(failures.length === 0 ? EXIT.ok : EXIT.failed);
      }),
    );
}
