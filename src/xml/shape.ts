import { EnvelopeError } from "../core/errors.ts";
import type { XmlElement } from "./element.ts";

/** What an element must be, to the last attribute: there is one way to write such a document. */
export interface Shape<Field extends string> {
  readonly name: string;
  /** Exactly these, with exactly these values. Default: none. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Exactly these, in this order; but for those that are optional. Without it, the element holds text. */
  readonly children?: readonly Shape<Field>[];
  /** What its text is called. Without it and without children, the element is empty. */
  readonly field?: Field;
  /** It may be absent. Default `false`. */
  readonly optional?: boolean;
}

/**
 * The texts of a document that has exactly this shape. Throws `MNET_ENVELOPE_MALFORMED` for anything missing, added,
 * repeated or out of its place.
 */
export function readShape<Field extends string>(
  root: XmlElement,
  shape: Shape<Field>,
): { readonly [F in Field]?: string } {
  const texts: { [F in Field]?: string } = {};
  const read = (element: XmlElement, { name, attributes = {}, children, field }: Shape<Field>): void => {
    if (element.name !== name) throw malformed(`it has ${element.name} where ${name} belongs`);
    requireAttributes(element, attributes);
    if (children) {
      readChildren(element, children);
    } else if (element.children.length > 0 || (field === undefined && element.text !== "")) {
      throw malformed(`its element ${name} has something inside`);
    } else if (field !== undefined) {
      texts[field] = element.text;
    }
  };
  const readChildren = (element: XmlElement, shapes: readonly Shape<Field>[]): void => {
    if (element.text.trim() !== "") throw malformed(`its element ${element.name} has text inside`);
    let at = 0;
    for (const shape of shapes) {
      const child = element.children[at];
      if (child?.name === shape.name) {
        read(child, shape);
        at += 1;
      } else if (!shape.optional) {
        throw malformed(`it has ${child?.name ?? "nothing"} where ${shape.name} belongs`);
      }
    }
    const rest = element.children[at];
    if (rest) throw malformed(`its element ${rest.name} stands where nothing belongs`);
  };
  read(root, shape);
  return texts;
}

function requireAttributes(
  { name, attributes = new Map<string, string>() }: XmlElement,
  wanted: Readonly<Record<string, string>>,
): void {
  for (const [attribute, value] of attributes) {
    if (!Object.hasOwn(wanted, attribute)) throw malformed(`its element ${name} has an attribute ${attribute}`);
    if (wanted[attribute] !== value) {
      throw malformed(`the ${attribute} of its ${name} is ${JSON.stringify(value.slice(0, 100))}`);
    }
  }
  for (const attribute of Object.keys(wanted)) {
    if (!attributes.has(attribute)) throw malformed(`its element ${name} has no ${attribute}`);
  }
}

const malformed = (reason: string): EnvelopeError =>
  new EnvelopeError("MNET_ENVELOPE_MALFORMED", `The envelope is not usable: ${reason}.`);
