/**
 * Does a large site's store answer as fast as a small one's? 100,000 peers, 1,000,000 sessions and 10,000,000 rows of the
 * log against a thousandth of each, on SQLite and PostgreSQL; and does forgetting old rows hold up calls?
 *
 * Run it with `npm run bench:store-scale`, or `npm run bench:store-scale -- --engine sqlite --scale 0.01`. In full it takes
 * half an hour and 10 GB. Exits with 1 if the store's time of a call grows by more than half, by size or while old rows are
 * forgotten.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import Database from "libsql";
import type { Wwwroot } from "../src/core/ids.ts";
import { pruneTasks } from "../src/host/maintenance.ts";
import type { Store } from "../src/host/store.ts";
import { DEFAULT_KEY_POLICY } from "../src/keys/key-policy.ts";
import { openStore } from "../src/stores/open-store.ts";
import { startServer } from "../test/support/database-servers.ts";

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "sqlite,postgresql" },
    scale: { type: "string", default: "1" },
    rounds: { type: "string", default: "40" },
  },
});
const scale = Number(values.scale);
const LARGE = { peers: 100_000 * scale, sessions: 1_000_000 * scale, log: 10_000_000 * scale };
const SMALL = { peers: LARGE.peers / 1000, sessions: LARGE.sessions / 1000, log: LARGE.log / 1000 };
type Size = typeof LARGE;
const CALLS_OF_ROUND = 50;
const BOUND = 1.5;
const ROUNDS_OF_RETENTION = 20;
const NOW = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

/** A store of some size, and how to fill it. */
interface Place {
  readonly store: Store;
  readonly size: Size;
  /** Runs a statement as its driver has it. */
  readonly run: (statement: string) => Promise<void>;
  /** Rows `n` from 1 up to a number. */
  readonly numbers: (count: number) => string;
}

let serial = 0;
const isSound: boolean[] = [];
for (const engine of values.engine.split(",")) {
  const places = engine === "sqlite" ? await sqlitePlaces() : await postgresPlaces();
  try {
    for (const place of places.all) await fill(engine, place);
    isSound.push(await compare(engine, places.all));
  } finally {
    await places.remove();
  }
}
process.exitCode = isSound.every(Boolean) ? 0 : 1;

async function sqlitePlaces(): Promise<{ readonly all: readonly Place[]; remove(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), "mnet-scale-"));
  const all = [SMALL, LARGE].map((size, index): Place => {
    const file = join(directory, `${index}.db`);
    return {
      store: openStore(`sqlite:${file}`),
      size,
      async run(statement) {
        const database = new Database(file);
        // Only filling need not survive a power cut.
        database.exec("pragma synchronous = off; pragma cache_size = -1000000");
        database.exec(statement);
        database.close();
      },
      numbers: (count) => `with recursive g(n) as (select 1 union all select n + 1 from g where n < ${count})`,
    };
  });
  return {
    all,
    async remove() {
      for (const { store } of all) await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function postgresPlaces(): Promise<{ readonly all: readonly Place[]; remove(): Promise<void> }> {
  const server = await startServer("postgresql", { durable: true });
  await server.administer("", "alter system set max_wal_size = '8GB'", "select pg_reload_conf()");
  const all: Place[] = [];
  for (const [index, size] of [SMALL, LARGE].entries()) {
    const name = `scale_${index}`;
    all.push({
      store: openStore(await server.database(name)),
      size,
      run: (statement) => server.administer(name, statement),
      numbers: (count) => `with g(n) as (select generate_series(1::bigint, ${count}))`,
    });
  }
  return {
    all,
    async remove() {
      for (const { store } of all) await store.close();
      await server.remove();
    },
  };
}

async function fill(engine: string, { store, size, run, numbers }: Place): Promise<void> {
  const started = performance.now();
  await store.migrate();
  const pick = (count: number): string => `(1 + (n * 7919) % ${Math.max(count, 1)})`;
  const event = `'{"type":"call.refused","level":"warn","detail":"${"x".repeat(120)}"}'`;
  await run(`insert into mnet_peer (version, wwwroot, canonical, name, application, state, certificate, retired, settings, services)
    ${numbers(size.peers)} select 1, 'https://peer' || n || '.test', 'https://peer' || n || '.test', 'Peer', 'moodle', 'active', '${"c".repeat(1200)}', '[]', '{}', '{}' from g`);
  await run(`insert into mnet_session (role, peer, account_id, username, user_agent_hash, session_id, started_at, expires_at)
    ${numbers(size.sessions)} select 'idp', ${pick(size.peers)}, 'account' || n, 'user' || n, 'agent', 'session' || n, ${NOW}, ${NOW + DAY_MS} from g`);
  await run(`insert into mnet_log (at, type, peer, code, event)
    ${numbers(size.log)} select ${NOW - 100 * DAY_MS} + n * 10, case n % 4 when 0 then 'call.refused' else 'peer.changed' end, ${pick(size.peers)}, case n % 4 when 0 then 'MNET_ENVELOPE_REPLAYED' end, ${event} from g`);
  if (engine !== "sqlite") await run("analyze");
  console.log(`${engine}: ${JSON.stringify(size)} filled in ${((performance.now() - started) / 1000).toFixed(0)} s`);
}

/** What the store does for a call of a user who jumps: who calls, is it new, what is served, token, session, log, figures. */
async function call({ store, size }: Place): Promise<void> {
  serial += 1;
  const number = 1 + ((serial * 7919) % size.peers);
  const peer = await store.peers.find(`https://peer${number}.test` as Wwwroot);
  if (!peer) throw new Error(`Peer ${number} is not there.`);
  await store.replay.remember(peer.id, `key ${serial}`, { until: NOW + DAY_MS, maxEntries: 1_000_000 }, NOW);
  await store.peers.allHostsServices();
  const hash = serial.toString(16).padStart(64, "0");
  const token = { hash, peer: peer.id, accountId: "account1", sessionId: "s", userAgentHash: "a", expiresAt: NOW + 9 };
  await store.tokens.issue(token);
  await store.tokens.redeem(hash, { peer: peer.id, userAgentHash: "a" }, { uses: 0, withinMs: 0 }, NOW);
  const user = 1 + ((serial * 7919) % size.sessions);
  await store.sessions.find({ role: "idp", username: `user${user}` }, undefined, 10);
  await store.sessions.save({
    role: "sp",
    peer: peer.id,
    accountId: `account${user}`,
    username: `user${user}`,
    userAgentHash: "agent",
    sessionId: `new ${serial}`,
    startedAt: NOW,
    expiresAt: NOW + DAY_MS,
  });
  await store.log.append([{ type: "call.unchecked", method: "m", at: new Date(NOW), level: "info", peer }]);
  await store.log.list({ peer }, undefined, 10);
}

async function timesOf(place: Place, calls: number): Promise<number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < calls; turn += 1) {
    const started = performance.now();
    await call(place);
    times.push(performance.now() - started);
    // As between requests: an embedded store lets no timer in by itself.
    await setImmediate();
  }
  return times;
}

