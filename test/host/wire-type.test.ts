import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { t, WireMismatch, wireOf, type WireType } from "../../src/host/wire-type.ts";
import { decodeCall, decodeResponse } from "../../src/xmlrpc/decode.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { XmlRpcDateTime, XmlRpcDouble, type XmlRpcValue } from "../../src/xmlrpc/value.ts";

const decode = <T>(type: WireType<T>, value: XmlRpcValue | undefined): T => wireOf(type, "type").decode(value);
const encode = (type: WireType<unknown>, value: unknown): XmlRpcValue => wireOf(type, "type").encode(value);

/** The mismatch that a step ends with. */
function mismatchOf(step: () => unknown): WireMismatch {
  try {
    step();
  } catch (error) {
    if (error instanceof WireMismatch) return error;
    throw error;
  }
  throw new Error("It was accepted.");
}

function optionOf(step: () => unknown): string | undefined {
  try {
    step();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toHaveProperty("code", "MNET_CONFIG_INVALID");
    return (error as ConfigError).option;
  }
  throw new Error("It was accepted.");
}

/** A struct as the decoder of documents makes it. */
const struct = (members: Record<string, XmlRpcValue>): XmlRpcValue =>
  Object.assign(Object.create(null) as Record<string, XmlRpcValue>, members);

