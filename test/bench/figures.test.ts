import { describe, expect, test } from "vitest";
import { readArguments, UsageError } from "../../bench/support/arguments.ts";
import { figureOf, isWithin } from "../../bench/support/figures.ts";
import { readOpensslSpeed } from "../../bench/support/machine.ts";
import { formatList, formatNumber, formatTable, OTHER_BENCHES, type Results } from "../../bench/support/report.ts";
import { Bench } from "../../bench/support/suite.ts";

describe("figures", () => {
  test("a bound holds at its end and not beyond", () => {
    expect([0.84, 0.85, 0.86].map((value) => isWithin(value, { atLeast: 0.85 }))).toEqual([false, true, true]);
    expect([1.34, 1.35, 1.36].map((value) => isWithin(value, { atMost: 1.35 }))).toEqual([true, true, false]);
  });

  test("what was not measured is within no bound, and is no figure without one", () => {
    expect(isWithin(NaN, { atLeast: 0 })).toBe(false);
    expect(isWithin(NaN, { atMost: 10 })).toBe(false);
    expect(figureOf("a", "A", [], { unit: "×" }).ok).toBe(false);
    expect(figureOf("a", "A", Infinity, { unit: "×" }).ok).toBe(false);
  });

  test("a figure is the median of its rounds, judged by it alone", () => {
    expect(figureOf("a", "A", [1, 2, 9], { unit: "×", bound: { atLeast: 2 }, aim: 3 })).toEqual({
      id: "a",
      title: "A",
      unit: "×",
      value: 2,
      spread: { low: 1.5, high: 5.5, rounds: 3 },
      bound: { atLeast: 2 },
      aim: 3,
      ok: true,
    });
    expect(figureOf("a", "A", 5, { unit: "ms", bound: { atMost: 4 } })).toEqual({
      id: "a",
      title: "A",
      unit: "ms",
      value: 5,
      bound: { atMost: 4 },
      ok: false,
    });
  });

  test("a bench keeps its figures and tells of each", () => {
    const lines: string[] = [];
    const bench = new Bench({ isQuick: true, report: (line) => lines.push(line) });
    bench.add("a", "A", 5, { unit: "ms", bound: { atMost: 4 } });
    expect(bench.figures.map(({ id, ok }) => [id, ok])).toEqual([["a", false]]);
    expect(lines).toEqual(["  ! A: 5.00 ms"]);
    expect(bench.either(100, 3)).toBe(3);
  });
});

describe("arguments", () => {
  const suites = ["http", "xmlrpc"];
  const read = (line: string) => readArguments(line.split(" ").filter(Boolean), suites);

  test("--json takes a file or nothing, whatever follows", () => {
    expect(read("")).toEqual({ isQuick: false, only: undefined, json: undefined });
    expect(read("--json")).toMatchObject({ json: "-" });
    expect(read("--json --quick")).toMatchObject({ json: "-", isQuick: true });
    expect(read("--json out.json --quick")).toMatchObject({ json: "out.json", isQuick: true });
    expect(read("--json=out.json")).toMatchObject({ json: "out.json" });
  });

  test("--only takes suites that there are", () => {
    expect(read("--only http,xmlrpc")).toMatchObject({ only: ["http", "xmlrpc"] });
    expect(() => read("--only http,htpp")).toThrow(UsageError);
    expect(() => read("--only")).toThrow(UsageError);
  });

  test("--list is all there is then; anything unknown is refused", () => {
    expect(read("--quick --list")).toBe("list");
    expect(() => read("--fast")).toThrow(UsageError);
    expect(() => read("http")).toThrow(UsageError);
  });
});

test("the rates of openssl speed are read, or are not there", () => {
  const output = "+R1:2732:2048:1.000000\n+F2:2:2048:2732.857143:43813.432836\n";
  expect(readOpensslSpeed(output)).toEqual({ sign: 2733, verify: 43_813 });
  expect(readOpensslSpeed("speed: unknown algorithm")).toBeUndefined();
});

describe("the report", () => {
  const results: Results = {
    schema: 1,
    date: "2026-01-02T03:04:05.000Z",
    machine: { node: "v20", openssl: "3.0", platform: "linux", cpu: "A CPU", cores: 2, memoryGb: 8, commit: "abc" },
    isQuick: false,
    seconds: 7,
    rsa: { node: { unwrap: 1, sign: 2, verify: 3, wrap: 4, calls: 5 } },
    ok: false,
    figures: [
      figureOf("a.one", "One", [1, 2, 3], { unit: "×", bound: { atLeast: 4 }, aim: 5 }),
      figureOf("a.other", "Other", 1234.5, { unit: "ms" }),
    ],
  };

  test("the table shows what is out of its bound", () => {
    const lines = formatTable(results).split("\n");
    expect(lines.find((line) => line.includes("a.one"))).toMatch(/^FAIL +a\.one +2 × +1\.5 … 2\.5 +≥ 4 +5 +One$/);
    expect(lines.find((line) => line.includes("a.other"))).toMatch(/^ +a\.other +1235 ms +Other$/);
    expect(lines.at(-2)).toBe("1 out of bounds (7 s).");
  });

  test("numbers have three digits that matter, and those that are none a question mark", () => {
    expect([0.012345, 1.23456, 12.3456, 123.456, 12_345.6, NaN].map(formatNumber)).toEqual([
      "0.0123",
      "1.23",
      "12.3",
      "123",
      "12,346",
      "?",
    ]);
  });

  test("the list names the benches with commands of their own, those of the statements among them", () => {
    const list = formatList([{ name: "http", title: "Over HTTP", run: () => Promise.resolve() }]);
    expect(list).toContain("  http  Over HTTP");
    for (const name of Object.keys(OTHER_BENCHES)) expect(list).toContain(name);
    for (const id of ["SEC-004", "SEC-024", "SEC-077", "SEC-083"]) expect(list).toContain(id);
  });
});
