import { Command } from "commander";
import type { PeerId } from "../../core/ids.ts";
import type { RotationReport } from "../../host/key-administration.ts";
import type { CliIo } from "../cli-io.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { peerKeyOf, withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { show, showFields } from "./show.ts";

type Options = SiteOptions & { readonly json?: boolean };

/** `mnet keys …`: our own keys. */
export function keysCommand(io: CliIo, finish: (code: ExitCode) => void): Command {
  const keys = new Command("keys").description("Show, rotate and revoke the site's own keys.");
  const add = (name: string, description: string): Command =>
    withSiteOptions(keys.command(name).description(description)).option("--json", "for programs");

  add("show", "List the keys, newest first.").action((options: Options) =>
    withSite(options, async (host) => {
      const all = await host.keys.all();
      const names = new Map<PeerId, string>();
      for (const { peer } of all) {
        if (peer !== undefined) names.set(peer, (await host.peers.find(peer))?.wwwroot ?? `removed peer ${peer}`);
      }
      show(io, options.json, all, {
        head: ["fingerprint", "state", "from", "until", "bits", "for"],
        rows: all.map(({ fingerprint, state, notBefore, notAfter, modulusBits, peer }) => [
          fingerprint,
          state,
          notBefore,
          notAfter,
          modulusBits,
          peer === undefined ? "all others" : names.get(peer),
        ]),
      });
    }),
  );
  add("rotate", "Make a new key, archive the old one and tell every peer.")
    .option("--dry-run", "change nothing; say what each peer would see")
    .action((options: Options & { readonly dryRun?: boolean }) =>
      withSite(options, async (host) => {
        finish(showRotation(io, options, await host.keys.rotate({ dryRun: options.dryRun })));
      }),
    );
  add("revoke <fingerprint>", "For a stolen key: it never opens anything again.")
    .requiredOption("--reason <text>", "for the log")
    .action((fingerprint: string, options: Options & { readonly reason: string }) =>
      withSite(options, async (host) => {
        finish(showRotation(io, options, await host.keys.revoke(fingerprint, { reason: options.reason })));
      }),
    );
  add("rewrap", "Encrypt the private keys in the store with the passphrase of now, or with none.").action(
    (options: Options) =>
      withSite(options, async (host) => {
        const rewrapped = await host.keys.rewrap();
        if (options.json) showFields(io, true, { rewrapped });
        else io.stdout.write(`${rewrapped} private keys were stored otherwise, and are encrypted anew.\n`);
      }),
  );
  withSiteOptions(keys.command("export-certificate").description("Print the current certificate, for other sites."))
    .option("--peer <peer>", "the one for this peer, which may have its own")
    .action((options: Options & { readonly peer?: string }) =>
      withSite(options, async (host) => {
        const peer = options.peer === undefined ? undefined : await host.peers.get(peerKeyOf(options.peer));
        io.stdout.write((await host.keys.current(peer)).certificate);
      }),
    );
  return keys;
}

/** Failed if somebody has to act. */
function showRotation(io: CliIo, { json }: Options, report: RotationReport): ExitCode {
  if (!json) {
    io.stdout.write(report.dryRun ? `Present key: ${report.from}\n` : `${report.from} → ${report.to ?? "?"}\n`);
  }
  const outcomes = report.peers.map(({ peer, outcome, ownKey, error }) => ({
    peer: peer.wwwroot,
    outcome,
    ...(ownKey && { ownKey }),
    ...(error && { error: { code: error.code, message: error.message } }),
  }));
  show(
    io,
    json,
    { ...report, peers: outcomes },
    {
      head: ["peer", "outcome", "its own key", "because"],
      rows: outcomes.map(({ peer, outcome, ownKey, error }) => [peer, outcome, ownKey?.to, error?.message]),
    },
  );
  return report.peers.some(({ outcome }) => outcome === "must-act") ? EXIT.failed : EXIT.ok;
}
