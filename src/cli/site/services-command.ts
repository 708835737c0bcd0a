import { Command } from "commander";
import type { PeerRef } from "../../core/peer-snapshot.ts";
import type { Host } from "../../host/host.ts";
import type { ServiceFlags } from "../../peer/service-flags.ts";
import type { CliIo } from "../cli-io.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { peerKeyOf, readPairs, withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { show } from "./show.ts";

type Options = SiteOptions & { readonly json?: boolean };

/** `mnet services …`: who may call what. */
export function servicesCommand(io: CliIo, finish: (code: ExitCode) => void): Command {
  const services = new Command("services").description("Show and tick the boxes: who may call what.");
  const add = (name: string, description: string): Command =>
    withSiteOptions(services.command(name).description(description)).option("--json", "for programs");

  add("show <peer>", "Our boxes beside the peer's, and which one is missing; all-hosts for every peer.").action(
    (key: string, options: Options) =>
      withSite(options, async (host) => {
        finish(await showMatrix(io, host, key, options));
      }),
  );
  add("set <peer> <pairs...>", "SERVICE=publish|subscribe|both|off; all-hosts for every peer.").action(
    (key: string, pairs: readonly string[], options: Options) =>
      withSite(options, async (host) => {
        await host.peers.setServices(await targetOf(host, key), Object.fromEntries(readPairs(pairs)) as ServiceFlags);
        finish(await showMatrix(io, host, key, options));
      }),
  );
  return services;
}

const targetOf = async (host: Host, key: string): Promise<PeerRef | "all-hosts"> =>
  key === "all-hosts" ? key : host.peers.get(peerKeyOf(key));

async function showMatrix(io: CliIo, host: Host, key: string, { json }: Options): Promise<ExitCode> {
  const rows = await host.peers.services(await targetOf(host, key));
  show(io, json, rows, {
    head: ["service", "here", "there", "missing"],
    rows: rows.map(({ service, here, there, missing }) => [
      service,
      here,
      there ?? "?",
      missing.map(({ side, box }) => `${box} ${side}`).join(", ") || undefined,
    ]),
  });
  return EXIT.ok;
}
