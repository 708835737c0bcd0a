import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** The package as it is shipped: built, packed and unpacked where only its own dependencies can be reached. */

interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const subpaths = Object.entries(manifest.exports).map(([path, target]) => ({
  name: posix.join("mnet", path),
  ...target,
}));

const place = mkdtempSync(join(tmpdir(), "mnet-package-"));
const installed = join(place, "node_modules", "mnet");
let packed: readonly string[] = [];

const newestIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => statSync(join(folder, file)).mtimeMs)
    .reduce((newest, time) => Math.max(newest, time), 0);
const npm = (...args: string[]) => execFileSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

beforeAll(() => {
  if (!existsSync("dist/index.js") || newestIn("src") > statSync("dist/index.js").mtimeMs)
    npm("run", "--silent", "build");
  const [{ filename, files }] = JSON.parse(npm("pack", "--json", "--ignore-scripts", "--pack-destination", place)) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = files.map(({ path }) => path).sort();
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(place, filename), "-C", installed, "--strip-components=1"]);
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(place, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve("node_modules", name), link, "junction");
  }
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe("tarball", () => {
  test("has what should be there, and nothing else", () => {
    const wanted = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md|dist\/.+\.(js|js\.map|d\.ts))$/;
    expect(packed.filter((file) => !wanted.test(file))).toEqual([]);
    const targets = subpaths.flatMap(({ types, default: code }) => [types, code]).concat(Object.values(manifest.bin));
    const promised = targets
      .map((path) => posix.normalize(path))
      .concat("package.json", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md");
    expect(packed).toEqual(expect.arrayContaining(promised));
  });

  test("every subpath can be imported", () => {
    const program = subpaths.map(({ name }) => `await import(${JSON.stringify(name)});`).join("\n");
    execFileSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: place, stdio: "pipe" });
  });

  test("the command runs", () => {
    const bin = join(installed, manifest.bin["mnet"]!);
    const run = (arg: string) => execFileSync(process.execPath, [bin, arg], { cwd: place, encoding: "utf8" });
    expect(run("--version").trim()).toBe(manifest.version);
    expect(run("--help")).toContain("mnet");
  });

  test("declarations name no dependency and nothing internal", () => {
    const leaks = packed
      .filter((file) => file.endsWith(".d.ts"))
      .map((file) => ({ file, text: readFileSync(join(installed, file), "utf8") }))
      .flatMap(({ file, text }) => [
        ...importsOf(text).map((specifier) => ({ file, leak: specifier })),
        ...(text.includes("@internal") ? [{ file, leak: "@internal" }] : []),
      ])
      .filter(({ leak }) => !/^(\.|node:)/.test(leak));
    expect(leaks).toEqual([]);
  });

  test("source maps name no place outside the package", () => {
    const sources = packed
      .filter((file) => file.endsWith(".map"))
      .flatMap((file) => (JSON.parse(readFileSync(join(installed, file), "utf8")) as { sources: string[] }).sources);
    expect(sources.filter((source) => !/^(\.\.\/)+src\/[^.]/.test(source))).toEqual([]);
  });
});

describe("public surface", () => {
  // After a wanted change: npx vitest run test/package -u, and a line in the changelog.
  test("exports of every subpath", async () => {
    const files = subpaths.map(({ types }) => resolve(types));
    const options: ts.CompilerOptions = {
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      types: ["node"],
    };
    const program = ts.createProgram(files, options);
    const checker = program.getTypeChecker();
    const lines: string[] = [];
    for (const { name, types, default: code } of subpaths) {
      const values = Object.keys((await import(pathToFileURL(resolve(code)).href)) as object);
      const source = program.getSourceFile(resolve(types));
      const module = source && checker.getSymbolAtLocation(source);
      const all = module ? checker.getExportsOfModule(module).map((symbol) => symbol.name) : [];
      lines.push(
        `# ${name}`,
        "",
        ...values.sort(),
        "",
        ...all
          .filter((one) => !values.includes(one))
          .sort()
          .map((type) => `type ${type}`),
        "",
      );
    }
    await expect(lines.join("\n")).toMatchFileSnapshot("exports.snapshot.txt");
  });
});

describe("what an import brings along", () => {
  test("mnet/envelope: node's crypto, no HTTP, no SQL, no general XML or ASN.1 library", () => {
    const { packages, builtins } = closureOf("dist/envelope.js");
    expect(packages).toEqual([]);
    expect(
      builtins.filter((name) => /^node:(http|https|http2|net|tls|dns|sqlite|child_process|fs)/.test(name)),
    ).toEqual([]);
  });

  test("mnet/xmlrpc: only its XML reader", () => {
    expect(closureOf("dist/xmlrpc.js").packages).toEqual(["saxes"]);
  });

  test("only the command brings command-line libraries", () => {
    for (const { default: code } of subpaths) {
      const { packages } = closureOf(code);
      expect(packages.filter((name) => ["commander", "picocolors"].includes(name))).toEqual([]);
    }
  });
});

function importsOf(text: string): string[] {
  return ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
}
/** All that a built file imports, at once or later, over all files of the package. */
function closureOf(entry: string) {
  const [files, outside] = [new Set([posix.normalize(entry)]), new Set<string>()];
  for (const file of files) {
    for (const specifier of importsOf(readFileSync(file, "utf8"))) {
      if (specifier.startsWith(".")) files.add(posix.join(posix.dirname(file), specifier));
      else outside.add(specifier);
    }
  }
  const names = [...outside].sort();
  return {
    packages: names.filter((name) => !name.startsWith("node:")),
    builtins: names.filter((name) => name.startsWith("node:")),
  };
}
