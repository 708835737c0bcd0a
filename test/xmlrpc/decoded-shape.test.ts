import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { decode } from "../../src/xmlrpc/decode.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";

setFlagsFromString("--allow-natives-syntax");
/** Whether two objects have the same hidden class. V8's own functions have names that nobody else can read. */
const haveSameMap = runInThisContext("(one, other) => %HaveSameMap(one, other)") as (
  one: object,
  other: object,
) => boolean;

/** Until V8 has compiled it. */
const MANY = 20_000;

describe("decode", () => {
  it.each([
    ["call", encodeCall("bench/echo", ["text"])],
    ["result", encodeResult("text")],
    ["fault", encodeFault(7020, "text")],
  ])("every %s has the same hidden class, however many there were", (_kind, document) => {
    for (let n = 0; n < MANY; n += 1) decode(document);
    expect(haveSameMap(decode(document), decode(document))).toBe(true);
  });
});
