/**
 * SEC-083: does an honest peer notice 500 forged envelopes a second that claim to be from it?
 *
 * Run it with `npm run bench:forged-flood` on a machine with two cores that does nothing else. It takes about 45 s, never
 * more than 60, and exits with 1 if the honest peer's 99th percentile is more than three times its quiet value.
 *
 * Three processes: a host with three archived keys, so that a forged message costs as much as it can; an honest peer that
 * calls it 50 times a second from 127.0.0.1; and a flood from 100 other loopback addresses, half of it wrapped for a key
 * that is not ours (each of our four keys is tried), half of it well encrypted and signed by somebody else (it is opened,
 * verified, and answered signed). Latencies count from the moment at which a call was due.
 */
import { fork, type ChildProcess } from "node:child_process";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "undici";
import { createHost } from "../src/create-host.ts";
import { Certificate } from "../src/crypto/certificate.ts";
import { KeyPair } from "../src/crypto/key-pair.ts";
import { encryptMessage } from "../src/envelope/encrypted-message.ts";
import { signMessage } from "../src/envelope/signed-message.ts";
import type { PeerId, Wwwroot } from "../src/core/ids.ts";
import type { Store } from "../src/host/store.ts";
import { generateKeyPair } from "../src/keys/generate-key-pair.ts";
import { nodeHandler } from "../src/node.ts";
import { canonicalWwwroot } from "../src/peer/wwwroot.ts";
import { memoryStore } from "../src/stores.ts";
import { encodeCall } from "../src/xmlrpc/encode.ts";

const HONEST = "http://honest.example";
const HONEST_PER_SECOND = 50;
const FORGED_PER_SECOND = 500;
const SOURCES = 100;
const WARM_UP_MS = 3000;
const MEASURED_MS = 15_000;
const LIMIT = 3;
const network = { allowAddresses: ["127.0.0.0/8"] };

interface Served {
  readonly port: number;
  readonly certificate: string;
}
interface Flooded {
  readonly sent: number;
  readonly byStatus: Readonly<Record<string, number>>;
}

/** Puts a peer into a store without asking it. */
async function know(store: Store, wwwroot: string, pem: string): Promise<PeerId> {
  const { peer } = await store.peers.insert({
    wwwroot: wwwroot as Wwwroot,
    canonical: canonicalWwwroot(wwwroot as Wwwroot),
    name: "A peer",
    application: "moodle",
    state: "active",
    certificate: Certificate.parse(pem).pem,
    retired: [],
    settings: {},
    services: {},
  });
  return peer.id;
}

/** The host under attack. Its parent says whom it knows. */
async function serve(): Promise<void> {
  const store = memoryStore();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const { port } = server.address() as { port: number };
  const host = await createHost({ wwwroot: `http://127.0.0.1:${port}`, name: "Host", store, network });
  for (let generation = 0; generation < 3; generation += 1) await host.keys.rotate();
  server.on("request", nodeHandler(host));
  process.once("message", (honest: string) => {
    void know(store, HONEST, honest).then(() => process.send?.("ready"));
  });
  process.send?.({ port, certificate: (await host.keys.current()).certificate } satisfies Served);
}

/** 500 a second, until the parent has had enough. */
async function flood(port: number, certificate: string): Promise<void> {
  const victim = Certificate.parse(certificate);
  const validity = { notBefore: new Date(), notAfter: new Date(Date.now() + 86_400_000) };
  const key = KeyPair.parse(
    await generateKeyPair({ wwwroot: HONEST, name: "Mallory", modulusBits: 2048, ...validity }),
  );
  const call = encodeCall("system/listServices", []);
  const bodies = Array.from({ length: 500 }, (_, n) => {
    const signed = signMessage(call, { sender: HONEST, key, timestamp: new Date() });
    return encryptMessage(signed, { sender: HONEST, recipient: n % 2 ? victim : key.certificate });
  });
  const sources = Array.from(
    { length: SOURCES },
    (_, n) => new Client(`http://127.0.0.1:${port}`, { localAddress: `127.0.0.${n + 2}`, pipelining: 8 }),
  );
  const byStatus: Record<string, number> = {};
  let sent = 0;
  const started = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - started) * FORGED_PER_SECOND) / 1000;
    for (; sent < due; sent += 1) {
      const body = bodies[sent % bodies.length];
      void sources[sent % SOURCES]
        ?.request({ path: "/mnet/xmlrpc/server.php", method: "POST", body: body ?? null })
        .then(async ({ statusCode, body: answer }) => {
          await answer.dump();
          byStatus[statusCode] = (byStatus[statusCode] ?? 0) + 1;
        })
        .catch(() => (byStatus["failed"] = (byStatus["failed"] ?? 0) + 1));
    }
  }, 4);
  process.once("message", () => {
    clearInterval(timer);
    process.send?.({ sent, byStatus } satisfies Flooded, () => process.exit());
  });
  process.send?.("flooding");
}

