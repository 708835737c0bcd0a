import { createServer, type Server } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import { createHost } from "../../src/create-host.ts";
import type { Host } from "../../src/host/host.ts";
import type { Store } from "../../src/host/store.ts";
import { enrolment } from "../../src/services/enrolment/enrolment.ts";
import type { BulkOutcome } from "../../src/services/enrolment/remote-enrolment.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { memoryCourses, type MemoryCourses } from "../../src/testing/memory-courses.ts";
import { childProgram, type ChildProgram } from "./child-program.ts";
import { insertPeer, keyedSite, keyedStore } from "./hosts.ts";
import { listedAccounts, type ListedAccounts } from "./listed-accounts.ts";

const HOME = "https://home.example";
const COURSES = [1, 2, 3];
/** Longer than a claim lasts. */
const CLAIM_MS = 11_000;

interface Lms {
  readonly host: Host;
  readonly server: Server;
  courses: MemoryCourses;
  readonly accounts: ListedAccounts;
  /** Changes that it was asked for. */
  calls: number;
}

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
  const sites = await Promise.all([0, 1, 2].map((n) => startLms(n)));
  try {
    const csv = join(folder, "rows.csv");
    writeFileSync(csv, csvOf(sites, options.rows));
    const run = async (name: string, kills: number) => {
      const file = join(folder, `${name}.db`);
      await makeHome(file, sites);
      for (const site of sites) reset(site);
      const killed = await workOff(program, [file, HOME, csv, name, String(options.concurrency)], options.rows, kills);
      const state = (await Promise.all(sites.map(stateOf))).flat();
      return {
        killed,
        state,
        outcomes: await journalOf(file, name),
        calls: sites.reduce((sum, { calls }) => sum + calls, 0),
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
    for (const { host, server } of sites) {
      server.close();
      server.closeAllConnections();
      await host.close();
    }
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

async function startLms(n: number): Promise<Lms> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const wwwroot = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = await keyedStore(wwwroot, n + 1);
  await insertPeer(store, keyedSite(HOME, 0), {
    services: { mnet_enrol: "publish" },
    settings: { maxEnrolments: 1_000_000 },
  });
  const accounts = listedAccounts();
  const lms = { server, accounts, calls: 0, courses: memoryCourses() } as Lms;
  // The courses can be replaced under the host.
  const courses = new Proxy({} as MemoryCourses, { get: (_, name) => lms.courses[name as keyof MemoryCourses] });
  const host = await createHost({
    wwwroot,
    name: "An LMS",
    store,
    services: [enrolment({ accounts: indexed(accounts), courses, enrolments: courses })],
    maintenance: "manual",
    observer(event) {
      if (event.type === "call.served" && /\/(?:un)?enrol_user$/.test(event.method)) lms.calls += 1;
    },
  });
  server.on("request", nodeHandler(host));
  return Object.assign(lms, { host });
}

/** Looks accounts up by name without going through all of them. */
function indexed(accounts: ListedAccounts): ListedAccounts {
  const byName = new Map<string, Awaited<ReturnType<ListedAccounts["createRemote"]>>>();
  return {
    ...accounts,
    async findRemote(_home, username) {
      return byName.get(username);
    },
    async createRemote(home, username, profile) {
      const account = byName.get(username) ?? { id: `account-${byName.size}`, username, home: home.wwwroot, profile };
      byName.set(username, account);
      return account;
    },
  };
}

function reset(lms: Lms): void {
  lms.calls = 0;
  lms.courses = memoryCourses(
    COURSES.map((id) => ({
      id,
      fullname: `Course ${id}`,
      shortname: `C${id}`,
      category: { id: 1, name: "All" },
      offers: [{ role: { id: 5, shortname: "student", name: "Student" } }],
    })),
  );
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

async function stateOf({ host, courses }: Lms): Promise<string[]> {
  const home = await host.peers.get(HOME);
  const inside = await Promise.all(COURSES.map((id) => courses.inCourse(id, home)));
  return inside
    .flat()
    .map(({ account, course, method }) => `${host.wwwroot} ${course.id} ${account.username} ${method}`)
    .sort();
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