const documentOf = (value: XmlRpcValue): string => Buffer.from(encodeResult(value)).toString();

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("reading by field, not by type", () => {
  const accepted: readonly [name: string, type: WireType<unknown>, value: XmlRpcValue, expected: unknown][] = [
    ["int of 17", t.int(), 17, 17],
    ["int of text", t.int(), "17", 17],
    ["int of an i8", t.int(), 17n, 17],
    ["int of a double", t.int(), new XmlRpcDouble(17), 17],
    ["int of text with white space", t.int(), " \t\r\n17\n", 17],
    ["int of a negative text", t.int(), "-5", -5],
    ["int of text with a plus", t.int(), "+5", 5],
    ["int of text with leading zeros", t.int(), "007", 7],
    ["int of minus zero", t.int(), "-0", 0],
    ["int of a double that is minus zero", t.int(), new XmlRpcDouble(-0), 0],
    ["int beyond 32 bits", t.int(), "5000000000", 5_000_000_000],
    ["int at the end of the safe integers", t.int(), "9007199254740991", Number.MAX_SAFE_INTEGER],
    ["int at its bounds", t.int({ min: 1, max: 3 }), "3", 3],
    ["double of an int", t.double(), 2, 2],
    ["double of a double", t.double(), new XmlRpcDouble(2), 2],
    ["double of a fraction", t.double(), 1.5, 1.5],
    ["double of epi's text", t.double(), "1.500000", 1.5],
    ["double of pxr's text", t.double(), "0.1000000000000000055511151231257827", 0.1],
    ["double with an exponent", t.double(), " -1.5E+3 ", -1500],
    ["double without a leading zero", t.double(), ".5", 0.5],
    ["double of an i8", t.double(), 3n, 3],
    ["boolean of true", t.boolean(), true, true],
    ["boolean of 1", t.boolean(), 1, true],
    ["boolean of an i8", t.boolean(), 0n, false],
    ["boolean of a double", t.boolean(), new XmlRpcDouble(1), true],
    ["boolean of text 1", t.boolean(), "1", true],
    ["boolean of text 0", t.boolean(), "0", false],
    ["boolean of text true", t.boolean(), "true", true],
    ["boolean of text false", t.boolean(), "false", false],
    ["string of text", t.string(), " Ada ", " Ada "],
    ["string of an int", t.string(), 17, "17"],
    ["string of a large int", t.string(), 1e21, "1000000000000000000000"],
    ["string of an i8", t.string(), -17n, "-17"],
    ["string of a double", t.string(), new XmlRpcDouble(2), "2"],
    ["string of a fraction", t.string(), 1.5, "1.5"],
    ["string of true", t.string(), true, "1"],
    ["string of false", t.string(), false, ""],
    ["string of base64", t.string(), bytes("é"), "é"],
    ["string of a date", t.string(), new XmlRpcDateTime("20240102T03:04:05"), "20240102T03:04:05"],
    ["time of an int", t.time(), 1704164645, new Date("2024-01-02T03:04:05Z")],
    ["time of text", t.time(), "1704164645", new Date("2024-01-02T03:04:05Z")],
    ["time before 1970", t.time(), "-1", new Date(-1000)],
    ["bytes of text", t.bytes(), "aGk=", bytes("hi")],
    ["bytes of lines", t.bytes(), "aG\r\nk=\n", bytes("hi")],
    ["bytes of base64", t.bytes(), bytes("hi"), bytes("hi")],
    ["value", t.value(), "17", "17"],
    ["value of null", t.value(), null, null],
  ];
  it.each(accepted)("MNET-059, MNET-060: takes an %s", (_name, type, value, expected) => {
    expect(decode(type, value)).toStrictEqual(expected);
  });

  const date = new XmlRpcDateTime("20240102T03:04:05");
  const refused: readonly [name: string, type: WireType<unknown>, value: XmlRpcValue][] = [
    ["int of words", t.int(), "seventeen"],
    ["int of a fraction", t.int(), 1.5],
    ["int of text with a fraction", t.int(), "17.0"],
    ["int with an exponent", t.int(), "1e3"],
    ["int in hexadecimal", t.int(), "0x11"],
    ["int of Arabic digits", t.int(), "١٧"],
    ["int after a no-break space", t.int(), "\u00a017"],
    ["int of two", t.int(), "1 7"],
    ["int of nothing", t.int(), ""],
    ["int of null", t.int(), null],
    ["int of false", t.int(), false],
    ["int of true", t.int(), true],
    ["int beyond the safe integers", t.int(), "9007199254740993"],
    ["int of an i8 beyond the safe integers", t.int(), 9007199254740993n],
    ["int of very many digits", t.int(), "9".repeat(400)],
    ["int below its least", t.int({ min: 1 }), "0"],
    ["int above its most", t.int({ max: 3 }), 4],
    ["int of a list", t.int(), [17]],
    ["int of bytes", t.int(), bytes("17")],
    ["double of words", t.double(), "one"],
    ["double of NaN", t.double(), "NaN"],
    ["double of infinity", t.double(), "INF"],
    ["double too large", t.double(), "1e999"],
    ["double of nothing", t.double(), ""],
    ["double of a dot", t.double(), "."],
    ["double with a comma", t.double(), "1,5"],
    ["double of false", t.double(), false],
    ["boolean of a word", t.boolean(), "yes"],
    ["boolean in capitals", t.boolean(), "TRUE"],
    ["boolean of 2", t.boolean(), 2],
    ["boolean of a list", t.boolean(), []],
    ["string of a list", t.string(), []],
    ["string of a struct", t.string(), struct({})],
    ["string of bytes that are no text", t.string(), Uint8Array.of(0xc3)],
    ["string too long", t.string({ maxLength: 2 }), "abc"],
    ["time of words", t.time(), "yesterday"],
    ["time without a zone", t.time(), date],
    ["time beyond what a Date can say", t.time(), "8640000000001"],
    ["bytes of text that is not base64", t.bytes(), "a-_="],
    ["bytes of a number", t.bytes(), 17],
    ["list of text", t.list(t.int()), "1,2"],
    ["list of false", t.list(t.int()), false],
    ["list of a date", t.list(t.int()), date],
    ["struct of text", t.struct({}), ""],
    ["struct of null", t.struct({}), null],
    ["struct of a list with something in it", t.struct({}), [1]],
    ["struct of bytes", t.struct({}), bytes("x")],
    ["struct of a date", t.struct({}), date],
    ["struct of a double", t.struct({}), new XmlRpcDouble(1)],
  ];
  it.each(refused)("SEC-021: refuses an %s", (_name, type, value) => {
    expect(mismatchOf(() => decode(type, value)).path).toBe("");
  });

  it("does not repeat what came in its words", () => {
    expect(mismatchOf(() => decode(t.int(), "hunter2")).message).toBe("must be an integer; this string is not");
  });

  it("SEC-021: throws only its own error, whatever comes", () => {
    const types: WireType<unknown>[] = [
      t.string({ maxLength: 5 }),
      t.int(),
      t.double(),
      t.boolean(),
      t.time(),
      t.bytes(),
      t.list(t.int()),
      t.struct({ a: t.int(), b: t.list(t.string()).optional() }),
      t.value(),
      t.int().optional(),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...types), wireValue(), (type, value) => {
        try {
          decode(type, value);
        } catch (error) {
          expect(error).toBeInstanceOf(WireMismatch);
        }
      }),
    );
  });

  it("SEC-024: takes as long for hostile text as for any other", () => {
    const size = 1 << 20;
    const hostile = [
      " ".repeat(size) + "x",
      "1".repeat(size) + "x",
      `1${" ".repeat(size)}x`,
      `${"1".repeat(size)}.${"1".repeat(size)}e`,
    ];
    const started = performance.now();
    for (const text of hostile) {
      for (const type of [t.int(), t.double(), t.time()] as WireType<unknown>[]) mismatchOf(() => decode(type, text));
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("nothing", () => {
  const nothing: readonly [name: string, type: WireType<unknown>, expected: unknown][] = [
    ["string", t.string(), ""],
    ["boolean", t.boolean(), false],
    ["bytes", t.bytes(), new Uint8Array()],
    ["list", t.list(t.int()), []],
  ];
  it.each(nothing)("MNET-058: an empty string, or null, is an empty %s", (_name, type, expected) => {
    expect(decode(type, "")).toStrictEqual(expected);
    expect(decode(type, null)).toStrictEqual(expected);
  });

  it("MNET-058: an empty string, null, or nothing at all is undefined where a value is optional", () => {
    for (const type of [
      t.string(),
      t.int(),
      t.double(),
      t.boolean(),
      t.time(),
      t.bytes(),
      t.list(t.int()),
      t.struct({}),
      t.value(),
    ]) {
      for (const value of ["", null, undefined]) expect(decode(type.optional(), value)).toBeUndefined();
    }
  });

  it("a missing value is refused where it is required", () => {
    for (const type of [t.string(), t.int(), t.boolean(), t.list(t.int()), t.struct({}), t.value()]) {
      expect(mismatchOf(() => decode(type, undefined)).message).toBe("is missing");
      expect(mismatchOf(() => encode(type, undefined)).message).toBe("is missing");
    }
  });

  it("an optional value that is there is checked as any other", () => {
    expect(decode(t.int().optional(), "5")).toBe(5);
    expect(mismatchOf(() => decode(t.int().optional(), "x")).message).toContain("an integer");
    expect(mismatchOf(() => decode(t.struct({ a: t.int() }).optional(), [])).path).toBe("a");
    expect(mismatchOf(() => encode(t.int().optional(), null)).message).toContain("an integer");
  });

  it("MNET-051: undefined is written as empty text", () => {
    expect(encode(t.int().optional(), undefined)).toBeNull();
    expect(encode(t.list(t.int().optional()), [1, undefined])).toEqual([1, null]);
    expect(documentOf(encode(t.int().optional(), undefined))).toContain("<value><string></string></value>");
  });
});

describe("lists and structs", () => {
  const numbers = t.list(t.int());

  it("MNET-061: takes a struct with numeric names as a list, in the order of the numbers", () => {
    expect(decode(numbers, struct({ "10": "30", "9": "20", "3": "10" }))).toEqual([10, 20, 30]);
    const far = struct({ "90000000000": 4, "80000000000": 3, "0": 2, "-7": 1 });
    expect(decode(numbers, far)).toEqual([1, 2, 3, 4]);
    expect(decode(numbers, struct({}))).toEqual([]);
    expect(mismatchOf(() => decode(numbers, struct({ "3": 1, "7": "x" }))).path).toBe("[7]");
  });

  it.each(["", "a", "1a", "01", " 1", "1.0", "+1", "-0", "__proto__", "1".repeat(21)])(
    "MNET-061: a struct with the name %j is no list",
    (name) => {
      const value = Object.create(null) as Record<string, XmlRpcValue>;
      value[name] = 1;
      expect(mismatchOf(() => decode(numbers, value)).message).toContain("a list");
    },
  );

  it("takes an empty list as an empty struct", () => {
    expect(decode(t.struct({ a: t.int().optional() }), [])).toEqual({});
    expect(mismatchOf(() => decode(t.struct({ a: t.int() }), [])).path).toBe("a");
  });

  it("drops members that are not described, both ways", () => {
    const point = t.struct({ x: t.int(), label: t.string().optional() });
    expect(decode(point, struct({ x: "1", label: "", extra: "2" }))).toStrictEqual({ x: 1 });
    expect(encode(point, { x: 1, label: undefined, password: "secret" })).toStrictEqual({ x: 1 });
  });

  it("says where a value is wrong", () => {
    const people = t.list(t.struct({ email: t.string(), roles: t.list(t.int()), home: t.struct({ id: t.int() }) }));
    const good = { email: "a@b.example", roles: [1], home: { id: 1 } };
    expect(mismatchOf(() => decode(people, [good, good, { ...good, email: [] }])).path).toBe("[2].email");
    expect(mismatchOf(() => decode(people, [{ ...good, roles: [1, "x"] }])).path).toBe("[0].roles[1]");
    expect(mismatchOf(() => decode(people, [{ ...good, home: {} }])).path).toBe("[0].home.id");
    expect(mismatchOf(() => encode(people, [{ ...good, home: { id: "1" } }])).path).toBe("[0].home.id");
    expect(mismatchOf(() => decode(t.list(numbers), [[1], [1, "x"]])).path).toBe("[1][1]");
  });

  it("lets what goes wrong in the program's own objects through", () => {
    const broken = {
      get x(): number {
        throw new RangeError("lazy loading failed");
      },
    };
    expect(() => encode(t.struct({ x: t.int() }), broken)).toThrow(RangeError);
  });

  it("reads instances of classes as structs", () => {
    class Point {
      readonly #x = 3;
      get x(): number {
        return this.#x;
      }
    }
    expect(encode(t.struct({ x: t.int() }), new Point())).toStrictEqual({ x: 3 });
  });
});

describe("SEC-020", () => {
  it("SEC-020: members called like what every object has are plain data", () => {
    const hostile = struct({ x: 1, constructor: "c", prototype: "p", hasOwnProperty: "h" });
    Object.defineProperty(hostile, "__proto__", { value: struct({ polluted: true }), enumerable: true });
    const point = t.struct({ x: t.int(), polluted: t.boolean().optional() });
    const result = decode(point, hostile);
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(Object.getOwnPropertyNames(result)).toEqual(["x"]);
    expect(result.polluted).toBeUndefined();
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(decode(t.value(), hostile)).toBe(hostile);
  });

  it("SEC-020: a described member is never found on the prototype", () => {
    const type = t.struct({ constructor: t.string().optional(), toString: t.string().optional() });
    for (const empty of [struct({}), {}, []]) {
      const result = decode(type, empty);
      expect(Reflect.get(result, "constructor")).toBeUndefined();
      expect(Reflect.get(result, "toString")).toBeUndefined();
    }
    expect(decode(type, struct({ constructor: "c" })).constructor).toBe("c");
    expect(encode(type, {})).toStrictEqual({});
    expect(encode(type, { constructor: "c" })).toStrictEqual({ constructor: "c" });
  });

  it("SEC-020: a description cannot have a field that is called __proto__", () => {
    expect(optionOf(() => t.struct({ ["__proto__"]: t.int() }))).toBe("fields.__proto__");
    expect(optionOf(() => t.struct({ __proto__: t.int() } as never))).toBe("fields");
  });
});

describe("writing", () => {
  const written: readonly [name: string, type: WireType<unknown>, value: unknown, expected: XmlRpcValue][] = [
    ["string", t.string(), "17", "17"],
    ["int", t.int(), 17, 17],
    ["double without a fraction", t.double(), 2, new XmlRpcDouble(2)],
    ["double with a fraction", t.double(), 1.5, 1.5],
    ["boolean", t.boolean(), false, false],
    ["time", t.time(), new Date("2024-01-02T03:04:05.999Z"), 1704164645],
    ["time before 1970", t.time(), new Date(-1), -1],
    ["bytes", t.bytes(), bytes("hi"), "aGk="],
    ["part of a buffer", t.bytes(), Buffer.from("high").subarray(0, 2), "aGk="],
    ["list", t.list(t.int()), [1, 2], [1, 2]],
    ["value", t.value(), [1, "2"], [1, "2"]],
  ];
  it.each(written)("MNET-054: writes a %s", (_name, type, value, expected) => {
    expect(encode(type, value)).toStrictEqual(expected);
  });

  it("MNET-053: a time after January 2038 becomes text", () => {
    const value = encode(t.time(), new Date("2040-01-01T00:00:00Z"));
    expect(documentOf(value)).toContain("<value><string>2208988800</string></value>");
  });

  const refused: readonly [name: string, type: WireType<unknown>, value: unknown][] = [
    ["number as a string", t.string(), 17],
    ["null as a string", t.string(), null],
    ["text as an int", t.int(), "17"],
    ["fraction as an int", t.int(), 1.5],
    ["NaN as an int", t.int(), NaN],
    ["bigint as an int", t.int(), 17n],
    ["int out of its bounds", t.int({ min: 0 }), -1],
    ["NaN as a double", t.double(), NaN],
    ["infinity as a double", t.double(), -Infinity],
    ["text as a double", t.double(), "1.5"],
    ["number as a boolean", t.boolean(), 1],
    ["number as a time", t.time(), 1704164645],
    ["invalid Date", t.time(), new Date(NaN)],
    ["text as bytes", t.bytes(), "aGk="],
    ["set as a list", t.list(t.int()), new Set([1])],
    ["list with holes", t.list(t.int()), [1, , 2]],
    ["list as a struct", t.struct({}), []],
    ["null as a struct", t.struct({}), null],
    ["long string", t.string({ maxLength: 1 }), "ab"],
  ];
  it.each(refused)("refuses to write a %s", (_name, type, value) => {
    mismatchOf(() => encode(type, value));
  });
});

describe("there and back", () => {
  const roundTrip = <T>(type: WireType<T>, values: fc.Arbitrary<T>): void => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(type, encode(type, value))).toEqual(value);
      }),
    );
  };
  const text = fc.string({ unit: "binary" });
  // Without -0, which no wire keeps.
  const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
  const seconds = fc.date({ noInvalidDate: true }).map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000));

  it("MNET-060: what is written is read again", () => {
    roundTrip(t.string(), text);
    roundTrip(t.int(), fc.maxSafeInteger());
    roundTrip(t.double(), double);
    roundTrip(t.boolean(), fc.boolean());
    roundTrip(t.time(), seconds);
    roundTrip(t.bytes(), fc.uint8Array());
    roundTrip(t.list(t.int()), fc.array(fc.maxSafeInteger()));
    roundTrip(
      t.struct({ id: t.int(), name: t.string(), tags: t.list(t.list(t.string())), seen: t.time().optional() }),
      fc.record(
        { id: fc.maxSafeInteger(), name: text, tags: fc.array(fc.array(text)), seen: seconds },
        { requiredKeys: ["id", "name", "tags"] },
      ),
    );
  });

  it.each(["epi", "pxr"] as const)("MNET-060: what is written is read again from a document for %s", (dialect) => {
    const type = t.struct({ id: t.int(), share: t.double(), on: t.boolean(), seen: t.time(), data: t.bytes() });
    const values = fc.record({
      id: fc.maxSafeInteger(),
      share: double,
      on: fc.boolean(),
      seen: seconds,
      data: fc.uint8Array(),
    });
    fc.assert(
      fc.property(values, (value) => {
        const answer = decodeResponse(encodeResult(encode(type, value), { dialect }));
        expect(answer.kind === "result" ? decode(type, answer.value) : answer).toEqual(value);
      }),
    );
  });

  it("MNET-060: what PHP makes text of is read again", () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => decode(t.int(), String(value)) === value));
    fc.assert(fc.property(double, (value) => decode(t.double(), String(value)) === value));
    fc.assert(fc.property(fc.boolean(), (value) => decode(t.boolean(), value ? "1" : "") === value));
  });

  it("MNET-061: a list is read from the struct that PHP may make of it", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.nat({ max: 1e6 }), (values, offset) => {
        const gaps = struct(Object.fromEntries(values.map((value, index) => [String(offset + 3 * index), value])));
        expect(decode(t.list(t.int()), gaps)).toEqual(values);
      }),
    );
  });
});

