import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Fingerprint, PeerId } from "../../src/core/ids.ts";
import { systemClock } from "../../src/core/clock.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import type { Store } from "../../src/host/store.ts";
import { DEFAULT_KEY_POLICY } from "../../src/keys/key-policy.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import { openStore } from "../../src/stores/open-store.ts";
import type { BulkRow } from "../../src/services/enrolment/remote-enrolment.ts";
import { childProgram, type Child, type ChildProgram } from "./child-program.ts";
import { CrashLedger, type Offer } from "./crash-ledger.ts";
import { COURSES, startLms, type Lms } from "./crash-lms.ts";
import { FAST_PREFIX, GENERATIONS, tokenOf, type Order } from "./crash-orders.ts";
import { startServer } from "./database-servers.ts";
import { insertPeer, keyedSite } from "./hosts.ts";

/** How long a site is ill-treated. */
export interface SiteCrashOptions {
  readonly engine: "sqlite" | "postgresql" | "mariadb";
  /** Until nobody is killed any more; what was begun then comes to its end. */
  readonly durationMs: number;
  /** Processes of the site. Default 4. */
  readonly processes?: number;
  /** Told now and then. */
  readonly progress?: (counts: SiteCrashCounts) => void;
}

/** What was done meanwhile, as far as somebody lived to tell it. */
export interface SiteCrashCounts {
  kills: number;
  /** Got by somebody. */
  tokens: number;
  messages: number;
  /** Shown to somebody. */
  keys: number;
  /** Rows of bulk runs. */
  enrolments: number;
  /** Changes that came to the other site a second time, because nobody had written down that they were made. */
  sentAgain: number;
  jobs: number;
  /** Orders of which nobody knows whether they were carried out, because a process was killed meanwhile. */
  unknown: number;
  /** What processes said that they could not do, by code. */
  readonly failed: Record<string, number>;
}

/** How it went. */
export interface SiteCrashReport {
  readonly counts: SiteCrashCounts;
  /** What must not be. None: nothing was lost and nothing was done twice. */
  readonly violations: readonly string[];
}

const ROWS_OF_RUN = 40;
/** A new run is begun while fewer than these wait. */
const OPEN_RUNS = 6;
/** Each is offered to so many processes. */
const OFFERS = 2;
const PAUSE_MS = 20;
/** A peer asks for a key once a minute at most (SEC-042). */
const SITE_ROTATION_MS = 75_000;
const LONGEST_PAUSE_MS = 4000;
/** Longer than a claim of a job lasts. */
const CLAIM_MS = 3000;
/** A tenth of a second apart. */
const FRONT_ATTEMPTS = 200;
/** So long after the last kill runs may take to their end. */
const PATIENCE_MS = 90_000;

/**
 * Several processes of a site on one database work with all they have: tokens, messages, keys, jobs, bulk enrolment at two
 * other sites. All the time one of them is killed by SIGKILL and another one started. What they said is held against what
 * is in the database at the end.
 */
export async function crashSite(options: SiteCrashOptions): Promise<SiteCrashReport> {
  const place = await placeOn(options.engine);
  const program = childProgram("test/crash/site-child.ts");
  const trial = new Trial(place.url, program, options);
  try {
    await trial.prepare();
    return await trial.run();
  } finally {
    await program.remove();
    await trial.close();
    await place.remove();
  }
}

interface Run {
  readonly key: string;
  readonly rows: readonly BulkRow[];
  isTaken: boolean;
  isOver: boolean;
}

interface Answer {
  readonly id: number;
  readonly failed?: string;
  readonly outcome?: string;
  readonly seen?: string;
  readonly to?: Fingerprint;
  readonly done?: readonly string[];
  readonly at?: number;
}

class Trial {
  readonly #url: string;
  readonly #program: ChildProgram;
  readonly #options: SiteCrashOptions;
  readonly #ledger = new CrashLedger();
  readonly #seats: Seat[] = [];
  readonly #front = createServer();
  readonly #runs: Run[] = [];
  /** Which row wants a change, by who wants it where. */
  readonly #rowOf = new Map<string, { readonly run: string; readonly row: number }>();
  readonly #lmss: Lms[] = [];
  readonly #counts = { kills: 0, unknown: 0, failed: {} as Record<string, number> };
  #home = keyedSite("http://127.0.0.1");
  #last = 0;
  #endAt = Infinity;
  #isOver = false;

