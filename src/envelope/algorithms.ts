import type { XmlElement } from "../xml/element.ts";

/** Every URI in an envelope, as Moodle from 2.0 writes it. They are decoration: the profile fixes the algorithms (SEC-011). */
export const ALGORITHM = {
  canonicalization: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
  digest: "http://www.w3.org/2000/09/xmldsig#sha1",
  signature: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
  cipher: "http://www.w3.org/2001/04/xmlenc#arcfour",
  keyTransport: "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
} as const;

/** Moodle 1.9 declares this one and signs with RSA all the same (spec 3.3, MNET-031). */
const DECLARED_BY_MOODLE_19 = "http://www.w3.org/2000/09/xmldsig#dsa-sha1";

const KNOWN = new Set<string>([...Object.values(ALGORITHM), DECLARED_BY_MOODLE_19]);

/**
 * What an operator should know of the algorithms that a message declares: nothing if real peers declare them, too.
 * The message is opened in the profile's way whatever it says.
 */
export function algorithmRemarks(elements: readonly (XmlElement | undefined)[]): string[] {
  return elements.flatMap((element) => {
    const uri = element?.attributes?.get("Algorithm");
    // An owner of a real site changed every http to https, and nobody noticed (spec 0, MNET-032).
    return uri === undefined || KNOWN.has(uri.replace(/^https:/, "http:"))
      ? []
      : [`unknown algorithm ${JSON.stringify(uri.slice(0, 100))}`];
  });
}
