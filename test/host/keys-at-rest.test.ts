import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import { Secret } from "../../src/core/secret.ts";
import { createHost } from "../../src/create-host.ts";
import type { KeyOptions } from "../../src/host/host-options.ts";
import type { Host } from "../../src/host/host.ts";
import type { KeyWrapper } from "../../src/keys/key-wrapper.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { codeOf, errorOf } from "../support/code-of.ts";
import { noTransport } from "../support/hosts.ts";

const ONE = new Secret("the first passphrase");
const TWO = new Secret("the second passphrase");

/** What a private key in PKCS#8 looks like, in base64 and as bytes: version 0, rsaEncryption. */
const PLAIN = ["PRIVATE KEY", "BADANBgkqhkiG9w0BAQEFAASC"];

// Deriving a key from a passphrase takes a third of a second, and more on a machine that is busy.
describe("SEC-051 the file of a site", { timeout: 120_000 }, () => {
  let folder: string;
  let events: MnetEvent[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "mnet-at-rest-"));
    events = [];
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const open = (keys: KeyOptions = {}): Promise<Host> =>
    createHost({
      wwwroot: "https://lms.example.edu",
      name: "Example LMS",
      store: openStore(`sqlite:${join(folder, "site.db")}`),
      keys,
      maintenance: "manual",
      transport: noTransport,
      observer: (event) => void events.push(event),
    });
  /** Everything that is on the disk: the file, and what SQLite writes beside it. */
  const raw = (): string =>
    readdirSync(folder)
      .map((file) => readFileSync(join(folder, file), "latin1"))
      .join("\n");
  const isPlain = (): boolean => PLAIN.some((mark) => raw().includes(mark));
  const rewrapped = (): number[] => events.flatMap((event) => (event.type === "key.rewrapped" ? [event.keys] : []));
  const fingerprints = async (host: Host): Promise<string[]> =>
    (await host.keys.all()).map(({ fingerprint, state }) => `${state} ${fingerprint}`);

  it("SEC-051 holds no private key that can be read, while the site runs and after", async () => {
    const host = await open({ encryptWith: ONE });
    await host.keys.rotate();
    await host.keys.rotate();
    expect(readdirSync(folder).sort()).toEqual(["site.db", "site.db-shm", "site.db-wal"]);
    expect(raw()).toContain("BEGIN CERTIFICATE");
    expect(isPlain()).toBe(false);
    await host.close();
    expect(isPlain()).toBe(false);
    const again = await open({ encryptWith: ONE });
    expect(await again.keys.all()).toHaveLength(3);
    await again.close();
    // Without it, this test would find them.
    rmSync(join(folder, "site.db"));
    await (await open()).close();
    expect(isPlain()).toBe(true);
  });

  it("SEC-051 is for its owner only", async () => {
    const host = await open();
    await host.keys.rotate();
    const modes = readdirSync(folder).map((file) => (statSync(join(folder, file)).mode & 0o777).toString(8));
    expect(modes).toEqual(["600", "600", "600"]);
    await host.close();
  });

  it("SEC-051 with plain keys has encrypted ones after the next start, and nothing is left of the plain ones", async () => {
    const plain = await open();
    await plain.keys.rotate();
    const before = await fingerprints(plain);
    await plain.close();
    expect(isPlain()).toBe(true);
    const host = await open({ encryptWith: ONE });
    expect(rewrapped()).toEqual([2]);
    expect(isPlain()).toBe(false);
    expect(await fingerprints(host)).toEqual(before);
    await host.close();
    await (await open({ encryptWith: ONE })).close();
    expect(rewrapped()).toEqual([2]);
  });

  it("SEC-051 is not opened with a wrong passphrase or with none, and is unharmed by that", async () => {
    await (await open({ encryptWith: ONE })).close();
    const stored = async (): Promise<unknown> => {
      const store = openStore(`sqlite:${join(folder, "site.db")}`);
      const keys = await store.keys.list();
      await store.close();
      return keys;
    };
    const before = await stored();
    const error = await errorOf(() => open({ encryptWith: TWO }));
    expect(error).toMatchObject({ code: "MNET_STORE_KEY_WRONG" });
    expect(inspect(error, { depth: null })).not.toContain("passphrase");
    expect(await codeOf(() => open())).toBe("MNET_STORE_KEY_WRONG");
    expect(await codeOf(() => open({ decryptAlsoWith: [TWO] }))).toBe("MNET_STORE_KEY_WRONG");
    expect(await stored()).toEqual(before);
    await (await open({ encryptWith: ONE })).close();
  });

  it("SEC-051 changes its passphrase while two processes run, and none of them stops", async () => {
    const first = await open({ encryptWith: ONE, decryptAlsoWith: [TWO] });
    const second = await open({ encryptWith: TWO, decryptAlsoWith: [ONE] });
    expect(rewrapped()).toEqual([1]);
    // Each can read what the other makes.
    await second.keys.rotate();
    await first.keys.rotate();
    expect((await second.keys.rotate()).from).toBe((await second.keys.all())[1]!.fingerprint);
    expect(await second.keys.rewrap()).toBe(1);
    await first.close();
    await second.close();
    const after = await open({ encryptWith: TWO });
    expect(await after.keys.all()).toHaveLength(4);
    await after.close();
    expect(await codeOf(() => open({ encryptWith: ONE }))).toBe("MNET_STORE_KEY_WRONG");
  });

  it("SEC-051 with a KMS asks it once for each key and process", async () => {
    let asked = 0;
    const kms: KeyWrapper = {
      wrap: async (plain) => plain.map((byte) => byte ^ 0x55),
      async unwrap(wrapped) {
        asked += 1;
        return wrapped.map((byte) => byte ^ 0x55);
      },
    };
    const host = await open({ encryptWith: kms });
    await host.keys.rotate();
    asked = 0;
    for (let turn = 0; turn < 20; turn += 1) await host.keys.current();
    expect(asked).toBe(0);
    expect(isPlain()).toBe(false);
    await host.close();
  });

  it.each([
    ["keys.encryptWith", { encryptWith: "a passphrase as text" }],
    ["keys.encryptWith", { encryptWith: { wrap: () => undefined } }],
    ["keys.encryptWith", { encryptWith: new Secret("short") }],
    ["keys.decryptAlsoWith", { decryptAlsoWith: TWO }],
    ["keys.decryptAlsoWith.0", { decryptAlsoWith: ["text, no secret"] }],
  ])("SEC-051 refuses a wrong %s", async (option, keys) => {
    expect(await errorOf(() => open(keys as never))).toMatchObject({ code: "MNET_CONFIG_INVALID", option });
    expect(readdirSync(folder)).toEqual([]);
  });
});
