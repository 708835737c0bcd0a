import { constants, isAscii, isUtf8 } from "node:buffer";
import { XmlRpcError } from "../core/errors.ts";
import { malformed } from "./malformed.ts";

/** A document's characters. */
export interface DocumentText {
  /** The whole document. A byte order mark is left to the parser. */
  readonly text: string;
  /** The XML declaration as it came, `""` if there is none. */
  readonly declaration: string;
  /** Where the document goes on after the declaration. */
  readonly bodyStart: number;
}

const BYTE_ORDER_MARK = "\u00ef\u00bb\u00bf";
const ENCODING = /[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*["']([^"']*)["']/;

/**
 * Turns a document's bytes into text. The declaration alone decides the encoding (SEC-018): UTF-8 unless it says
 * `iso-8859-1` (MNET-068) or `us-ascii`, the two others that Moodle itself knows.
 *
 * @throws XmlRpcError `MNET_XMLRPC_MALFORMED` for another encoding and for bytes that are not in the declared one;
 *   `MNET_XMLRPC_LIMIT` for more bytes than a string can hold.
 */
export function documentText(document: Uint8Array): DocumentText {
  if (document.length > constants.MAX_STRING_LENGTH) {
    throw new XmlRpcError("MNET_XMLRPC_LIMIT", "The document is too large.");
  }
  const bytes = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  const start = bytes.toString("latin1", 0, BYTE_ORDER_MARK.length) === BYTE_ORDER_MARK ? BYTE_ORDER_MARK.length : 0;
  const declaration = readDeclaration(bytes, start);
  const text = decodeBytes(bytes, ENCODING.exec(declaration)?.[1] ?? "utf-8");
  return { text, declaration, bodyStart: (start === 0 ? 0 : 1) + declaration.length };
}

/** The declaration is ASCII in every encoding that is accepted. The parser checks its syntax later. */
function readDeclaration(bytes: Buffer, start: number): string {
  if (bytes.toString("latin1", start, start + 5) !== "<?xml") return "";
  const end = bytes.indexOf("?>", start, "latin1");
  return end === -1 ? "" : bytes.toString("latin1", start, end + 2);
}

function decodeBytes(bytes: Buffer, encoding: string): string {
  switch (encoding.toLowerCase()) {
    case "utf-8":
      // Much faster, and most documents are no more than that.
      if (isAscii(bytes)) return bytes.toString("latin1");
      if (!isUtf8(bytes)) throw malformed("The document is not in UTF-8.");
      return bytes.toString("utf8");
    case "us-ascii":
      if (!isAscii(bytes)) throw malformed("The document is not in US-ASCII.");
      return bytes.toString("latin1");
    case "iso-8859-1":
      return bytes.toString("latin1");
    default:
      throw malformed("The document is in an encoding other than UTF-8, ISO-8859-1 and US-ASCII.");
  }
}
