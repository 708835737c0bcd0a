import { inspect } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { errorOf } from "../support/code-of.ts";

const NAME = "MNET_TEST_SECRET";

describe("Secret", () => {
  afterEach(() => {
    delete process.env[NAME];
  });

  it("gives its value to reveal() and to nothing else", () => {
    const secret = new Secret("hunter2");
    expect(secret.reveal()).toBe("hunter2");
    const shown = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { showHidden: true, depth: null }),
      JSON.stringify(Object.entries(secret)),
      JSON.stringify(structuredClone(secret)),
    ].join("\n");
    expect(shown).not.toContain("hunter2");
    expect(shown).toContain("[secret]");
  });

  it("reads an environment variable", () => {
    process.env[NAME] = "from outside";
    expect(Secret.fromEnv(NAME).reveal()).toBe("from outside");
  });

  it.each([
    ["unset", undefined],
    ["empty", ""],
  ])("refuses a variable that is %s", async (_, value) => {
    if (value !== undefined) process.env[NAME] = value;
    expect(await errorOf(() => Secret.fromEnv(NAME))).toMatchObject({ code: "MNET_CONFIG_MISSING", option: NAME });
  });
});
