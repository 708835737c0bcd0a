import { describe, expect, it } from "vitest";
import { Crowds } from "../../src/host/crowds.ts";

describe("Crowds", () => {
  it("knows where as much is under way as elsewhere, or more", () => {
    const crowds = new Crowds();
    expect(crowds.isCrowd("a")).toBe(false);
    const leave = ["a", "a", "a", "b"].map((block) => crowds.enter(block));
    expect(["a", "b", "c"].map((block) => crowds.isCrowd(block))).toEqual([true, false, false]);
    leave[0]?.();
    leave[1]?.();
    expect(["a", "b", "c"].map((block) => crowds.isCrowd(block))).toEqual([true, true, false]);
    leave[2]?.();
    leave[3]?.();
    crowds.enter("c");
    expect(["a", "b", "c"].map((block) => crowds.isCrowd(block))).toEqual([false, false, true]);
  });
});
