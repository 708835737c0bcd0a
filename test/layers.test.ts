import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { preProcessFile } from "typescript";
import { describe, expect, test } from "vitest";

/** The folders of src from bottom to top: each imports from itself and from those before it. */
const LAYERS =
  "core crypto xml xmlrpc envelope secure keys transport peer plug-ins service-stores host services stores moving adapters testing conformance cli".split(
    " ",
  );
/** The files at the root of src that a folder may import, beside what is below it. Others are for users only. */
const ROOT_FILES = new Map([
  ["testing", /^create-host\.ts$/],
  ["conformance", /^create-host\.ts$/],
  ["cli", /^[^/]+$/],
]);
/** What decides whether an envelope is authentic. */
const TRUSTED_BASE = ["core", "crypto", "xml", "envelope"];

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/"));
/** Every import of src, of types too: `[importing file, imported file or package]`, files relative to src. */
const imports = filesOf("src")
  .filter((file) => file.endsWith(".ts"))
  .flatMap((file) =>
    preProcessFile(readFileSync(`src/${file}`, "utf8")).importedFiles.map(({ fileName: specifier }) => {
      const local = specifier.startsWith(".");
      return { file, local, to: local ? posix.join(posix.dirname(file), specifier) : specifier };
    }),
  );
const folderOf = (file: string) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : undefined);

/** The rule that an import breaks. */
function brokenRule(file: string, to: string): string | undefined {
  const [from, target] = [folderOf(file), folderOf(to)];
  if (to.startsWith("../")) return "src imports nothing outside of it";
  for (const folder of [from, target]) if (folder && !LAYERS.includes(folder)) return `${folder} is not a layer`;
  if (from === undefined) {
    if (file !== "create-host.ts" || target === undefined) return undefined;
    if (target === "services")
      return to.startsWith("services/system/") ? undefined : "createHost knows no service but system";
    return LAYERS.indexOf(target) > LAYERS.indexOf("host") ? "create-host.ts is made of host and below" : undefined;
  }
  if (target === undefined) return ROOT_FILES.get(from)?.test(to) ? undefined : `${from} does not import entries`;
  if (LAYERS.indexOf(target) > LAYERS.indexOf(from)) return `${from} is below ${target}`;
  const [sibling, other] = [file, to].map((path) => /^services\/([^/]+)\//.exec(path)?.[1]);
  if (sibling !== undefined && other !== undefined && sibling !== other) return "services never import each other";
  return undefined;
}

describe("layers", () => {
  test("a folder imports only from itself and from those below it", () => {
    const violations = imports
      .filter(({ local }) => local)
      .map(({ file, to }) => ({ file, to, rule: brokenRule(file, to) }))
      .filter(({ rule }) => rule !== undefined);
    expect(violations).toEqual([]);
  });

  test("SEC-096 what decides about an envelope imports node: and itself only", () => {
    const violations = imports
      .filter(({ file }) => TRUSTED_BASE.includes(folderOf(file) ?? ""))
      .filter(({ local, to }) => (local ? !TRUSTED_BASE.includes(folderOf(to) ?? "") : !to.startsWith("node:")));
    expect(violations).toEqual([]);
  });

  test("SEC-096 general XML libraries are met in one file, after the strict reader, and below it nobody knows of them", () => {
    const general = (to: string): boolean => /^(@xmldom\/|xml-crypto$|xpath$|fast-xml-parser$)/.test(to);
    const users = imports.filter(({ local, to }) => !local && general(to)).map(({ file }) => file);
    expect(new Set(users)).toEqual(new Set(["secure/xml-signature.ts"]));
    const violations = imports
      .filter(({ file }) => folderOf(file) === "secure" && file !== "secure/xml-signature.ts")
      .filter(({ local, to }) =>
        local ? ![...TRUSTED_BASE, "secure"].includes(folderOf(to) ?? "") : !to.startsWith("node:"),
      );
    expect(violations).toEqual([]);
    const readers = imports.filter(({ to }) => to === "secure/xml-signature.ts").map(({ file }) => file);
    expect(readers).toEqual(["secure/secure-message.ts"]);
  });

  test("builtins are imported as node:", () => {
    expect(
      imports.filter(({ local, to }) => !local && /^(fs|path|http|https|crypto|url|util|net|tls|os)(\/|$)/.test(to)),
    ).toEqual([]);
  });

  test("the rules notice what they are for", () => {
    expect(brokenRule("core/errors.ts", "peer/peer.ts")).toBe("core is below peer");
    expect(brokenRule("services/sso/sso.ts", "services/enrolment/enrolment.ts")).toBe(
      "services never import each other",
    );
    expect(brokenRule("host/host.ts", "create-host.ts")).toBe("host does not import entries");
    expect(brokenRule("create-host.ts", "services/sso/sso.ts")).toBe("createHost knows no service but system");
    expect(brokenRule("extras/x.ts", "core/errors.ts")).toBe("extras is not a layer");
    expect(brokenRule("testing/test-network.ts", "create-host.ts")).toBeUndefined();
    expect(brokenRule("cli/main.ts", "node.ts")).toBeUndefined();
    expect(imports.length).toBeGreaterThan(10);
  });

  test("files and folders are named in kebab-case", () => {
    const names = ["src", "test", "examples", "bench"]
      .filter(existsSync)
      .flatMap(filesOf)
      .flatMap((file) => file.split("/"));
    expect(names.filter((name) => !/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(name) && name !== "README.md")).toEqual([]);
  });
});
