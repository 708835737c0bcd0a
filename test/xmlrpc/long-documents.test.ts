import { describe, expect, it } from "vitest";
import { decode, decodeCallInTurns, decodeResponseInTurns } from "../../src/xmlrpc/decode.ts";
import { encodeCall, encodeResult, encodeResultInTurns } from "../../src/xmlrpc/encode.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { text, unknownForm } from "./documents.ts";

describe("long documents", () => {
  const list = Array.from({ length: 20_000 }, (_, n) => ({
    id: String(n),
    name: `Übung ${n} & mehr`,
    isOpen: n % 2 === 0,
  }));
  const call = encodeCall("a/b", [list]);

  /** How often others had their turn of the event loop until then. */
  async function turnsUntil<T>(work: () => Promise<T> | T): Promise<{ readonly turns: number; readonly value: T }> {
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const value = await work();
    isDone = true;
    return { turns, value };
  }

  it("leave the event loop to others in between", async () => {
    const { turns, value } = await turnsUntil(() => decodeCallInTurns(call));
    expect(turns).toBeGreaterThan(2);
    expect(value).toEqual(decode(call));
  });

  it("and in a form that is not known", async () => {
    const { turns, value } = await turnsUntil(() => decodeCallInTurns(unknownForm(call)));
    expect(turns).toBeGreaterThan(2);
    expect(value).toEqual(decode(call));
  });

  it("SEC-022 are refused as short ones are", async () => {
    const answer = encodeResult(list, { dialect: "epi" });
    await expect(decodeCallInTurns(answer)).rejects.toMatchObject({ code: "MNET_XMLRPC_UNEXPECTED_ROOT" });
    await expect(decodeResponseInTurns(call)).rejects.toMatchObject({ code: "MNET_XMLRPC_UNEXPECTED_ROOT" });
    await expect(decodeResponseInTurns(answer)).resolves.toMatchObject({ kind: "result" });
    const damaged = Buffer.concat([call, Buffer.from("<")]);
    await expect(decodeCallInTurns(damaged)).rejects.toMatchObject({ code: "MNET_XMLRPC_MALFORMED" });
    const short = encodeCall("a/b", []);
    expect(decodeCallInTurns(short)).toEqual(decode(short));
  });

  it("are written so, too", async () => {
    const { turns, value } = await turnsUntil(() => encodeResultInTurns(list, "epi"));
    expect(turns).toBeGreaterThan(2);
    expect(text(value)).toBe(text(encodeResult(list, { dialect: "epi" })));
  });

  it("two at a time do not get into one another", async () => {
    const others = list.map(({ name }) => name);
    const written = await Promise.all([list, others].map(async (each) => text(await encodeResultInTurns(each))));
    expect(written).toEqual([text(encodeResult(list)), text(encodeResult(others))]);
  });

  it("are refused as short ones are where XML-RPC cannot say something", async () => {
    const cyclic: unknown[] = [...list];
    cyclic.push([cyclic]);
    for (const unencodable of [cyclic, [...list, Symbol("x")]]) {
      const encoded = encodeResultInTurns(unencodable as XmlRpcValue);
      await expect(encoded).rejects.toMatchObject({ code: "MNET_XMLRPC_UNENCODABLE" });
    }
    expect(encodeResultInTurns([1])).toEqual(encodeResult([1]));
  });
});
