import { XmlRpcError } from "../core/errors.ts";

/**
 * What XML-RPC can say. An integral `number` is an `<int>`, or a `<string>` beyond 32 bits (MNET-053); any other
 * `number` is a `<double>`, a `bigint` an `<i8>`, a `Uint8Array` a `<base64>`. `null` is written as an empty
 * `<string>`, because peers reject `<nil/>` (MNET-051).
 */
export type XmlRpcValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | Uint8Array
  | XmlRpcDouble
  | XmlRpcDateTime
  | readonly XmlRpcValue[]
  | XmlRpcStruct;

/** Decoded structs have no prototype, so `__proto__` is a name like any other (SEC-020). */
export interface XmlRpcStruct {
  readonly [name: string]: XmlRpcValue;
}

/** A `<double>` whose value is integral: `2.0`. A decoded `<double>` that is not integral is a `number`. */
export class XmlRpcDouble {
  /** Finite. */
  readonly value: number;

  /** Throws `MNET_XMLRPC_UNENCODABLE` for NaN and the infinities, which XML-RPC cannot say. */
  constructor(value: number) {
    if (!Number.isFinite(value)) {
      throw new XmlRpcError("MNET_XMLRPC_UNENCODABLE", "A double must be a finite number.");
    }
    this.value = value;
  }
}

/** A time without a zone, as it came: `20240102T03:04:05`. */
export class XmlRpcDateTime {
  /** Always `YYYYMMDDThh:mm:ss`. */
  readonly text: string;

  /** Throws `MNET_XMLRPC_UNENCODABLE` unless the text is `YYYYMMDDThh:mm:ss` and such a time exists. */
  constructor(text: string) {
    if (!isDateTime(text)) {
      throw new XmlRpcError("MNET_XMLRPC_UNENCODABLE", "A date and time must exist and be written YYYYMMDDThh:mm:ss.");
    }
    this.text = text;
  }
}

/** Whether a value is a struct: none of the classes of values, and no list. */
export const isStruct = (value: XmlRpcValue): value is XmlRpcStruct =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array || value instanceof XmlRpcDouble || value instanceof XmlRpcDateTime);

const DATE_TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d:\d\d:\d\d)$/;

/** Whether the text is a `dateTime.iso8601` that exists: not the 30th of February, not the 24th hour. */
export function isDateTime(text: string): boolean {
  if (!DATE_TIME.test(text)) return false;
  const iso = text.replace(DATE_TIME, "$1-$2-$3T$4.000Z");
  const time = new Date(iso);
  // The platform reads the 30th of February as the 1st of March, so it has to come back unchanged.
  return !Number.isNaN(time.getTime()) && time.toISOString() === iso;
}
