// A host in a process of its own that does what it is told, and dies where it is told: by SIGKILL, right before or after
// one of the writes of its key store.
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { createHost } from "../../src/create-host.ts";
import { DEFAULT_KEY_POLICY } from "../../src/keys/key-policy.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import type { KeyStore } from "../../src/keys/key-store.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";

const [file = "", wwwroot = "", dieAt = ""] = process.argv.slice(2);
const store = openStore(`sqlite:${file}`);
const clock = fakeClock();
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let waitsBeforePromotion = false;

async function write<T>(name: string, run: () => Promise<T>): Promise<T> {
  dieIf(`before ${name}`);
  const result = await run();
  dieIf(`after ${name}`);
  return result;
}
function dieIf(point: string): void {
  if (point !== dieAt) return;
  process.kill(process.pid, "SIGKILL");
  // The signal has been sent; nothing of this process happens after it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const keys: KeyStore = {
  list: (owner) => store.keys.list(owner),
  owners: () => store.keys.owners(),
  prepare: (key) => write("prepare", () => store.keys.prepare(key)),
  promote: (next, expected, now) =>
    write("promote", async () => {
      if (waitsBeforePromotion) {
        say("prepared");
        await lines.next();
      }
      return store.keys.promote(next, expected, now);
    }),
  archive: (...all) => write("archive", () => store.keys.archive(...all)),
  revoke: (fingerprint) => write("revoke", () => store.keys.revoke(fingerprint)),
  rewrap: (...all) => write("rewrap", () => store.keys.rewrap(...all)),
  prune: (...all) => write("prune", () => store.keys.prune(...all)),
};

if (dieAt === "at any moment") {
  // Small keys are made in no time, so that most of the time is spent writing.
  await store.open();
  const site = { wwwroot, name: "A site" };
  const policy = { ...DEFAULT_KEY_POLICY, modulusBits: 1024 };
  const ring = new KeyRing({ store: store.keys, site, policy, clock, emit: () => undefined });
  for (;;) {
    await clock.advance(1000);
    say((await ring.rotate()).to);
  }
}

const host = await createHost({
  wwwroot,
  name: "A site",
  store: { ...store, keys },
  clock,
  network: { timeoutMs: 1 },
  transport: { exchange: () => Promise.reject(new Error("There is no network.")) },
});
say("ready");
for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
  const [what, argument = ""] = line.value.split(" ");
  switch (what) {
    case "rotate-together":
      waitsBeforePromotion = true;
      say(await rotated());
      break;
    case "advance":
      await clock.advance(Number(argument));
      break;
    case "rotate":
      say(await rotated());
      break;
    case "revoke":
      await host.keys.revoke(argument, { reason: "a test" }).catch(ignoreNetwork);
      say("revoked");
      break;
    case "serve": {
      const path = `${new URL(wwwroot).pathname.replace(/\/$/, "")}/mnet/xmlrpc/server.php`;
      const response = await host.handle({ method: "POST", path, headers: {}, body: Buffer.from(argument, "base64") });
      say(Buffer.from(response?.body ?? []).toString("base64"));
      break;
    }
    default:
      throw new Error("No such thing.");
  }
}

async function rotated(): Promise<{ from: string; to: string | undefined }> {
  const from = (await host.keys.current()).fingerprint;
  await host.keys.rotate().catch(ignoreNetwork);
  return { from, to: (await host.keys.current()).fingerprint };
}

/** Nobody can be told; that is no part of this. */
function ignoreNetwork(error: unknown): void {
  if (!(error instanceof Error) || error.message !== "There is no network.") throw error;
}

/** At once, because a process that dies says nothing that is still on its way. */
function say(what: unknown): void {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
