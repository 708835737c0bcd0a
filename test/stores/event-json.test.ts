import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { MnetEvent } from "../../src/core/events.ts";
import type { PeerId, Wwwroot } from "../../src/core/ids.ts";
import { decodeEvent, encodeEvent } from "../../src/stores/event-json.ts";

const base = { at: new Date("2026-01-01T00:00:00.123Z"), level: "info" } as const;

const kept = (error: unknown): unknown => {
  const event = decodeEvent(encodeEvent({ ...base, type: "handler.failed", method: "m", error }).json);
  return event.type === "handler.failed" ? event.error : undefined;
};

test("any text and any moment come back as they were", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.date({ noInvalidDate: true }),
      fc.date({ noInvalidDate: true }),
      (text, at, notAfter) => {
        const remark: MnetEvent = { ...base, at, type: "envelope.remark", remark: text, exchange: text };
        expect(decodeEvent(encodeEvent(remark).json)).toEqual(remark);
        const expiring: MnetEvent = { ...base, at, type: "peer.key-expiring", notAfter, daysLeft: 1 };
        expect(decodeEvent(encodeEvent(expiring).json)).toEqual(expiring);
      },
    ),
  );
});

test("what is searched is beside the JSON", () => {
  const peer = { id: 7 as PeerId, wwwroot: "http://a.test" as Wwwroot };
  const at = base.at.getTime();
  expect(
    encodeEvent({ ...base, type: "call.failed", method: "m", durationMs: 1, code: "MNET_KEY_HELD", peer }),
  ).toMatchObject({ at, type: "call.failed", peer: 7, code: "MNET_KEY_HELD" });
  expect(encodeEvent({ ...base, type: "clock.off", offsetMs: 1 })).toMatchObject({
    at,
    type: "clock.off",
    peer: undefined,
    code: undefined,
  });
});

test("of a peer only its id and wwwroot are kept", () => {
  const peer = { id: 7 as PeerId, wwwroot: "http://a.test" as Wwwroot, name: "A", lastContactAt: new Date() };
  expect(decodeEvent(encodeEvent({ ...base, type: "clock.off", offsetMs: 1, peer }).json).peer).toEqual({
    id: 7,
    wwwroot: "http://a.test",
  });
});

test("a text that looks like a date stays a text", () => {
  const event: MnetEvent = { ...base, type: "envelope.remark", remark: "2026-01-01T00:00:00.000Z" };
  expect(decodeEvent(encodeEvent(event).json)).toEqual(event);
});

test("of an error its name and message are kept, and nothing else", () => {
  class OwnError extends Error {
    override readonly name = "OwnError";
    readonly token = "secret";
  }
  expect(kept(new OwnError("why", { cause: new Error("inner") }))).toEqual({ name: "OwnError", message: "why" });
  expect(kept(runInNewContext("new TypeError('elsewhere')"))).toEqual({ name: "TypeError", message: "elsewhere" });
  expect(kept(Object.assign(new Error("x"), { name: 5, message: { toString: () => "odd" } }))).toEqual({
    name: "5",
    message: "odd",
  });
  const long = kept(new Error("x".repeat(100_000))) as { message: string };
  expect(long.message.length).toBeLessThan(2100);
});

test("anything else that was thrown is kept as far as it is plain", () => {
  expect(kept("text")).toBe("text");
  expect(kept(5)).toBe(5);
  expect(kept(false)).toBe(false);
  expect(kept(null)).toBe(null);
  expect(kept({ password: "secret" })).toBe("[object Object]");
  expect(kept(5n)).toBe("[object BigInt]");
  expect(kept(undefined)).toBe("[object Undefined]");
});

test("what throws when it is looked at is kept as unreadable", () => {
  const trap = new Proxy(
    {},
    {
      get() {
        throw new Error("get");
      },
      getPrototypeOf() {
        throw new Error("prototype");
      },
    },
  );
  expect(kept(trap)).toBe("[unreadable]");
  const error = Object.defineProperty(new Error("x"), "message", {
    get() {
      throw new Error("get");
    },
  });
  expect(kept(error)).toBe("[unreadable]");
});
