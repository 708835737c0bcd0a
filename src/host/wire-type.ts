import { decodeBase64 } from "../core/base64.ts";
import { ConfigError } from "../core/errors.ts";
import { readInteger } from "../xmlrpc/read-scalar.ts";
import { isStruct, XmlRpcDateTime, XmlRpcDouble, type XmlRpcValue } from "../xmlrpc/value.ts";

declare const wireType: unique symbol;

/**
 * What a field is, whatever XML-RPC type it came in (spec 5.1): where an int is wanted, `17`, `"17"` and `2.0` are ints.
 * Reading is lenient, because PHP sends nearly everything as text; writing is strict, because what we send is ours to get right.
 */
export interface WireType<T> {
  /** Only in the type: what programs read and write. */
  readonly [wireType]: T;
  /** What it is on the wire. A time is an int. */
  readonly name: "string" | "int" | "double" | "boolean" | "list" | "struct" | "bytes" | "value";
  /** The same with one sentence for `system/methodSignature`. */
  describe(text: string): WireType<T>;
  /** The same, but missing, `null` and `""` become `undefined`: PHP's "nothing" cannot be told from empty text (spec 5.1). */
  optional(): WireType<T | undefined>;
}

/** What programs read and write for a wire type. */
export type Infer<W> = W extends WireType<infer T> ? T : never;

type OptionalKeys<F> = { [K in keyof F]: undefined extends Infer<F[K]> ? K : never }[keyof F];

/**
 * The object that fields describe: optional types make optional members.
 * As a condition, so that declarations made from a user's program spell the object out instead of naming this type.
 */
export type InferFields<F> = F extends unknown
  ? { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Infer<F[K]> } & {
      readonly [K in OptionalKeys<F>]?: Infer<F[K]>;
    }
  : never;

/**
 * Describes parameters and results of own methods, for `defineService`.
 *
 * Wrong options and descriptions throw `MNET_CONFIG_INVALID`.
 */
