import { BARE_DECLARATION, EPI_DECLARATION, PXR_CALL_DECLARATION } from "./dialect.ts";
import type { XmlRpcDocument } from "./document.ts";
import { writeCall, writeResult } from "./encode.ts";
import { writeFault } from "./fault.ts";
import type { WriteOptions } from "./write-value.ts";

/**
 * Encodes a decoded document so that decoding gives the same document again: with `<nil/>`, integers beyond 32 bits,
 * fault code 0 and the declaration of the dialect. For diagnosis only: no peer is ever sent that.
 *
 * @throws XmlRpcError `MNET_XMLRPC_UNENCODABLE` for a document that was not decoded and holds what XML-RPC cannot say.
 */
export function encodeDocument(document: XmlRpcDocument): Uint8Array {
  return Buffer.from(declaration(document) + writeDocument(document));
}

function declaration({ kind, dialect }: XmlRpcDocument): string {
  if (dialect === "epi") return `${EPI_DECLARATION}\n`;
  if (dialect === undefined) return "";
  return `${kind === "call" ? PXR_CALL_DECLARATION : BARE_DECLARATION}\n`;
}

function writeDocument(document: XmlRpcDocument): string {
  const options: WriteOptions = { text: document.dialect === "epi" ? "bytes" : "code-points", lossless: true };
  switch (document.kind) {
    case "call":
      return writeCall(document.method, document.params, options);
    case "result":
      return writeResult(document.value, options);
    case "fault":
      return writeFault(document.faultCode, document.faultString, options.text);
  }
}
