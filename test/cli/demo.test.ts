import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { colorsFor } from "../../src/cli/cli-io.ts";
import { DemoFailure, duration, Narrator } from "../../src/cli/demo/narrator.ts";
import { runCli } from "./run-cli.ts";

const folderIn = (text: string) => /\S+mnet-demo-\w+/.exec(text)?.[0];

describe("mnet demo", () => {
  test("--once tells the story, checks every step and leaves nothing behind", async () => {
    const { code, stdout, stderr } = await runCli(["demo", "--once", "--port", "0"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).not.toContain("✗");
    expect(stdout.match(/✓/g)!.length).toBeGreaterThan(30);
    expect([...stdout.matchAll(/^ ?(\d+) {2}\S/gm)].map(([, n]) => Number(n))).toEqual(
      Array.from({ length: 15 }, (_, n) => n + 1),
    );
    for (const text of [
      "fault 707",
      "fault 7012",
      "fault 7020",
      "fault 7021",
      "fault 710",
      "fault 7000",
      "MNET_CALL_NOT_SUBSCRIBED",
      "MNET_SSO_NOT_PERMITTED",
      "MNET_SSO_TOKEN_REFUSED",
    ]) {
      expect(stdout).toContain(text);
    }
    expect(stdout).toMatch(/^Alpha University {2}http:\/\/127\.0\.0\.1:\d+ {2}[0-9a-f]{64}$/m);
    const folder = folderIn(stdout);
    expect(folder).toBeDefined();
    expect(existsSync(folder!)).toBe(false);
  });

  test("SEC-051 SEC-089 shows no private key, no escape sequence and no colours where nobody sees them", async () => {
    const { stdout } = await runCli(["demo", "--once", "--port", "0"]);
    expect(stdout).not.toContain("PRIVATE KEY");
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
    const { stdout: colored } = await runCli(["demo", "--once", "--port", "0"], { isTTY: true });
    expect(colored).toContain("\x1b[32m✓");
  });

  test("stays up until it is interrupted, and the files that it suggests open", async () => {
    const controller = new AbortController();
    let output = "";
    const done = runCli(["demo", "--port", "0"], {
      interruption: controller.signal,
      onOutput: (soFar) => (output = soFar),
    });
    while (!output.includes("Both sites are up")) await sleep(20);
    const folder = folderIn(output)!;
    const wwwroot = /http:\/\/127\.0\.0\.1:\d+/.exec(output)![0];
    expect(await (await fetch(wwwroot)).text()).toContain("<title>Alpha University</title>");
    for (const message of ["request.xml", "response.xml"]) {
      const { code, stdout } = await runCli(["inspect", `${folder}/${message}`, "--keys", `${folder}/keys.json`]);
      expect(stdout).toContain("Genuine");
      expect(code).toBe(0);
    }
    controller.abort();
    const { code } = await done;
    expect(code).toBe(0);
    expect(existsSync(folder)).toBe(false);
    await expect(fetch(wwwroot)).rejects.toThrow();
  });

  test("interrupted in the middle it cleans up, too", async () => {
    const controller = new AbortController();
    const { code, stdout } = await runCli(["demo", "--port", "0"], {
      interruption: controller.signal,
      onOutput: (soFar) => soFar.includes("They swap keys") && controller.abort(),
    });
    expect(code).toBe(1);
    expect(stdout).toContain("Interrupted.");
    expect(existsSync(folderIn(stdout)!)).toBe(false);
  });

  test("takes the next port if one is taken", async () => {
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, "127.0.0.1", resolve));
    const { port } = occupant.address() as AddressInfo;
    try {
      const { code, stdout } = await runCli(["demo", "--once", "--port", String(port)]);
      expect(code).toBe(0);
      expect(stdout).not.toContain(`127.0.0.1:${port},`);
    } finally {
      occupant.close();
    }
  });
});

describe("the narrator", () => {
  test("a check that does not hold ends the step", async () => {
    let text = "";
    const output = { write: (more: string) => (text += more) };
    const narrator = new Narrator(output, colorsFor(output, {}), new AbortController().signal);
    const step = narrator.step("Two and two", async () => {
      narrator.check(true, "is four");
      narrator.check(false, "is five");
    });
    await expect(step).rejects.toThrow(DemoFailure);
    expect(text).toBe("\n 1  Two and two\n    ✓ is four\n    ✗ is five\n");
    expect(narrator.checks).toBe(1);
  });

  test("durations", () => {
    expect([0.61, 12.4, 1234].map(duration)).toEqual(["0.6 ms", "12 ms", "1.2 s"]);
  });
});
