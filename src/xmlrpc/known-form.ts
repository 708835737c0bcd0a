import type { DocumentContent } from "./document-reader.ts";
import type { DocumentLimits } from "./limits.ts";
import { newStruct } from "./new-struct.ts";
import { NOTHING_ENTITY, prepareReferences } from "./prepare-references.ts";
import { readScalar, SCALAR_TYPES } from "./read-scalar.ts";
import type { XmlRpcValue } from "./value.ts";

const SPACE = 0x20;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const TAB = 0x09;
/** Characters that XML forbids. */
const FORBIDDEN = /[^\t\n\r -\ufffd]/;
/** No text may hold it. */
const END_OF_CDATA = "]]>";
const NOT_BLANK = /[^ \t\r\n]/;

/** Of each scalar's type, what ends an element of it. */
const ENDS: ReadonlyMap<string, string> = new Map(SCALAR_TYPES.map((type) => [type, `</${type}>`]));

/** What stands in a reference, between `&` and `;`. */
const NUMBER = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/;
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  [NOTHING_ENTITY, ""],
]);
const LAST_CODE_POINT = 0x10ffff;

/** A list of values or a struct that is open. */
type Container =
  | { readonly kind: "params" | "array"; readonly items: XmlRpcValue[] }
  | { readonly kind: "struct"; readonly members: Record<string, XmlRpcValue>; name: string; count: number };

/**
 * Reads a call or a result in the form in which every known peer writes: bare tags, white space between them, text with
 * references to characters. That takes a fifth of the time that a parser of all of XML takes. Any other form, right or
 * wrong, is left to the parser: so nothing is read that it would refuse, or would read as something else.
 */
export class KnownForm {
  readonly #text: string;
  readonly #limits: DocumentLimits;
  readonly #perByte: boolean;
  readonly #containers: Container[] = [];
  #at: number;
  #nodes = 0;
  #method: string | undefined;
  #content: DocumentContent | undefined;

  /** @param options `start`: where the text goes on after the declaration. `perByte`: as for `prepareReferences`. */
  constructor(
    text: string,
    options: { readonly start: number; readonly perByte: boolean; readonly limits: DocumentLimits },
  ) {
    this.#text = text;
    this.#limits = options.limits;
    this.#perByte = options.perByte;
    this.#at = options.start;
  }

  /** What the document said, when all of it has been read. */
  get content(): DocumentContent | undefined {
    return this.#content;
  }

