import { XmlRpcError } from "../core/errors.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { LongWork } from "../core/long-work.ts";
import { markup, type DocumentWriter } from "./document-writer.ts";
import { XmlRpcDateTime, XmlRpcDouble, type XmlRpcStruct, type XmlRpcValue } from "./value.ts";

const STRING = markup("<value><string>");
const END_OF_STRING = markup("</string></value>");
const TRUE = markup("<value><boolean>1</boolean></value>");
const FALSE = markup("<value><boolean>0</boolean></value>");
const ARRAY = markup("<value><array>\n<data>\n");
const END_OF_ARRAY = markup("</data>\n</array></value>");
const STRUCT = markup("<value><struct>\n");
const MEMBER = markup("<member><name>");
const END_OF_NAME = markup("</name>\n");
const END_OF_MEMBER = markup("\n</member>\n");
const END_OF_STRUCT = markup("</struct></value>");
const LINE_FEED = markup("\n");

/** Sites say the same few names over and over: what begins their members is put together once. */
const NAMES = new Map<string, Uint8Array>();
const MAXIMUM_NAMES = 1000;
const PLAIN_NAME = /^[\w-]{1,64}$/;

/** How values are written. */
export interface WriteOptions {
  /**
   * Writes `<nil/>`, and integers beyond 32 bits as `<int>`, so that decoding gives the same value again.
   * No peer is ever sent that (MNET-051, MNET-053).
   */
  readonly lossless: boolean;
}

/**
 * Writes a `<value>` element in Moodle 4.5's layout (spec 5.1). `undefined` is written as `null` is, but a member that
 * is `undefined` is left out.
 * Throws `MNET_XMLRPC_UNENCODABLE` for what XML-RPC cannot say, for values that contain themselves, and for nesting
 * deeper than the default limit of a receiver.
 */
export function writeValue(writer: DocumentWriter, value: XmlRpcValue | undefined, { lossless }: WriteOptions): void {
  write(writer, value, lossless, []);
}

/** `containers` are the arrays and structs that the value is in, from outside to inside. */
function write(writer: DocumentWriter, value: XmlRpcValue | undefined, lossless: boolean, containers: object[]): void {
  if (containers.length === DEFAULT_LIMITS.depth) throw unencodable("The value is nested too deeply.");
  switch (typeof value) {
    case "string":
      writer.markup(STRING);
      writer.text(value);
      writer.markup(END_OF_STRING);
      return;
    case "boolean":
      writer.markup(value ? TRUE : FALSE);
      return;
    case "number":
      writeNumber(writer, value, lossless);
      return;
    case "bigint":
      if (BigInt.asIntN(64, value) !== value) throw unencodable("A bigint must fit into 64 bits.");
      writer.ascii(`<value><i8>${value}</i8></value>`);
      return;
    case "undefined":
      writeNull(writer, lossless);
      return;
    case "object":
      if (value === null) writeNull(writer, lossless);
      else writeObject(writer, value, lossless, containers);
      return;
    default:
      throw unencodable(`XML-RPC has no ${typeof value}.`);
  }
}

function writeNull(writer: DocumentWriter, lossless: boolean): void {
  writer.ascii(`<value>${lossless ? "<nil/>" : "<string></string>"}</value>`);
}

function writeNumber(writer: DocumentWriter, value: number, lossless: boolean): void {
  if (!Number.isFinite(value)) throw unencodable("A number must be finite.");
  const isInt = lossless || value === (value | 0);
  const type = Number.isInteger(value) ? (isInt ? "int" : "string") : "double";
  writer.ascii(`<value><${type}>${decimal(value)}</${type}></value>`);
}

/** Without an exponent, which not every peer reads. */
function decimal(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  if (Number.isInteger(value)) return String(BigInt(value));
  const [mantissa = "", exponent] = text.split("e-");
  return `${value < 0 ? "-" : ""}0.${"0".repeat(Number(exponent) - 1)}${mantissa.replace(/[-.]/g, "")}`;
}

function writeObject(
  writer: DocumentWriter,
  value: Exclude<XmlRpcValue & object, null>,
  lossless: boolean,
  containers: object[],
): void {
  if (value instanceof XmlRpcDouble) {
    writer.ascii(`<value><double>${decimal(value.value)}</double></value>`);
  } else if (value instanceof XmlRpcDateTime) {
    writer.ascii(`<value><dateTime.iso8601>${value.text}</dateTime.iso8601></value>`);
  } else if (value instanceof Uint8Array) {
    writer.ascii("<value><base64>");
    writer.base64(value);
    writer.ascii("</base64></value>");
  } else {
    if (containers.includes(value)) throw unencodable("The value contains itself.");
    containers.push(value);
    if (Array.isArray(value)) writeArray(writer, value as readonly XmlRpcValue[], lossless, containers);
    else writeStruct(writer, value as XmlRpcStruct, lossless, containers);
    containers.pop();
  }
}

/** The same for a long list, item by item. */
export function* writingList(
  writer: DocumentWriter,
  items: readonly XmlRpcValue[],
  { lossless }: WriteOptions,
): LongWork<void> {
  const containers = [items];
  writer.markup(ARRAY);
  for (const item of items) {
    writeItem(writer, item, lossless, containers);
    yield;
  }
  writer.markup(END_OF_ARRAY);
}

function writeArray(
  writer: DocumentWriter,
  items: readonly XmlRpcValue[],
  lossless: boolean,
  containers: object[],
): void {
  writer.markup(ARRAY);
  for (const item of items) writeItem(writer, item, lossless, containers);
  writer.markup(END_OF_ARRAY);
}

function writeItem(writer: DocumentWriter, item: XmlRpcValue, lossless: boolean, containers: object[]): void {
  write(writer, item, lossless, containers);
  writer.markup(LINE_FEED);
}

function writeStruct(writer: DocumentWriter, struct: XmlRpcStruct, lossless: boolean, containers: object[]): void {
  const prototype: unknown = Object.getPrototypeOf(struct);
  if (prototype !== Object.prototype && prototype !== null) {
    throw unencodable("A struct must be a plain object: XML-RPC has no dates, maps or class instances.");
  }
  writer.markup(STRUCT);
  for (const name of Object.keys(struct)) {
    const member = struct[name];
    if (member === undefined) continue;
    writeName(writer, name);
    write(writer, member, lossless, containers);
    writer.markup(END_OF_MEMBER);
  }
  writer.markup(END_OF_STRUCT);
}

function writeName(writer: DocumentWriter, name: string): void {
  const known = NAMES.get(name);
  if (known) {
    writer.markup(known);
    return;
  }
  writer.markup(MEMBER);
  writer.text(name);
  writer.markup(END_OF_NAME);
  if (NAMES.size < MAXIMUM_NAMES && PLAIN_NAME.test(name)) {
    NAMES.set(name, markup(`<member><name>${name}</name>\n`));
  }
}

function unencodable(message: string): XmlRpcError {
  return new XmlRpcError("MNET_XMLRPC_UNENCODABLE", message);
}
