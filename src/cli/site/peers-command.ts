import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { Command, Option } from "commander";
import type { ApplicationName, Peer, PeerState } from "../../core/peer-snapshot.ts";
import type { Host } from "../../host/host.ts";
import { collect } from "../../core/listing.ts";
import type { CliIo } from "../cli-io.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { UsageError } from "../usage-error.ts";
import { peerKeyOf, readPairs, withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { readSettings } from "./read-settings.ts";
import { show, showFields } from "./show.ts";

type Options = SiteOptions & { readonly json?: boolean };
type Finish = (code: ExitCode) => void;

/** `mnet peers …`: the other sites. */
export function peersCommand(io: CliIo, finish: Finish): Command {
  const peers = new Command("peers").description("Add, check and change the other sites.");
  const add = (name: string, description: string): Command =>
    withSiteOptions(peers.command(name).description(description)).option("--json", "for programs");
  const withPeer = (
    name: string,
    description: string,
    work: (host: Host, peer: Peer, options: Options) => Promise<void>,
  ) =>
    add(`${name} <peer>`, description).action((key: string, options: Options) =>
      withSite(options, async (host) => work(host, await host.peers.get(peerKeyOf(key)), options)),
    );

  add("list", "List the peers.")
    .addOption(
      new Option("--state <state>").choices(["pending", "active", "suspended", "deleted"] satisfies PeerState[]),
    )
    .option("--held", "only those with a certificate that waits for approval")
    .action((options: Options & { readonly state?: PeerState; readonly held?: boolean }) =>
      withSite(options, async (host) => {
        const found = await collect(host.peers.list({ state: options.state, held: options.held }));
        show(io, options.json, found, {
          head: ["id", "wwwroot", "name", "software", "state", "profile", "key expires", "last contact"],
          rows: found.map((peer) => [
            peer.id,
            peer.wwwroot,
            peer.name,
            peer.application,
            peer.heldKey ? `${peer.state}, key held` : peer.state,
            peer.profile,
            peer.key.notAfter,
            peer.lastContactAt,
          ]),
        });
      }),
    );

  add("add <url>", "Look at a site, confirm its fingerprint, and add it.")
    .addOption(new Option("--application <name>", "default: found out").choices(["moodle", "mahara"]))
    .option("--certificate <file>", "PEM that the other administrator gave you, instead of a key swap")
    .option("--fingerprint <hex>", "refuse any other certificate")
    .option("--set <pairs...>", "settings, such as timeoutMs=60000")
    .option("-y, --yes", "do not ask; needs no terminal")
    .action((url: string, options: Options & AddOptions) =>
      withSite(options, async (host) => {
        finish(await addPeer(host, url, options, io));
      }),
    );

  withPeer("show", "Show everything about one peer.", async (host, peer, { json }) => {
    showPeer(io, json, peer, await host.peers.settings(peer));
  });
  withPeer("suspend", "Answer and call it no more, until it is resumed.", async (host, peer, { json }) => {
    showPeer(io, json, await host.peers.suspend(peer));
  });
  withPeer("resume", "Make it active again.", async (host, peer, { json }) => {
    showPeer(io, json, await host.peers.resume(peer));
  });
  withPeer("refresh", "Ask for its title and make one signed call.", async (host, peer, { json }) => {
    showPeer(io, json, await host.peers.refresh(peer));
  });
  withPeer("remove", "End all relations with it.", async (host, peer) => {
    await host.peers.remove(peer);
    io.stdout.write(`${peer.wwwroot} is removed.\n`);
  });

  add("approve <peer> <fingerprint>", "Pin the certificate that waits for approval, after comparing it.").action(
    (key: string, fingerprint: string, options: Options) =>
      withSite(options, async (host) => {
        showPeer(io, options.json, await host.peers.approve(await host.peers.get(peerKeyOf(key)), fingerprint));
      }),
  );
  add("rekey <peer>", "Fetch its certificate again, and hold it for approval.")
    .option("--certificate <file>", "take this one instead of fetching")
    .action((key: string, options: Options & { readonly certificate?: string }) =>
      withSite(options, async (host) => {
        const peer = await host.peers.get(peerKeyOf(key));
        const certificate = options.certificate && (await readFile(options.certificate, "utf8"));
        const held = await host.peers.rekey(peer, { ...(certificate && { certificate }) });
        showFields(io, options.json, { peer: peer.wwwroot, ...held });
        if (!options.json) io.stdout.write(`Compare it, then: mnet peers approve ${peer.id} ${held.fingerprint}\n`);
      }),
    );
  add("set <peer> <pairs...>", "Change settings: NAME=VALUE, or NAME= for the default; see docs/cli.md.").action(
    (key: string, pairs: readonly string[], options: Options) =>
      withSite(options, async (host) => {
        const peer = await host.peers.get(peerKeyOf(key));
        const changed = await host.peers.set(peer, readSettings(readPairs(pairs)));
        showPeer(io, options.json, changed, await host.peers.settings(changed));
      }),
  );
  return peers;
}

interface AddOptions {
  readonly application?: ApplicationName;
  readonly certificate?: string;
  readonly fingerprint?: string;
  readonly set?: readonly string[];
  readonly yes?: boolean;
}

/** Nobody is pinned unseen: the fingerprint is shown, and confirmed here or by an option (H-01). */
async function addPeer(host: Host, url: string, options: Options & AddOptions, io: CliIo): Promise<ExitCode> {
  const { application, fingerprint, set = [] } = options;
  const certificate = options.certificate && (await readFile(options.certificate, "utf8"));
  const addOptions = {
    application,
    fingerprint,
    ...(certificate && { certificate }),
    settings: readSettings(readPairs(set)) as object,
  };
  const preview = await host.peers.preview(url, addOptions);
  if (!options.json) {
    const { wwwroot, name, application: software, key, warnings } = preview;
    showFields(io, false, { wwwroot, name, software, fingerprint: key.fingerprint, "key expires": key.notAfter });
    for (const warning of warnings) io.stdout.write(`warning: ${warning}\n`);
  }
  const isConfirmed = options.yes ?? (fingerprint !== undefined || (await confirm(io)));
  if (!isConfirmed) {
    io.stderr.write("Not added.\n");
    return EXIT.failed;
  }
  const peer = await host.peers.add(preview, addOptions);
  if (options.json) showPeer(io, true, peer);
  else io.stdout.write(`${peer.wwwroot} is peer ${peer.id}.\n`);
  return EXIT.ok;
}

async function confirm(io: CliIo): Promise<boolean> {
  if (!io.stdout.isTTY) throw new UsageError("Compare the fingerprint, then repeat with --fingerprint or --yes.");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test(await terminal.question("Same fingerprint as their administrator reads out? [y/N] "));
  } finally {
    terminal.close();
  }
}

function showPeer(io: CliIo, json: boolean | undefined, peer: Peer, settings?: object): void {
  if (json) {
    showFields(io, true, { ...peer, ...(settings && { settings }) });
    return;
  }
  const { key, heldKey, profile, ...fields } = peer;
  showFields(io, false, {
    ...fields,
    "profile in use": profile,
    fingerprint: key.fingerprint,
    "key from": key.notBefore,
    "key until": key.notAfter,
    "key size": `${key.modulusBits} bits`,
    ...(heldKey && { "held key": heldKey.fingerprint, "held because": heldKey.reason, "held since": heldKey.since }),
    ...settings,
  });
}