export const t = {
  /**
   * Text. Numbers come as their decimal text, booleans as PHP writes them (`"1"`, `""`), `null` as `""`,
   * `<base64>` as the UTF-8 text in it.
   *
   * `maxLength` counts characters (code points), as database columns do. Default: no limit.
   */
  string(options: { readonly maxLength?: number | undefined } = {}): WireType<string> {
    checkOptions(options, ["maxLength"]);
    const { maxLength = Infinity } = options;
    if (maxLength !== Infinity) checkInteger("maxLength", maxLength, 0);
    const check = (text: string): string => {
      if (isLongerThan(text, maxLength)) throw new WireMismatch(`must have at most ${maxLength} characters`);
      return text;
    };
    return new Wire("string", "string", {
      decode: (value) => check(textOf(value)),
      encode: (value) => (typeof value === "string" ? check(value) : mismatch("a string", value)),
    });
  },

  /**
   * An integer. Also taken from decimal text with white space around it, and from a `<double>` without a fraction;
   * never from a boolean, because `false` is how PHP says that there is none.
   *
   * `min` and `max` are inclusive. Default: the safe integers.
   */
  int(options: { readonly min?: number | undefined; readonly max?: number | undefined } = {}): WireType<number> {
    checkOptions(options, ["min", "max"]);
    const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
    checkInteger("min", min);
    checkInteger("max", max, min);
    const check = (value: number): number => {
      if (value < min || value > max) throw new WireMismatch(`must be an integer from ${min} to ${max}`);
      return value;
    };
    return new Wire("int", "int", {
      decode: (value) => check(integerOf(value)),
      encode: (value) => (Number.isSafeInteger(value) ? check(value as number) : mismatch("an integer", value)),
    });
  },

  /** A finite number. Also taken from decimal text, with an exponent or without. */
  double(): WireType<number> {
    return new Wire("double", "float", {
      decode: numberOf,
      encode(value) {
        if (typeof value !== "number" || !Number.isFinite(value)) return mismatch("a finite number", value);
        return Number.isInteger(value) ? new XmlRpcDouble(value) : value;
      },
    });
  },

  /**
   * True or false. Also taken from 0 and 1, from `"0"`, `"1"`, `"true"` and `"false"`, and from `""` and `null` as false:
   * Moodle from 4.1 sends booleans as `"1"` and `""`. An optional one is therefore `undefined` when such a peer means false.
   */
  boolean(): WireType<boolean> {
    return new Wire("boolean", "bool", {
      decode: booleanOf,
      encode: (value) => (typeof value === "boolean" ? value : mismatch("a boolean", value)),
    });
  },

  /**
   * A moment, as Unix seconds: read like an int; written as an `<int>`, and beyond 32 bits (after January 2038) as text
   * (MNET-053). Fractions of a second are cut off. Moodle writes 0 for "never", which is read as 1970.
   */
  time(): WireType<Date> {
    return new Wire("int", "int", {
      decode(value) {
        const seconds = integerOf(value);
        if (Math.abs(seconds) > MAX_DATE_SECONDS) throw new WireMismatch("must be a time");
        return new Date(seconds * 1000);
      },
      encode(value) {
        if (!(value instanceof Date) || Number.isNaN(value.getTime())) return mismatch("a valid Date", value);
        return Math.floor(value.getTime() / 1000);
      },
    });
  },

  /** Bytes, as base64 text in a string (spec 9.8). Also taken from `<base64>`; `""` and `null` are no bytes. */
  bytes(): WireType<Uint8Array> {
    return new Wire("bytes", "string", {
      decode(value) {
        if (value instanceof Uint8Array) return value;
        if (value === null) return new Uint8Array();
        const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
        // A copy: a small Buffer is a view of memory that it shares with others.
        return bytes === undefined ? mismatch("bytes in base64", value) : new Uint8Array(bytes);
      },
      encode(value) {
        if (!(value instanceof Uint8Array)) return mismatch("a Uint8Array", value);
        return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
      },
    });
  },

  /**
   * A list. Also taken from a struct with numeric names, in the order of the numbers (MNET-061):
   * that is what becomes of a PHP array with gaps. `""` and `null` are an empty list.
   */
  list<T>(of: WireType<T>): WireType<readonly T[]> {
    const item = wireOf(of, "of");
    return new Wire("list", "array", {
      decode: (value) => itemsOf(value).map(([index, each]) => within(`[${index}]`, () => item.decode(each))),
      encode(value) {
        if (!Array.isArray(value)) return mismatch("an array", value);
        return Array.from(value, (each, index) => within(`[${index}]`, () => item.encode(each)));
      },
    });
  },

  /**
   * A struct. Members that are not described are dropped, both ways; missing ones are refused unless they are optional.
   * An empty list is an empty struct: PHP has one empty array for both. What programs get is a plain object with own
   * members only.
   */
  struct<const F extends Readonly<Record<string, WireType<unknown>>>>(fields: F): WireType<InferFields<F>> {
    const members = fieldsOf(fields, "fields");
    return new Wire<InferFields<F>>("struct", "array", {
      decode(value) {
        const struct = isEmptyList(value) ? {} : isStruct(value) ? value : mismatch("a struct", value);
        return decodeFields(members, (name) => ownMember(struct, name)) as InferFields<F>;
      },
      encode(value) {
        if (typeof value !== "object" || value === null || Array.isArray(value)) return mismatch("an object", value);
        const struct: Record<string, XmlRpcValue> = {};
        for (const { name, wire } of members) {
          const member = ownMember(value as Readonly<Record<string, unknown>>, name);
          if (member === undefined && wire.isOptional) continue;
          struct[name] = within(name, () => wire.encode(member));
        }
        return struct;
      },
    });
  },

  /** Anything, as it came; you check it. */
  value(): WireType<XmlRpcValue> {
    // The encoder of documents is the check: it refuses what XML-RPC cannot say.
    return new Wire("value", "mixed", { decode: (value) => value, encode: (value) => value as XmlRpcValue });
  },
};

// ── For the host ────────────────────────────────────────────────────────────

/** What is wrong with a value, and where. Whoever knows the method makes a `CallError` of it. */
export class WireMismatch extends Error {
  /** Such as `[2].email`; empty for the value itself. */
  path = "";
}

/** A wire type as the library sees it. */
export class Wire<T> implements WireType<T> {
  declare readonly [wireType]: T;
  readonly name: WireType<T>["name"];
  /** The word for it in Moodle's own signatures: the type of a PHP doc comment. */
  readonly phpType: string;
  /** One sentence for `system/methodSignature`, or `""`. */
  readonly description: string;
  /** Whether it may be left out. */
  readonly isOptional: boolean;
  readonly #codec: Codec<T>;

