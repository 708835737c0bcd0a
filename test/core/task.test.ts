import { describe, expect, it, vi } from "vitest";
import { Task } from "../../src/core/task.ts";

const reason = new Error("Enough.");

describe("Task", () => {
  it("does not look at its parent's signal before somebody asks for its own", () => {
    const signal = vi.fn(() => new AbortController().signal);
    const task = new Task({
      get signal() {
        return signal();
      },
    });
    task.onAbort(() => undefined);
    task.abort(reason);
    expect(signal).not.toHaveBeenCalled();
    expect(task.signal.aborted).toBe(true);
    expect(signal).toHaveBeenCalledOnce();
  });

  it("ends with its parent, whenever it is asked, and follows it no longer than it lasts", () => {
    const parent = new AbortController();
    const [before, after, over] = [new Task(parent), new Task(parent), new Task(parent)];
    const signals = [before.signal, over.signal];
    over.end();
    parent.abort(reason);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(after.signal.reason).toBe(reason);
  });

  it("tells listeners and signal of its own end, also those that come late, and of the first reason", () => {
    const task = new Task({});
    const [told, gone, late] = [vi.fn(), vi.fn(), vi.fn()];
    task.onAbort(told);
    task.onAbort(gone)();
    const { signal } = task;
    task.abort(reason);
    task.abort(new Error("Another."));
    task.onAbort(late);
    expect(signal.reason).toBe(reason);
    expect(told.mock.calls).toEqual([[reason]]);
    expect(gone).not.toHaveBeenCalled();
    expect(late).toHaveBeenCalledWith(reason);
  });

  it("has nothing to follow without a parent's signal", () => {
    expect(new Task({}).signal.aborted).toBe(false);
  });
});
