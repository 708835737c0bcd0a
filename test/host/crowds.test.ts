import { describe, expect, it } from "vitest";
import { Crowds } from "../../src/host/crowds.ts";

describe("Crowds", () => {
  it("knows where half as much is under way as elsewhere, or more", () => {
    const crowds = new Crowds();
    expect(crowds.isCrowd("a")).toBe(false);
    const leave = ["a", "a", "a", "a", "b"].map((block) => crowds.enter(block));
    const crowded = (): string[] => ["a", "b", "c"].filter((block) => crowds.isCrowd(block));
    // 4 and 1: on average 2.5.
    expect(crowded()).toEqual(["a"]);
    leave[0]?.();
    leave[1]?.();
    expect(crowded()).toEqual(["a", "b"]);
    leave[2]?.();
    leave[3]?.();
    expect(crowded()).toEqual(["b"]);
  });
});
