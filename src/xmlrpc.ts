/**
 * XML-RPC documents to values and back, as the software in a Moodle Network writes them.
 *
 * @module mnet/xmlrpc
 */
export { MnetError, XmlRpcError } from "./core/errors.ts";
export { decode, type DecodeOptions } from "./xmlrpc/decode.ts";
export type { Dialect } from "./xmlrpc/dialect.ts";
export type { XmlRpcDocument } from "./xmlrpc/document.ts";
export { encodeCall, encodeResult } from "./xmlrpc/encode.ts";
export { encodeFault } from "./xmlrpc/fault.ts";
export type { XmlRpcLimits } from "./xmlrpc/limits.ts";
export { XmlRpcDateTime, XmlRpcDouble, type XmlRpcStruct, type XmlRpcValue } from "./xmlrpc/value.ts";
