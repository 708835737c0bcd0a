import { test } from "vitest";
import { createHash } from "node:crypto";
import { rmSync, statSync } from "node:fs";
import Database from "libsql";
import { openStore } from "/work/main/src/stores/open-store.ts";
const N = Number(process.env.ROWS ?? 1_000_000);
const k = (i: number) => createHash("sha256").update(`k${i}`).digest("hex");
const run = async (label: string, url: string) => {
  const store = openStore(url); await store.open();
  if (url.startsWith("sqlite")) {
    await store.replay.remember(1 as never, k(-1), { until: 9e12, maxEntries: 1e9 }, 1);
    const db = new Database(url.slice(7));
    const ins = db.prepare("insert into mnet_replay (peer,key,age,until) values (?,?,?,?)");
    const t = performance.now();
    db.exec("pragma synchronous=off; begin");
    for (let i = 0; i < N - 1; i++) ins.run([1, k(i), i + 2, 9e12]);
    db.prepare("update mnet_replay_peer set entries=?, newest=?").run([N, N]);
    db.exec("commit"); db.prepare("pragma wal_checkpoint(truncate)").all([]); db.close();
    console.log(label, "fill s", ((performance.now() - t) / 1000).toFixed(1), "MB", statSync(url.slice(7)).size >> 20);
  } else {
    const t = performance.now();
    let worst = 0;
    for (let i = 0; i < N; i++) { const a = performance.now(); await store.replay.remember(1 as never, k(i), { until: 9e12, maxEntries: N }, 1); worst = Math.max(worst, performance.now()-a); }
    console.log(label, "fill us each", ((performance.now() - t) / N * 1000).toFixed(2), "worst ms", worst.toFixed(1), "heap MB", process.memoryUsage().heapUsed >> 20);
  }
  const time = async (name: string, n: number, fn: (i: number) => Promise<unknown>) => {
    const each: number[] = []; const c0 = process.cpuUsage();
    for (let i = 0; i < n; i++) { const t = performance.now(); await fn(i); each.push(performance.now() - t); }
    const c1 = process.cpuUsage(c0); each.sort((a, b) => a - b);
    console.log(label, name, "mean us", (each.reduce((a, b) => a + b) / n * 1000).toFixed(1), "cpu us", ((c1.user+c1.system)/n).toFixed(1), "median", (each[n >> 1]! * 1000).toFixed(1), "p99", (each[Math.floor(n * 0.99)]! * 1000).toFixed(1), "max", (each[n - 1]! * 1000).toFixed(0));
  };
  const r = (i: number, max: number, until = 9e12, now = 1) => store.replay.remember(1 as never, k(i), { until, maxEntries: max }, now);
  await time("warm", 500, (i) => r(5_000_000 + i, 1e9));
  await time("first, below cap", 5000, (i) => r(6_000_000 + i, 1e9));
  await time("again", 5000, (i) => r(6_000_000 + i, 1e9));
  await time("first, at cap", 5000, (i) => r(7_000_000 + i, N));
  await time("first, other peers", 5000, (i) => store.replay.remember(2 + i as never, k(i), { until: 9e12, maxEntries: N }, 1));
  await time("stats add", 1000, () => store.stats.add(1 as never, { callsIn: 1, callsOut: 2, bytesIn: 3, bytesOut: 4, faultsByCode: { 7: 1 }, latencies: [0,0,0,1,1,1,1,1] }));
  await time("key prepare (full)", 300, (i) => store.keys.prepare({ fingerprint: k(i) as never, certificate: "x".repeat(1500), privateKey: new Uint8Array(1700), state: "prepared", createdAt: 1 }));
  await time("log append", 500, (i) => store.log.append([{ type: "call.unchecked", method: "m", at: new Date(), level: "info" }]));
  await time("generation read", 2000, () => store.peers.generation());
  { const t = performance.now(); const n = await store.replay.prune(9.1e12, 2000); console.log(label, "prune 2000 ms", (performance.now() - t).toFixed(1), n); }
  await store.close();
};
test("bench", async () => {
  for (const s of ["", "-wal", "-shm"]) rmSync(`/tmp/rb/b.db${s}`, { force: true });
  await run("sqlite", "sqlite:/tmp/rb/b.db");
  await run("memory", "memory:");
}, 600_000);
