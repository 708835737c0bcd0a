import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { CallError, ConfigError } from "../../src/core/errors.ts";
import type { Wwwroot } from "../../src/core/ids.ts";
import { defineService } from "../../src/host/define-service.ts";
import { Fault, mnetFault } from "../../src/host/fault.ts";
import { describeMethod, entryOf, isMaharaMethodName, isMethodName, type Method } from "../../src/host/method.ts";
import { createService, partsOf, type IncomingCall, type MethodEntry, type Service } from "../../src/host/service.ts";
import { t } from "../../src/host/wire-type.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";

const library = defineService({
  name: "library",
  methods: {
    search: {
      help: "Books whose title contains the words, best first.",
      params: {
        words: t.string().describe("What to look for"),
        limit: t.int({ min: 1, max: 100 }),
        since: t.time().optional(),
        author: t.string().optional(),
      },
      returns: t.list(t.struct({ isbn: t.string(), copies: t.int() })).describe("Books"),
    },
    ping: { returns: t.value() },
  },
});
const search = entryOf(library.methods.search);
const ping = entryOf(library.methods.ping);
const there = "https://college.example.edu" as Wwwroot;
const call = { method: "library/ping" } as IncomingCall;
const emit = (): void => undefined;

function thrownBy(step: () => unknown): unknown {
  try {
    step();
  } catch (error) {
    return error;
  }
  throw new Error("It was accepted.");
}

function optionOf(step: () => unknown): string | undefined {
  const error = thrownBy(step);
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toHaveProperty("code", "MNET_CONFIG_INVALID");
  return (error as ConfigError).option;
}

/** The code and path of the call error that a step ends with. */
function callErrorOf(step: () => unknown): Pick<CallError, "code" | "path" | "peer" | "method" | "message"> {
  const error = thrownBy(step);
  expect(error).toBeInstanceOf(CallError);
  return error as CallError;
}

const methodsOf = (service: Service): ReadonlyMap<string, MethodEntry> =>
  new Map(partsOf(service).methods.map((method) => [method.name, method]));