  constructor(name: WireType<T>["name"], phpType: string, codec: Codec<T>, description = "", isOptional = false) {
    this.name = name;
    this.phpType = phpType;
    this.description = description;
    this.isOptional = isOptional;
    this.#codec = codec;
  }

  describe(text: string): WireType<T> {
    if (typeof text !== "string") refuse("describe", "A description is a string.");
    return new Wire(this.name, this.phpType, this.#codec, text, this.isOptional);
  }

  optional(): WireType<T | undefined> {
    return new Wire<T | undefined>(this.name, this.phpType, this.#codec, this.description, true);
  }

  /** Reads what a peer sent; `undefined` is a value that is missing. Throws `WireMismatch`. */
  decode(value: XmlRpcValue | undefined): T {
    // The type says so: an optional Wire is a Wire of `T | undefined`.
    if (this.isOptional && (value === undefined || value === null || value === "")) return undefined as T;
    if (value === undefined) throw new WireMismatch("is missing");
    return this.#codec.decode(value);
  }

  /** Writes what a program gave; an optional `undefined` becomes `null`, which is empty text (MNET-051). Throws `WireMismatch`. */
  encode(value: unknown): XmlRpcValue {
    if (value !== undefined) return this.#codec.encode(value);
    if (!this.isOptional) throw new WireMismatch("is missing");
    return null;
  }
}

interface Codec<T> {
  decode(value: XmlRpcValue): T;
  encode(value: unknown): XmlRpcValue;
}

/** The inside of a wire type. Throws `MNET_CONFIG_INVALID` for anything that `t` of this copy of the library did not make. */
export function wireOf<T>(type: WireType<T>, option: string): Wire<T> {
  if (!(type instanceof Wire)) refuse(option, `${option} is not a wire type; make it with t.`);
  return type as Wire<T>;
}

/** One member of a struct, or one parameter. */
export interface Field {
  readonly name: string;
  readonly wire: Wire<unknown>;
}

/** The fields of a description, in its order. Throws `MNET_CONFIG_INVALID` with a path that begins with `option`. */
export function fieldsOf(described: Readonly<Record<string, WireType<unknown>>>, option: string): readonly Field[] {
  checkPlainObject(option, described);
  return Object.entries(described).map(([name, type]) => {
    const path = `${option}.${name}`;
    if (name === "" || name === "__proto__") refuse(path, `A field cannot be called ${JSON.stringify(name)}.`);
    return { name, wire: wireOf(type, path) };
  });
}

/** The object that the fields make of what `read` finds for each. Throws `WireMismatch`. */
export function decodeFields(
  fields: readonly Field[],
  read: (name: string, index: number) => XmlRpcValue | undefined,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  fields.forEach(({ name, wire }, index) => {
    const value = within(name, () => wire.decode(read(name, index)));
    // A missing member must not fall through to what every object inherits, such as `constructor`.
    if (value !== undefined || name in Object.prototype) result[name] = value;
  });
  return result;
}

/** A member of an object that somebody else made, without what every object inherits. */
export function ownMember<V>(object: Readonly<Record<string, V>>, name: string): V | undefined {
  return name in Object.prototype && !Object.hasOwn(object, name) ? undefined : object[name];
}

/** Runs a step; a mismatch in it is reported as being inside `segment`. */
export function within<T>(segment: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof WireMismatch) {
      const separator = error.path === "" || error.path.startsWith("[") ? "" : ".";
      error.path = segment + separator + error.path;
    }
    throw error;
  }
}

/** Throws `MNET_CONFIG_INVALID` unless it is an object literal, or has no prototype: `{ __proto__: … }` is neither. */
export function checkPlainObject(option: string, value: unknown): asserts value is Readonly<Record<string, unknown>> {
  const prototype: unknown = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  if (prototype !== Object.prototype && prototype !== null) refuse(option, `${option} is not a plain object.`);
}

/** Throws `MNET_CONFIG_INVALID` for members that are not among the known ones. */
export function checkMembers(option: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const path = option === "" ? unknown : `${option}.${unknown}`;
  refuse(path, `There is no option ${path}.`);
}

