import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { Task } from "../../src/core/task.ts";
import { BodyReader } from "../../src/host/body-reader.ts";

const reader = new BodyReader({ clock: systemClock, maxBytes: 10_000_000, isKnown: () => true });

async function read(parts: readonly Uint8Array[], announced?: number): Promise<unknown> {
  const request = {
    method: "POST",
    path: "/",
    headers: announced === undefined ? {} : { "content-length": String(announced) },
    body: (async function* () {
      yield* parts;
    })(),
  };
  const client = { address: "192.0.2.1", block: "192.0.2.1", isProxy: false };
  return reader.read(request, client, new Task({}));
}

describe("BodyReader", () => {
  const sent = randomBytes(1_000_000);
  const parts = [sent.subarray(0, 10), sent.subarray(10, 10), sent.subarray(10, 400_000), sent.subarray(400_000)];

  it.each([
    ["its length", 1_000_000],
    ["no length", undefined],
    ["more than comes", 2_000_000],
    ["less than comes", 500_000],
    ["much less than comes", 5],
  ])("puts a large body together that announces %s", async (_, announced) => {
    const body = await read(parts, announced);
    expect(sent.equals(body as Uint8Array)).toBe(true);
  });

  it("gives bodies of one part and of none", async () => {
    expect(sent.equals((await read([sent])) as Uint8Array)).toBe(true);
    expect(await read([])).toHaveLength(0);
    expect(await read([], 1_000_000)).toHaveLength(0);
  });

  it("refuses more than is allowed, announced or not", async () => {
    expect(await read([], 10_000_001)).toBe("too-large");
    expect(await read(Array.from({ length: 11 }, () => sent))).toBe("too-large");
  });
});
