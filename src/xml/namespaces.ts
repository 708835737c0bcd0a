import { EnvelopeError } from "../core/errors.ts";
import type { XmlElement } from "./element.ts";

/** Namespaces that a kind of document may use, and the prefix that each gets here. */
export type KnownNamespaces = ReadonlyMap<string, string>;

/**
 * The same tree with our own prefixes in all names (`ds:Signature`), whatever prefixes the document declares, and without
 * the declarations. So elements can be told by their names alone.
 *
 * Elements in no namespace or an unknown one, attributes in any, and declarations of unknown ones are refused:
 * throws `MNET_ENVELOPE_MALFORMED`.
 */
export function withKnownPrefixes(root: XmlElement, known: KnownNamespaces): XmlElement {
  const rename = (element: XmlElement, outer: ReadonlyMap<string, string>): XmlElement => {
    const { declared, attributes } = splitAttributes(element, outer, known);
    const [prefix, local] = splitName(element.name);
    const namespace = declared.get(prefix);
    if (namespace === undefined) throw malformed(`its element ${element.name} is in no namespace`);
    return {
      name: `${known.get(namespace) ?? ""}:${local}`,
      ...(attributes && { attributes }),
      children: element.children.map((child) => rename(child, declared)),
      text: element.text,
    };
  };
  return rename(root, new Map());
}

/** The namespace of an element that has no element around it; `undefined` if it declares none for its own prefix. */
export function namespaceOf({ name, attributes }: XmlElement): string | undefined {
  const [prefix] = splitName(name);
  return attributes?.get(prefix === "" ? "xmlns" : `xmlns:${prefix}`);
}

function splitAttributes(
  { attributes }: XmlElement,
  outer: ReadonlyMap<string, string>,
  known: KnownNamespaces,
): { readonly declared: ReadonlyMap<string, string>; readonly attributes?: ReadonlyMap<string, string> } {
  if (!attributes) return { declared: outer };
  const declared = new Map(outer);
  const others = new Map<string, string>();
  for (const [name, value] of attributes) {
    const [prefix, local] = splitName(name);
    const isDeclaration = name === "xmlns" || prefix === "xmlns";
    if (!isDeclaration) {
      if (prefix !== "") throw malformed(`its attribute ${name} is in a namespace`);
      others.set(name, value);
    } else if (!known.has(value) || /^xml/i.test(local) !== (name === "xmlns")) {
      throw malformed(`its declaration ${name} is not of a namespace that belongs here`);
    } else {
      declared.set(name === "xmlns" ? "" : local, value);
    }
  }
  return others.size > 0 ? { declared, attributes: others } : { declared };
}

function splitName(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(":");
  return colon < 0 ? ["", name] : [name.slice(0, colon), name.slice(colon + 1)];
}

const malformed = (reason: string): EnvelopeError =>
  new EnvelopeError("MNET_ENVELOPE_MALFORMED", `The envelope is not usable: ${reason}.`);
