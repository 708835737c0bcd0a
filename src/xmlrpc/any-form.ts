import { SaxesParser } from "saxes";
import type { LongWork } from "../core/long-work.ts";
import { type DocumentContent, DocumentReader } from "./document-reader.ts";
import type { DocumentText } from "./document-text.ts";
import type { DocumentLimits } from "./limits.ts";
import { malformed } from "./malformed.ts";
import { NOTHING_ENTITY, prepareReferences } from "./prepare-references.ts";

/** After which long work may rest. */
export const CHARACTERS_AT_ONCE = 32 * 1024;

/** Checks and changes what has to be before an XML parser sees the document. */
function prepare({ text, bodyStart }: DocumentText, perByte: boolean): string {
  // In well-formed XML "<" begins markup wherever it stands, so this finds every DOCTYPE, comment, CDATA section and
  // processing instruction, and refuses text inside one, too. XML-RPC needs none of them (SEC-015, SEC-016).
  if (text.includes("<!") || text.includes("<?", bodyStart)) {
    throw malformed("The document holds a DOCTYPE, a comment, a CDATA section or a processing instruction.");
  }
  if (text.includes(`&${NOTHING_ENTITY};`)) throw malformed("The document refers to an unknown entity.");
  return text.includes("&#") ? prepareReferences(text, perByte) : text;
}

/**
 * Reads a document with a parser, strictly: all that is well-formed XML within the grammar and the limits of XML-RPC. Throws
 * `MNET_XMLRPC_MALFORMED`, `MNET_XMLRPC_LIMIT` and `MNET_XMLRPC_UNEXPECTED_ROOT`.
 *
 * @param perByte as for `prepareReferences`.
 */
export function* readAnyForm(
  source: DocumentText,
  perByte: boolean,
  limits: DocumentLimits,
): LongWork<DocumentContent> {
  const text = prepare(source, perByte);
  const reader = new DocumentReader(limits);
  // XML 1.1 would allow control characters and other line ends; a document that declares it is read as 1.0.
  const parser = new SaxesParser({ position: false, forceXMLVersion: true, defaultXMLVersion: "1.0" });
  parser.ENTITIES[NOTHING_ENTITY] = "";
  parser.on("error", () => {
    throw malformed(`The document is not well-formed XML near character ${parser.position}.`);
  });
  parser.on("attribute", ({ name }) => {
    if (name !== "xmlns" && !name.startsWith("xmlns:")) throw malformed("An element has an attribute.");
  });
  parser.on("opentag", ({ name }) => {
    reader.open(name);
  });
  parser.on("text", (characters) => {
    reader.text(characters);
  });
  parser.on("closetag", () => {
    reader.close();
  });
  for (let at = 0; at < text.length; at += CHARACTERS_AT_ONCE) {
    parser.write(text.slice(at, at + CHARACTERS_AT_ONCE));
    yield;
  }
  parser.close();
  return reader.content();
}
