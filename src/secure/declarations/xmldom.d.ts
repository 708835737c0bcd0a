// The part of @xmldom/xmldom that we use; see xml-crypto.d.ts.

/** The root of a document, with at least one element inside. */
export interface ParsedElement {
  readonly firstChild: object;
}

/** Reads XML. */
export class DOMParser {
  constructor(options: { readonly errorHandler: (level: string, message: unknown) => void });
  parseFromString(xml: string, type: "text/xml"): { readonly documentElement: ParsedElement };
}
