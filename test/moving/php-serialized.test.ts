import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPhpSerialized, type PhpValue } from "../../src/moving/moodle/php-serialized.ts";

describe("what PHP has serialised", () => {
  it.each<[text: string, value: unknown]>([
    ["N;", null],
    ["b:1;", true],
    ["b:0;", false],
    ["i:0;", 0],
    ["i:-17;", -17],
    ["i:9007199254740991;", Number.MAX_SAFE_INTEGER],
    ['s:0:"";', ""],
    ['s:3:"a"b";', 'a"b'],
    // Lengths are those of UTF-8.
    ['s:4:"é日"', undefined],
    ['s:5:"é日";', "é日"],
    ['s:7:"a";s:1:";', 'a";s:1:'],
    ["a:0:{}", new Map()],
    [
      'a:2:{i:0;s:1:"x";s:3:"key";a:1:{i:5;N;}}',
      new Map<unknown, unknown>([
        [0, "x"],
        ["key", new Map([[5, null]])],
      ]),
    ],
  ])("%s", (text, value) => {
    if (value === undefined) expect(() => readPhpSerialized(text)).toThrow(TypeError);
    else expect(readPhpSerialized(text)).toEqual(value);
  });

  it.each([
    "",
    ";",
    "i:1",
    "i:01;",
    "i:1.5;",
    "i: 1;",
    "i:99999999999999999;",
    "b:2;",
    "d:0.5;",
    's:2:"a";',
    's:1:"ab";',
    's:-1:"";',
    's:1:a";',
    "a:1:{}",
    "a:0:{",
    "a:0:{}x",
    "a:1:{N;N;}",
    "a:1:{a:0:{}N;}",
    "a:2:{i:0;N;i:0;N;}",
    "a:99999999:{}",
    `${"a:1:{i:0;".repeat(20)}N;${"}".repeat(20)}`,
    'O:8:"stdClass":0:{}',
    'C:11:"ArrayObject":0:{}',
    "R:1;",
    "r:1;",
    'E:3:"A:B";',
  ])("refuses %j", (text) => {
    expect(() => readPhpSerialized(text)).toThrow(TypeError);
  });

  it("never shows what it could not read", () => {
    const secret = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
    expect(() => readPhpSerialized(`a:1:{i:0;s:99:"${secret}";}`)).toThrow(/^(?!.*MIIE)/);
  });

  it("survives any text", () => {
    const fragments = ["a:1:{", "}", "i:0;", "N;", 's:1:"', '";', "b:1;", "s:", ":", "1", "-", "é", "\0", "O:"];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...fragments), fc.string())), (parts) => {
        try {
          readPhpSerialized(parts.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
    );
  });

  it("reads what is written by the same rules", () => {
    const key = fc.oneof(
      fc.integer(),
      fc.string({ unit: "grapheme" }).filter((text) => !/^-?\d+$/.test(text)),
    );
    const { value } = fc.letrec<{ value: PhpValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.boolean(),
        fc.integer(),
        fc.string({ unit: "grapheme" }),
        fc.uniqueArray(fc.tuple(key, tie("value")), { selector: ([name]) => name }).map((entries) => new Map(entries)),
      ),
    }));
    fc.assert(
      fc.property(value, (given) => {
        expect(readPhpSerialized(written(given))).toEqual(given);
      }),
    );
  });

  it("reads what PHP itself writes", (ctx) => {
    const program = `echo serialize([["certificate" => "é\\n\\"", "keypair_PEM" => "x;}", "expires" => 1797723479], true, null, -1]);`;
    const { stdout, error } = spawnSync("php", ["-r", program], { encoding: "utf8" });
    if (error) ctx.skip("php is absent");
    const entry = new Map<string, unknown>([
      ["certificate", 'é\n"'],
      ["keypair_PEM", "x;}"],
      ["expires", 1797723479],
    ]);
    expect(readPhpSerialized(stdout)).toEqual(
      new Map<number, unknown>([
        [0, entry],
        [1, true],
        [2, null],
        [3, -1],
      ]),
    );
  });
});

function written(value: PhpValue): string {
  if (value === null) return "N;";
  if (typeof value === "boolean") return `b:${value ? 1 : 0};`;
  if (typeof value === "number") return `i:${value};`;
  if (typeof value === "string") return `s:${Buffer.byteLength(value)}:"${value}";`;
  const entries = [...value].map(([name, member]) => written(name) + written(member));
  return `a:${value.size}:{${entries.join("")}}`;
}
