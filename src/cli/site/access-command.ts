import { Command } from "commander";
import { collect } from "../../core/listing.ts";
import { ssoAdministration } from "../../services/sso/administration.ts";
import type { CliIo } from "../cli-io.ts";
import { peerKeyOf, withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { show } from "./show.ts";

const RULES = ["allow", "deny", "default"] as const;

type Options = SiteOptions & { readonly json?: boolean } & {
  readonly [Rule in (typeof RULES)[number]]?: readonly string[];
};

/** `mnet access PEER`: which users of a peer may log in here. */
export function accessCommand(io: CliIo): Command {
  return withSiteOptions(new Command("access"))
    .description("Show and change which users of a peer may log in here.")
    .argument("<peer>", "id or wwwroot")
    .option("--allow <names...>", "they may, whatever the peer's signIn is")
    .option("--deny <names...>", "they may not")
    .option("--default <names...>", "forget their rules: the peer's signIn decides")
    .option("--json", "for programs")
    .addHelpText("after", "\nExample:\n  mnet access 3 --deny mallory eve")
    .action((key: string, options: Options) =>
      withSite(
        options,
        async (host) => {
          const peer = await host.peers.get(peerKeyOf(key));
          for (const rule of RULES) {
            for (const username of options[rule] ?? []) await host.sso.access.set(peer, username, rule);
          }
          const [{ signIn }, rules] = await Promise.all([
            host.peers.settings(peer),
            collect(host.sso.access.list(peer)),
          ]);
          show(
            io,
            options.json,
            { peer: peer.wwwroot, signIn, rules },
            {
              head: ["username", "rule"],
              rows: [...rules.map(({ username, rule }) => [username, rule]), ["(all others)", signIn]],
            },
          );
        },
        [ssoAdministration()],
      ),
    );
}
