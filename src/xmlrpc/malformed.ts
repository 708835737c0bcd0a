import { XmlRpcError } from "../core/errors.ts";

/** The error of a document that is no XML-RPC. The message names what is wrong, and quotes nothing of the document. */
export function malformed(message: string): XmlRpcError {
  return new XmlRpcError("MNET_XMLRPC_MALFORMED", message);
}
