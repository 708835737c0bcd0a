import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";

describe("systemClock", () => {
  it("tells Unix milliseconds", () => {
    const before = Date.now();
    const now = systemClock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });

  it("calls back after a delay, unless it is cancelled", async () => {
    const ran: string[] = [];
    const cancel = systemClock.after(1, () => ran.push("cancelled"));
    cancel();
    await new Promise<void>((resolve) => {
      // What the clock's timers do not: keep the process alive until both had their time.
      setTimeout(resolve, 50);
      systemClock.after(1, () => ran.push("run"));
    });
    expect(ran).toEqual(["run"]);
  });
});
