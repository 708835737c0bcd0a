import { BARE_DECLARATION, EPI_DECLARATION, PXR_CALL_DECLARATION, type Dialect } from "./dialect.ts";
import { escapeText } from "./escape-text.ts";
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
  return Buffer.from(`${PXR_CALL_DECLARATION}\n${writeCall(method, params, { text: "raw", lossless: false })}`);
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
  return Buffer.from(
    options.dialect === "epi"
      ? `${EPI_DECLARATION}\n${writeResult(value, { text: "bytes", lossless: false })}`
      : `${BARE_DECLARATION}\n${writeResult(value, { text: "code-points", lossless: false })}`,
  );
}

/** Writes a `methodCall` element. */
export function writeCall(method: string, params: readonly XmlRpcValue[], options: WriteOptions): string {
  let written = `<methodCall>\n<methodName>${escapeText(method, options.text)}</methodName>\n<params>\n`;
  for (const param of params) written += `<param>\n${writeValue(param, options)}\n</param>\n`;
  return `${written}</params>\n</methodCall>`;
}

/** Writes the `methodResponse` element of a result, with exactly one `<param>` (MNET-056). */
export function writeResult(value: XmlRpcValue, options: WriteOptions): string {
  return `<methodResponse>\n<params>\n<param>\n${writeValue(value, options)}\n</param>\n</params>\n</methodResponse>`;
}
