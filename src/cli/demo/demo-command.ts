import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Command, InvalidArgumentError } from "commander";
import { colorsFor, type CliIo } from "../cli-io.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { formatTable } from "../format-table.ts";
import { printableJson } from "../printable.ts";
import { collegeServices, universityServices, type MakeServices } from "./demo-services.ts";
import { DemoSite } from "./demo-site.ts";
import { DemoFailure, duration, Narrator } from "./narrator.ts";
import { Story } from "./story.ts";
import { collegeContent, type SiteContent, universityContent } from "./web/site-content.ts";

interface DemoOptions {
  readonly once?: boolean;
  readonly port: number;
}

const DEFAULT_PORT = 8201;

/** `mnet demo`: two sites on this machine meet, call each other, and refuse what they should. */
export function demoCommand(io: CliIo, finish: (code: ExitCode) => void): Command {
  return new Command("demo")
    .description("Start two sites on this machine and show what they do with each other.")
    .option("--once", "end when the story is told, instead of waiting for Ctrl-C")
    .option("-p, --port <number>", "first port to try for the first site; 0 for any", readPort, DEFAULT_PORT)
    .addHelpText(
      "after",
      `
The sites listen on 127.0.0.1 and keep their data in a temporary folder, which is removed at the end.

Exit codes: 0 every step went as it should, 1 one did not, 2 the command was not understood.`,
    )
    .action(async (options: DemoOptions) => {
      finish(await runDemo(options, io));
    });
}

async function runDemo({ once = false, port }: DemoOptions, io: CliIo): Promise<ExitCode> {
  const colors = colorsFor(io.stdout, io.env);
  const interruption = io.interruption();
  const narrator = new Narrator(io.stdout, colors, interruption);
  const started = performance.now();
  const folder = await mkdtemp(join(tmpdir(), "mnet-demo-"));
  const sites: DemoSite[] = [];
  const open = async (name: string, first: number, services: MakeServices, content: SiteContent): Promise<DemoSite> => {
    const file = join(folder, `${name.toLowerCase().replaceAll(" ", "-")}.db`);
    const site = await DemoSite.open({ name, port: first, file, services, content });
    sites.push(site);
    return site;
  };
  try {
    narrator.say("", colors.bold("Two sites become a Moodle Network."));
    narrator.say("Everything is real: sockets, RSA keys, envelopes, SQLite. Each ✓ was checked, not assumed.");
    const story = await narrator.step("Two sites start", async () => {
      const alpha = await open("Alpha University", port, universityServices, universityContent);
      const beta = await open("Beta College", port === 0 ? 0 : alpha.port + 1, collegeServices, collegeContent);
      const told = new Story(alpha, beta, narrator);
      await told.showSites();
      return told;
    });
    await narrator.step("They swap keys", () => story.swapKeys());
    await narrator.step("They tick boxes: who may call what", () => story.tickBoxes());
    await narrator.step("The university calls the college", () => story.callBeta());
    await narrator.step("The college calls the university", () => story.callAlpha());
    const example = sites[0]?.recorded.at(-1);
    await narrator.step("A service of their own, typed on both sides", () => story.useLibrary());
    const roaming = story.roaming();
    await narrator.step("Single sign-on: a user of the university goes to the college", () => roaming.goToBeta());
    await narrator.step("Single sign-on: she comes back through the college's login page", () => roaming.comeBack());
    await narrator.step("Single sign-on: she logs out, everywhere", () => roaming.logOut());
    await narrator.step("Refused on purpose: who may not roam, and tokens in wrong hands", () => roaming.refuse());
    await narrator.step("Remote enrolment: a user of the university in a course of the college", () => roaming.enrol());
    await narrator.step("Many calls at once", () => story.callTogether());
    await narrator.step("Refused on purpose: calls without permission", () => story.refuseUnpermitted());
    await narrator.step("Refused on purpose: strangers and forgers", () => story.refuseStrangers());
    await narrator.step("A site stops and starts again", () => story.restartAlpha());

    narrator.say(
      "",
      colors.green(`✓ ${narrator.checks} checks hold. ${duration(performance.now() - started)} in all.`),
      "",
    );
    const fingerprints = await Promise.all(
      sites.map(async ({ name, wwwroot, host }) => [name, wwwroot, (await host.keys.current()).fingerprint]),
    );
    narrator.say(...formatTable([["site", "page", "fingerprint of its certificate (SHA-256)"], ...fingerprints]));
    if (once) return EXIT.ok;

    if (example) await keepExample(folder, example, sites);
    narrator.say(...suggestions(folder, sites), "", colors.bold("Both sites are up. Ctrl-C ends them."));
    await aborted(interruption);
    narrator.say("", "Closing.");
    return EXIT.ok;
  } catch (error) {
    if (error === interruption.reason) {
      narrator.say("", "Interrupted.");
      return EXIT.failed;
    }
    if (!(error instanceof DemoFailure)) throw error;
    io.stderr.write(`${error.message}\n`);
    return EXIT.failed;
  } finally {
    await Promise.all(sites.map((site) => site[Symbol.asyncDispose]()));
    await rm(folder, { recursive: true, force: true });
    narrator.say(`Both sites are closed, and ${folder} is removed.`);
  }
}

const REQUEST_FILE = "request.xml";
const RESPONSE_FILE = "response.xml";
const KEYS_FILE = "keys.json";

/** One exchange and the keys that open it. The keys live as long as the demo, and only their owner may read them. */
async function keepExample(
  folder: string,
  { request, response }: { readonly request: Uint8Array; readonly response: Uint8Array },
  sites: readonly DemoSite[],
): Promise<void> {
  const lists = await Promise.all(sites.map((site) => site.keyList()));
  await writeFile(join(folder, REQUEST_FILE), request);
  await writeFile(join(folder, RESPONSE_FILE), response);
  await writeFile(join(folder, KEYS_FILE), printableJson(Object.assign({}, ...lists)), { mode: 0o600 });
}

function suggestions(folder: string, sites: readonly DemoSite[]): readonly string[] {
  const [first] = sites;
  const keys = join(folder, KEYS_FILE);
  return [
    "",
    "More to try, from another terminal:",
    ...formatTable([
      ["  the pages, in your browser", sites.map(({ wwwroot }) => wwwroot).join("  ")],
      ["", "log in as zoe with the password demo, and click “Beta College”"],
      ["", "log in as admin with the password demo, and click “Remote courses”"],
      ["  a certificate", `curl ${first?.wwwroot}/mnet/publickey.php`],
      ["  what a stranger is told", `curl --data '<methodCall/>' ${first?.wwwroot}/mnet/xmlrpc/server.php`],
      ["  a request, taken apart", `npx mnet inspect ${join(folder, REQUEST_FILE)} --keys ${keys}`],
      ["  its answer", `npx mnet inspect ${join(folder, RESPONSE_FILE)} --keys ${keys} --show-payload`],
    ]),
  ];
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port > 65_000)
    throw new InvalidArgumentError("A port is a number from 0 to 65000.");
  return port;
}
