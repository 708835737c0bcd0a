import { EnvelopeError } from "../core/errors.ts";
import type { XmlElement } from "./element.ts";

/** Envelopes have some thirty elements, six levels deep; extra ones are tolerated within reason. */
const MAXIMUM_ELEMENTS = 256;
const MAXIMUM_DEPTH = 16;
/** Attributes are URIs and ids. */
const MAXIMUM_ATTRIBUTES = 16;
/** White space in one place, and characters of one name: nobody sends more, and going over them is slow (SEC-024). */
const MAXIMUM_SPACE = 4096;
const MAXIMUM_NAME = 129;
/** Base64 needs none, a wwwroot hardly any; resolving them is the slowest part of reading (SEC-024). */
const MAXIMUM_REFERENCES = 256;

/**
 * Reads an envelope: a complete, single-root document of elements, attributes and text, in printable ASCII.
 *
 * That is all that envelopes of real sites consist of. DOCTYPE, entities, comments, CDATA, processing instructions and
 * text beside elements are refused wherever they stand (SEC-014 to 018), so that there is one way to read a document.
 * Never looks back, so the time is linear (SEC-024).
 *
 * Throws `MNET_ENVELOPE_MALFORMED`.
 */
export function readDocument(bytes: Uint8Array): XmlElement {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  if (FOREIGN.test(text)) throw malformed("it has bytes other than printable ASCII");
  return new DocumentReader(text).read();
}

/** Other encodings, control characters and NUL (SEC-018). */
const FOREIGN = /[^\t\n\r -~]/;

/**
 * The name of a document's root element, if it begins like an envelope or an XML-RPC document. Tells what to read the
 * document as; says nothing about what follows.
 */
export function rootNameOf(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, BEFORE_ROOT)).toString("latin1");
  return PROLOGUE.exec(start)?.[1];
}

/** More than what may stand before the end of the root element's name. */
const BEFORE_ROOT = 512;
/** White space before the declaration makes it a processing instruction, and the request none of ours (spec 4.4). */
const PROLOGUE = /^(?:\xef\xbb\xbf)?(?:<\?xml[^<>?]{0,128}\?>)?[ \t\r\n]{0,256}<([A-Za-z]{1,64})[ \t\r\n/>]/;

/** Longest part of a document that is searched for the end of its declaration. */
const LONGEST_DECLARATION = 1024;
const DECLARATION =
  /^<\?xml[ \t\r\n]{1,8}version=(["'])1\.[01]\1(?:[ \t\r\n]{1,8}encoding=(["'])(?<encoding>[A-Za-z0-9._-]{1,32})\2)?(?:[ \t\r\n]{1,8}standalone=(["'])(?:yes|no)\4)?[ \t\r\n]{0,8}\?>$/;
/** All of them mean the same for ASCII. */
const ENCODINGS = new Set(["iso-8859-1", "utf-8", "us-ascii"]);

interface OpenElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string> | undefined;
  readonly children: XmlElement[];
}

class DocumentReader {
  readonly #text: string;
  #at = 0;
  #elements = 0;
  #references = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): XmlElement {
    this.#readDeclaration();
    this.#skipSpace();
    const root = this.#readTree();
    this.#skipSpace();
    if (this.#at !== this.#text.length) throw malformed("something follows the root element");
    return root;
  }

  #readDeclaration(): void {
    if (!this.#text.startsWith("<?", this.#at)) return;
    const start = this.#text.slice(this.#at, this.#at + LONGEST_DECLARATION);
    const length = start.indexOf("?>") + 2;
    if (length < 2) throw malformed("its XML declaration does not end");
    const declaration = DECLARATION.exec(start.slice(0, length));
    if (!declaration) throw malformed("it has a processing instruction or an odd XML declaration");
    const encoding = declaration.groups?.["encoding"] ?? "utf-8";
    if (!ENCODINGS.has(encoding.toLowerCase())) throw malformed(`its encoding is ${encoding}`);
    this.#at += length;
  }

