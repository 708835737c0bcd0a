import type { XmlElement } from "../xml/element.ts";

/** Every URI in an envelope, as Moodle from 2.0 writes it. They are decoration: the profile fixes the algorithms (SEC-011). */
export const ALGORITHM = {
  canonicalization: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
  digest: "http://www.w3.org/2000/09/xmldsig#sha1",
  signature: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
  cipher: "http://www.w3.org/2001/04/xmlenc#arcfour",
  keyTransport: "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
} as const;

/** Moodle 1.9 declares this signature and makes one with RSA all the same (spec 3.3, MNET-031). */
const SIGNATURE_OF_MOODLE_19 = "http://www.w3.org/2000/09/xmldsig#dsa-sha1";

/**
 * What an operator should know of the algorithms that a message declares: nothing if real peers declare them, too.
 * The message is opened in the profile's way whatever it says.
 *
 * @param elements the elements that declare one, by what it is for.
 */
export function algorithmRemarks(elements: {
  readonly [role in keyof typeof ALGORITHM]?: XmlElement | undefined;
}): string[] {
  return Object.entries(elements).flatMap(([role, element]) => {
    const uri = element?.attributes?.get("Algorithm");
    if (uri === undefined) return [];
    // An owner of a real site changed every http to https, and nobody noticed (spec 0, MNET-032).
    const plain = uri.replace(/^https:/, "http:");
    const isKnown =
      plain === ALGORITHM[role as keyof typeof ALGORITHM] || (role === "signature" && plain === SIGNATURE_OF_MOODLE_19);
    return isKnown ? [] : [`unknown ${role} algorithm ${JSON.stringify(uri.slice(0, 100))}`];
  });
}