async function compare(engine: string, places: readonly Place[]): Promise<boolean> {
  const times: number[][] = places.map(() => []);
  // In turn, so that whatever else the machine does touches both; the first rounds warm up.
  for (let round = -5; round < Number(values.rounds); round += 1) {
    for (const [index, place] of places.entries()) {
      const taken = await timesOf(place, CALLS_OF_ROUND);
      if (round >= 0) times[index]?.push(...taken);
    }
  }
  const [small = [], large = []] = times;
  const ratio = quantile(large, 0.5) / quantile(small, 0.5);
  console.table([
    { engine, rows: "small", ...figures(small) },
    { engine, rows: "large", ...figures(large) },
  ]);
  console.log(`${engine}: large / small ${ratio.toFixed(2)} (at most ${BOUND})`);

  const place = places.at(-1);
  if (!place) return false;
  const during: number[] = [];
  const before: number[] = [];
  let pruned = 0;
  for (let round = 0; round < ROUNDS_OF_RETENTION; round += 1) {
    before.push(...(await timesOf(place, CALLS_OF_ROUND)));
    const stop = new AbortController();
    const pruning = retention(place, stop.signal);
    during.push(...(await timesOf(place, CALLS_OF_ROUND)));
    stop.abort();
    pruned += await pruning;
  }
  const slower = quantile(during, 0.5) / quantile(before, 0.5);
  console.table([
    { engine, while: "nothing is pruned", ...figures(before) },
    { engine, while: `${pruned} rows are pruned`, ...figures(during) },
  ]);
  console.log(`${engine}: pruning / not ${slower.toFixed(2)} (at most ${BOUND})`);
  return ratio <= BOUND && slower <= BOUND && pruned > 0;
}

/** The host's own retention of the log, again and again; returns how many rows it has forgotten. */
async function retention({ store }: Place, signal: AbortSignal): Promise<number> {
  let pruned = 0;
  const counting = {
    ...store,
    log: {
      ...store.log,
      async prune(before: number, limit: number) {
        const bite = await store.log.prune(before, limit);
        pruned += bite;
        return bite;
      },
    },
  };
  const clock = { now: () => NOW - 9 * DAY_MS, after: () => () => undefined };
  const task = pruneTasks(counting, clock, DEFAULT_KEY_POLICY).find(({ name }) => name === "prune-log");
  if (!task) throw new Error("There is no retention of the log.");
  while (!signal.aborted) {
    await task.run(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
  return pruned;
}

function figures(times: readonly number[]): object {
  return {
    p50: `${quantile(times, 0.5).toFixed(2)} ms`,
    p99: `${quantile(times, 0.99).toFixed(2)} ms`,
    worst: `${Math.max(...times).toFixed(2)} ms`,
  };
}

function quantile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.floor(part * (sorted.length - 1))] ?? NaN;
}
