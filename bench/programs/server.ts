import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import type { Limits } from "../../src/core/limits.ts";
import type { Service } from "../../src/host/service.ts";
import type { GeneratedKeyPair } from "../../src/keys/generate-key-pair.ts";
import { enrolment } from "../../src/services/enrolment/enrolment.ts";
import { sso } from "../../src/services/sso/sso.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { memoryAccounts } from "../../src/testing/memory-accounts.ts";
import { memoryCourses } from "../../src/testing/memory-courses.ts";
import { memorySessions } from "../../src/testing/memory-sessions.ts";
import { serveCommands } from "../support/processes.ts";
import { peerOf, startServer } from "../support/sites.ts";

/** What `options` says of the server. */
export interface ServerOptions {
  /** Where it keeps what it knows, as `openStore` takes it. Default: in memory. */
  readonly storeUrl?: string;
  /** Threads for cryptography. Default: those that a host has by itself. */
  readonly workers?: number;
  readonly limits?: Partial<Limits>;
  /** What peers know it as. Default: a name of its own. */
  readonly wwwroot?: string;
  /** Default: one that is free. */
  readonly port?: number;
  /** Serves what a Moodle serves, too: single sign-on and remote enrolment. */
  readonly isSchool?: boolean;
}

/** What a stretch of time cost the server. */
export interface Cost {
  /** Of all its threads. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Of the main thread, in milliseconds; includes the resolution of 1 ms. */
  readonly eventLoop: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** What the RSA of one call takes with nothing around it. */
export interface RsaAlone {
  readonly cpuMsPerCall: number;
  /** Of all threads together. */
  readonly callsPerMs: number;
}

const DELAY_RESOLUTION_MS = 1;

/** A gateway: behind a proxy, so that callers have addresses of their own, as an operator would have it. */
const network = { trustedProxies: ["127.0.0.1"] };

let store = openStore("memory:");
const server = createServer();
const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
let began = { cpu: 0, at: 0 };
const threads: Worker[] = [];

const commands = {
  cpu: cpuMs,
  async start({ storeUrl = "memory:", workers, limits, wwwroot, port: wanted = 0, isSchool = false }: ServerOptions) {
    store = openStore(storeUrl);
    const services = isSchool ? school() : [];
    const host = await startServer({ store, network, workers, wwwroot, services, ...(limits && { limits }) });
    server.on("request", nodeHandler(host));
    server.listen(wanted, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return { port, certificate: (await host.keys.current()).certificate };
  },
  /** For those who call others in its name. */
  async ownKey(): Promise<GeneratedKeyPair> {
    const [key] = await store.keys.list();
    if (!key) throw new Error("There is no key yet.");
    return { certificate: key.certificate, privateKey: Buffer.from(key.privateKey).toString("utf8") };
  },
  async know({ wwwroot, certificate }: { readonly wwwroot: string; readonly certificate: string }) {
    await store.peers.insert(peerOf(wwwroot, certificate));
  },
  async begin() {
    delay.enable();
    // The first delay counts from its first tick.
    await sleep(10);
    delay.reset();
    began = { cpu: cpuMs(), at: performance.now() };
  },
  async end(): Promise<Cost> {
    const cost = { cpuMs: cpuMs() - began.cpu, wallMs: performance.now() - began.at };
    await sleep(10);
    delay.disable();
    const at = (part: number): number => delay.percentile(part) / 1e6;
    return { ...cost, eventLoop: { p50: at(50), p99: at(99), max: delay.max / 1e6 } };
  },
  /** The yardstick in this process: the RSA of calls, done by so many threads at once. */
  async rsa(options: { readonly threads: number; readonly calls: number }): Promise<RsaAlone> {
    while (threads.length < options.threads) {
      const thread = new Worker(new URL("rsa-thread.js", import.meta.url));
      threads.push(thread);
      await once(thread, "message");
    }
    const busy = threads.slice(0, options.threads);
    const callsOfThread = Math.ceil(options.calls / busy.length);
    const calls = callsOfThread * busy.length;
    const [cpuBefore, began] = [cpuMs(), performance.now()];
    await Promise.all(
      busy.map(async (thread) => {
        thread.postMessage(callsOfThread);
        await once(thread, "message");
      }),
    );
    return { cpuMsPerCall: (cpuMs() - cpuBefore) / calls, callsPerMs: calls / (performance.now() - began) };
  },
  /** Bytes of the process in memory, from now on watched for their peak. */
  memory() {
    globalThis.gc?.();
    globalThis.gc?.();
    try {
      // Forgets the peak so far (man 5 proc).
      writeFileSync("/proc/self/clear_refs", "5");
    } catch {
      // Not everywhere; the peak so far then counts, and there was none above what is there now.
    }
    return process.memoryUsage().rss;
  },
  /** The most that it was since then. */
  peak() {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status()) ?? [];
    return 1024 * Number(kilobytes ?? process.resourceUsage().maxRSS);
  },
};
/** The program that `new Program<ServerCommands>("server")` starts. */
export type ServerCommands = typeof commands;

function school(): Service[] {
  const accounts = memoryAccounts([]);
  const courses = memoryCourses();
  return [sso({ accounts, sessions: memorySessions() }), enrolment({ accounts, courses, enrolments: courses })];
}

function status(): string {
  try {
    return readFileSync("/proc/self/status", "utf8");
  } catch {
    return "";
  }
}

serveCommands(commands);