  constructor(url: string, program: ChildProgram, options: SiteCrashOptions) {
    this.#url = url;
    this.#program = program;
    this.#options = options;
  }

  /** A site with two peers, of which it is one, too. */
  async prepare(): Promise<void> {
    this.#front.listen(0, "127.0.0.1");
    await once(this.#front, "listening");
    this.#home = keyedSite(`http://127.0.0.1:${(this.#front.address() as AddressInfo).port}`);
    const store = openStore(this.#url);
    await store.migrate();
    // A new key, because that of a recorded site may be due: a peer asks for the next one once a minute at most.
    const site = { wwwroot: this.#home.wwwroot, name: "A site" };
    const emit = (): void => undefined;
    const ring = new KeyRing({ store: store.keys, site, policy: DEFAULT_KEY_POLICY, clock: systemClock, emit });
    const { certificate } = (await ring.active()).current;
    for (const n of [1, 2]) {
      const lms: Lms = await startLms(
        n,
        { ...this.#home, certificate },
        {
          onEvent: (event) => {
            if (event.type === "peer.key-changed") this.#ledger.keys.shown("the site", event.to);
          },
          onChange: (action, username, courseId) => {
            const row = this.#rowOf.get(changeOf(action, lms.host.wwwroot, courseId, username));
            if (row) this.#ledger.enrolments.sent(row.run, row.row);
          },
        },
      );
      this.#lmss.push(lms);
      await insertPeer(store, keyedSite(lms.host.wwwroot, n), { services: { mnet_enrol: "subscribe" } });
    }
    await store.close();
    const fast = openStore(this.#url, { tablePrefix: FAST_PREFIX });
    await fast.migrate();
    await fast.close();
    for (let n = 0; n < (this.#options.processes ?? 4); n += 1) {
      const heard = (said: object): void => {
        this.#heard(said);
      };
      this.#seats.push(new Seat(this.#program, [this.#url, this.#home.wwwroot], heard));
    }
    this.#front.on("request", (request, response) => void this.#forward(request, response));
  }

  async close(): Promise<void> {
    this.#front.close();
    this.#front.closeAllConnections();
    for (const lms of this.#lmss) await lms.close();
  }

  /** As a balancer does: where a process does not answer any more, the next one is asked. */
  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat((await request.toArray()) as Buffer[]);
    const { method = "GET", url = "/", headers } = request;
    for (let attempt = 0; attempt < FRONT_ATTEMPTS; attempt += 1) {
      const port = ofMany(this.#seats.flatMap((seat) => seat.port ?? []));
      const answer =
        port !== undefined && (await answerOf({ host: "127.0.0.1", port, method, path: url, headers }, body));
      if (answer) {
        response.writeHead(answer.status, answer.headers).end(answer.body);
        return;
      }
      await setTimeout(PAUSE_MS * 5);
    }
    response.writeHead(502).end();
  }

  async run(): Promise<SiteCrashReport> {
    const work = this.#seats.flatMap((seat) => [
      ...Array.from({ length: 4 }, () => this.#offerOnce(seat, "issue", "redeem")),
      ...Array.from({ length: 2 }, () => this.#offerOnce(seat, undefined, "remember")),
      this.#workOffRuns(seat),
      this.#workOffJobs(seat),
      this.#again(1000, () => this.#rotateFast(seat)),
      this.#again(5000, () => this.#ask(seat, { order: "maintain" })),
    ]);
    const rotating = this.#again(SITE_ROTATION_MS, () => this.#rotateSite());
    const shown = this.#again(10_000, async () => this.#options.progress?.(this.#figures()));
    const killing = this.#kill();
    this.#endAt = performance.now() + this.#options.durationMs;
    await setTimeout(this.#options.durationMs);
    this.#isOver = true;
    await Promise.all([...work, rotating, shown, killing]);
    for (const seat of this.#seats) await seat.end();
    return { violations: await this.#violations(), counts: this.#figures() };
  }

  #figures(): SiteCrashCounts {
    const { tokens, messages, keys, enrolments, jobs } = this.#ledger;
    const { kills, unknown, failed } = this.#counts;
    return {
      kills,
      tokens: tokens.got,
      messages: messages.got,
      keys: keys.count,
      enrolments: enrolments.reported,
      sentAgain: enrolments.sentAgain,
      jobs: jobs.done,
      unknown,
      failed,
    };
  }

  async #kill(): Promise<void> {
    while (!this.#isOver) {
      await setTimeout(Math.random() * LONGEST_PAUSE_MS);
      if (await ofMany(this.#seats)?.restart()) this.#counts.kills += 1;
    }
  }

  /** Repeats it at random moments, at least so far apart. */
  async #again(everyMs: number, work: () => Promise<unknown>): Promise<void> {
    let dueAt = performance.now() + everyMs;
    while (!this.#isOver) {
      await setTimeout(PAUSE_MS);
      if (performance.now() < dueAt) continue;
      await work();
      dueAt = performance.now() + everyMs * (1 + Math.random());
    }
  }

  /** Tokens, or messages: makes them where that is needed, and offers each to several processes. */
  async #offerOnce(seat: Seat, make: "issue" | undefined, take: "redeem" | "remember"): Promise<void> {
    const ledger = take === "redeem" ? this.#ledger.tokens : this.#ledger.messages;
    const waiting = seat.offers[take];
    while (!this.#isOver) {
      await setTimeout(PAUSE_MS);
      const offered = waiting.shift();
      if (offered !== undefined) {
        const offer = offerOf(await this.#ask(seat, { order: take, number: offered }));
        ledger.offered(offered, offer);
        // Whether it is gone or not, somebody else comes with it.
        if (offer === "unknown") this.#hand(take, offered, 1);
        continue;
      }
      this.#last += 1;
      const number = this.#last;
      ledger.begun(number);
      if (make && (await this.#ask(seat, { order: make, number }))?.failed === "") ledger.made(number);
      this.#hand(take, number, OFFERS);
    }
  }

  #hand(take: "redeem" | "remember", number: number, times: number): void {
    for (const seat of shuffled(this.#seats).slice(0, times)) seat.offers[take].push(number);
  }

  async #rotateFast(seat: Seat): Promise<void> {
    const to = (await this.#ask(seat, { order: "rotate" }))?.to;
    if (to !== undefined) this.#ledger.keys.shown("the fast site", to);
  }

  /** Half of the time, whoever does it is killed on the way. */
  async #rotateSite(): Promise<void> {
    const seat = ofMany(this.#seats);
    if (!seat) return;
    const rotated = this.#ask(seat, { order: "rotate-site" });
    if (Math.random() < 0.5) {
      await setTimeout(Math.random() * 500);
      if (await seat.restart()) this.#counts.kills += 1;
    }
    const to = (await rotated)?.to;
    if (to !== undefined) this.#ledger.keys.shown("the site", to);
  }

  async #workOffJobs(seat: Seat): Promise<void> {
    for (let turn = 0; !this.#isOver; turn += 1) {
      await setTimeout(PAUSE_MS * 5);
      if (turn % 2 === 0) {
        const jobs = [0, 1, 2].map(() => `job ${(this.#last += 1)}`);
        for (const job of jobs) this.#ledger.jobs.begun(job);
        const answer = await this.#ask(seat, { order: "put", jobs });
        if (answer?.failed === "") for (const job of jobs) this.#ledger.jobs.made(job);
      } else {
        const { done = [], at = 0 } = (await this.#ask(seat, { order: "claim" })) ?? {};
        for (const job of done) this.#ledger.jobs.finished(job, at);
      }
    }
  }

  /** Until there is none left. */
  async #workOffRuns(seat: Seat): Promise<void> {
    for (;;) {
      await setTimeout(PAUSE_MS * 10);
      while (!this.#isOver && this.#runs.filter(({ isOver }) => !isOver).length < OPEN_RUNS) this.#beginRun();
      if (this.#isOver && this.#runs.every(({ isOver }) => isOver)) return;
      // What is left is in the report: the journal lacks rows.
      if (performance.now() > this.#endAt + PATIENCE_MS) return;
      const run = ofMany(this.#runs.filter(({ isTaken, isOver }) => !isTaken && !isOver));
      if (!run) continue;
      run.isTaken = true;
      const answer = await this.#ask(seat, { order: "bulk", run: run.key, rows: run.rows });
      run.isOver = answer?.failed === "";
      run.isTaken = false;
    }
  }

  /** Most rows enrol; some undo an earlier one. */
  #beginRun(): void {
    const key = `run ${this.#runs.length}`;
    const rows: BulkRow[] = [];
    for (let row = 1; row <= ROWS_OF_RUN; row += 1) {
      const isUndone = row % 8 === 0;
      const of = isUndone ? row - 5 : row;
      const username = `user${this.#runs.length}.${of}`;
      const action = isUndone ? "unenrol" : "enrol";
      const { wwwroot } = this.#lmss[of % this.#lmss.length]!.host;
      const courseId = COURSES[of % COURSES.length]!;
      const person = { username, email: `${username}@home.example`, firstname: "First", lastname: "Last" };
      rows.push({ action, person, course: { peer: wwwroot, course: `C${courseId}` } });
      this.#rowOf.set(changeOf(action, wwwroot, courseId, username), { run: key, row });
    }
    this.#runs.push({ key, rows, isTaken: false, isOver: false });
  }

  /** `undefined`: nobody knows. Otherwise `failed` is empty. */
  async #ask(seat: Seat, order: Order): Promise<Answer | undefined> {
    const answer = await seat.ask(order);
    if (!answer) this.#counts.unknown += 1;
    if (!answer?.failed) return answer && { ...answer, failed: "" };
    // Another process has it, or had it until it was killed a moment ago.
    if (answer.failed === "MNET_ENROLMENT_RUN_ACTIVE") await setTimeout(1000);
    else this.#counts.failed[answer.failed] = (this.#counts.failed[answer.failed] ?? 0) + 1;
    return undefined;
  }

  /** What a process says by itself. */
  #heard(said: object): void {
    if ("claimed" in said) {
      const { claimed, at, until } = said as { claimed: readonly string[]; at: number; until: number };
      for (const job of claimed) this.#ledger.jobs.claimed(job, at, until);
    } else if ("run" in said) {
      const { run, row, failed } = said as { run: string; row: number; failed?: string };
      this.#ledger.enrolments.done(run, row, failed);
    }
  }

  /** What the database and the other sites say, against what was told. */
  async #violations(): Promise<readonly string[]> {
    const store = openStore(this.#url);
    const fast = openStore(this.#url, { tablePrefix: FAST_PREFIX });
    try {
      await store.open();
      await fast.open();
      const { tokens, messages, keys, jobs, enrolments } = this.#ledger;
      return [
        ...tokens.violations(await lastOffers(tokens.numbers, (number) => redeemed(store, number))),
        ...messages.violations(await lastOffers(messages.numbers, (number) => remembered(store, number))),
        // The current one, and what is kept of those before.
        ...keys.violations("the site", await usableKeys(store), GENERATIONS),
        ...keys.violations("the fast site", await usableKeys(fast), Infinity),
        ...jobs.violations(await waitingJobs(store)),
        ...enrolments.violations(await this.#journals(store), this.#wanted(), await this.#found()),
        ...this.#idle(),
      ];
    } finally {
      await store.close();
      await fast.close();
    }
  }

  async #journals(store: Store) {
    const journals = new Map<string, { readonly rows: number; readonly journal: readonly number[] }>();
    for (const { key, rows } of this.#runs) {
      const entries = await store.runs.outcomes(key, 1, rows.length + 1);
      journals.set(key, { rows: rows.length, journal: entries.map(({ row }) => row) });
    }
    return journals;
  }

  #wanted(): ReadonlySet<string> {
    const wanted = new Set<string>();
    for (const { action, person, course } of this.#runs.flatMap(({ rows }) => rows)) {
      if ("id" in course) continue;
      const one = `${course.peer} ${course.course.slice(1)} ${person.username} mnet`;
      if (action === "enrol") wanted.add(one);
      else wanted.delete(one);
    }
    return wanted;
  }

  async #found(): Promise<readonly string[]> {
    return (await Promise.all(this.#lmss.map((lms) => lms.state()))).flat();
  }

  /** Where nothing was done, nothing could be lost: that proves nothing. */
  #idle(): readonly string[] {
    const { tokens, messages, keys, enrolments, jobs, kills } = this.#figures();
    const done = { tokens, messages, keys, enrolments, jobs, kills };
    return Object.entries(done).flatMap(([what, count]) => (count > 0 ? [] : [`no ${what}`]));
  }
}

/** Where one process sits, and after it was killed the next one. */
class Seat {
  /** What it is to be offered. */
  readonly offers: { readonly redeem: number[]; readonly remember: number[] } = { redeem: [], remember: [] };
  /** Where its process listens, once it does. */
  port: number | undefined;
  readonly #start: () => Child;
  readonly #heard: (said: object) => void;
  readonly #waiting = new Map<number, (answer: Answer | undefined) => void>();
  #child: Child;
  #listening: Promise<void>;
  #isRestarting = false;
  #last = 0;

  constructor(program: ChildProgram, args: readonly string[], heard: (said: object) => void) {
    this.#start = () => program.start(...args);
    this.#heard = heard;
    this.#child = this.#start();
    this.#listening = this.#listen(this.#child);
  }

  /** `false` if somebody else is doing it. */
  async restart(): Promise<boolean> {
    if (this.#isRestarting) return false;
    this.#isRestarting = true;
    const { ended } = this.#child;
    await this.#child.kill();
    if ((await ended) !== "SIGKILL") throw new Error(`A process ended by itself, with ${await ended}.`);
    // What it had said before is heard before the next one speaks.
    await this.#listening;
    // Also what it was told when it was dead.
    for (const resolve of this.#waiting.values()) resolve(undefined);
    this.#waiting.clear();
    this.#child = this.#start();
    this.#listening = this.#listen(this.#child);
    this.#isRestarting = false;
    return true;
  }

  /** When it has done what it was told. */
  async end(): Promise<void> {
    this.#child.end();
    const how = await this.#child.ended;
    if (how !== "0") throw new Error(`A process ended with ${how}.`);
    await this.#listening;
  }

  /** `undefined`: it was killed before it could answer. */
  ask(order: Order): Promise<Answer | undefined> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.tell(JSON.stringify({ ...order, id }));
    });
  }

  async #listen(child: Child): Promise<void> {
    for await (const said of child.said() as AsyncGenerator<object>) {
      if ("port" in said) this.port = said.port as number;
      else if ("id" in said) this.#answered(said as Answer);
      else this.#heard(said);
    }
    this.port = undefined;
  }

  #answered(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }
}

/** `undefined`: the process that was asked is no more. */
async function answerOf(options: RequestOptions, body: Buffer) {
  try {
    const request = httpRequest(options).end(body);
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    const parts = (await answer.toArray()) as Buffer[];
    return { status: answer.statusCode ?? 502, headers: answer.headers, body: Buffer.concat(parts) };
  } catch {
    return undefined;
  }
}

function offerOf(answer: Answer | undefined): Offer {
  switch (answer?.outcome ?? answer?.seen) {
    case "redeemed":
    case "first":
      return "got";
    case "used":
    case "again":
      return "gone";
    case "absent":
      return "absent";
    default:
      return "unknown";
  }
}

async function lastOffers(
  numbers: readonly number[],
  offer: (number: number) => Promise<Partial<Answer>>,
): Promise<ReadonlyMap<number, Offer>> {
  const offers = new Map<number, Offer>();
  for (const number of numbers) offers.set(number, offerOf({ id: 0, ...(await offer(number)) }));
  return offers;
}

const redeemed = ({ tokens }: Store, number: number) =>
  tokens.redeem(tokenOf(number), { peer: 1 as PeerId, userAgentHash: "agent" }, { uses: 1, withinMs: 0 }, Date.now());

const remembered = ({ replay }: Store, number: number) =>
  replay.remember(1 as PeerId, `message ${number}`, { until: Date.now() + 60_000, maxEntries: 1e9 }, Date.now());

/** Those whose private half belongs to their certificate. */
async function usableKeys({ keys }: Store) {
  return (await keys.list()).flatMap(({ fingerprint, certificate, privateKey, state }) => {
    if (state !== "current" && state !== "archived") return [];
    const pair = KeyPair.parse({ certificate, privateKey: Buffer.from(privateKey).toString() });
    return pair.certificate.fingerprint === fingerprint ? [{ fingerprint, isCurrent: state === "current" }] : [];
  });
}

async function waitingJobs({ outbox }: Store): Promise<readonly string[]> {
  await setTimeout(CLAIM_MS);
  const now = Date.now();
  const all = await outbox.claim("crash", 1_000_000, now + 60_000, now);
  return all.map(({ id }) => id);
}

const changeOf = (action: string, wwwroot: string, courseId: number, username: string): string =>
  `${action} ${wwwroot} ${courseId} ${username}`;

async function placeOn(engine: SiteCrashOptions["engine"]) {
  if (engine === "sqlite") {
    const folder = mkdtempSync(join(tmpdir(), "mnet-crash-"));
    const remove = (): void => rmSync(folder, { recursive: true, force: true });
    process.once("exit", remove);
    return { url: `sqlite:${join(folder, "mnet.db")}`, remove: async () => remove() };
  }
  const server = await startServer(engine, { durable: true });
  return { url: await server.database("crash"), remove: () => server.remove() };
}

function ofMany<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}

function shuffled<T>(list: readonly T[]): readonly T[] {
  return list
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}
