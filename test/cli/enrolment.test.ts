import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeHandler } from "../../src/adapters/node-handler.ts";
import { createHost } from "../../src/create-host.ts";
import type { Host } from "../../src/host/host.ts";
import { enrolment } from "../../src/services/enrolment/enrolment.ts";
import { openStore } from "../../src/stores/open-store.ts";
import { memoryCourses, type MemoryCourses } from "../../src/testing/memory-courses.ts";
import { insertPeer, keyedSite, keyedStore } from "../support/hosts.ts";
import { listedAccounts } from "../support/listed-accounts.ts";
import { course } from "../services/enrolment/sites.ts";
import { runCli, type CliResult, type CliWorld } from "./run-cli.ts";

const HOME = "https://home.example";

/** A site with its SQLite file, whose commands reach an LMS on a real socket. */
describe("commands that enrol", () => {
  let folder = "";
  let store = "";
  let lms: Host;
  let server: Server;
  let courses: MemoryCourses;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mnet-cli-enrol-"));
    store = `sqlite:${join(folder, "site.db")}`;
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const wwwroot = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const theirs = await keyedStore(wwwroot, 1);
    await insertPeer(theirs, keyedSite(HOME, 0), { services: { mnet_enrol: "publish" } });
    courses = memoryCourses([course(1, { idnumber: "ID-1" }), course(2, { fullname: "\u001b[31mRed <b>" })]);
    lms = await createHost({
      wwwroot,
      name: "An LMS",
      store: theirs,
      services: [enrolment({ accounts: listedAccounts(), courses, enrolments: courses })],
      maintenance: "manual",
    });
    server.on("request", nodeHandler(lms));
    const ours = await keyedStore(HOME, 0, openStore(store));
    await insertPeer(ours, keyedSite(wwwroot, 1), { services: { mnet_enrol: "subscribe" } });
    await ours.close();
  });
  afterAll(async () => {
    server.close();
    server.closeAllConnections();
    await lms.close();
    await rm(folder, { recursive: true });
  });

  const mnet = (argv: readonly string[], world?: CliWorld): Promise<CliResult> =>
    runCli([...argv, "--store", store, "--allow-address", "127.0.0.0/8"], world);
  const json = async (...argv: string[]): Promise<unknown> => {
    const { stdout, stderr } = await mnet([...argv, "--json"]);
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  };
  const inside = async (id = 1): Promise<string[]> =>
    (await courses.inCourse(id, await lms.peers.get(HOME))).map(({ account }) => account.username).sort();
  const file = async (name: string, lines: readonly string[]): Promise<string> => {
    const path = join(folder, name);
    const head = "action,peer,course,username,email,firstname,lastname";
    await writeFile(path, `\ufeff${[head, ...lines].join("\r\n")}\r\n`);
    return path;
  };
  const line = (action: string, named: string, username: string): string =>
    [action, lms.wwwroot, named, username, `${username}@home.example`, "First", "Last"].join(",");

  it("mnet courses lists what a peer offers, safe for a terminal", async () => {
    expect(await json("courses", "1")).toMatchObject([
      { id: 1, shortname: "C1", idnumber: "ID-1", peer: lms.wwwroot, summary: "" },
      { id: 2 },
    ]);
    const { code, stdout } = await mnet(["courses", lms.wwwroot]);
    expect(code).toBe(0);
    expect(stdout).toContain("Course 1");
    expect(stdout).not.toContain("\u001b");
    courses.put(course(3));
    expect(await json("courses", "1")).toHaveLength(2);
    expect(await json("courses", "1", "--refresh")).toHaveLength(3);
    expect((await mnet(["courses", "9"])).stderr).toContain("MNET_PEER_UNKNOWN");
  });

  it("mnet enrol, enrolments and unenrol, with --dry-run", async () => {
    const ada = ["ada", "--email", "ada@home.example", "--firstname", "Ada", "--lastname", "L"];
    const dry = await mnet(["enrol", "1", "C1", ...ada, "--dry-run"]);
    expect({ code: dry.code, inside: await inside() }).toEqual({ code: 0, inside: [] });
    expect(dry.stdout).toContain("1 would be done, 0 no change, 0 failed");
    expect(await json("enrol", "1", "ID-1", ...ada, "--field", "city=London")).toMatchObject({
      dryRun: false,
      counts: { done: 1, failed: 0 },
      outcomes: [{ action: "enrol", username: "ada", courseId: 1, result: "done" }],
    });
    expect((await mnet(["enrol", "1", "1", ...ada])).stdout).toContain("0 done, 1 no change, 0 failed");
    expect(await json("enrolments", "1", "1", "--refresh")).toMatchObject([{ username: "ada", method: "mnet" }]);
    expect((await mnet(["enrolments", "1", "1"])).stdout).toMatch(/ada +Student +mnet/);
    expect((await mnet(["unenrol", "1", "1", "ada", "nobody"])).stdout).toContain("1 done, 1 no change, 0 failed");
    expect(await inside()).toEqual([]);

    expect((await mnet(["enrol", "1", "nowhere", ...ada])).stderr).toContain("MNET_ENROLMENT_COURSE_UNKNOWN");
    const unsuitable = await mnet(["enrol", "1", "1", "Ada L", ...ada.slice(1)]);
    expect(unsuitable.code).toBe(1);
    expect(unsuitable.stdout).toContain("MNET_ENROLMENT_PERSON_UNSUITABLE");
    expect((await mnet(["enrol", "1", "1", "ada"])).code).toBe(2);
  });

  it("mnet sync works off a file, says what it would do, and does it once", async () => {
    const csv = await file("autumn.csv", [
      line("enrol", "C1", "bob"),
      line("", "1", "eve"),
      line("enrol", "C1", "bob"),
      line("enrol", "nowhere", "bob"),
      line("unenrol", "C2", "zoe"),
    ]);
    const dry = await mnet(["sync", csv, "--dry-run"]);
    expect(dry.code).toBe(1);
    expect(dry.stdout).toMatch(/4 +enrol +bob .*failed +MNET_ENROLMENT_COURSE_UNKNOWN/);
    expect(dry.stdout).toContain("2 would be done, 2 no change, 1 failed");
    expect(await inside()).toEqual([]);

    expect(await json("sync", csv, "--concurrency", "2")).toMatchObject({
      counts: { done: 2, "no-change": 2, failed: 1, resumed: 0 },
      outcomes: [{ row: 1 }, { row: 2 }, { row: 3 }, { row: 4 }, { row: 5 }],
    });
    expect(await inside()).toEqual(["bob", "eve"]);
    expect(await json("sync", csv)).toMatchObject({ counts: { resumed: 5 } });
    await file("autumn.csv", [line("enrol", "C1", "other")]);
    expect((await mnet(["sync", csv])).stderr).toContain("MNET_ENROLMENT_RUN_CHANGED");
    expect(await json("sync", csv, "--key", "autumn 2")).toMatchObject({ counts: { done: 1 } });
    expect((await mnet(["sync", csv, "--key", "x", "--concurrency", "0"])).stderr).toContain("MNET_CONFIG_INVALID");
  });

  it("mnet sync --exact makes courses equal to the file, however it names them", async () => {
    const csv = await file("exact.csv", [
      line("enrol", "C1", "eve"),
      line("enrol", "ID-1", "new"),
      line("enrol", "2", "two"),
    ]);
    const before = await inside();
    expect(before.length).toBeGreaterThan(1);
    expect((await mnet(["sync", csv, "--exact", "--dry-run"])).stdout).toContain("would be done");
    expect(await inside()).toEqual(before);
    expect((await mnet(["sync", csv, "--exact"])).code).toBe(0);
    expect([await inside(), await inside(2)]).toEqual([["eve", "new"], ["two"]]);
    const wrong = await file("wrong.csv", [line("unenrol", "C1", "eve")]);
    expect((await mnet(["sync", wrong, "--exact"])).code).toBe(2);
  });

  it("mnet sync reads the whole file before it sends anything", async () => {
    const before = await inside(3);
    const csv = await file("bad.csv", [line("enrol", "C3", "ada"), "enrol,too,few"]);
    const { code, stderr } = await mnet(["sync", csv]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/MNET_ENROLMENT_CSV_INVALID: .*line 3/);
    expect(await inside(3)).toEqual(before);
    expect((await mnet(["sync", join(folder, "none.csv")])).code).toBe(1);
  });

  it("mnet sync shows a bar on a terminal, and stops when somebody wants it to", async () => {
    const many = Array.from({ length: 30 }, (_, index) => line("enrol", "C3", `u${index}`));
    const csv = await file("many.csv", many);
    const bar = await mnet(["sync", csv, "--dry-run"], { isErrorTTY: true });
    expect(bar.stderr).toMatch(/30\/30|0\/30/);
    const stopped = await mnet(["sync", csv], { interruption: AbortSignal.abort() });
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toContain("Stopped. Started again, it goes on");
    expect((await mnet(["sync", csv])).stdout).toContain("30 done, 0 no change, 0 failed");
  });
});
