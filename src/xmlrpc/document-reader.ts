import { XmlRpcError } from "../core/errors.ts";
import type { DocumentLimits } from "./limits.ts";
import { malformed } from "./malformed.ts";
import { newStruct } from "./new-struct.ts";
import { readInteger, readScalar, SCALAR_TYPES } from "./read-scalar.ts";
import type { XmlRpcValue } from "./value.ts";

/** What a document says, without its sender's dialect. */
export type DocumentContent =
  | { readonly kind: "call"; readonly method: string; readonly params: readonly XmlRpcValue[] }
  | { readonly kind: "result"; readonly value: XmlRpcValue }
  | { readonly kind: "fault"; readonly faultCode: number; readonly faultString: string };

/** Which elements may be in an element. */
interface Rule {
  /** The allowed names of the first, second, … child. */
  readonly children: readonly ReadonlySet<string>[];
  /** The first entry goes for every child. */
  readonly repeats: boolean;
  /** How many children there must be. */
  readonly required: number;
}

function sequence(required: number, ...children: readonly Iterable<string>[]): Rule {
  return { children: children.map((names) => new Set(names)), repeats: false, required };
}

function anyNumberOf(name: string): Rule {
  return { children: [new Set([name])], repeats: true, required: 0 };
}

const DOCUMENT = sequence(1, ["methodCall", "methodResponse"]);
const VALUE = sequence(0, [...SCALAR_TYPES, "array", "struct"]);
const TEXT_ONLY = sequence(0);

/** The grammar (spec 5.3, 5.4). What is not in it holds text only: names and scalars. */
const RULES: ReadonlyMap<string, Rule> = new Map([
  ["methodCall", sequence(1, ["methodName"], ["params"])],
  ["methodResponse", sequence(1, ["params", "fault"])],
  ["fault", sequence(1, ["value"])],
  ["params", anyNumberOf("param")],
  ["param", sequence(1, ["value"])],
  ["value", VALUE],
  ["array", sequence(0, ["data"])],
  ["data", anyNumberOf("value")],
  ["struct", anyNumberOf("member")],
  ["member", sequence(2, ["name"], ["value"])],
]);

// Shared by all frames that need none; frozen, because the first is handed out as the params of a call without any.
const NO_ITEMS: XmlRpcValue[] = [];
const NO_MEMBERS: Record<string, XmlRpcValue> = {};
Object.freeze(NO_ITEMS);
Object.freeze(NO_MEMBERS);

/** An element that is open, and what has been read of it. */
class Frame {
  readonly element: string;
  readonly rule: Rule;
  /** The element around it; the document's is itself. */
  readonly parent: Frame;
  children = 0;
  text = "";
  /** The text of the `<methodName>` or `<name>` in it. */
  name = "";
  /** The value of the element in it. */
  value: XmlRpcValue = null;
  /** The values in it, if it is a list of values. */
  items: XmlRpcValue[];
  /** The members in it, if it is a struct. */
  readonly members: Record<string, XmlRpcValue>;

  constructor(element: string, rule: Rule, parent?: Frame) {
    this.element = element;
    this.rule = rule;
    this.parent = parent ?? this;
    this.items = element === "data" || element === "params" ? [] : NO_ITEMS;
    this.members = element === "struct" ? newStruct() : NO_MEMBERS;
  }
}

const NOT_BLANK = /[^ \t\r\n]/;

/**
 * Builds a document's content out of a parser's events, while it enforces grammar and limits. It relies on the parser
 * for well-formedness: that what is closed was opened, and that all is closed at the end.
 * Every method throws `MNET_XMLRPC_MALFORMED`; `open` also `MNET_XMLRPC_LIMIT` and `MNET_XMLRPC_UNEXPECTED_ROOT`.
 */
export class DocumentReader {
  readonly #limits: DocumentLimits;
  #current = new Frame("", DOCUMENT);
  #nodes = 0;
  #depth = 0;
  #content: DocumentContent | undefined;

  constructor(limits: DocumentLimits) {
    this.#limits = limits;
  }