describe("recorded traffic", () => {
  /** What a real peer sent in a recorded exchange: the parameters of the call, or the value of the answer. */
  function recorded(name: string, part: "request" | "response"): XmlRpcValue {
    const exchange = JSON.parse(readFileSync(`fixtures/${name}.json`, "utf8")) as Record<
      typeof part,
      { readonly xmlrpcBase64: string }
    >;
    const document = Buffer.from(exchange[part].xmlrpcBase64, "base64");
    if (part === "request") return decodeCall(document).params;
    const answer = decodeResponse(document);
    return answer.kind === "result" ? answer.value : null;
  }

  it.each(["moodle-4.5/064-available_courses", "moodle-3.11/016-a-calls-d-available_courses"])(
    "MNET-060: the courses of %s are read by field",
    (name) => {
      const courses = t.list(
        t.struct({
          remoteid: t.int(),
          fullname: t.string(),
          startdate: t.time(),
          cat_name: t.string(),
          cost: t.double().optional(),
          defaultroleid: t.int(),
        }),
      );
      expect(decode(courses, recorded(name, "response"))[0]).toStrictEqual({
        remoteid: 3,
        fullname: "Host specific course",
        startdate: new Date("2023-11-14T22:13:20Z"),
        cat_name: "Arts & Wissenschaft",
        defaultroleid: 5,
      });
    },
  );

  it.each([
    ["moodle-3.11/004-d-calls-a-listServices", "sso_idp"],
    ["mahara-23.04/system.listServices", "sso_in"],
  ])("MNET-060: the services of %s are read by field", (name, service) => {
    const services = t.list(
      t.struct({ name: t.string(), apiversion: t.string(), publish: t.boolean(), subscribe: t.boolean() }),
    );
    expect(decode(services, recorded(name, "response"))).toContainEqual({
      name: service,
      apiversion: "1",
      publish: true,
      subscribe: true,
    });
  });

  it("MNET-060: a list that PHP left empty is read from a call", () => {
    const [username, courses] = recorded("moodle-4.5/060-update_enrolments-empty", "request") as XmlRpcValue[];
    expect(decode(t.string(), username)).toBe("student1");
    expect(decode(t.list(t.struct({ id: t.int() })), courses)).toEqual([]);
  });
});

