import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type Database from "libsql";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Accounts } from "../../src/plug-ins/account.ts";
import { accountsContract } from "../../src/testing/accounts-contract.ts";
import { problemsOf, programsIn } from "../support/type-check.ts";

const read = (file: string): string => readFileSync(file, "utf8");
const singleSignOn = read("docs/guides/single-sign-on.md");

/** The files of the guide: blocks that name the same one in their first line are its parts, in their order. */
const files = new Map<string, string>();
for (const block of programsIn(read("docs/guides/accounts.md"))) {
  const [, file = "a block without a file"] = /^\/\/ (\S+\.ts)\n/.exec(block) ?? [];
  files.set(file, (files.get(file) ?? "") + block);
}

test("programs of the guides compile", { timeout: 120_000 }, () => {
  expect([...files.keys()]).toEqual(["lms-users.ts", "lms-users.test.ts"]);
  const blocks = programsIn(singleSignOn);
  expect(blocks.length).toBeGreaterThan(4);
  const programs = [...files, ["single-sign-on.ts", blocks.join("\n")] as const];
  expect(problemsOf(new Map(programs.map(([file, text]) => [`examples/${file}`, text])))).toEqual([]);
});

describe("docs/guides/accounts.md", () => {
  let folder = "";
  let guide: { readonly accounts: Accounts; readonly db: Database.Database };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "mnet-guide-"));
    symlinkSync(resolve("node_modules"), join(folder, "node_modules"), "junction");
    const file = join(folder, "lms-users.ts");
    writeFileSync(file, files.get("lms-users.ts") ?? "");
    vi.stubEnv("LMS_DATABASE", ":memory:");
    guide = (await import(/* @vite-ignore */ file)) as typeof guide;
    vi.unstubAllEnvs();
    guide.db.exec(`insert into users (username, email, first_name, last_name, can_roam, suspended) values
      ('Ada+x@Uni.example', 'ada@uni.example', 'Ada', 'Lovelace', 1, 0), ('bea', 'bea@uni.example', 'Bea', 'B', 0, 0),
      ('eve', 'eve@uni.example', 'Eve', 'E', 1, 1)`);
  });
  afterAll(() => {
    guide.db.close();
    rmSync(folder, { recursive: true });
  });

  const make = async () => ({ accounts: guide.accounts, localUsername: "Ada+x@Uni.example" });
  for (const { name, run } of accountsContract(make)) test(name, run);

  test("who may roam, may; who is suspended, may not", async () => {
    const { accounts } = guide;
    const may = async (username: string) => accounts.mayRoam((await accounts.findByUsername(username))!, {} as never);
    expect(await Promise.all(["Ada+x@Uni.example", "bea", "eve"].map(may))).toEqual([true, false, false]);
  });
});

describe("docs/guides/single-sign-on.md", () => {
  test("it explains every code of single sign-on, once", () => {
    const codes = [...new Set(read("src/core/errors.ts").match(/(?<=")MNET_SSO_[A-Z_]+(?=")/g))];
    expect(codes.length).toBeGreaterThan(10);
    const explained = [...singleSignOn.matchAll(/^\| `(MNET_SSO_[A-Z_]+)` +\|/gm)].map(([, code]) => code ?? "");
    expect(explained.sort()).toEqual(codes.sort());
  });

  test("it explains every option", () => {
    const [, members = ""] = /interface SsoOptions<Raw> \{([^]*?)^\}/m.exec(read("src/services/sso/options.ts")) ?? [];
    const options = [...members.matchAll(/^ {2}readonly (\w+)/gm)].map(([, option]) => option ?? "");
    expect(options.length).toBeGreaterThan(7);
    const [, table = ""] = /^Options of `sso`:\n\n([^]*?)\n\n/m.exec(singleSignOn) ?? [];
    for (const option of options) expect(table).toContain(`\`${option}\``);
  });
});
