import { setTimeout as sleep } from "node:timers/promises";
import { Client, request, type Dispatcher } from "undici";
import type { GeneratedKeyPair } from "../../src/keys/generate-key-pair.ts";
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
let origin = "";
let path = "/";
let mail: Mailbag | undefined;
let bodies: Buffer[] = [];
let clients: Client[] = [];
let answerLength = 0;
/** Ends when what an open loop left behind has been answered. */
let backlog = Promise.resolve();
const address = (n: number): string => `192.0.2.${1 + (n % ADDRESSES)}`;

/** Sealed beforehand; each is sent once. */
function nextBody(): Buffer {
  const body = bodies.pop();
  if (!body) throw new Error("Too few envelopes were prepared.");
  return body;
}

/** What one call came to. */
interface Outcome {
  readonly status: number;
  readonly length: number;
  readonly retryAfter: boolean;
}

function call(client: Client, n: number, done: (outcome: Outcome) => void): void {
  let status = 0;
  let length = 0;
  let retryAfter = false;
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart() {
      // Nothing to prepare; undici tells the two kinds of handlers apart by it.
    },
    onResponseStart(_controller, statusCode, headers) {
      status = statusCode;
      retryAfter = headers["retry-after"] !== undefined;
    },
    onResponseData(_controller, chunk) {
      length += chunk.length;
    },
    onResponseEnd: () => done({ status, length, retryAfter }),
    onResponseError: () => done({ status: 0, length: 0, retryAfter: false }),
  };
  client.dispatch(
    {
      path,
      method: "POST",
      headers: { "content-type": "text/xml", "x-forwarded-for": address(n) },
      body: nextBody(),
    },
    handler,
  );
}
const callAsync = (client: Client, n: number): Promise<Outcome> => new Promise((resolve) => call(client, n, resolve));

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

async function connect(connections: number): Promise<void> {
  await Promise.all(clients.map((client) => client.destroy()));
  clients = Array.from({ length: connections }, () => new Client(origin, { pipelining: 1 }));
  if (connections < MANY) return;
  // The kernel keeps a few hundred waiting to be accepted; more at once would wait for its next attempt.
  const page = path.replace("xmlrpc/server.php", "publickey.php");
  for (let n = 0; n < clients.length; n += MANY) {
    const some = clients.slice(n, n + MANY);
    await Promise.all(some.map(async (client) => (await client.request({ method: "GET", path: page })).body.dump()));
  }
}
const MANY = 100;

const commands = {
  async aim(at: Target) {
    ({ origin, pathname: path } = new URL(at.url));
    mail = new Mailbag(at);
    bodies = mail.fill(1);
    const response = await request(at.url, { method: "POST", body: nextBody() });
    const answer = await response.body.bytes();
    if (response.statusCode !== 200) throw new Error(`The first call was answered with ${response.statusCode}.`);
    await requireResult(answer, at.key, at.recipient);
    answerLength = answer.length;
  },
  prepare(count: number) {
    bodies = mail?.fill(count) ?? [];
  },
  connect,
  /** One call from each address, so that the server knows them. */
  async introduce() {
    const [client] = clients;
    for (let n = 0; client && n < ADDRESSES; n += 1) await callAsync(client, n);
  },
  /** As fast as the answers come, on all connections. */
  closedLoop(count: number): Promise<Load> {
    return new Promise((resolve) => {
      const tally = new Tally();
      let sent = 0;
      let answered = 0;
      const next = (client: Client, n: number): void => {
        if (sent >= count) return;
        sent += 1;
        const due = performance.now();
        call(client, n, (outcome) => {
          tally.add(outcome, performance.now() - due);
          answered += 1;
          if (answered === count) resolve(tally.end());
          else next(client, n);
        });
      };
      clients.forEach(next);
    });
  },
  /** So many a second, whether or not earlier ones are answered; each on a connection that is free. */
  async openLoop({ perSecond, forMs }: { readonly perSecond: number; readonly forMs: number }): Promise<Load> {
    const tally = new Tally();
    const started = performance.now();
    const free = [...clients];
    let sent = 0;
    let answered = 0;
    const send = (client: Client): void => {
      const due = started + (sent * 1000) / perSecond;
      sent += 1;
      call(client, sent, (outcome) => {
        tally.add(outcome, performance.now() - due);
        answered += 1;
        free.push(client);
        if (answered === sent) drained();
      });
    };
    let drained = (): void => undefined;
    for (;;) {
      const elapsed = Math.min(performance.now() - started, forMs);
      while (sent < (elapsed * perSecond) / 1000) {
        const client = free.pop();
        if (!client) break;
        send(client);
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
    const client = new Client(origin);
    for (let n = 0; performance.now() - started < forMs; n += 1) {
      const at = performance.now();
      const { status } = await callAsync(client, n);
      probes.push({ at: at - started, ms: performance.now() - at, status });
      await sleep(Math.max(0, everyMs - (performance.now() - at)));
    }
    await client.destroy();
    await backlog;
    return probes;
  },
};
/** The program that `new Program<LoadCommands>("load-generator")` starts. */
export type LoadCommands = typeof commands;

serveCommands(commands);
