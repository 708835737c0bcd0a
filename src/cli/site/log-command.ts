import { Command, Option } from "commander";
import type { MnetErrorCode } from "../../core/errors.ts";
import type { MnetEvent } from "../../core/events.ts";
import type { Cursor } from "../../core/ids.ts";
import type { CliIo } from "../cli-io.ts";
import { peerKeyOf, withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { show } from "./show.ts";

interface LogOptions extends SiteOptions {
  readonly peer?: string;
  readonly type?: MnetEvent["type"];
  readonly code?: MnetErrorCode;
  readonly since?: Date;
  readonly until?: Date;
  readonly limit: number;
  readonly after?: Cursor;
  readonly json?: boolean;
}

/** `mnet log`: what was done and refused, newest first. */
export function logCommand(io: CliIo): Command {
  return withSiteOptions(new Command("log"))
    .description("What was done and refused, newest first.")
    .option("--peer <peer>", "id or wwwroot")
    .option("--type <type>", "such as call.refused or peer.changed")
    .option("--code <code>", "such as MNET_ENVELOPE_REPLAYED")
    .addOption(new Option("--since <time>", "ISO 8601").argParser((text) => new Date(text)))
    .addOption(new Option("--until <time>", "ISO 8601").argParser((text) => new Date(text)))
    .addOption(new Option("--limit <number>", "at most 1000").default(50).argParser(Number))
    .option("--after <cursor>", "where the last page ended")
    .option("--json", "for programs")
    .action((options: LogOptions) =>
      withSite(options, async (host) => {
        const { type, code, since, until, limit, after } = options;
        const peer = options.peer === undefined ? undefined : await host.peers.get(peerKeyOf(options.peer));
        const page = await host.log({ peer, type, code, since, until }).page({ after, limit });
        show(io, options.json, page, {
          head: ["time", "level", "event", "peer", "details"],
          rows: page.items.map(
            ({ at, level, type: name, peer: of, sequence: _sequence, exchange: _exchange, ...rest }) => [
              at,
              level,
              name,
              of?.wwwroot,
              Object.entries(rest)
                .map(([field, value]) => `${field}=${typeof value === "string" ? value : JSON.stringify(value)}`)
                .join(" "),
            ],
          ),
        });
        if (page.next !== undefined && !options.json) io.stdout.write(`More: --after ${page.next}\n`);
      }),
    );
}
