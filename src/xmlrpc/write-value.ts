import { XmlRpcError } from "../core/errors.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { escapeText, type TextForm } from "./escape-text.ts";
import { XmlRpcDateTime, XmlRpcDouble, type XmlRpcStruct, type XmlRpcValue } from "./value.ts";

/** How values are written. */
export interface WriteOptions {
  /** How text is written. */
  readonly text: TextForm;
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
export function writeValue(value: XmlRpcValue | undefined, options: WriteOptions): string {
  return write(value, options, []);
}

/** `containers` are the arrays and structs that the value is in, from outside to inside. */
function write(value: XmlRpcValue | undefined, options: WriteOptions, containers: object[]): string {
  if (containers.length === DEFAULT_LIMITS.depth) throw unencodable("The value is nested too deeply.");
  switch (typeof value) {
    case "string":
      return `<value><string>${escapeText(value, options.text)}</string></value>`;
    case "boolean":
      return `<value><boolean>${value ? 1 : 0}</boolean></value>`;
    case "number":
      return writeNumber(value, options.lossless);
    case "bigint":
      if (BigInt.asIntN(64, value) !== value) throw unencodable("A bigint must fit into 64 bits.");
      return `<value><i8>${value}</i8></value>`;
    case "undefined":
      return writeNull(options.lossless);
    case "object":
      return value === null ? writeNull(options.lossless) : writeObject(value, options, containers);
    default:
      throw unencodable(`XML-RPC has no ${typeof value}.`);
  }
}

function writeNull(lossless: boolean): string {
  return `<value>${lossless ? "<nil/>" : "<string></string>"}</value>`;
}

function writeNumber(value: number, lossless: boolean): string {
  if (!Number.isFinite(value)) throw unencodable("A number must be finite.");
  if (!Number.isInteger(value)) return `<value><double>${decimal(value)}</double></value>`;
  const type = lossless || value === (value | 0) ? "int" : "string";
  return `<value><${type}>${decimal(value)}</${type}></value>`;
}

/** Without an exponent, which not every peer reads. */
function decimal(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  if (Number.isInteger(value)) return String(BigInt(value));
  const [mantissa = "", exponent] = text.split("e-");
  return `${value < 0 ? "-" : ""}0.${"0".repeat(Number(exponent) - 1)}${mantissa.replace(/[-.]/g, "")}`;
}

function writeObject(value: Exclude<XmlRpcValue & object, null>, options: WriteOptions, containers: object[]): string {
  if (value instanceof XmlRpcDouble) return `<value><double>${decimal(value.value)}</double></value>`;
  if (value instanceof XmlRpcDateTime) return `<value><dateTime.iso8601>${value.text}</dateTime.iso8601></value>`;
  if (value instanceof Uint8Array) {
    const base64 = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
    return `<value><base64>${base64}</base64></value>`;
  }

  if (containers.includes(value)) throw unencodable("The value contains itself.");
  containers.push(value);
  const written = Array.isArray(value)
    ? writeArray(value as readonly XmlRpcValue[], options, containers)
    : writeStruct(value as XmlRpcStruct, options, containers);
  containers.pop();
  return written;
}

function writeArray(items: readonly XmlRpcValue[], options: WriteOptions, containers: object[]): string {
  let written = "<value><array>\n<data>\n";
  for (const item of items) written += `${write(item, options, containers)}\n`;
  return `${written}</data>\n</array></value>`;
}

function writeStruct(struct: XmlRpcStruct, options: WriteOptions, containers: object[]): string {
  const prototype: unknown = Object.getPrototypeOf(struct);
  if (prototype !== Object.prototype && prototype !== null) {
    throw unencodable("A struct must be a plain object: XML-RPC has no dates, maps or class instances.");
  }
  let written = "<value><struct>\n";
  for (const name of Object.keys(struct)) {
    const member = struct[name];
    if (member === undefined) continue;
    written += `<member><name>${escapeText(name, options.text)}</name>\n${write(member, options, containers)}\n</member>\n`;
  }
  return `${written}</struct></value>`;
}

function unencodable(message: string): XmlRpcError {
  return new XmlRpcError("MNET_XMLRPC_UNENCODABLE", message);
}
