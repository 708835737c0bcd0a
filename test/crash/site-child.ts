// One of several processes of a site: does what it is told, says what came of it, and is killed at any moment.
import { once } from "node:events";
import { writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import { systemClock } from "../../src/core/clock.ts";
import { MnetError } from "../../src/core/errors.ts";
import type { PeerId } from "../../src/core/ids.ts";
import { createHost } from "../../src/create-host.ts";
import { DEFAULT_KEY_POLICY } from "../../src/keys/key-policy.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import { enrolment } from "../../src/services/enrolment/enrolment.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { FAST_PREFIX, GENERATIONS, tokenOf, type Told } from "../support/crash-orders.ts";

const [url = "", wwwroot = ""] = process.argv.slice(2);
const ONE = 1 as PeerId;
const HOUR_MS = 3_600_000;
const LEASE_MS = 2000;
const WORK_MS = 30;

const store = openStore(url, { maxConnections: 5 });
const host = await createHost({
  wwwroot,
  name: "A site",
  store,
  services: [enrolment()],
  network: { allowAddresses: ["127.0.0.0/8"] },
  keys: { generations: GENERATIONS },
  maintenance: "manual",
});
// In the same database another site, which has no peers: its keys can be replaced as fast as they can be made.
const fast = openStore(url, { maxConnections: 2, tablePrefix: FAST_PREFIX });
await fast.open();
const ring = new KeyRing({
  store: fast.keys,
  site: { wwwroot, name: "A site" },
  policy: { ...DEFAULT_KEY_POLICY, modulusBits: 1024, generations: Number.MAX_SAFE_INTEGER },
  clock: systemClock,
  emit: () => undefined,
});
const server = createServer(nodeHandler(host)).listen(0, "127.0.0.1");
await once(server, "listening");
say({ port: (server.address() as AddressInfo).port });

const working = new Set<Promise<void>>();
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line) as Told;
  const work = act(told)
    .catch((error: unknown) => ({ failed: MnetError.is(error) ? error.code : String(error) }))
    .then((answer) => {
      say({ id: told.id, ...answer });
      working.delete(work);
    });
  working.add(work);
}
await Promise.all(working);
server.close();
await host.close();
await fast.close();

async function act(told: Told): Promise<object> {
  switch (told.order) {
    case "issue": {
      const token = { hash: tokenOf(told.number), peer: ONE, accountId: "account", sessionId: "session" };
      await store.tokens.issue({ ...token, userAgentHash: "agent", expiresAt: Date.now() + HOUR_MS });
      return {};
    }
    case "redeem": {
      const by = { peer: ONE, userAgentHash: "agent" };
      return store.tokens.redeem(tokenOf(told.number), by, { uses: 1, withinMs: 0 }, Date.now());
    }
    case "remember": {
      const now = Date.now();
      return store.replay.remember(ONE, `message ${told.number}`, { until: now + HOUR_MS, maxEntries: 1e9 }, now);
    }
    case "rotate":
      return { to: (await ring.rotate()).to };
    case "rotate-site":
      return { to: (await host.keys.rotate()).to };
    case "put":
      await store.outbox.put(
        told.jobs.map((id) => ({ id, kind: "crash", peer: ONE, data: "{}" })),
        Date.now(),
      );
      return {};
    case "claim": {
      const at = Date.now();
      const jobs = (await store.outbox.claim("crash", 3, at + LEASE_MS, at)).map(({ id }) => id);
      say({ claimed: jobs, at, until: at + LEASE_MS });
      await setTimeout(WORK_MS);
      await store.outbox.done(jobs);
      return { done: jobs, at: Date.now() };
    }
    case "bulk":
      for await (const { row, resumed, error } of host.enrolment.bulk(told.rows, { key: told.run })) {
        if (!resumed) say({ run: told.run, row, ...(error && { failed: error.code }) });
      }
      return {};
    case "maintain":
      return { failed: (await host.maintain()).failed.map(({ error }) => error.code)[0] };
  }
}

/** At once, because a process that dies says nothing that is still on its way. */
function say(what: object): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
