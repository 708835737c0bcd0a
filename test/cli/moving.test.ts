import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHost } from "../../src/create-host.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { noTransport } from "../support/hosts.ts";
import { runCli as mnet } from "./run-cli.ts";

const VARIABLES = ["MNET_KEY", "MNET_OLD_KEY", "MNET_ARCHIVE_KEY", "MOODLE_DATABASE"];

// Deriving a key from a passphrase takes a third of a second, and more on a machine that is busy.
describe("commands that move a site", { timeout: 120_000 }, () => {
  let folder: string;
  let store: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "mnet-cli-moving-"));
    store = `sqlite:${join(folder, "site.db")}`;
    const host = await createHost({
      wwwroot: "https://lms.example.edu",
      name: "Example LMS",
      store: openStore(store),
      maintenance: "manual",
      transport: noTransport,
    });
    await host.close();
  });
  afterEach(() => {
    for (const name of VARIABLES) Reflect.deleteProperty(process.env, name);
    rmSync(folder, { recursive: true });
  });
  const raw = (name: string): string => readFileSync(join(folder, name), "latin1");
  const fingerprints = async (at: string): Promise<unknown> =>
    (JSON.parse((await mnet(["keys", "show", "--json", "--store", at])).stdout) as { fingerprint: string }[]).map(
      ({ fingerprint }) => fingerprint,
    );

  it("SEC-051 mnet keys rewrap encrypts the keys, changes the passphrase, and takes it away again", async () => {
    const before = await fingerprints(store);
    const rewrap = async () => {
      const { code, stdout } = await mnet(["keys", "rewrap", "--json", "--store", store]);
      return { code, ...(JSON.parse(stdout) as object) };
    };
    process.env["MNET_KEY"] = "the first passphrase";
    // Looking changes nothing.
    expect(await fingerprints(store)).toEqual(before);
    expect(raw("site.db")).toContain("PRIVATE KEY");
    expect(await rewrap()).toEqual({ code: 0, rewrapped: 1 });
    expect(raw("site.db")).not.toContain("PRIVATE KEY");
    expect(await rewrap()).toEqual({ code: 0, rewrapped: 0 });

    process.env["MNET_OLD_KEY"] = process.env["MNET_KEY"];
    const file = join(folder, "passphrase");
    writeFileSync(file, "the second passphrase\n");
    delete process.env["MNET_KEY"];
    const changed = await mnet(["keys", "rewrap", "--store", store, "--key-file", file]);
    expect(changed).toMatchObject({ code: 0, stdout: expect.stringContaining("1 private keys") });
    const wrong = await mnet(["keys", "show", "--store", store]);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("MNET_STORE_KEY_WRONG") });
    expect(wrong.stderr).toContain("MNET_KEY");

    process.env["MNET_OLD_KEY"] = "the second passphrase";
    expect(await rewrap()).toEqual({ code: 0, rewrapped: 1 });
    expect(raw("site.db")).toContain("PRIVATE KEY");
    delete process.env["MNET_OLD_KEY"];
    expect(await fingerprints(store)).toEqual(before);
  });

  it("mnet export and import bring a site to another store", async () => {
    process.env["MNET_ARCHIVE_KEY"] = "a passphrase of the archive";
    const file = join(folder, "site.mnet");
    const target = `sqlite:${join(folder, "target.db")}`;
    expect(await mnet(["export", file, "--store", store])).toMatchObject({ code: 0, stderr: "" });
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
    expect(raw("site.mnet")).not.toContain("PRIVATE KEY");
    process.env["MNET_KEY"] = "a passphrase of the new store";
    const { code, stdout } = await mnet(["import", file, "--json", "--store", target]);
    expect({ code, report: JSON.parse(stdout) as unknown }).toMatchObject({ code: 0, report: { records: { key: 1 } } });
    expect(raw("target.db")).not.toContain("PRIVATE KEY");
    expect(await fingerprints(target)).toEqual(await fingerprints(store));
    // Once is enough, and what is there is nobody's to overwrite.
    const again = await mnet(["import", file, "--store", target]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("MNET_STORE_NOT_EMPTY") });
    const before = raw("site.mnet");
    expect((await mnet(["export", file, "--store", store])).code).toBe(1);
    expect(raw("site.mnet")).toBe(before);
  });

  it("mnet export leaves no half of an archive", async () => {
    process.env["MNET_ARCHIVE_KEY"] = "a passphrase of the archive";
    process.env["MNET_KEY"] = "the first passphrase";
    await mnet(["keys", "rewrap", "--store", store]);
    delete process.env["MNET_KEY"];
    const failed = await mnet(["export", join(folder, "site.mnet"), "--store", store]);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("MNET_STORE_KEY_WRONG") });
    expect(readdirSync(folder).filter((name) => name.startsWith("site.mnet"))).toEqual([]);
  });

  it("says what is wrong with an archive, or that there is no passphrase", async () => {
    const file = join(folder, "site.mnet");
    const target = `sqlite:${join(folder, "target.db")}`;
    expect((await mnet(["export", file, "--store", store])).code).toBe(2);
    process.env["MNET_ARCHIVE_KEY"] = "a passphrase of the archive";
    await mnet(["export", file, "--store", store]);
    process.env["MNET_ARCHIVE_KEY"] = "of another archive";
    const wrong = await mnet(["import", file, "--store", target]);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("MNET_ARCHIVE_PASSPHRASE_WRONG") });
    writeFileSync(file, raw("site.mnet").slice(0, -20), "latin1");
    process.env["MNET_ARCHIVE_KEY"] = "a passphrase of the archive";
    const cut = await mnet(["import", file, "--store", target]);
    expect(cut).toMatchObject({ code: 1, stderr: expect.stringContaining("MNET_ARCHIVE_INCOMPLETE") });
    expect((await mnet(["import", join(folder, "absent"), "--store", target])).code).toBe(1);
    expect((await mnet(["keys", "show", "--store", target])).code).toBe(2);
  });

  it("mnet import-moodle says what it lacks, and never shows the URL", async () => {
    const target = join(folder, "target.db");
    const run = (...argv: string[]) => mnet(["import-moodle", ...argv, "--store", `sqlite:${target}`]);
    expect((await run()).code).toBe(2);
    for (const url of ["mysql://moodle:hunter2@127.0.0.1:1/moodle", "postgres://moodle:hunter2@127.0.0.1:1/moodle"]) {
      const away = await run(url);
      expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining("MNET_STORE_UNAVAILABLE") });
      expect(away.stderr).not.toContain("hunter2");
      process.env["MOODLE_DATABASE"] = url;
      expect(await run("--prefix", "mdl-")).toMatchObject({ code: 1, stderr: expect.stringContaining("prefix") });
    }
    expect((await run("sqlite:x")).stderr).toContain("mysql://");
    expect(existsSync(target)).toBe(false);
  });
});
