import { EnvelopeError } from "../core/errors.ts";
import type { XmlElement } from "./element.ts";

/** The elements of an envelope that matter, by field. One that is absent from the envelope is absent here. */
export type Fields<Field extends string> = Partial<Record<Field, XmlElement>>;

/**
 * Makes a function that finds the elements that matter in an envelope: each of them, and each element around it, at
 * most once, at its own path and nowhere else (SEC-014). Names that matter are refused elsewhere, in any letter case
 * and under any prefix, because a Moodle, which ignores case and place, or a library that resolves prefixes would read
 * another document than we do. Other elements are ignored (MNET-033).
 *
 * The function throws `MNET_ENVELOPE_MALFORMED`.
 *
 * @param paths field → path below the root, such as `Signature/SignatureValue`.
 */
export function fieldFinder<Field extends string>(
  paths: Readonly<Record<Field, string>>,
): (root: XmlElement) => Fields<Field> {
  const entries = Object.entries<string>(paths) as [Field, string][];
  const fieldAt = new Map(entries.map(([field, path]) => [path, field]));
  const containers = new Set(entries.flatMap(([, path]) => containersOf(path)));
  const names = new Set(entries.map(([, path]) => path.slice(path.lastIndexOf("/") + 1).toLowerCase()));

  return (root) => {
    const found: Fields<Field> = {};
    const seen = new Set<string>();
    const visit = (element: XmlElement, prefix: string): void => {
      for (const child of element.children) {
        const path = prefix + child.name;
        const field = fieldAt.get(path);
        if (field === undefined && !containers.has(path)) {
          if (names.has(localName(child).toLowerCase())) throw misplaced(child.name, "stands where it does not belong");
        } else if (seen.has(path)) {
          throw misplaced(child.name, "stands twice");
        } else {
          seen.add(path);
        }
        if (field === undefined) {
          visit(child, `${path}/`);
        } else {
          if (child.children.length > 0) throw misplaced(child.name, "has elements inside");
          found[field] = child;
        }
      }
    };
    visit(root, "");
    return found;
  };
}

const localName = ({ name }: XmlElement): string => name.slice(name.indexOf(":") + 1);

/** `a/b/c` lies in `a` and `a/b`. */
function containersOf(path: string): string[] {
  const steps = path.split("/").slice(0, -1);
  return steps.map((_, n) => steps.slice(0, n + 1).join("/"));
}

const misplaced = (name: string, what: string): EnvelopeError =>
  new EnvelopeError("MNET_ENVELOPE_MALFORMED", `The envelope is not usable: its element ${name} ${what}.`);