/** Throws `MNET_CONFIG_INVALID`. */
export function refuse(option: string, message: string): never {
  throw new ConfigError("MNET_CONFIG_INVALID", message, { option });
}

function checkOptions(options: object, known: readonly string[]): void {
  checkPlainObject("options", options);
  checkMembers("", options, known);
}

function checkInteger(option: string, value: number, least = Number.MIN_SAFE_INTEGER): void {
  if (!Number.isSafeInteger(value) || value < least) refuse(option, `${option} is not an integer from ${least}.`);
}

// ── Reading ─────────────────────────────────────────────────────────────────

/** The last second that a `Date` can say (ECMA-262 21.4.1.1). */
const MAX_DATE_SECONDS = 8.64e12;

// White space as XML has it. Neighbours have no character in common, so it does not backtrack (SEC-024).
const DECIMAL = /^[ \t\r\n]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t\r\n]*$/;

/** An integer that can be the key of a PHP array. */
const PHP_INTEGER_KEY = /^(?:0|-?[1-9][0-9]{0,18})$/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(value: XmlRpcValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "boolean") return value ? "1" : "";
  if (value === null) return "";
  const number = numeric(value, () => undefined);
  // Through BigInt, because large numbers are written with an exponent otherwise.
  if (number !== undefined) return Number.isInteger(number) ? String(BigInt(number)) : String(number);
  if (value instanceof XmlRpcDateTime) return value.text;
  if (!(value instanceof Uint8Array)) return mismatch("a string", value);
  try {
    return utf8.decode(value);
  } catch {
    return mismatch("text in UTF-8", value);
  }
}

function integerOf(value: XmlRpcValue): number {
  const number = numeric(value, readInteger);
  // Adding 0 turns -0 into 0.
  return Number.isSafeInteger(number) ? Number(number) + 0 : mismatch("an integer", value);
}

function numberOf(value: XmlRpcValue): number {
  const number = numeric(value, (text) => Number(DECIMAL.exec(text)?.[1]));
  return number !== undefined && Number.isFinite(number) ? number : mismatch("a finite number", value);
}

function numeric(value: XmlRpcValue, read: (text: string) => number | undefined): number | undefined {
  if (typeof value === "string") return read(value);
  if (typeof value === "bigint") return Number(value);
  if (value instanceof XmlRpcDouble) return value.value;
  return typeof value === "number" ? value : undefined;
}

function booleanOf(value: XmlRpcValue): boolean {
  switch (value instanceof XmlRpcDouble ? value.value : value) {
    case true:
    case 1:
    case 1n:
    case "1":
    case "true":
      return true;
    case false:
    case 0:
    case 0n:
    case "0":
    case "false":
    case "":
    case null:
      return false;
    default:
      return mismatch("a boolean", value);
  }
}

/** The items of a list with the index of each on the wire. */
function itemsOf(value: XmlRpcValue): readonly (readonly [index: number | string, item: XmlRpcValue])[] {
  if (isList(value)) return [...value.entries()];
  if (value === "" || value === null) return [];
  if (!isStruct(value)) return mismatch("a list", value);
  const items = Object.entries(value);
  if (!items.every(([name]) => PHP_INTEGER_KEY.test(name))) return mismatch("a list", value);
  return items.sort(([one], [other]) => Number(one) - Number(other));
}

function isList(value: XmlRpcValue): value is readonly XmlRpcValue[] {
  return Array.isArray(value);
}

function isEmptyList(value: XmlRpcValue): boolean {
  return isList(value) && value.length === 0;
}

function isLongerThan(text: string, characters: number): boolean {
  if (text.length <= characters) return false;
  // A code point is at most two units, so longer text need not be counted.
  return text.length > 2 * characters || [...text].length > characters;
}

/** Says what was wanted and what kind of thing came, never the thing itself: it may be a secret, or hostile. */
function mismatch(wanted: string, value: unknown): never {
  throw new WireMismatch(`must be ${wanted}; this ${kindOf(value)} is not`);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  if (Array.isArray(value)) return "list";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Date || value instanceof XmlRpcDateTime) return "date";
  return value instanceof XmlRpcDouble ? "number" : "struct";
}
