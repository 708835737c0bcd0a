import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import ts from "typescript";
import { describe, expect, test, vi } from "vitest";
import { problemsOf, programsIn } from "../support/type-check.ts";

const read = (file: string) => readFileSync(file, "utf8");
const PAGES = [
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .map((file) => posix.join("docs", file.replaceAll("\\", "/")))
    .filter((file) => file.endsWith(".md") && !file.startsWith("docs/api/")),
];

describe("README", () => {
  const readme = read("README.md");
  const quickStart = read("examples/quick-start.ts");

  test("the quick start is examples/quick-start.ts", () => {
    expect(programsIn(readme)[0]).toBe(quickStart);
  });

  test("the quick start prints what README says", async () => {
    // On ports that are free here, and otherwise as it is.
    const ports = await Promise.all([freePort(), freePort()]);
    const folder = mkdtempSync(join(tmpdir(), "mnet-quick-start-"));
    const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
    try {
      const file = join(folder, "quick-start.ts");
      writeFileSync(file, quickStart.replace("8201", String(ports[0])).replace("8202", String(ports[1])));
      await import(/* @vite-ignore */ file);
      const printed = log.mock.calls.map(([line]) => String(line));
      expect(printed).toEqual(["Hello Ada, this is Beta College", "Hello Grace, this is Alpha University"]);
      for (const line of printed) expect(readme).toContain(`\n${line}\n`);
    } finally {
      log.mockRestore();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("every program in it and in the guides compiles", { timeout: 60_000 }, () => {
    const guides = ["docs/plug-in-courses.md"].map((page) => programsIn(read(page)));
    for (const programs of [programsIn(readme), ...guides]) expect(programs.length).toBeGreaterThan(2);
    expect(problems([programsIn(readme), ...guides].flat())).toEqual([]);
  });
});

describe("the pages", () => {
  test("docs/errors.md explains every code, once, and no other", () => {
    const union = new Set(read("src/core/errors.ts").match(/(?<=")MNET_[A-Z_]+(?=")/g));
    const explained = [...read("docs/errors.md").matchAll(/^\| `(MNET_[A-Z_]+)`/gm)].map(([, code]) => code ?? "");
    expect(explained.length).toBeGreaterThan(40);
    expect([...explained].sort()).toEqual([...union].sort());
  });

  test("docs/compatibility.md claims no test that there is none of", () => {
    const titles = readdirSync("test", { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => read(join("test", file)))
      .join("\n");
    const rows = [...read("docs/compatibility.md").matchAll(/^\| (MNET-\d{3}) .*\| +T +\|$/gm)];
    expect(rows.length).toBeGreaterThan(60);
    const unfounded = rows.map(([, id]) => id ?? "").filter((id) => !titles.includes(id));
    expect(unfounded).toEqual([]);
  });

  test.each(PAGES)("links of %s lead somewhere", (page) => {
    const targets = [...read(page).matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target ?? "");
    const broken = targets
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? page : posix.join(posix.dirname(page), path);
        if (!ts.sys.fileExists(file) && !ts.sys.directoryExists(file)) return true;
        return anchor !== undefined && !headingsOf(read(file)).includes(anchor);
      });
    expect(broken).toEqual([]);
  });
});

const headingsOf = (page: string) =>
  [...page.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    (title ?? "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** What the compiler says of programs, each a file of its own, in which `host` is known. */
function problems(programs: readonly string[]): readonly string[] {
  const preamble = 'declare const host: import("mnet").Host;\n';
  return problemsOf(
    new Map(
      programs.map((program, n) => [
        `examples/program-${n}.ts`,
        /\bhost = /.test(program) ? program : program + preamble,
      ]),
    ),
  );
}