  /** An element begins. */
  open(element: string): void {
    const parent = this.#current;
    if (!parent.rule.children[parent.rule.repeats ? 0 : parent.children]?.has(element)) {
      throw parent.rule === DOCUMENT
        ? new XmlRpcError("MNET_XMLRPC_UNEXPECTED_ROOT", "The document is neither a methodCall nor a methodResponse.")
        : malformed(`An element is not allowed where it stands in <${parent.element}>.`);
    }
    if (parent.rule === VALUE && NOT_BLANK.test(parent.text)) throw malformed("A <value> mixes text and elements.");
    parent.children++;
    this.#current = new Frame(element, RULES.get(element) ?? TEXT_ONLY, parent);
    this.#enforceLimits(element, parent);
  }

  #enforceLimits(element: string, parent: Frame): void {
    if (element === "value") {
      if (++this.#nodes > this.#limits.nodes) throw tooLarge("The document holds too many values.");
      if (++this.#depth > this.#limits.depth) throw tooLarge("The values are nested too deeply.");
    } else if (element === "member" && parent.children > this.#limits.members) {
      throw tooLarge("A struct has too many members.");
    }
  }

  /** All text between two tags. */
  text(text: string): void {
    const frame = this.#current;
    if (frame.rule === TEXT_ONLY || (frame.rule === VALUE && frame.children === 0)) {
      frame.text += text;
    } else if (NOT_BLANK.test(text)) {
      throw malformed(`Text is not allowed where it stands in <${frame.element}>.`);
    }
  }

  /** The innermost open element ends. */
  close(): void {
    const frame = this.#current;
    const { parent } = frame;
    this.#current = parent;
    if (frame.children < frame.rule.required) throw malformed(`A <${frame.element}> is incomplete.`);
    switch (frame.element) {
      case "methodCall":
        this.#content = { kind: "call", method: frame.name, params: frame.items };
        break;
      case "methodResponse":
        break;
      case "methodName":
      case "name":
        parent.name = frame.text;
        break;
      case "params":
        if (parent.element === "methodCall") parent.items = frame.items;
        else this.#content = { kind: "result", value: onlyItem(frame.items) };
        break;
      case "fault":
        this.#content = faultContent(frame.value);
        break;
      case "param":
        parent.items.push(frame.value);
        break;
      case "value": {
        this.#depth--;
        const value = frame.children === 0 ? frame.text : frame.value;
        if (parent.element === "data") parent.items.push(value);
        else parent.value = value;
        break;
      }
      case "array":
        parent.value = frame.children === 0 ? [] : frame.value;
        break;
      case "data":
        parent.value = frame.items;
        break;
      case "struct":
        parent.value = frame.members;
        break;
      case "member":
        if (frame.name in parent.members) throw malformed("A struct has two members of the same name.");
        parent.members[frame.name] = frame.value;
        break;
      default:
        parent.value = readScalar(frame.element, frame.text);
    }
  }

  /** What the document said. Call it when the parser has come to the end. */
  content(): DocumentContent {
    if (this.#content === undefined) throw malformed("The document is empty.");
    return this.#content;
  }
}

/** A response without a `<param>` means null, as epi reads it (spec 5.3). */
function onlyItem(items: readonly XmlRpcValue[]): XmlRpcValue {
  if (items.length > 1) throw malformed("A response has more than one <param>.");
  return items[0] ?? null;
}

function faultContent(value: XmlRpcValue): DocumentContent {
  const { faultCode, faultString } = Object(value) as Readonly<Record<string, XmlRpcValue | undefined>>;
  const code = typeof faultCode === "string" ? readInteger(faultCode) : faultCode;
  if (typeof code !== "number" || !Number.isInteger(code) || typeof faultString !== "string") {
    throw malformed("A <fault> is no struct of an integral faultCode and a faultString.");
  }
  return { kind: "fault", faultCode: code, faultString };
}

function tooLarge(message: string): XmlRpcError {
  return new XmlRpcError("MNET_XMLRPC_LIMIT", message);
}
