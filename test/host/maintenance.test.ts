import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import type { MnetEvent } from "../../src/core/events.ts";
import { createHost } from "../../src/create-host.ts";
import { defineService } from "../../src/host/define-service.ts";
import type { HostOptions } from "../../src/host/host-options.ts";
import type { Store } from "../../src/host/store.ts";
import { t } from "../../src/host/wire-type.ts";
import { memoryStore } from "../../src/stores/memory/memory-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { testNetwork } from "../../src/testing/test-network.ts";
import { codeOf } from "../support/code-of.ts";
import {
  aliceCalls,
  insertPeer,
  keyedSite,
  noTransport,
  openAnswer,
  OUR_WWWROOT,
  post,
  rig,
  storeWithKeys,
  summary,
} from "../support/hosts.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const temporary: string[] = [];
afterEach(() => {
  for (const folder of temporary.splice(0)) rmSync(folder, { recursive: true });
});
function databaseUrl(): string {
  const folder = mkdtempSync(join(tmpdir(), "mnet-maintenance-"));
  temporary.push(folder);
  return `sqlite:${join(folder, "mnet.db")}`;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** When the key of a `keyedSite` has had 80 % of its life. */
const { notBefore, notAfter } = keyedSite(OUR_WWWROOT).certificate;
const DUE_AT = notBefore.getTime() + 0.8 * (notAfter.getTime() - notBefore.getTime());
const DUE_AFTER_MS = DUE_AT - fakeClock().now();

function ready(wwwroot: string, store?: Store, n = 0): Promise<Store> {
  const { certificate, privateKeyPem } = keyedSite(wwwroot, n);
  return storeWithKeys([{ certificate: certificate.pem, privateKey: privateKeyPem }], store);
}
const NOTHING = { rotated: false, sessionsKept: 0, jobsDone: 0, rowsPurged: 0, failed: [] };

describe("SEC-049 the key is rotated in time", () => {
  it("SEC-049 at 80 % of its life, not before, and once", async () => {
    await using us = await rig();
    const before = (await us.host.keys.current()).fingerprint;
    expect(await us.host.maintain()).toEqual(NOTHING);
    await us.clock.advance(DUE_AFTER_MS - 1000);
    expect(await us.host.maintain()).toEqual(NOTHING);
    await us.clock.advance(1000);
    expect(await us.host.maintain()).toEqual({ ...NOTHING, rotated: true });
    expect(await us.host.maintain()).toEqual(NOTHING);

    const after = await us.host.keys.current();
    expect(us.told("key.rotated")).toMatchObject([{ from: before, to: after.fingerprint }]);
    expect(after.notAfter.getTime() - us.clock.now()).toBe(28 * DAY_MS);
    // The new one lives as the policy says, and is due in its turn.
    await us.clock.advance(28 * DAY_MS * 0.8 - 1000);
    expect(await us.host.maintain()).toEqual(NOTHING);
    await us.clock.advance(1000);
    expect((await us.host.maintain()).rotated).toBe(true);
    expect((await us.host.keys.all()).map(({ state }) => state)).toEqual(["current", "archived", "archived"]);
  });

  it("SEC-049 a message to the old key during the overlap gets 7025, and with the key in it succeeds", async () => {
    await using us = await rig();
    await us.clock.advance(DUE_AFTER_MS);
    expect((await us.host.maintain()).rotated).toBe(true);
    const timestamp = new Date(us.clock.now());
    const late = openAnswer(await post(us.host, aliceCalls(us, "system/listMethods", [], { timestamp })), us.alice);
    expect(summary(late)).toEqual({ form: "signed and encrypted", fault: 7025 });
    const shown = late.decoded.kind === "fault" ? late.decoded.faultString : "";
    expect(shown).toBe((await us.host.keys.current()).certificate);

    const { Certificate } = await import("../../src/crypto/certificate.ts");
    const to = { certificate: Certificate.parse(shown, { wwwroot: OUR_WWWROOT }) };
    const again = openAnswer(
      await post(us.host, aliceCalls(us, "system/listMethods", [], { timestamp, to })),
      us.alice,
    );
    expect(again.decoded.kind).toBe("result");
  });

  it("SEC-049 peers are told at once; one that was away learns it with its next call, which is not lost", async () => {
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    await using network = testNetwork();
    const told: MnetEvent[] = [];
    const a = await network.host("https://a.example", {
      store: await ready("https://a.example"),
      services: [service.implement({ run: () => "done" })],
    });
    const [b, c] = [
      await network.host("https://b.example", {
        store: await ready("https://b.example", undefined, 1),
        services: [service],
      }),
      await network.host("https://c.example", {
        store: await ready("https://c.example", undefined, 2),
        services: [service],
        observer: (event) => void told.push(event),
      }),
    ];
    await network.connect(a, b, { work: "publish" });
    await network.connect(a, c, { work: "publish" });
    await network.clock.advance(DUE_AFTER_MS);
    network.fail(c.wwwroot, "unreachable");
    expect((await a.maintain()).rotated).toBe(true);
    network.heal(c.wwwroot);

    const key = (await a.keys.current()).fingerprint;
    expect((await b.peers.get(a.wwwroot)).key.fingerprint).toBe(key);
    const aAtC = await c.peers.get(a.wwwroot);
    expect(aAtC.key.fingerprint).not.toBe(key);
    expect(await c.call(aAtC, service.methods.run, {})).toBe("done");
    expect(told.filter(({ type }) => type === "call.retried")).toMatchObject([{ reason: "rekeyed" }]);
    expect((await c.peers.get(a.wwwroot)).key.fingerprint).toBe(key);
  });

  it.each(["memory:", "sqlite:"])("SEC-049 of two processes on one store exactly one rotates (%s)", async (engine) => {
    const url = engine === "sqlite:" ? databaseUrl() : engine;
    const first = await ready(OUR_WWWROOT, openStore(url));
    const stores = [first, engine === "sqlite:" ? openStore(url) : first];
    const clock = fakeClock();
    const told: MnetEvent[] = [];
    const hosts = await Promise.all(
      stores.map((store) => createHost({ ...base, store, clock, observer: (event) => void told.push(event) })),
    );
    await clock.advance(DUE_AFTER_MS);
    const reports = await Promise.all(hosts.map((host) => host.maintain()));
    expect(reports.map(({ failed }) => failed)).toEqual([[], []]);
    expect(reports.filter(({ rotated }) => rotated)).toHaveLength(1);
    // Also when one comes late, who has seen the old key a moment ago.
    expect((await Promise.all(hosts.map((host) => host.maintain()))).some(({ rotated }) => rotated)).toBe(false);
    expect(told.filter(({ type }) => type === "key.rotated")).toHaveLength(1);
    const all = await Promise.all(hosts.map((host) => host.keys.all()));
    expect(all.map((keys) => keys.length)).toEqual([2, 2]);
    await Promise.all(hosts.map((host) => host.close()));
  });

  it("SEC-049 a process that comes right after another does not rotate again", async () => {
    const store = await ready(OUR_WWWROOT);
    const clock = fakeClock();
    const [one, two] = await Promise.all([
      createHost({ ...base, store, clock }),
      createHost({ ...base, store, clock }),
    ]);
    await clock.advance(DUE_AFTER_MS);
    await Promise.all([one.keys.current(), two.keys.current()]);
    expect((await one.maintain()).rotated).toBe(true);
    expect((await two.maintain()).rotated).toBe(false);
    expect(await two.keys.all()).toHaveLength(2);
    await Promise.all([one.close(), two.close()]);
  });

  it("a host that is switched off rotates and calls nobody", async () => {
    await using us = await rig({ enabled: false });
    await us.clock.advance(DUE_AFTER_MS);
    expect((await us.host.maintain()).rotated).toBe(true);
    expect(us.events.map(({ type }) => type)).toEqual(["key.rotated"]);
  });
});

const base = {
  wwwroot: OUR_WWWROOT,
  name: "Our host",
  maintenance: "manual",
  transport: noTransport,
} as const satisfies Partial<HostOptions>;

describe("maintain", () => {
  it("SEC-084 forgets replays whose time is over, however many, bite by bite", async () => {
    await using us = await rig();
    const until = us.clock.now() + 1000;
    for (let n = 0; n < 2500; n += 1) {
      await us.store.replay.remember(us.aliceId, `k${n}`, { until, maxEntries: 10_000 }, us.clock.now());
    }
    await us.store.replay.remember(us.aliceId, "later", { until: until + DAY_MS, maxEntries: 10_000 }, us.clock.now());
    expect((await us.host.maintain()).rowsPurged).toBe(0);
    await us.clock.advance(2000);
    const limits: number[] = [];
    const prune = us.store.replay.prune.bind(us.store.replay);
    us.store.replay.prune = (now, limit) => {
      limits.push(limit);
      return prune(now, limit);
    };
    expect((await us.host.maintain()).rowsPurged).toBe(2500);
    expect(limits).toEqual(Array.from({ length: 26 }, () => 100));
    expect((await us.host.maintain()).rowsPurged).toBe(0);
  });

  it("SEC-084 one run ends, however much there is to forget", async () => {
    await using us = await rig();
    let bites = 0;
    us.store.log.prune = async (_before, limit) => {
      bites += 1;
      return limit;
    };
    expect((await us.host.maintain()).rowsPurged).toBe(100_000);
    expect(bites).toBe(1000);
  });

  it.each(["memory:", "sqlite:"])("SEC-084 forgets what stands in the log for 90 days (%s)", async (engine) => {
    const store = openStore(engine === "sqlite:" ? databaseUrl() : engine);
    await using us = await rig({ store });
    await post(us.host, Buffer.from("x"));
    await us.clock.advance(DAY_MS);
    await post(us.host, Buffer.from("x"));
    await us.clock.advance(89 * DAY_MS);
    expect((await us.host.maintain()).rowsPurged).toBe(0);
    await us.clock.advance(1);
    expect((await us.host.maintain()).rowsPurged).toBe(1);
    expect((await us.host.log().page()).items).toHaveLength(1);
  });

  it.each(["memory:", "sqlite:"])(
    "SEC-084 forgets sessions with peers a day after they expired, and tokens an hour after (%s)",
    async (engine) => {
      const store = openStore(engine === "sqlite:" ? databaseUrl() : engine);
      await using us = await rig({ store });
      const expiresAt = us.clock.now() + 30_000;
      const jump = { peer: us.aliceId, accountId: "1", sessionId: "s", userAgentHash: "a", expiresAt };
      await store.tokens.issue({ ...jump, hash: "h" });
      await store.sessions.save({ ...jump, role: "idp", username: "ada", startedAt: 0 });
      const sessions = async () => (await store.sessions.find({}, undefined, 9)).items.length;
      await us.clock.advance(30_000 + 60 * MINUTE_MS);
      expect((await us.host.maintain()).rowsPurged).toBe(0);
      await us.clock.advance(1);
      expect((await us.host.maintain()).rowsPurged).toBe(1);
      const { outcome } = await store.tokens.redeem("h", jump, { uses: 1, withinMs: 0 }, 0);
      expect([outcome, await sessions()]).toEqual(["absent", 1]);
      await us.clock.advance(DAY_MS - 60 * MINUTE_MS - 1);
      expect((await us.host.maintain()).rowsPurged).toBe(0);
      expect(await sessions()).toBe(1);
      await us.clock.advance(1);
      expect((await us.host.maintain()).rowsPurged).toBe(1);
      expect(await sessions()).toBe(0);
    },
  );

  it.each(["memory:", "sqlite:"])(
    "SEC-084 forgets the journal of a bulk run 90 days after anybody worked on it (%s)",
    async (engine) => {
      const store = openStore(engine === "sqlite:" ? databaseUrl() : engine);
      await using us = await rig({ store });
      const until = us.clock.now() + 10_000;
      await store.runs.acquire("term", "one", until, us.clock.now());
      await store.runs.record("term", [{ row: 0, digest: "", outcome: "0" }]);
      await us.clock.advance(10_000 + 90 * DAY_MS);
      expect((await us.host.maintain()).rowsPurged).toBe(0);
      await us.clock.advance(1);
      expect((await us.host.maintain()).rowsPurged).toBe(2);
      expect(await store.runs.outcomes("term", 0, 9)).toEqual([]);
    },
  );

  it("forgets keys beyond the generations of the policy", async () => {
    const archived = [1, 2, 3].map((n) => keyedSite(OUR_WWWROOT, n + 1));
    await using us = await rig({ archived, keys: { generations: 1 } });
    expect(await us.host.keys.all()).toHaveLength(4);
    await us.host.maintain();
    expect((await us.host.keys.all()).map(({ state }) => state)).toEqual(["current", "archived"]);
  });

  it("writes figures and log to the store", async () => {
    await using us = await rig();
    await post(us.host, aliceCalls(us, "system/listMethods"));
    await us.host.maintain();
    expect((await us.store.stats.get(us.aliceId)).callsIn).toBe(1);
  });

  it("reports a task that fails, as an event too, and does the others", async () => {
    await using us = await rig();
    await us.clock.advance(DUE_AFTER_MS);
    us.store.replay.prune = () => Promise.reject(new StoreError("MNET_STORE_UNAVAILABLE", "The database is away."));
    us.store.log.prune = () => {
      throw new TypeError("a mistake");
    };
    const report = await us.host.maintain();
    expect(report.rotated).toBe(true);
    const failed = [...report.failed].sort((x, y) => x.task.localeCompare(y.task));
    expect(failed.map(({ task, error }) => [task, error.code])).toEqual([
      ["prune-log", "MNET_HOST_TASK_FAILED"],
      ["prune-replay", "MNET_STORE_UNAVAILABLE"],
    ]);
    expect(failed[0]!.error.cause).toBeInstanceOf(TypeError);
    const told = us.told("maintenance.failed");
    expect(told).toHaveLength(2);
    expect(told.find(({ task }) => task === "prune-log")).toMatchObject({
      level: "error",
      code: "MNET_HOST_TASK_FAILED",
      detail: "The task prune-log of the maintenance failed. (a mistake)",
    });
    expect((await us.host.log({ type: "maintenance.failed" }).page()).items).toHaveLength(2);
  });

  it("a rotation that fails is reported; the key stays", async () => {
    await using us = await rig();
    const before = (await us.host.keys.current()).fingerprint;
    await us.clock.advance(DUE_AFTER_MS);
    us.store.keys.prepare = () => Promise.reject(new StoreError("MNET_STORE_UNAVAILABLE", "The disk is full."));
    const report = await us.host.maintain();
    expect(report).toMatchObject({
      rotated: false,
      failed: [{ task: "rotate-key", error: { code: "MNET_STORE_UNAVAILABLE" } }],
    });
    expect((await us.host.keys.current()).fingerprint).toBe(before);
  });

  it("ends with the reason of its signal", async () => {
    await using us = await rig();
    const reason = new Error("enough");
    await expect(us.host.maintain({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    us.store.log.prune = async (_before, limit) => {
      controller.abort(reason);
      return limit;
    };
    await expect(us.host.maintain({ signal: controller.signal })).rejects.toBe(reason);
    expect(us.told("maintenance.failed")).toEqual([]);
  });
});

describe("automatic maintenance", () => {
  async function automatic(options: Partial<HostOptions> = {}) {
    const clock = fakeClock(new Date(DUE_AT - 30_000));
    const store = await ready(OUR_WWWROOT);
    const told: MnetEvent[] = [];
    const runs: number[] = [];
    const prune = { blocked: Promise.resolve() as Promise<unknown> };
    store.replay.prune = async (now) => {
      runs.push(now);
      await prune.blocked;
      return 0;
    };
    await insertPeer(store, keyedSite("https://alice.example", 1));
    const observer = (event: MnetEvent): void => void told.push(event);
    const host = await createHost({ ...base, maintenance: "automatic", store, clock, observer, ...options });
    return { host, clock, told, runs, prune };
  }

  it("is done once a minute, and stops when the host closes", async () => {
    const { host, clock, runs } = await automatic();
    await clock.advance(MINUTE_MS - 1);
    expect(runs).toHaveLength(0);
    await clock.advance(1);
    expect(runs).toHaveLength(1);
    // Making a key takes real time.
    await vi.waitFor(async () => expect(await host.keys.all()).toHaveLength(2));
    await vi.waitFor(async () => {
      await clock.advance(MINUTE_MS);
      expect(runs.length).toBeGreaterThan(2);
    });
    await host.close();
    const after = runs.length;
    await clock.advance(60 * MINUTE_MS);
    expect(runs).toHaveLength(after);
  });

  it("is the default, and rotates the key", async () => {
    const { host, clock, told } = await automatic({ maintenance: undefined });
    await clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(told.map(({ type }) => type)).toContain("key.rotated"), { timeout: 20_000 });
    await host.close();
  });

  it("does not overlap with itself, and a failure does not end it", async () => {
    const { host, clock, runs, prune, told } = await automatic({ keys: { rotateAt: 1 } });
    const { promise, resolve } = withResolvers<undefined>();
    prune.blocked = promise;
    await clock.advance(10 * MINUTE_MS);
    expect(runs).toHaveLength(1);
    prune.blocked = Promise.reject(new Error("no"));
    prune.blocked.catch(() => undefined);
    resolve(undefined);
    await clock.advance(3 * MINUTE_MS);
    expect(runs).toHaveLength(4);
    expect(told.filter(({ type }) => type === "maintenance.failed")).toHaveLength(3);
    await host.close();
  });

  it("is not done where it is manual, such as in a test network", async () => {
    const { host, clock, runs } = await automatic({ maintenance: "manual" });
    await using network = testNetwork();
    const store = await ready("https://a.example");
    let prunes = 0;
    store.replay.prune = async () => (prunes += 1);
    const inNetwork = await network.host("https://a.example", { store });
    await clock.advance(10 * MINUTE_MS);
    await network.clock.advance(10 * MINUTE_MS);
    expect([...runs, prunes]).toEqual([0]);
    await inNetwork.maintain();
    expect(prunes).toBe(1);
    await host.close();
  });

  it("closing does not wait for a call that nobody answers", async () => {
    const never = {
      exchange: ({ signal }: { signal: AbortSignal }) =>
        new Promise<never>((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error)),
        ),
    };
    const { host, clock, told } = await automatic({ transport: never });
    await clock.advance(MINUTE_MS);
    await vi.waitFor(() => expect(told.map(({ type }) => type)).toContain("key.rotated"), { timeout: 20_000 });
    await host.close();
    expect(told.map(({ type }) => type)).not.toContain("maintenance.failed");
  });

  it("a wrong option is named", async () => {
    const options = { ...base, store: memoryStore(), maintenance: "daily" } as unknown as HostOptions;
    expect(await codeOf(() => createHost(options))).toBe("MNET_CONFIG_INVALID");
  });
});
