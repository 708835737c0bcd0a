import { isDeepStrictEqual } from "node:util";
import { MnetError } from "../../core/errors.ts";
import { decode } from "../../xmlrpc/decode.ts";
import type { XmlRpcDocument } from "../../xmlrpc/document.ts";
import { encodeDocument } from "../../xmlrpc/encode-document.ts";

/** What became of a document: its values, or why there are none. */
export type DocumentCheck =
  | { readonly result: "equal"; readonly decoded: XmlRpcDocument }
  /** Decodes, but writing the values and reading them again gives others. */
  | { readonly result: "lossy"; readonly decoded: XmlRpcDocument }
  | { readonly result: "refused"; readonly error: MnetError };

/** Decodes a document, encodes its values and decodes those again. */
export function checkDocument(document: Uint8Array): DocumentCheck {
  try {
    const decoded = decode(document);
    const again = decode(encodeDocument(decoded));
    return { result: isDeepStrictEqual(again, decoded) ? "equal" : "lossy", decoded };
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    return { result: "refused", error };
  }
}
