import { mkdirSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { dirname } from "node:path";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { flameOf, flameSvg, sharesOf, type CpuProfile } from "../support/flame-graph.ts";
import { InMemoryServer } from "../support/in-memory-server.ts";
import { echoCalls } from "../support/sites.ts";

const [file = "docs/performance/flame.svg", calls = "6000"] = process.argv.slice(2);
const count = Number(calls);
const INTERVAL_US = 100;

const server = await InMemoryServer.start({ store: memoryStore(), workers: 0, documents: echoCalls(1024) });
for (const body of server.mail.fill(1000)) await server.answer(body);
const bodies = server.mail.fill(count);

// What `--cpu-prof` does, for the calls alone.
const profiler = new Session();
profiler.connect();
await profiler.post("Profiler.enable");
await profiler.post("Profiler.setSamplingInterval", { interval: INTERVAL_US });
await profiler.post("Profiler.start");
for (const body of bodies) await server.answer(body);
const { profile } = await profiler.post("Profiler.stop");
profiler.disconnect();
await server.close();

const flame = flameOf(profile as CpuProfile);
const ms = flame.time / 1000 / count;
mkdirSync(dirname(file), { recursive: true });
writeFileSync(
  file,
  flameSvg(flame, `Where the time of an inbound call goes: 1 KB each way, one thread, Node ${process.version}`),
);
console.log(`${count} calls of ${ms.toFixed(3)} ms each; ${file}`);
for (const [owner, time] of Object.entries(sharesOf(flame))) {
  console.log(`${owner.padEnd(11)} ${((100 * time) / flame.time).toFixed(1).padStart(5)} %`);
}
