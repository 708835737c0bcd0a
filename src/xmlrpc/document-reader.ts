import { XmlRpcError } from "../core/errors.ts";
import type { DocumentLimits } from "./limits.ts";
import { malformed } from "./malformed.ts";
import { readInteger, SCALAR_READERS } from "./read-scalar.ts";
import type { XmlRpcStruct, XmlRpcValue } from "./value.ts";

/** What a document says, without its sender's dialect. */
export type DocumentContent =
  | { readonly kind: "call"; readonly method: string; readonly params: readonly XmlRpcValue[] }
  | { readonly kind: "result"; readonly value: XmlRpcValue }
  | { readonly kind: "fault"; readonly faultCode: number; readonly faultString: string };

/** Which elements may be in an element. */
interface Rule {
  /** The allowed names of the first, second, … child; the last entry goes for all that follow if `repeats`. */
  readonly children: readonly ReadonlySet<string>[];
  readonly repeats: boolean;
  /** How many children there must be. */
  readonly required: number;
}

function sequence(required: number, ...children: readonly Iterable<string>[]): Rule {
  return { children: children.map((names) => new Set(names)), repeats: false, required };
}

function list(name: string): Rule {
  return { children: [new Set([name])], repeats: true, required: 0 };
}

const TEXT_ONLY = sequence(0);

/** The grammar of XML-RPC (spec 5.4). */
const RULES: ReadonlyMap<string, Rule> = new Map([
  ["methodCall", sequence(1, ["methodName"], ["params"])],
  ["methodName", TEXT_ONLY],
  ["methodResponse", sequence(1, ["params", "fault"])],
  ["fault", sequence(1, ["value"])],
  ["params", list("param")],
  ["param", sequence(1, ["value"])],
  ["value", sequence(0, [...SCALAR_READERS.keys(), "array", "struct"])],
  ["array", sequence(0, ["data"])],
  ["data", list("value")],
  ["struct", list("member")],
  ["member", sequence(2, ["name"], ["value"])],
  ["name", TEXT_ONLY],
  ...Array.from(SCALAR_READERS.keys(), (name) => [name, TEXT_ONLY] as const),
]);

/** An element that is open, and what it holds so far. */
interface Frame {
  readonly element: string;
  readonly rule: Rule;
  children: number;
  text: string;
  /** The text of the `<methodName>` or `<name>` in it. */
  name: string;
  /** The value of its last child. */
  value: XmlRpcValue;
  /** The values in `<params>` and `<data>`. */
  readonly items: XmlRpcValue[];
  /** The members of a `<struct>`. */
  readonly members: Record<string, XmlRpcValue>;
}
