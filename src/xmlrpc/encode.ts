import { inTurns, type LongWork } from "../core/long-work.ts";
import { BARE_DECLARATION, EPI_DECLARATION, PXR_CALL_DECLARATION, type Dialect } from "./dialect.ts";
import { DocumentWriter } from "./document-writer.ts";
import type { XmlRpcValue } from "./value.ts";
import { type WriteOptions, writeValue, writingList } from "./write-value.ts";

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
  const writer = resultWriter(options.dialect);
  writeResult(writer, value, PLAIN);
  return writer.finish();
}

/** The same without holding up the event loop: a long list gives a promise, which rejects with what would be thrown. */
export function encodeResultInTurns(value: XmlRpcValue, dialect?: Dialect): Uint8Array | Promise<Uint8Array> {
  const isLong = Array.isArray(value) && value.length >= LONG_LIST;
  return isLong ? inTurns(encodingList(value as readonly XmlRpcValue[], dialect)) : encodeResult(value, { dialect });
}

/** Items that may take more than a few milliseconds. */
const LONG_LIST = 500;

function* encodingList(items: readonly XmlRpcValue[], dialect: Dialect | undefined): LongWork<Uint8Array> {
  const writer = resultWriter(dialect);
  writer.ascii(BEFORE_RESULT);
  yield* writingList(writer, items, PLAIN);
  writer.ascii(AFTER_RESULT);
  return writer.finish();
}

function resultWriter(dialect: Dialect | undefined): DocumentWriter {
  const isEpi = dialect === "epi";
  const writer = new DocumentWriter(isEpi ? "bytes" : "code-points");
  writer.ascii(`${isEpi ? EPI_DECLARATION : BARE_DECLARATION}\n`);
  return writer;
}

const BEFORE_RESULT = "<methodResponse>\n<params>\n<param>\n";
const AFTER_RESULT = "\n</param>\n</params>\n</methodResponse>";

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
  writer.ascii(BEFORE_RESULT);
  writeValue(writer, value, options);
  writer.ascii(AFTER_RESULT);
}
