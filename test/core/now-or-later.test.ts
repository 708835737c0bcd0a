import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { goOn, isLater, type NowOrLater } from "../../src/core/now-or-later.ts";

describe("goOn", () => {
  it("goes on at once with what is there, and later with what is not", async () => {
    expect(goOn(20, (n) => n + 1)).toBe(21);
    expect(goOn(undefined, String)).toBe("undefined");
    const later = goOn(Promise.resolve(20), (n) => n + 1);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toBe(21);
  });

  it("throws where it went on at once, and rejects where it did not", async () => {
    const fail = (): never => {
      throw new Error("no");
    };
    expect(() => goOn(1, fail)).toThrow("no");
    await expect(goOn(Promise.resolve(1), fail)).rejects.toThrow("no");
    await expect(goOn(Promise.reject(new Error("away")), () => 1)).rejects.toThrow("away");
  });

  it("knows promises that are not of the global class", async () => {
    const foreign = runInNewContext("(async () => 20)()") as NowOrLater<number>;
    expect([foreign instanceof Promise, isLater(foreign)]).toEqual([false, true]);
    expect(await goOn(foreign, (n) => n + 1)).toBe(21);
  });
});
