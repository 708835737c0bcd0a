import { Command } from "commander";
import { collect } from "../../core/listing.ts";
import type { CliIo } from "../cli-io.ts";
import { peerKeyOf, withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { show } from "./show.ts";

/** `mnet stats [PEER]`: figures of one peer, or of all. */
export function statsCommand(io: CliIo): Command {
  return withSiteOptions(new Command("stats"))
    .description("Figures of one peer, or of all: calls, faults, latency, bytes, clock.")
    .argument("[peer]", "id or wwwroot")
    .option("--json", "for programs")
    .action((key: string | undefined, options: SiteOptions & { readonly json?: boolean }) =>
      withSite(options, async (host) => {
        const peers = key === undefined ? await collect(host.peers.list()) : [await host.peers.get(peerKeyOf(key))];
        const figures = await Promise.all(
          peers.map(async (peer) => ({ peer: peer.wwwroot, ...(await host.stats(peer)) })),
        );
        show(io, options.json, figures, {
          head: [
            "peer",
            "in",
            "out",
            "secure",
            "faults",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "bytes in",
            "bytes out",
            "last contact",
            "clock",
          ],
          rows: figures.map((of) => [
            of.peer,
            of.callsIn,
            of.callsOut,
            of.secureCalls,
            Object.entries(of.faultsByCode)
              .map(([code, count]) => `${code}×${count}`)
              .join(" ") || undefined,
            of.latencyMs.p50,
            of.latencyMs.p95,
            of.latencyMs.p99,
            of.bytesIn,
            of.bytesOut,
            of.lastContactAt,
            of.clockOffsetMs === undefined ? undefined : `${Math.round(of.clockOffsetMs / 1000)} s`,
          ]),
        });
      }),
    );
}