  /** From the root's start tag to its end tag. */
  #readTree(): XmlElement {
    const open: OpenElement[] = [];
    for (;;) {
      const parent = open.at(-1);
      if (this.#text.startsWith("</", this.#at)) {
        if (!parent) throw malformed("it begins with an end tag");
        this.#readEndTag(parent.name);
        open.pop();
        const { name, children, attributes } = parent;
        const closed: XmlElement = { name, children, text: "", ...(attributes && { attributes }) };
        const outer = open.at(-1);
        if (!outer) return closed;
        outer.children.push(closed);
        this.#skipSpace();
        continue;
      }

      const start = this.#readStartTag();
      const { name, attributes } = start;
      if (open.length >= MAXIMUM_DEPTH) throw malformed("it is nested too deeply");
      const text = start.isEmpty ? "" : this.#readText();
      // Text up to the element's own end tag makes it a leaf; white space before a start tag is layout.
      const isLeaf = start.isEmpty || this.#text.startsWith("</", this.#at);
      if (!isLeaf) {
        if (!isSpace(text)) throw malformed("it has text beside elements");
        open.push({ name, attributes, children: [] });
        continue;
      }
      if (!start.isEmpty) this.#readEndTag(name);
      const leaf: XmlElement = {
        name,
        children: NO_CHILDREN,
        text: this.#resolveReferences(text),
        ...(attributes && { attributes }),
      };
      if (!parent) return leaf;
      parent.children.push(leaf);
      this.#skipSpace();
    }
  }

  #readStartTag(): { name: string; attributes: ReadonlyMap<string, string> | undefined; isEmpty: boolean } {
    if (this.#text[this.#at] !== "<") {
      throw malformed(this.#at === this.#text.length ? "it ends too early" : "it has text beside elements");
    }
    this.#at++;
    if (++this.#elements > MAXIMUM_ELEMENTS) throw malformed("it has too many elements");
    const name = this.#readName();
    const attributes = this.#readAttributes();
    const isEmpty = this.#text[this.#at] === "/";
    if (isEmpty) this.#at++;
    this.#expect(">");
    return { name, attributes, isEmpty };
  }

  #readEndTag(startName: string): void {
    this.#at += 2;
    if (this.#readName() !== startName) throw malformed("its tags do not match");
    this.#skipSpace();
    this.#expect(">");
  }

  #readAttributes(): ReadonlyMap<string, string> | undefined {
    let attributes: Map<string, string> | undefined;
    while (this.#skipSpace() && this.#text[this.#at] !== ">" && this.#text[this.#at] !== "/") {
      const name = this.#readName();
      this.#skipSpace();
      this.#expect("=");
      this.#skipSpace();
      const quote = this.#text[this.#at];
      if (quote !== '"' && quote !== "'") throw malformed("it has an attribute without quotes");
      const end = this.#text.indexOf(quote, this.#at + 1);
      if (end < 0) throw malformed("it ends too early");
      const raw = this.#text.slice(this.#at + 1, end);
      if (raw.includes("<")) throw malformed("it has an attribute that does not end");
      this.#at = end + 1;
      attributes ??= new Map();
      if (attributes.has(name)) throw malformed("it has an attribute twice");
      if (attributes.size >= MAXIMUM_ATTRIBUTES) throw malformed("it has too many attributes");
      attributes.set(name, this.#resolveReferences(raw));
    }
    return attributes;
  }

  /** Everything up to the next tag. */
  #readText(): string {
    const end = this.#text.indexOf("<", this.#at);
    if (end < 0) throw malformed("it ends too early");
    const text = this.#text.slice(this.#at, end);
    this.#at = end;
    return text;
  }

  #readName(): string {
    const start = this.#at;
    while (isNameCharacter(this.#text.charCodeAt(this.#at)) && this.#at - start <= MAXIMUM_NAME) this.#at++;
    const name = this.#text.slice(start, this.#at);
    // Of what begins with "<" and no name, "!" is a DOCTYPE, comment or CDATA and "?" a processing instruction.
    if (!NAME.test(name)) throw malformed("it has something other than elements and text, or a bad name");
    return name;
  }

  /** Whether there was any white space. */
  #skipSpace(): boolean {
    const start = this.#at;
    while (isSpaceCharacter(this.#text.charCodeAt(this.#at))) {
      if (++this.#at - start > MAXIMUM_SPACE) throw malformed("it has too much white space");
    }
    return this.#at > start;
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw malformed(`a ${character} is missing`);
    this.#at++;
  }

  /** The five predefined entities and numeric references to ASCII text; there are no others in an envelope (SEC-015). */
  #resolveReferences(text: string): string {
    if (!text.includes("&")) return text;
    const [head = "", ...parts] = text.split("&", MAXIMUM_REFERENCES + 2);
    this.#references += parts.length;
    if (this.#references > MAXIMUM_REFERENCES) throw malformed("it has too many character references");
    return head + parts.map(resolveFirst).join("");
  }
}

const NO_CHILDREN: readonly XmlElement[] = [];
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z_][A-Za-z0-9_.-]{0,63})?$/;

const isNameCharacter = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || // a-z
  (code >= 0x41 && code <= 0x5a) || // A-Z
  (code >= 0x30 && code <= 0x3a) || // 0-9 and the colon
  code === 0x2d ||
  code === 0x2e ||
  code === 0x5f;

const isSpaceCharacter = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d;

function isSpace(text: string): boolean {
  if (text.length > MAXIMUM_SPACE) return false;
  for (let n = 0; n < text.length; n++) if (!isSpaceCharacter(text.charCodeAt(n))) return false;
  return true;
}

const REFERENCES = new Map(Object.entries({ lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }));

/** Of a text that begins inside a reference. */
function resolveFirst(text: string): string {
  const end = text.indexOf(";");
  const name = text.slice(0, end);
  const resolved = end < 1 || end > 8 ? undefined : (REFERENCES.get(name) ?? numericReference(name));
  if (resolved === undefined) throw malformed("it has an entity");
  return resolved + text.slice(end + 1);
}

function numericReference(name: string): string | undefined {
  const digits = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
  if (!digits) return undefined;
  const code = digits[1] ? Number.parseInt(digits[1], 16) : Number(digits[2]);
  const isText = (code >= 0x20 && code < 0x7f) || isSpaceCharacter(code);
  return isText ? String.fromCharCode(code) : undefined;
}

const malformed = (reason: string): EnvelopeError =>
  new EnvelopeError("MNET_ENVELOPE_MALFORMED", `The envelope is not usable: ${reason}.`);
