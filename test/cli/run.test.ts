import { readFileSync } from "node:fs";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { ConfigError, StoreError } from "../../src/core/errors.ts";
import { colorsFor } from "../../src/cli/cli-io.ts";
import { describeError } from "../../src/cli/describe-error.ts";
import { printable, printableJson, printableLines } from "../../src/cli/printable.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { runCli } from "./run-cli.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

describe("mnet", () => {
  test("--version is that of the package", async () => {
    expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  test("--help lists the commands and the exit codes", async () => {
    const { code, stdout, stderr } = await runCli(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Usage: mnet /);
    for (const word of ["demo", "inspect", "Exit codes", "NO_COLOR", "MNET_DEBUG"]) expect(stdout).toContain(word);
  });

  test.each([["demo"], ["inspect"]])("%s --help tells its exit codes", async (command) => {
    const { code, stdout } = await runCli([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("Exit codes");
    expect((await runCli(["help", command])).stdout).toBe(stdout);
  });

  test.each([
    ["nothing at all", []],
    ["an unknown command", ["bogus"]],
    ["an unknown option", ["demo", "--bogus"]],
    ["a missing argument", ["inspect"]],
    ["an argument too many", ["inspect", "one", "two"]],
    ["a port that is none", ["demo", "--port", "http"]],
    ["a port that is too large", ["demo", "--port", "70000"]],
    ["a side that is none", ["inspect", "x", "--side", "left"]],
    ["a file that is not there", ["inspect", "no-such-file.xml"]],
    ["a folder for a file", ["inspect", "src"]],
    ["a time that is none", ["inspect", "package.json", "--now", "yesterday"]],
  ])("%s ends with exit code 2, words on stderr and no stack", async (_what, argv) => {
    const { code, stdout, stderr } = await runCli(argv);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).not.toBe("");
    expect(stderr).not.toMatch(/^\s+at .*:\d+/m);
  });
});

describe("errors", () => {
  const error = new StoreError("MNET_STORE_UNAVAILABLE", "The database mnet.db cannot be made: its disk is full.");

  test("of the library are one line with their code, and a hint", () => {
    expect(describeError(error, {})).toBe(
      "MNET_STORE_UNAVAILABLE: The database mnet.db cannot be made: its disk is full.\n" +
        "hint: does the server run, may this user write there, and is the disk full?\n",
    );
    const config = new ConfigError("MNET_CONFIG_INVALID", "The option name is not right.", { option: "name" });
    expect(describeError(config, {})).toBe("MNET_CONFIG_INVALID: The option name is not right.\n");
  });

  test("show a stack with MNET_DEBUG only", () => {
    expect(describeError(error, { MNET_DEBUG: "1" })).toMatch(/^\s+at /m);
    expect(describeError(new Error("oops"), {})).toBe("mnet: oops\nhint: set MNET_DEBUG=1 to see where it happened.\n");
    expect(describeError("oops", {})).toContain("mnet: oops");
    expect(describeError(new UsageError("give a file"), {})).toBe("mnet: give a file\n");
  });

  test("what nobody foresaw ends with exit code 1", async () => {
    const parse = Object.getOwnPropertyDescriptor(Command.prototype, "parseAsync")!;
    Object.defineProperty(Command.prototype, "parseAsync", {
      configurable: true,
      value: () => Promise.reject(new Error("unforeseen")),
    });
    try {
      expect(await runCli(["demo"])).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringContaining("unforeseen"),
      });
    } finally {
      Object.defineProperty(Command.prototype, "parseAsync", parse);
    }
  });
});

describe("what a terminal is shown", () => {
  test("SEC-089 control characters and those that turn text round are written as escapes", () => {
    expect(printable("a\x1b[2Jb\r\nc\u202ed\u009b\u2028")).toBe("a\\u001b[2Jb\\u000d\\u000ac\\u202ed\\u009b\\u2028");
    expect(printable("Zoë 張 😀")).toBe("Zoë 張 😀");
    expect(printable("x".repeat(300))).toBe(`${"x".repeat(200)}…`);
    expect(printableLines("a\r\n\tb\x07")).toBe("a\n\tb\\u0007");
    const value = { text: "a\x1b\u009b\u202e\u2028b", list: [1, "Zoë"] };
    expect(printableJson(value)).toMatch(/^[\n\x20-\x7eë]*$/);
    expect(JSON.parse(printableJson(value))).toEqual(value);
  });

  test("colours are for terminals, unless NO_COLOR is set", () => {
    const isColored = (isTTY: boolean, env = {}) => colorsFor({ isTTY, write: () => true }, env).red("x") !== "x";
    expect(isColored(true)).toBe(true);
    expect(isColored(false)).toBe(false);
    expect(isColored(true, { NO_COLOR: "1" })).toBe(false);
    expect(isColored(true, { TERM: "dumb" })).toBe(false);
  });
});
