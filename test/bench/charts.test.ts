import { describe, expect, test } from "vitest";
import { barChartSvg } from "../../bench/support/bar-chart.ts";
import { figureOf } from "../../bench/support/figures.ts";
import { flameOf, flameSvg, sharesOf, type CpuProfile } from "../../bench/support/flame-graph.ts";
import type { Results } from "../../bench/support/report.ts";
import { chartsOf, marginOf, resultsMarkdown, withResults } from "../../bench/support/results-page.ts";
import { SaxesParser } from "saxes";

/** Throws unless it is well-formed XML. Returns how many elements of each name it has. */
function countElements(svg: string): Record<string, number> {
  const count: Record<string, number> = {};
  const parser = new SaxesParser();
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name }) => {
    count[name] = (count[name] ?? 0) + 1;
  });
  parser.write(svg).close();
  return count;
}

describe("flame graph", () => {
  const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 1 });
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame("(root)", ""), children: [2, 8, 9] },
      { id: 2, callFrame: frame("handle", "file:///src/host/host.js"), children: [3, 5] },
      { id: 3, callFrame: frame("", "node:internal/crypto/cipher"), children: [4] },
      { id: 4, callFrame: frame("privateDecrypt", ""), children: [] },
      { id: 5, callFrame: frame("", "file:///src/xml/fields.js"), children: [6, 7] },
      { id: 6, callFrame: frame("write", "file:///node_modules/saxes/saxes.js") },
      { id: 7, callFrame: frame("<a & b>", "node:buffer") },
      { id: 8, callFrame: frame("(idle)", "") },
      { id: 9, callFrame: frame("(garbage collector)", "") },
    ],
    samples: [4, 4, 6, 7, 8, 9, 2, 5],
    timeDeltas: [100, 100, 50, 40, 9999, 10, 5, 5],
  };

  test("stacks are merged, time is that of the functions above, idling does not count", () => {
    const flame = flameOf(profile);
    expect(flame.time).toBe(310);
    const [handle] = flame.children.values();
    expect([handle?.name, handle?.owner, handle?.time]).toEqual(["handle", "library", 300]);
    expect([...(handle?.children.values() ?? [])].map(({ name, time }) => [name, time])).toEqual([
      ["RSA: unwrap, wrap", 200],
      ["(a function in fields.ts)", 95],
    ]);
  });

  test("each function's own time has an owner; what OpenSSL does is RSA's", () => {
    expect(sharesOf(flameOf(profile))).toEqual({ rsa: 200, library: 10, dependency: 50, node: 40, engine: 10 });
  });

  test("the picture is well-formed whatever functions are called, and has a title and a description", () => {
    const svg = flameSvg(flameOf(profile), "A & B");
    const { title = 0, desc, rect } = countElements(svg);
    // One box for each function, the root and each entry of the legend, and the page.
    expect([title, desc, rect]).toEqual([9, 1, 8 + 5 + 1]);
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).toContain("RSA (OpenSSL) 65 %");
  });

  test("what is too narrow to be seen is left out", () => {
    const rare = { ...profile, samples: [4, 6], timeDeltas: [1_000_000, 10] };
    expect(flameSvg(flameOf(rare), "A")).not.toContain("fields.ts");
  });
});

describe("bar chart", () => {
  test("bars are in proportion, the mark among them", () => {
    const svg = barChartSvg({
      title: "A < B",
      description: "Longer is better.",
      mark: { at: 4, label: "bound" },
      bars: [
        { label: "one & only", value: 1, text: "1 ×", kind: "ours" },
        { label: "two", value: 2, text: "2 ×", kind: "other" },
        { label: "nothing", value: NaN, text: "?", kind: "bad" },
      ],
    });
    expect(countElements(svg)).toMatchObject({ title: 4, desc: 1, line: 1 });
    const widths = [...svg.matchAll(/class="(?:ours|other|bad)" [^>]*width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    const [one = 0, two = 0, none] = widths;
    expect(two / one).toBeCloseTo(2, 2);
    expect(none).toBe(1);
  });
});

describe("the page of results", () => {
  const results: Results = {
    schema: 1,
    date: "2026-01-02T03:04:05.000Z",
    machine: { node: "v20.1", openssl: "3.0", platform: "linux", cpu: "A CPU", cores: 2, memoryGb: 8, commit: "abc" },
    isQuick: false,
    seconds: 7,
    rsa: { node: { unwrap: 1, sign: 2, verify: 3, wrap: 4, calls: 5 } },
    ok: false,
    figures: [
      figureOf("http.server-cpu", "CPU", 1.5, { unit: "×", bound: { atMost: 1.35 }, aim: 1.2 }),
      figureOf("http.rate-2", "Calls a second, 2 workers", 1000, { unit: "/s" }),
    ],
  };

  test("the margin is above 1 within the bound, whichever way it is", () => {
    const margin = (value: number, bound: { atLeast: number } | { atMost: number }): number =>
      marginOf(figureOf("a", "A", value, { unit: "×", bound }));
    expect(margin(8, { atLeast: 4 })).toBe(2);
    expect(margin(4, { atMost: 8 })).toBe(2);
    expect(margin(16, { atMost: 8 })).toBe(0.5);
    expect(margin(NaN, { atMost: 8 })).toBe(0);
  });

  test("results stand between their marks, and nothing else changes", () => {
    const page = "# A\n\n<!-- results: written by npm run bench:charts -->\n\nold\n\n<!-- end of results -->\n\nEnd\n";
    const written = withResults(page, "new");
    expect(written).toBe(page.replace("old", "new"));
    expect(withResults(written, "new")).toBe(written);
    expect(() => withResults("# A\n", "new")).toThrow("has no");
  });

  test("a figure out of its bound is shown as that, in the table and in the chart", () => {
    expect(resultsMarkdown(results, undefined)).toContain("| CPU | 1.5 × |  | ≤ 1.35 | 1.2 | **no** |");
    expect(chartsOf(results, undefined)["bounds"]?.bars).toMatchObject([{ kind: "bad", text: "1.5 × (≤ 1.35)" }]);
    expect(chartsOf(results, undefined)["moodle"]).toBeUndefined();
  });
});
