import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "../../src/host/store.ts";
import type { BulkOutcome } from "../../src/services/enrolment/remote-enrolment.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { childProgram, type ChildProgram } from "./child-program.ts";
import { insertPeer, keyedSite, keyedStore } from "./hosts.ts";
import { COURSES, startLms, type Lms } from "./crash-lms.ts";

const HOME = "https://home.example";
/** Longer than a claim lasts. */
const CLAIM_MS = 11_000;

/** How a run went. */
export interface CrashReport {
  readonly rows: number;
  readonly kills: number;
  /** Calls that the killed run made more than the clean one. */
  readonly sentAgain: number;
  /** As many calls may be in flight when a process is killed. */
  readonly inFlight: number;
  /** Who is in which course at which site. */
  readonly cleanState: readonly string[];
  readonly killedState: readonly string[];
  /** What the journals say of each row: its result or code. */
  readonly cleanOutcomes: ReadonlyMap<number, string>;
  readonly killedOutcomes: ReadonlyMap<number, string>;
}

/**
 * Works off a file of so many rows over three sites twice, each on sockets and in a process of its own: once in peace, and
 * once killed so many times by SIGKILL, at moments that are spread over the run.
 */
export async function crashBulkRun(options: {
  readonly rows: number;
  readonly kills: number;
  readonly concurrency: number;
}): Promise<CrashReport> {
  const folder = mkdtempSync(join(tmpdir(), "mnet-bulk-"));
  const program = childProgram("test/crash/bulk-child.ts");
  const sites = await Promise.all([0, 1, 2].map((n) => startLms(n + 1, keyedSite(HOME, 0))));
  try {
    const csv = join(folder, "rows.csv");
    writeFileSync(csv, csvOf(sites, options.rows));
    const run = async (name: string, kills: number) => {
      const file = join(folder, `${name}.db`);
      await makeHome(file, sites);
      for (const site of sites) site.reset();
      const killed = await workOff(program, [file, HOME, csv, name, String(options.concurrency)], options.rows, kills);
      const state = (await Promise.all(sites.map((site) => site.state()))).flat();
      return {
        killed,
        state,
        outcomes: await journalOf(file, name),
        calls: sites.reduce((sum, { changes }) => sum + changes, 0),
      };
    };
    const clean = await run("clean", 0);
    const killed = await run("killed", options.kills);
    return {
      rows: options.rows,
      kills: killed.killed,
      sentAgain: killed.calls - clean.calls,
      inFlight: options.concurrency * sites.length,
      cleanState: clean.state,
      killedState: killed.state,
      cleanOutcomes: clean.outcomes,
      killedOutcomes: killed.outcomes,
    };
  } finally {
    await program.remove();
    for (const site of sites) await site.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts the program again and again until it comes to its end. Returns how often it was killed. */
async function workOff(program: ChildProgram, args: readonly string[], rows: number, kills: number): Promise<number> {
  for (let killed = 0; ; killed += 1) {
    const child = program.start(...args, String(killed * CLAIM_MS));
    const patience = killed < kills ? Math.max(1, Math.floor(rows / (kills + 2)) - (killed % 3)) : Infinity;
    let heard = 0;
    for (;;) {
      const line = await child.hear();
      if (line === "end") {
        await child.ended;
        return killed;
      }
      heard += 1;
      if (heard >= patience) break;
    }
    await child.kill();
  }
}

async function makeHome(file: string, sites: readonly Lms[]): Promise<void> {
  const store = await keyedStore(HOME, 0, openStore(`sqlite:${file}`));
  for (const [n, { host }] of sites.entries()) {
    await insertPeer(store, keyedSite(host.wwwroot, n + 1), { services: { mnet_enrol: "subscribe" } });
  }
  await store.close();
}

/** Rows as people write them: most enrol, some undo an earlier one or say it twice, a few are wrong. */
function csvOf(sites: readonly Lms[], count: number): string {
  const lines = ["action,peer,course,username,email,firstname,lastname"];
  for (let row = 1; row <= count; row += 1) {
    const before = row > 30 ? row - 17 : row;
    const [action, of] = row % 10 === 7 ? ["unenrol", before] : row % 10 === 9 ? ["enrol", before] : ["enrol", row];
    const { wwwroot } = sites[of % sites.length]!.host;
    const course = row % 50 === 21 ? "nowhere" : `C${COURSES[of % COURSES.length]}`;
    const username = row % 50 === 31 ? `Not Suitable ${row}` : `user${of}`;
    lines.push([action, wwwroot, course, username, `user${of}@home.example`, "First", "Last"].join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

async function journalOf(file: string, key: string): Promise<ReadonlyMap<number, string>> {
  const store: Store = openStore(`sqlite:${file}`);
  await store.open();
  const entries = await store.runs.outcomes(key, 1, 1_000_000);
  await store.close();
  const rows = entries.map(({ row, outcome }) => {
    const { result, error } = JSON.parse(outcome) as BulkOutcome;
    return [row, error?.code ?? result] as const;
  });
  const byRow = new Map(rows);
  if (byRow.size !== rows.length) throw new Error("A row is in the journal twice.");
  return byRow;
}