describe("descriptions", () => {
  it("counts characters, not code units", () => {
    expect(decode(t.string({ maxLength: 2 }), "😀😀")).toBe("😀😀");
    expect(mismatchOf(() => decode(t.string({ maxLength: 2 }), "😀😀😀")).message).toBe(
      "must have at most 2 characters",
    );
    expect(mismatchOf(() => decode(t.string({ maxLength: 2 }), "abc")).message).toBe("must have at most 2 characters");
    expect(decode(t.string({ maxLength: 0 }), "")).toBe("");
  });

  it("keeps words and optionality apart", () => {
    const plain = t.int({ max: 3 });
    const described = wireOf(plain.describe("How many").optional(), "type");
    expect(described).toMatchObject({ name: "int", description: "How many", isOptional: true });
    expect(mismatchOf(() => described.decode(4)).message).toContain("to 3");
    expect(wireOf(plain, "type")).toMatchObject({ description: "", isOptional: false });
    expect(wireOf(plain.optional().describe("How many"), "type")).toMatchObject({ isOptional: true });
  });

  it("names types as the public interface says, and as PHP does in signatures", () => {
    const all = [
      t.string(),
      t.int(),
      t.double(),
      t.boolean(),
      t.time(),
      t.bytes(),
      t.list(t.int()),
      t.struct({}),
      t.value(),
    ].map((type) => [type.name, wireOf(type, "type").phpType].join(" "));
    expect(all).toEqual([
      "string string",
      "int int",
      "double float",
      "boolean bool",
      "int int",
      "bytes string",
      "list array",
      "struct array",
      "value mixed",
    ]);
  });

  const wrong: readonly [name: string, step: () => unknown, option: string][] = [
    ["NaN as a limit", () => t.string({ maxLength: NaN }), "maxLength"],
    ["a negative limit", () => t.string({ maxLength: -1 }), "maxLength"],
    ["a fraction as a limit", () => t.string({ maxLength: 1.5 }), "maxLength"],
    ["text as a limit", () => t.string({ maxLength: "3" as never }), "maxLength"],
    ["NaN as the least", () => t.int({ min: NaN }), "min"],
    ["infinity as the most", () => t.int({ max: Infinity }), "max"],
    ["an empty range", () => t.int({ min: 2, max: 1 }), "max"],
    ["an unknown option", () => t.int({ maximum: 3 } as never), "maximum"],
    ["options that are none", () => t.int(3 as never), "options"],
    ["a description that is no text", () => t.int().describe(3 as never), "describe"],
    ["a list of nothing", () => t.list(undefined as never), "of"],
    ["a list of something made by hand", () => t.list({ name: "int" } as never), "of"],
    ["a struct of nothing", () => t.struct(undefined as never), "fields"],
    ["a struct of a list", () => t.struct([t.int()] as never), "fields"],
    ["a field that is no wire type", () => t.struct({ x: "int" as never }), "fields.x"],
    ["a field without a name", () => t.struct({ "": t.int() }), "fields."],
  ];
  it.each(wrong)("refuses %s", (_name, step, option) => {
    expect(optionOf(step)).toBe(option);
  });

  it("takes undefined options as absent", () => {
    expect(decode(t.string({ maxLength: undefined }), "long enough")).toBe("long enough");
    expect(decode(t.int({ min: undefined, max: undefined }), "-5")).toBe(-5);
  });
});

/** Anything that can come out of a document. */
function wireValue(): fc.Arbitrary<XmlRpcValue> {
  return fc.letrec<{ value: XmlRpcValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.maxSafeInteger().map(String),
      fc.integer(),
      fc.boolean(),
      fc.bigInt(),
      fc.constant(null),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer().map((value) => new XmlRpcDouble(value)),
      fc.uint8Array(),
      fc.constant(new XmlRpcDateTime("20240102T03:04:05")),
      fc.array(tie("value")),
      fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom("a", "b", "0", "1", "__proto__", "constructor")),
        tie("value"),
        {
          noNullPrototype: false,
        },
      ),
    ),
  })).value;
}