const children: ChildProcess[] = [];
function start(...role: string[]): ChildProcess {
  // What runs is not always this file: Node 20 gets JavaScript that is made of it.
  const child = fork(process.argv[1] ?? "", role);
  children.push(child);
  return child;
}
const message = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    child.once("message", (value) => resolve(value as T));
    child.once("exit", (code) => reject(new Error(`A process ended with ${code}.`)));
  });

/** Latencies in milliseconds of calls that are due at fixed times, whether or not earlier ones are answered. */
async function measure(forMs: number, call: () => Promise<unknown>): Promise<number[]> {
  const latencies: number[] = [];
  const calls: Promise<void>[] = [];
  const started = performance.now();
  for (let due = started; due < started + forMs; due += 1000 / HONEST_PER_SECOND) {
    await sleep(Math.max(0, due - performance.now()));
    calls.push(
      call().then(() => {
        latencies.push(performance.now() - due);
      }),
    );
  }
  await Promise.all(calls);
  return latencies.sort((a, b) => a - b);
}

const quantile = (sorted: readonly number[], part: number): number => sorted[Math.floor(sorted.length * part)] ?? NaN;
const describe = (name: string, sorted: readonly number[]): string =>
  `SEC-083 ${name}: p50 ${quantile(sorted, 0.5).toFixed(1)} ms, p99 ${quantile(sorted, 0.99).toFixed(1)} ms, ` +
  `worst ${quantile(sorted, 1 - Number.EPSILON).toFixed(1)} ms of ${sorted.length} calls`;

async function main(): Promise<void> {
  const server = start("serve");
  const { port, certificate } = await message<Served>(server);
  const store = memoryStore();
  const honest = await createHost({ wwwroot: HONEST, name: "Honest", store, network });
  server.send((await honest.keys.current()).certificate);
  await message(server);
  const id = await know(store, `http://127.0.0.1:${port}`, certificate);
  const call = () => honest.call({ id }, "system/listServices");

  await measure(WARM_UP_MS, call);
  const quiet = await measure(MEASURED_MS, call);
  const flooder = start("flood", String(port), certificate);
  await message(flooder);
  const flooded = await measure(MEASURED_MS, call);
  const asked = message<Flooded>(flooder);
  flooder.send("stop");
  const { sent, byStatus } = await asked;
  await honest.close();

  const ratio = quantile(flooded, 0.99) / quantile(quiet, 0.99);
  const isBounded = ratio <= LIMIT;
  const statuses = Object.entries(byStatus).map(([status, times]) => `${times} × ${status}`);
  console.log(describe("quiet  ", quiet));
  console.log(describe("flooded", flooded));
  console.log(
    `SEC-083 flood: ${sent} forged envelopes, ${Math.round(sent / (MEASURED_MS / 1000))} a second: ${statuses.join(", ")}`,
  );
  console.log(`SEC-083 p99 flooded / quiet: ${ratio.toFixed(2)}, at most ${LIMIT} allowed`);
  console.log(`SEC-083 ${isBounded ? "passed" : "FAILED: the honest peer is starved"}`);
  process.exitCode = isBounded ? 0 : 1;
}

const [role, port = "", certificate = ""] = process.argv.slice(2);
if (role === "serve") await serve();
else if (role === "flood") await flood(Number(port), certificate);
else {
  const tooLong = setTimeout(() => {
    console.log("SEC-083 FAILED: it takes too long");
    for (const child of children) child.kill();
    process.exit(1);
  }, 60_000);
  try {
    await main();
  } finally {
    clearTimeout(tooLong);
    for (const child of children) child.kill();
  }
}