  /**
   * Reads on for about so many characters, to the end of a value.
   *
   * @returns whether it is in the known form so far. Throws `MNET_XMLRPC_MALFORMED` for a scalar that is none.
   */
  read(characters: number): boolean {
    const until = this.#at + characters;
    if (this.#containers.length === 0 && !this.#begin()) return false;
    while (!this.#content && this.#at < until) if (!this.#next()) return false;
    return true;
  }

  #begin(): boolean {
    if (this.#text.includes(END_OF_CDATA)) return false;
    if (this.#takeSpaced("<methodCall>")) {
      this.#method = this.#takeSpaced("<methodName>") ? this.#takeText("</methodName>") : undefined;
      if (this.#method === undefined) return false;
    } else if (!this.#takeSpaced("<methodResponse>")) {
      return false;
    }
    if (this.#takeSpaced("<params/>")) return this.#end([]);
    this.#containers.push({ kind: "params", items: [] });
    return this.#takeSpaced("<params>");
  }

  #end(items: XmlRpcValue[]): boolean {
    this.#skipSpace();
    const isCall = this.#method !== undefined;
    if (!this.#take(isCall ? "</methodCall>" : "</methodResponse>")) return false;
    this.#skipSpace();
    if (this.#at !== this.#text.length) return false;
    if (this.#method !== undefined) this.#content = { kind: "call", method: this.#method, params: items };
    else if (items.length <= 1) this.#content = { kind: "result", value: items[0] ?? null };
    return this.#content !== undefined;
  }

  /** The next value in the innermost container, or its end. */
  #next(): boolean {
    const container = this.#containers.at(-1);
    this.#skipSpace();
    switch (container?.kind) {
      case "params":
        if (this.#take("<param>")) return this.#takeSpaced("<value>") && this.#value();
        return this.#take("</params>") && this.#end(container.items);
      case "array":
        if (this.#take("<value>")) return this.#value();
        return this.#take("</data>") && this.#takeSpaced("</array>") && this.#close(container.items);
      case "struct":
        if (this.#take("<member>")) return this.#member(container);
        return this.#take("</struct>") && this.#close(container.members);
      default:
        return false;
    }
  }

  #member(struct: Container & { kind: "struct" }): boolean {
    struct.count += 1;
    if (struct.count > this.#limits.members) return false;
    const name = this.#takeSpaced("<name>") ? this.#takeText("</name>") : undefined;
    if (name === undefined || name in struct.members) return false;
    struct.name = name;
    return this.#takeSpaced("<value>") && this.#value();
  }

  /** What stands in a `<value>`: a scalar, to its end; of a container, the beginning. */
  #value(): boolean {
    this.#nodes += 1;
    if (this.#nodes > this.#limits.nodes || this.#containers.length > this.#limits.depth) return false;
    const untyped = this.#takeRaw();
    if (untyped === undefined) return false;
    if (this.#take("</value>")) {
      const text = this.#checked(untyped);
      return text !== undefined && this.#add(text);
    }
    return (untyped === "" || !NOT_BLANK.test(untyped)) && this.#typed();
  }

  #typed(): boolean {
    const end = this.#text.indexOf(">", this.#at);
    if (end === -1) return false;
    const tag = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    switch (tag) {
      case "struct":
        this.#containers.push({ kind: "struct", members: newStruct(), name: "", count: 0 });
        return true;
      case "array":
        if (this.#takeSpaced("<data/>")) return this.#takeSpaced("</array>") && this.#finish([]);
        this.#containers.push({ kind: "array", items: [] });
        return this.#takeSpaced("<data>");
      case "string":
        return this.#string();
      case "string/":
        return this.#finish("");
      default:
        return this.#scalar(tag);
    }
  }

  #string(): boolean {
    const text = this.#takeText("</string>");
    return text !== undefined && this.#finish(text);
  }

  /** Any other scalar. What XML forbids is no part of one, so nobody need look for it. */
  #scalar(type: string): boolean {
    const end = ENDS.get(type);
    const raw = end && this.#takeRaw();
    if (!end || raw === undefined || !this.#take(end)) return false;
    const text = resolve(raw, this.#perByte);
    return text !== undefined && this.#finish(readScalar(type, text));
  }

  #close(value: XmlRpcValue): boolean {
    this.#containers.pop();
    return this.#finish(value);
  }

  #finish(value: XmlRpcValue): boolean {
    return this.#takeSpaced("</value>") && this.#add(value);
  }

  #add(value: XmlRpcValue): boolean {
    const container = this.#containers.at(-1);
    switch (container?.kind) {
      case "params":
        container.items.push(value);
        return this.#takeSpaced("</param>");
      case "array":
        container.items.push(value);
        return true;
      case "struct":
        container.members[container.name] = value;
        return this.#takeSpaced("</member>");
      default:
        return false;
    }
  }

  /** Text and the end of the element that it is in. */
  #takeText(end: string): string | undefined {
    const raw = this.#takeRaw();
    return raw !== undefined && this.#take(end) ? this.#checked(raw) : undefined;
  }

  #checked(raw: string): string | undefined {
    return FORBIDDEN.test(raw) ? undefined : resolve(raw, this.#perByte);
  }

  /** What stands before the next tag. */
  #takeRaw(): string | undefined {
    const end = this.#text.indexOf("<", this.#at);
    if (end === -1) return undefined;
    const raw = this.#text.slice(this.#at, end);
    this.#at = end;
    return raw;
  }

  #takeSpaced(markup: string): boolean {
    this.#skipSpace();
    return this.#take(markup);
  }

  #take(markup: string): boolean {
    const end = this.#at + markup.length;
    // Twice as fast as `startsWith`, for what is as short as tags are.
    if (this.#text.slice(this.#at, end) !== markup) return false;
    this.#at = end;
    return true;
  }

  #skipSpace(): void {
    let code = this.#text.charCodeAt(this.#at);
    while (code === SPACE || code === LINE_FEED || code === CARRIAGE_RETURN || code === TAB) {
      code = this.#text.charCodeAt(++this.#at);
    }
  }
}

/** As a parser gives it: line ends are line feeds (XML 1.0, 2.11), references what they stand for. `undefined`: it refuses. */
function resolve(raw: string, perByte: boolean): string | undefined {
  const text = raw.includes("\r") ? raw.replace(/\r\n?/g, "\n") : raw;
  if (!text.includes("&")) return text;
  if (text.includes(`&${NOTHING_ENTITY};`)) return undefined;
  return resolveReferences(text.includes("&#") ? prepareReferences(text, perByte) : text);
}

function resolveReferences(text: string): string | undefined {
  let resolved = "";
  let copiedTo = 0;
  for (let from = text.indexOf("&"); from !== -1; from = text.indexOf("&", copiedTo)) {
    const to = text.indexOf(";", from);
    const name = text.slice(from + 1, to);
    const character = ENTITIES.get(name) ?? numbered(name);
    if (to === -1 || character === undefined) return undefined;
    resolved += text.slice(copiedTo, from) + character;
    copiedTo = to + 1;
  }
  return resolved + text.slice(copiedTo);
}

function numbered(name: string): string | undefined {
  const [, hexadecimal, decimal] = NUMBER.exec(name) ?? [];
  const code = decimal === undefined ? Number.parseInt(hexadecimal ?? "", 16) : Number(decimal);
  return code <= LAST_CODE_POINT ? String.fromCodePoint(code) : undefined;
}