describe("method names", () => {
  const both = [
    "greeting/hello",
    "a/bc",
    "a/b/c",
    "auth/mnet/auth.php/user_authorise",
    "system/keyswap",
    "a1/_-",
    "a//b",
    "a/b//c",
  ];
  it.each(both)("MNET-085: %j is a name for Moodle and Mahara", (name) => {
    expect([isMethodName(name), isMaharaMethodName(name)]).toEqual([true, true]);
  });

  const moodleOnly = [
    "repository/mahara/repository.class.php/getFile",
    "a/b.c",
    "a/b..c",
    "a/.php/b",
    "a/b.php/c.php/d",
    "a/.b",
    "a/...b",
    "a/b./c",
  ];
  it.each(moodleOnly)("MNET-085: %j is a name for Moodle only", (name) => {
    expect([isMethodName(name), isMaharaMethodName(name)]).toEqual([true, false]);
  });

  const neither = [
    "",
    "/",
    "a",
    "ab",
    "a/",
    "/ab",
    "a/b",
    "a/bc/",
    "a/bc.",
    "//ab",
    "a_b/cd",
    "a-b/cd",
    "a.b/cd",
    "é/hello",
    "a/hellö",
    // Dotted system names (MNET-086), and what PCRE's `$` would let through.
    "system.listMethods",
    "system.listMethods/ab",
    "greeting/hello\n",
    "greeting/hello\r\n",
    "\ngreeting/hello",
    "greeting/hello\0",
    "greeting\n/hello",
    " greeting/hello",
    "greeting/hello ",
    "greeting/hel lo",
    "greeting/hel\nlo",
    "greeting/hello?x=1",
    "greeting/hello#x",
    "greeting/%2e%2e/hello",
    "greeting\\hello",
    // Fullwidth and other dots and slashes.
    "a/\uff0e\uff0e/bc",
    "a/\u2024\u2024/bc",
    "a\u2215bc",
    "a\uff0fbc",
  ];
  it.each(neither)("MNET-085: %j is no name", (name) => {
    expect([isMethodName(name), isMaharaMethodName(name)]).toEqual([false, false]);
  });

  it.each([
    "a/../bc",
    "a/./bc",
    "a/.../bc",
    "a/b/../../etc/passwd",
    "../../etc/passwd",
    "a/..",
    "a/b/..",
    "..",
    "a/../..bc",
  ])("MNET-085, SEC-056: %j cannot walk", (name) => {
    expect([isMethodName(name), isMaharaMethodName(name)]).toEqual([false, false]);
  });

  it("SEC-056: names of what every object has are names like any other, or none", () => {
    expect(isMethodName("__proto__/constructor")).toBe(false);
    expect(isMethodName("a/__proto__")).toBe(true);
    expect(isMethodName("constructor/constructor")).toBe(true);
  });

  it("MNET-085: agrees with the expressions of the specification", () => {
    const moodle = /^[A-Za-z0-9]+\/[A-Za-z0-9/_.-]+(\.php\/)?[A-Za-z0-9_-]+$/;
    const mahara = /^[A-Za-z0-9]+\/[A-Za-z0-9/_-]+(\.php\/)?[A-Za-z0-9_-]+$/;
    const name = fc.array(fc.constantFrom("a", "Z", "0", "/", "_", "-", ".", ".php/", "/..", " ", "\n"), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(name, (parts) => {
        const text = parts.join("");
        expect(isMaharaMethodName(text)).toBe(mahara.test(text));
        expect(isMethodName(text)).toBe(moodle.test(text) && !text.split("/").some((segment) => /^\.+$/.test(segment)));
      }),
      { numRuns: 2000 },
    );
  });

  it("SEC-024: names of a megabyte are judged at once", () => {
    const size = 1 << 20;
    const hostile = [
      "a".repeat(size),
      `a/${"b".repeat(size)}!`,
      `a/${"./".repeat(size)}!`,
      `a${"/..".repeat(size)}!`,
      `a/${"b.php/".repeat(size)}!`,
    ];
    const started = performance.now();
    for (const name of hostile) expect([isMethodName(name), isMaharaMethodName(name)]).toEqual([false, false]);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe("incoming parameters", () => {
  const accepted: readonly [name: string, values: readonly XmlRpcValue[], expected: unknown][] = [
    ["in their own types", ["sailing", 10], { words: "sailing", limit: 10 }],
    ["all of them as text, as Moodle sends them", ["17", "10", "0"], { words: "17", limit: 10, since: new Date(0) }],
    ["with nothing for an optional one", ["x", "1", "", "Ada"], { words: "x", limit: 1, author: "Ada" }],
    ["with null for an optional one", ["x", 1, null, null], { words: "x", limit: 1 }],
    [
      "with more than there are, as PHP does",
      ["x", 1, 0, "Ada", "more", []],
      { words: "x", limit: 1, since: new Date(0), author: "Ada" },
    ],
  ];
  it.each(accepted)("MNET-060: are taken %s", (_name, values, expected) => {
    expect(search.decodeParams(values)).toStrictEqual(expected);
  });

  const refused: readonly [name: string, values: readonly XmlRpcValue[], path: string][] = [
    ["none", [], "words"],
    ["too few", ["sailing"], "limit"],
    ["a required one that is null", ["sailing", null], "limit"],
    ["the wrong type", ["sailing", "many"], "limit"],
    ["a value out of its bounds", ["sailing", 101], "limit"],
    ["a struct for text", [{}, 10], "words"],
    ["a wrong optional one", ["sailing", 10, "yesterday"], "since"],
  ];
  it.each(refused)("MNET-130: are refused if they are %s", (_name, values, path) => {
    const error = callErrorOf(() => search.decodeParams(values, there));
    expect(error).toMatchObject({ code: "MNET_CALL_PARAMS_INVALID", path, method: "library/search", peer: there });
  });

  it("are an empty object for a method without parameters", () => {
    expect(ping.decodeParams([])).toEqual({});
    expect(ping.decodeParams(["surplus"])).toEqual({});
  });

  it("SEC-020: named like what every object has are plain data", () => {
    const odd = defineService({
      name: "odd",
      methods: {
        test: { params: { constructor: t.string().optional(), valueOf: t.int().optional() }, returns: t.int() },
      },
    });
    const method = entryOf(odd.methods.test);
    const params = method.decodeParams([]);
    expect(Reflect.get(params, "constructor")).toBeUndefined();
    expect(Reflect.get(params, "valueOf")).toBeUndefined();
    expect(method.encodeParams({})).toEqual([]);
    expect(method.encodeParams({ valueOf: 1 })).toEqual([null, 1]);
  });
});

describe("outgoing parameters", () => {
  it("go out in the order of the description, without optional ones at the end", () => {
    expect(search.encodeParams({ limit: 10, words: "sailing" })).toEqual(["sailing", 10]);
    expect(search.encodeParams({ words: "x", limit: 1, since: undefined, author: "Ada" })).toEqual([
      "x",
      1,
      null,
      "Ada",
    ]);
    expect(search.encodeParams({ words: "x", limit: 1, since: new Date(5000) })).toEqual(["x", 1, 5]);
    expect(ping.encodeParams({})).toEqual([]);
  });

  it("are only what is described", () => {
    expect(search.encodeParams({ words: "x", limit: 1, password: "secret" })).toEqual(["x", 1]);
  });

  const refused: readonly [name: string, params: unknown, path: string | undefined][] = [
    ["a missing one", { words: "sailing" }, "limit"],
    ["text for an int", { words: "sailing", limit: "10" }, "limit"],
    ["a number for text", { words: 7, limit: 10 }, "words"],
    ["null for an optional one", { words: "sailing", limit: 10, since: null }, "since"],
    ["positional ones", ["sailing", 10], undefined],
    ["none at all", undefined, undefined],
    ["null", null, undefined],
    ["text", "sailing", undefined],
  ];
  it.each(refused)("are refused if they are %s", (_name, params, path) => {
    const error = callErrorOf(() => search.encodeParams(params, there));
    expect(error).toMatchObject({ code: "MNET_CALL_PARAMS_INVALID", method: "library/search", peer: there });
    expect(error.path).toBe(path);
  });

  it("MNET-060: are read by the other side as they were given", () => {
    const params = fc.record(
      {
        words: fc.string(),
        limit: fc.integer({ min: 1, max: 100 }),
        since: fc.integer().map((seconds) => new Date(seconds * 1000)),
        author: fc.string({ minLength: 1 }),
      },
      { requiredKeys: ["words", "limit"] },
    );
    fc.assert(
      fc.property(params, (given) => {
        expect(search.decodeParams(search.encodeParams(given))).toEqual(given);
      }),
    );
  });
});

describe("results", () => {
  it("are checked where they are made", () => {
    expect(search.encodeResult([{ isbn: "x", copies: 1, shelf: "internal" }])).toEqual([{ isbn: "x", copies: 1 }]);
    expect(callErrorOf(() => search.encodeResult([{ isbn: "x", copies: "1" }], there))).toMatchObject({
      code: "MNET_CALL_RESULT_INVALID",
      path: "[0].copies",
      peer: there,
    });
    expect(callErrorOf(() => search.encodeResult(undefined)).path).toBeUndefined();
  });

  it("MNET-060: are read by field where they arrive", () => {
    expect(search.decodeResult([{ isbn: 5, copies: "1" }])).toEqual([{ isbn: "5", copies: 1 }]);
    expect(search.decodeResult("")).toEqual([]);
    expect(ping.decodeResult([1, null])).toEqual([1, null]);
  });

  it("say where they are wrong", () => {
    const good = { isbn: "x", copies: 1 };
    const error = callErrorOf(() => search.decodeResult([good, good, { ...good, copies: "hunter2" }], there));
    expect(error).toMatchObject({ code: "MNET_CALL_RESULT_INVALID", path: "[2].copies", peer: there });
    expect(error.message).toBe("library/search: [2].copies of the answer must be an integer; this string is not.");
    expect(callErrorOf(() => search.decodeResult(false)).message).toBe(
      "library/search: the answer must be a list; this boolean is not.",
    );
  });

  it("lets what goes wrong in the handler's own objects through", () => {
    const broken = {
      get isbn(): string {
        throw new RangeError("lazy loading failed");
      },
      copies: 1,
    };
    expect(() => search.encodeResult([broken])).toThrow(RangeError);
  });
});

describe("introspection", () => {
  it("answers in the shape of Moodle's methodSignature and methodHelp", () => {
    expect(search.signature).toEqual({
      parameters: [
        { name: "words", type: "string", description: "What to look for" },
        { name: "limit", type: "int", description: "" },
        { name: "since", type: "int", description: "" },
        { name: "author", type: "string", description: "" },
      ],
      return: { type: "array", description: "Books" },
    });
    expect(search.help).toBe("Books whose title contains the words, best first.");
    expect(ping.signature).toEqual({ parameters: [], return: { type: "mixed", description: "" } });
    expect(ping.help).toBe("");
    // An answer that can go out as it is.
    const answer: XmlRpcValue = search.signature;
    expect(answer).toBeDefined();
  });
});

describe("a definition", () => {
  it("gives methods with their wire names", () => {
    expect(library.name).toBe("library");
    expect(Object.keys(library.methods)).toEqual(["search", "ping"]);
    expect(library.methods.search).toMatchObject({ name: "library/search", service: "library" });
    expect([...methodsOf(library).keys()]).toEqual(["library/search", "library/ping"]);
    expect(partsOf(library).attach).toBeUndefined();
  });

  it("can have a path of its own", () => {
    const sso = defineService({
      name: "sso_idp",
      path: "auth/mnet/auth.php",
      methods: { kill_children: { returns: t.value() } },
    });
    expect(sso.methods.kill_children).toMatchObject({ name: "auth/mnet/auth.php/kill_children", service: "sso_idp" });
  });

  it("cannot be changed afterwards", () => {
    expect(Object.isFrozen(library)).toBe(true);
    expect(Object.isFrozen(library.methods)).toBe(true);
    expect(Object.isFrozen(library.methods.search)).toBe(true);
  });

  const ok = { hello: { returns: t.string() } };
  const wrong: readonly [name: string, definition: unknown, option: string][] = [
    ["nothing", undefined, "definition"],
    ["an unknown option", { name: "a1", methods: ok, prefix: "x" }, "prefix"],
    ["no name", { methods: ok }, "name"],
    ["an empty name", { name: "", methods: ok }, "name"],
    ["a name with a slash", { name: "a/b", methods: ok }, "name"],
    ["a name with a final line feed", { name: "geo\n", methods: ok }, "name"],
    ["a name that begins with an underscore", { name: "__proto__", path: "geo", methods: ok }, "name"],
    ["a name that every object has", { name: "constructor", methods: ok }, "name"],
    ["a long name", { name: "a".repeat(41), methods: ok }, "name"],
    ["system as its name", { name: "system", path: "geo", methods: ok }, "name"],
    ["system as its path", { name: "geo", path: "system", methods: ok }, "path"],
    ["a path below system", { name: "geo", path: "System/geo", methods: ok }, "path"],
    ["a path that is no text", { name: "geo", path: 3, methods: ok }, "path"],
    ["a name that is no path", { name: "local_geo", methods: ok }, "methods.hello"],
    ["an empty path", { name: "geo", path: "", methods: ok }, "methods.hello"],
    ["a path that ends in a slash", { name: "geo", path: "geo/", methods: ok }, "methods.hello"],
    ["a path that walks", { name: "geo", path: "geo/../x", methods: ok }, "methods.hello"],
    ["no methods", { name: "geo" }, "methods"],
    ["methods from a prototype", { name: "geo", methods: { __proto__: ok } }, "methods"],
    ["a method of one letter below a path of one segment", { name: "geo", methods: { p: ok.hello } }, "methods.p"],
    ["a method with a slash", { name: "geo", methods: { "a/b": ok.hello } }, "methods.a/b"],
    ["a method with a dot", { name: "geo", methods: { "a.b": ok.hello } }, "methods.a.b"],
    ["a method called __proto__", { name: "geo", methods: { ["__proto__"]: ok.hello } }, "methods.__proto__"],
    ["a method that is nothing", { name: "geo", methods: { hello: null } }, "methods.hello"],
    ["a method that returns nothing", { name: "geo", methods: { hello: {} } }, "methods.hello.returns"],
    [
      "a method with an unknown option",
      { name: "geo", methods: { hello: { ...ok.hello, result: 1 } } },
      "methods.hello.result",
    ],
    ["help that is no text", { name: "geo", methods: { hello: { ...ok.hello, help: 1 } } }, "methods.hello.help"],
    [
      "parameters in a list",
      { name: "geo", methods: { hello: { ...ok.hello, params: [t.int()] } } },
      "methods.hello.params",
    ],
    [
      "a parameter that is no wire type",
      { name: "geo", methods: { hello: { ...ok.hello, params: { to: "int" } } } },
      "methods.hello.params.to",
    ],
    [
      "a parameter of digits",
      { name: "geo", methods: { hello: { ...ok.hello, params: { "1": t.int() } } } },
      "methods.hello.params.1",
    ],
    [
      "a parameter of digits that keeps its place",
      { name: "geo", methods: { hello: { ...ok.hello, params: { "007": t.int() } } } },
      "methods.hello.params.007",
    ],
    [
      "a parameter called __proto__",
      { name: "geo", methods: { hello: { ...ok.hello, params: { ["__proto__"]: t.int() } } } },
      "methods.hello.params.__proto__",
    ],
    [
      "a required parameter after an optional one",
      { name: "geo", methods: { hello: { ...ok.hello, params: { a: t.int().optional(), b: t.int() } } } },
      "methods.hello.params.b",
    ],
  ];
  it.each(wrong)("is refused with %s", (_name, definition, option) => {
    expect(optionOf(() => defineService(definition as never))).toBe(option);
  });

  it("takes the longest name, one-letter methods below two segments, and no methods", () => {
    expect(defineService({ name: "a".repeat(40), methods: ok }).name).toHaveLength(40);
    expect(defineService({ name: "geo", path: "local/geo", methods: { p: ok.hello } }).methods.p.name).toBe(
      "local/geo/p",
    );
    expect(partsOf(defineService({ name: "geo", methods: {} })).methods).toEqual([]);
  });
});

describe("an implementation", () => {
  const handlers = { search: () => [], ping: () => null };

  it("serves every method, without changing the definition", async () => {
    const served = library.implement({
      search: async ({ words }) => [{ isbn: words, copies: 1 }],
      ping: (_params, { method }) => method,
    });
    expect(served.name).toBe("library");
    const method = methodsOf(served).get("library/search");
    await expect(method?.invoke?.({ words: "x" }, call, emit)).resolves.toEqual([{ isbn: "x", copies: 1 }]);
    expect(methodsOf(served).get("library/ping")?.invoke?.({}, call, emit)).toBe("library/ping");
    expect(method?.signature).toEqual(search.signature);
    expect([...methodsOf(library).values()].some((each) => each.invoke !== undefined)).toBe(false);
  });

  it("can be an instance of a class", () => {
    class Library {
      readonly #answer = "pong";
      readonly database = {};
      search(): [] {
        return [];
      }
      ping(): string {
        return this.#answer;
      }
    }
    expect(methodsOf(library.implement(new Library())).get("library/ping")?.invoke?.({}, call, emit)).toBe("pong");
  });

  it("does not change when the handlers' object does", () => {
    const changing: { search: () => []; ping: () => string } = { search: () => [], ping: () => "first" };
    const served = library.implement(changing);
    changing.ping = () => "second";
    expect(methodsOf(served).get("library/ping")?.invoke?.({}, call, emit)).toBe("first");
  });

  it.each([
    ["a missing handler", { search: handlers.search }, "handlers.ping"],
    ["a handler that is no function", { ...handlers, ping: "pong" }, "handlers.ping"],
    ["a handler without a method", { ...handlers, pong: () => null }, "handlers.pong"],
    ["nothing", undefined, "handlers"],
  ])("is refused with %s", (_name, given, option) => {
    expect(optionOf(() => library.implement(given as never))).toBe(option);
  });

  it("SEC-056: is not found on the prototype of the handlers", () => {
    const odd = defineService({
      name: "odd",
      methods: { constructor: { returns: t.int() }, toString: { returns: t.int() } },
    });
    expect(optionOf(() => odd.implement({} as never))).toBe("handlers.constructor");
    const served = methodsOf(odd.implement({ constructor: () => 1, toString: () => 2 }));
    expect(served.get("odd/constructor")?.invoke?.({}, call, emit)).toBe(1);
    expect(served.get("odd/valueOf")).toBeUndefined();
  });
});

describe("what the host reads", () => {
  it("is only in services and methods that the library made", () => {
    expect(optionOf(() => partsOf({ name: "mine" } as never))).toBe("services");
    expect(optionOf(() => partsOf({ ...library }))).toBe("services");
    expect(optionOf(() => partsOf(undefined as never))).toBe("services");
    expect(optionOf(() => partsOf("library" as never))).toBe("services");
    expect(optionOf(() => entryOf({ name: "library/search", service: "library" } as never))).toBe("method");
    expect(optionOf(() => entryOf(undefined as never))).toBe("method");
  });

  it("holds what a service adds to the host", () => {
    const service = createService({ name: "clock", methods: [ping], attach: () => ({ api: { ticks: 1 } }) });
    expectTypeOf(service).toExtend<Service<{ ticks: number }>>();
    expect(partsOf(service)).toMatchObject({ name: "clock", methods: [ping] });
    expect(partsOf(service).attach?.(undefined as never)).toEqual({ api: { ticks: 1 } });
  });

  it("describes the library's own methods below system", () => {
    const method = describeMethod("system", "system/listMethods", {
      params: { service: t.string().optional() },
      returns: t.list(t.string()),
    });
    expectTypeOf(method).toExtend<Method<{ readonly service?: string | undefined }, readonly string[]>>();
    expect(method.encodeParams({})).toEqual([]);
    expect(method.decodeParams(["library"])).toEqual({ service: "library" });
    expect(optionOf(() => describeMethod("system", "system/x", {} as never))).toBe("system/x.returns");
  });
});

describe("a fault", () => {
  it.each([1000, 4999, 9000, 9001, 2_147_483_647])("can have the code %d", (code) => {
    const fault = new Fault(code, "No copy of that book is free");
    expect(fault).toBeInstanceOf(Error);
    expect(fault).toMatchObject({
      name: "Fault",
      faultCode: code,
      faultString: "No copy of that book is free",
      message: "No copy of that book is free",
    });
  });

  it.each([0, -1, 1.5, NaN, Infinity, 2_147_483_648, "9001"])("MNET-057: cannot have the code %s", (code) => {
    expect(optionOf(() => new Fault(code as number, "x"))).toBe("faultCode");
    expect(optionOf(() => mnetFault(code as number, "x"))).toBe("faultCode");
  });

  it.each([1, 17, 999, 5000, 5011, 7025, 8999])("can have MNet's own code %d only inside the library", (code) => {
    expect(optionOf(() => new Fault(code, "x"))).toBe("faultCode");
    expect(mnetFault(code, "x")).toMatchObject({ name: "Fault", faultCode: code, faultString: "x" });
    expect(mnetFault(code, "x")).toBeInstanceOf(Fault);
  });

  it("has a text", () => {
    expect(optionOf(() => new Fault(9001, undefined as never))).toBe("faultString");
  });

  it("does not let a class of an application's own around the check", () => {
    class Sneaky extends Fault {}
    expect(optionOf(() => new Sneaky(7025, "x"))).toBe("faultCode");
    expect(new Sneaky(9001, "x").faultCode).toBe(9001);
  });
});
