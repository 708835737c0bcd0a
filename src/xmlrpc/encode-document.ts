import { BARE_DECLARATION, EPI_DECLARATION, PXR_CALL_DECLARATION } from "./dialect.ts";
import { DocumentWriter } from "./document-writer.ts";
import type { XmlRpcDocument } from "./document.ts";
import { writeCall, writeResult } from "./encode.ts";
import { writeFault } from "./fault.ts";

/**
 * Encodes a decoded document so that decoding gives the same document again: with `<nil/>`, integers beyond 32 bits,
 * fault code 0 and the declaration of the dialect. For diagnosis only: no peer is ever sent that.
 *
 * @throws XmlRpcError `MNET_XMLRPC_UNENCODABLE` for a document that was not decoded and holds what XML-RPC cannot say.
 */
export function encodeDocument(document: XmlRpcDocument): Uint8Array {
  const writer = new DocumentWriter(document.dialect === "epi" ? "bytes" : "code-points");
  writer.ascii(declaration(document));
  writeDocument(writer, document);
  return writer.finish();
}

function declaration({ kind, dialect }: XmlRpcDocument): string {
  if (dialect === "epi") return `${EPI_DECLARATION}\n`;
  if (dialect === undefined) return "";
  return `${kind === "call" ? PXR_CALL_DECLARATION : BARE_DECLARATION}\n`;
}

function writeDocument(writer: DocumentWriter, document: XmlRpcDocument): void {
  const options = { lossless: true };
  switch (document.kind) {
    case "call":
      writeCall(writer, document.method, document.params, options);
      return;
    case "result":
      writeResult(writer, document.value, options);
      return;
    case "fault":
      writeFault(writer, document.faultCode, document.faultString);
  }
}
