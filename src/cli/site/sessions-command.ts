import { Command, Option } from "commander";
import type { Cursor } from "../../core/ids.ts";
import { ssoAdministration } from "../../services/sso/administration.ts";
import type { CliIo } from "../cli-io.ts";
import { peerKeyOf, withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { show } from "./show.ts";

interface Options extends SiteOptions {
  readonly peer?: string;
  readonly account?: string;
  readonly limit: number;
  readonly after?: Cursor;
  readonly json?: boolean;
}

/** `mnet sessions`: browser sessions that are shared with peers. */
export function sessionsCommand(io: CliIo): Command {
  return withSiteOptions(new Command("sessions"))
    .description("Browser sessions that are shared with peers: users of ours there, and visitors here.")
    .option("--peer <peer>", "id or wwwroot")
    .option("--account <id>", "of that account of the application")
    .addOption(new Option("--limit <number>", "at most 1000").default(50).argParser(Number))
    .option("--after <cursor>", "where the last page ended")
    .option("--json", "for programs")
    .action((options: Options) =>
      withSite(
        options,
        async (host) => {
          const peer = options.peer === undefined ? undefined : await host.peers.get(peerKeyOf(options.peer));
          const sessions = host.sso.sessions({ peer, accountId: options.account });
          const { items, next } = await sessions.page({ after: options.after, limit: options.limit });
          const shown = items.map((session) => ({ ...session, peer: session.peer.wwwroot }));
          show(
            io,
            options.json,
            { items: shown, ...(next !== undefined && { next }) },
            {
              head: ["user", "account", "peer", "where", "since", "until"],
              rows: shown.map(({ username, accountId, peer: wwwroot, role, startedAt, expiresAt }) => [
                username,
                accountId,
                wwwroot,
                role === "idp" ? "there" : "here",
                startedAt,
                expiresAt,
              ]),
            },
          );
          if (next !== undefined && !options.json) io.stdout.write(`More: --after ${next}\n`);
        },
        [ssoAdministration()],
      ),
    );
}
