import { decodeBase64 } from "../core/base64.ts";
import { malformed } from "./malformed.ts";
import { isDateTime, XmlRpcDateTime, XmlRpcDouble, type XmlRpcValue } from "./value.ts";

const INTEGER = /^[ \t\r\n]*([+-]?[0-9]+)[ \t\r\n]*$/;
const LONG = /^[ \t\r\n]*([+-]?)([0-9]{1,19})[ \t\r\n]*$/;
const DOUBLE = /^[ \t\r\n]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t\r\n]*$/;
const BOOLEAN = /^[ \t\r\n]*(?:(1|true)|0|false)[ \t\r\n]*$/;
const DATE_TIME = /^[ \t\r\n]*([0-9T:]+)[ \t\r\n]*$/;
const BLANK = /^[ \t\r\n]*$/;

/** Reads an integer of the size that pxr sends as `<int>` (spec 5.1); `undefined` if the text is none. */
export function readInteger(text: string): number | undefined {
  const digits = INTEGER.exec(text)?.[1];
  const value = withoutNegativeZero(Number(digits));
  return Number.isSafeInteger(value) ? value : undefined;
}

/** XML-RPC has one zero: `-0` would not survive being written. */
function withoutNegativeZero(value: number): number {
  return value === 0 ? 0 : value;
}

function readInt(text: string): number {
  const value = readInteger(text);
  if (value === undefined) throw malformed("An <int> holds no integer, or one that is too large.");
  return value;
}

function readLong(text: string): bigint {
  const [, sign, digits] = LONG.exec(text) ?? [];
  const magnitude = digits === undefined ? undefined : BigInt(digits);
  const value = magnitude !== undefined && sign === "-" ? -magnitude : magnitude;
  if (value === undefined || BigInt.asIntN(64, value) !== value) throw malformed("An <i8> holds no 64-bit integer.");
  return value;
}

function readDouble(text: string): number | XmlRpcDouble {
  const value = withoutNegativeZero(Number(DOUBLE.exec(text)?.[1]));
  if (!Number.isFinite(value)) throw malformed("A <double> holds no finite decimal number.");
  return Number.isInteger(value) ? new XmlRpcDouble(value) : value;
}

function readBoolean(text: string): boolean {
  const match = BOOLEAN.exec(text);
  if (match === null) throw malformed("A <boolean> is none of 0, 1, true and false.");
  return match[1] !== undefined;
}

function readNil(text: string): null {
  if (!BLANK.test(text)) throw malformed("A <nil/> is not empty.");
  return null;
}

function readBase64(text: string): Uint8Array {
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw malformed("A <base64> holds something else.");
  // A copy: the buffer may be a view of the pool that the process shares.
  return new Uint8Array(bytes);
}

function readDateTime(text: string): XmlRpcDateTime {
  const trimmed = DATE_TIME.exec(text)?.[1];
  if (trimmed === undefined || !isDateTime(trimmed)) throw malformed("A <dateTime.iso8601> holds no time that exists.");
  return new XmlRpcDateTime(trimmed);
}

/** The elements that hold a scalar. */
export const SCALAR_TYPES: readonly string[] = [
  "string",
  "int",
  "i4",
  "i8",
  "double",
  "boolean",
  "nil",
  "ex:nil",
  "base64",
  "dateTime.iso8601",
];

/**
 * Turns the text of one of `SCALAR_TYPES` into its value (spec 5.3). White space around anything but a string is
 * tolerated. Throws `MNET_XMLRPC_MALFORMED` for text that is no such scalar (SEC-021).
 */
export function readScalar(type: string, text: string): XmlRpcValue {
  switch (type) {
    case "int":
    case "i4":
      return readInt(text);
    case "i8":
      return readLong(text);
    case "double":
      return readDouble(text);
    case "boolean":
      return readBoolean(text);
    case "nil":
    case "ex:nil":
      return readNil(text);
    case "base64":
      return readBase64(text);
    case "dateTime.iso8601":
      return readDateTime(text);
    default:
      return text;
  }
}
