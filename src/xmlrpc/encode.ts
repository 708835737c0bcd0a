import { BARE_DECLARATION, EPI_DECLARATION, PXR_CALL_DECLARATION, type Dialect } from "./dialect.ts";
import { DocumentWriter } from "./document-writer.ts";
import type { XmlRpcValue } from "./value.ts";
import { type WriteOptions, writeValue } from "./write-value.ts";

/**
 * Encodes a request, byte for byte as Moodle 4.5 writes it: raw UTF-8 whoever the peer is, because that is what the
 * servers of both dialects read right (spec 5.2, MNET-062). Only a carriage return is a reference, since it would be
 * lost otherwise. Characters that XML forbids are left out (MNET-067).
 *
 * @throws XmlRpcError `MNET_XMLRPC_UNENCODABLE` for a value that XML-RPC cannot say.
 * @example
 * encodeCall("auth/mnet/auth.php/user_authorise", [token, userAgentHash]);
 */
export function encodeCall(method: string, params: readonly XmlRpcValue[]): Uint8Array {
  const writer = new DocumentWriter("raw");
  writer.ascii(`${PXR_CALL_DECLARATION}\n`);
  writeCall(writer, method, params, PLAIN);
  return writer.finish();
}

/**
 * Encodes the answer to a request.
 *
 * @param options.dialect the requester's (spec 5.2). Default `"pxr"`: byte for byte what Moodle 4.5 writes, in ASCII
 *   with references to code points (MNET-064). `"epi"`: a reference to each byte of a non-ASCII character, without which
 *   the peer would store invalid UTF-8 (MNET-063). Characters that XML forbids are left out (MNET-067).
 * @throws XmlRpcError `MNET_XMLRPC_UNENCODABLE` for a value that XML-RPC cannot say.
 * @example
 * encodeResult([{ name: "sso_idp", apiversion: "1" }], { dialect: "epi" });
 */
export function encodeResult(value: XmlRpcValue, options: { readonly dialect?: Dialect | undefined } = {}): Uint8Array {
  const isEpi = options.dialect === "epi";
  const writer = new DocumentWriter(isEpi ? "bytes" : "code-points");
  writer.ascii(`${isEpi ? EPI_DECLARATION : BARE_DECLARATION}\n`);
  writeResult(writer, value, PLAIN);
  return writer.finish();
}

/** As peers understand it. */
const PLAIN: WriteOptions = { lossless: false };

/** Writes a `methodCall` element. */
export function writeCall(
  writer: DocumentWriter,
  method: string,
  params: readonly XmlRpcValue[],
  options: WriteOptions,
): void {
  writer.ascii("<methodCall>\n<methodName>");
  writer.text(method);
  writer.ascii("</methodName>\n<params>\n");
  for (const param of params) {
    writer.ascii("<param>\n");
    writeValue(writer, param, options);
    writer.ascii("\n</param>\n");
  }
  writer.ascii("</params>\n</methodCall>");
}

/** Writes the `methodResponse` element of a result, with exactly one `<param>` (MNET-056). */
export function writeResult(writer: DocumentWriter, value: XmlRpcValue, options: WriteOptions): void {
  writer.ascii("<methodResponse>\n<params>\n<param>\n");
  writeValue(writer, value, options);
  writer.ascii("\n</param>\n</params>\n</methodResponse>");
}
