import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Database from "libsql";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDatabase, sqlAccounts, sqlSessions } from "../../examples/sql-plug-ins.ts";
import type { Browser } from "../../src/plug-ins/browser.ts";
import { accountsContract } from "../../src/testing/accounts-contract.ts";

let directory = "";
let db: Database.Database;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mnet-example-"));
  db = openDatabase(join(directory, "app.db"));
  db.exec(`insert into users (username, email, first_name, last_name, can_roam)
    values ('ada', 'ada@lms.test', 'Ada', 'Lovelace', 1), ('bea', 'bea@lms.test', 'Bea', 'B', 0)`);
});
afterEach(() => {
  db.close();
  rmSync(directory, { recursive: true });
});

describe("examples/sql-plug-ins.ts", () => {
  const cases = accountsContract(async () => ({ accounts: sqlAccounts(db), localUsername: "ada" }));
  for (const { name, run } of cases) test(name, run);

  test("only whom the application lets roam may roam", async () => {
    const accounts = sqlAccounts(db);
    const [ada, bea] = [await accounts.findByUsername("ada"), await accounts.findByUsername("bea")];
    expect([await accounts.mayRoam(ada!, {} as never), await accounts.mayRoam(bea!, {} as never)]).toEqual([
      true,
      false,
    ]);
  });

  test("SEC-071 a session begins under a fresh id, ends, and is active when it was touched", async () => {
    const sessions = sqlSessions(db);
    const account = (await sqlAccounts(db).findByUsername("ada"))!;
    let cookie = "";
    const browser: Browser = {
      method: "GET",
      url: new URL("https://lms.test/"),
      header: (name) => (name === "cookie" ? cookie : undefined),
      appendHeader: (_, value) => void (cookie = value.split(";", 1)[0]!),
      raw: undefined,
    };
    expect(await sessions.current(browser)).toBeUndefined();
    const first = await sessions.start(browser, account);
    expect(await sessions.current(browser)).toEqual(first);
    const old = cookie;
    const second = await sessions.start(browser, account);
    expect(second.id).not.toBe(first.id);
    expect(await sessions.current({ ...browser, header: () => old })).toBeUndefined();
    const ids = [first.id, second.id, "unknown"];
    const before = new Date();
    await sessions.touch(ids);
    expect(await sessions.activeSince(ids, before)).toEqual([second.id]);
    expect(await sessions.activeSince(ids, new Date(Date.now() + 1000))).toEqual([]);
    await sessions.end(ids);
    expect(await sessions.current(browser)).toBeUndefined();
  });
});
