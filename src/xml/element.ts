/** An element of an envelope. It holds text or child elements, never both. */
export interface XmlElement {
  /** The name without its namespace prefix. Peers change namespaces at will, so nothing matches them (spec 0). */
  readonly name: string;
  /** By qualified name; absent where there are none. */
  readonly attributes?: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Empty where there are children. */
  readonly text: string;
}
