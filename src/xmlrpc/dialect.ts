import type { XmlRpcDocument } from "./document.ts";

/**
 * How the other software writes text (spec 5.2): `"epi"` is PHP's old xmlrpc extension, in Moodle to 4.0 and Mahara;
 * `"pxr"` is the PhpXmlRpc library, in Moodle from 4.1.
 */
export type Dialect = "epi" | "pxr";

/** The XML declaration of a pxr client's requests. The space before `?>` is the only thing that tells it from epi. */
export const PXR_CALL_DECLARATION = '<?xml version="1.0" encoding="utf-8" ?>';

/** The XML declaration of everything that epi writes. */
export const EPI_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>';

/** The XML declaration of pxr's responses, and of the faults that every Moodle and Mahara writes by hand. */
export const BARE_DECLARATION = '<?xml version="1.0"?>';

/**
 * Tells the sender's dialect by the declaration alone (spec 5.2); indentation says nothing.
 * `undefined` if the declaration tells nothing, as that of a fault written by hand.
 */
export function detectDialect(kind: XmlRpcDocument["kind"], declaration: string): Dialect | undefined {
  if (declaration === EPI_DECLARATION) return "epi";
  if (kind === "call" && declaration === PXR_CALL_DECLARATION) return "pxr";
  if (kind === "result" && declaration === BARE_DECLARATION) return "pxr";
  return undefined;
}
