import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { GeneratedKeyPair } from "../../src/keys/generate-key-pair.ts";
import { anyPost, leanPost, type Line, type Outcome, type Post } from "../support/post.ts";
import { serveCommands } from "../support/processes.ts";
import { Mailbag, requireResult } from "../support/sites.ts";
import { quantile } from "../support/statistics.ts";

/** Who is sent what. */
export interface Target {
  readonly url: string;
  /** They share the key. */
  readonly senders: readonly string[];
  readonly key: GeneratedKeyPair;
  readonly recipient: string;
  readonly documents: readonly Uint8Array[];
  /** Whether it is a server of ours, which can be called with less effort. */
  readonly isOurs?: boolean;
}

/** What came of many calls. */
export interface Load {
  /** That were answered in time. */
  readonly calls: number;
  readonly sent: number;
  readonly wallMs: number;
  /** Of this process. */
  readonly cpuMs: number;
  readonly byStatus: Readonly<Record<string, number>>;
  /** Of those that were answered with 200, in milliseconds, from when they were due. */
  readonly latency: Latency;
  /** Of those that were answered with something else. */
  readonly refusal: Latency;
  /** Answers with 200 that were shorter or longer than the first: faults. */
  readonly odd: number;
  /** Whether every refusal said when to come again. */
  readonly saysWhen: boolean;
}
export interface Latency {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** One call of `trickle`; `at` is when it was sent, in milliseconds since the first. */
export interface Probe {
  readonly at: number;
  readonly ms: number;
  readonly status: number;
}

/** Addresses behind the proxy, as if peers called from many machines. */
const ADDRESSES = 32;
let post: Post = anyPost(new URL("http://127.0.0.1"));
let mail: Mailbag | undefined;
let letters: unknown[] = [];
let lines: Line[] = [];
let answerLength = 0;
/** Ends when what an open loop left behind has been answered. */
let backlog = Promise.resolve();

const prepare = (count: number): void => {
  const bodies = mail?.fill(count) ?? [];
  letters = bodies.map((body, n) => post.letter(body, `192.0.2.${1 + (n % ADDRESSES)}`));
};

/** Sealed beforehand; each is sent once. */
function nextLetter(): unknown {
  if (letters.length === 0) throw new Error("Too few envelopes were prepared.");
  return letters.pop();
}

const call = (line: Line, done: (outcome: Outcome) => void): void => line.send(nextLetter(), done);
const callAsync = (line: Line): Promise<Outcome> => new Promise((resolve) => call(line, resolve));

/** Counts outcomes, and the CPU and the time that they take. */
class Tally {
  readonly #byStatus: Record<string, number> = {};
  readonly #latencies: number[] = [];
  readonly #refusals: number[] = [];
  #odd = 0;
  #saysWhen = true;
  readonly #started = performance.now();
  readonly #cpu = process.cpuUsage();

  add({ status, length, retryAfter }: Outcome, ms: number): void {
    this.#byStatus[status] = (this.#byStatus[status] ?? 0) + 1;
    (status === 200 ? this.#latencies : this.#refusals).push(ms);
    if (status === 200 && length !== answerLength) this.#odd += 1;
    if (status !== 200 && !retryAfter) this.#saysWhen = false;
  }

  end(): Load {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      calls: this.#latencies.length + this.#refusals.length,
      sent: this.#latencies.length + this.#refusals.length,
      wallMs: performance.now() - this.#started,
      cpuMs: (user + system) / 1000,
      byStatus: this.#byStatus,
      latency: latencyOf(this.#latencies),
      refusal: latencyOf(this.#refusals),
      odd: this.#odd,
      saysWhen: this.#saysWhen,
    };
  }
}

const latencyOf = (values: readonly number[]): Latency => ({
  p50: quantile(values, 0.5),
  p95: quantile(values, 0.95),
  p99: quantile(values, 0.99),
  max: quantile(values, 1),
});

/** The kernel keeps a few hundred waiting to be accepted; more at once would wait for its next attempt. */
const AT_ONCE = 100;

async function connect(connections: number): Promise<void> {
  await Promise.all(lines.map((line) => line.close()));
  lines = [];
  while (lines.length < connections) {
    const more = Array.from({ length: Math.min(AT_ONCE, connections - lines.length) }, () => post.open());
    await Promise.all(more.map((line) => line.ready));
    lines.push(...more);
  }
}

const commands = {
  async aim(at: Target) {
    const url = new URL(at.url);
    post = at.isOurs ? leanPost(url) : anyPost(url);
    mail = new Mailbag(at);
    const response = await request(url, { method: "POST", body: mail.seal() });
    const answer = await response.body.bytes();
    if (response.statusCode !== 200) throw new Error(`The first call was answered with ${response.statusCode}.`);
    await requireResult(answer, at.key, at.recipient);
    answerLength = answer.length;
  },
  prepare,
  connect,
  /** One call from each address, so that the server knows them. */
  async introduce() {
    const [line] = lines;
    for (let n = 0; line && n < ADDRESSES; n += 1) await callAsync(line);
  },
  /** As fast as the answers come, on all connections. */
  closedLoop(count: number): Promise<Load> {
    return new Promise((resolve) => {
      const tally = new Tally();
      let sent = 0;
      let answered = 0;
      const next = (line: Line): void => {
        if (sent >= count) return;
        sent += 1;
        const due = performance.now();
        call(line, (outcome) => {
          tally.add(outcome, performance.now() - due);
          answered += 1;
          if (answered === count) resolve(tally.end());
          else next(line);
        });
      };
      lines.forEach(next);
    });
  },
  /** So many a second, whether or not earlier ones are answered; each on a connection that is free. */
  async openLoop({ perSecond, forMs }: { readonly perSecond: number; readonly forMs: number }): Promise<Load> {
    const tally = new Tally();
    const started = performance.now();
    const free = [...lines];
    let sent = 0;
    let answered = 0;
    const send = (line: Line): void => {
      const due = started + (sent * 1000) / perSecond;
      sent += 1;
      call(line, (outcome) => {
        tally.add(outcome, performance.now() - due);
        answered += 1;
        free.push(line);
        if (answered === sent) drained();
      });
    };
    let drained = (): void => undefined;
    for (;;) {
      const elapsed = Math.min(performance.now() - started, forMs);
      while (sent < (elapsed * perSecond) / 1000) {
        const line = free.pop();
        if (!line) break;
        send(line);
      }
      if (elapsed >= forMs) break;
      await sleep(1);
    }
    // What is answered after the time does not count.
    const load = tally.end();
    backlog = answered === sent ? Promise.resolve() : new Promise((resolve) => (drained = resolve));
    return { ...load, sent };
  },
  /** One call after the other for so long, on a connection of its own: when each was sent, and how long it took. */
  async trickle({ forMs, everyMs }: { readonly forMs: number; readonly everyMs: number }): Promise<Probe[]> {
    const started = performance.now();
    const probes: Probe[] = [];
    const line = post.open();
    while (performance.now() - started < forMs) {
      const at = performance.now();
      const { status } = await callAsync(line);
      probes.push({ at: at - started, ms: performance.now() - at, status });
      await sleep(Math.max(0, everyMs - (performance.now() - at)));
    }
    await line.close();
    await backlog;
    return probes;
  },
};
/** The program that `new Program<LoadCommands>("load-generator")` starts. */
export type LoadCommands = typeof commands;

serveCommands(commands);
