/** An element of an envelope. It holds text or child elements, never both. */
export interface XmlElement {
  /** As it is written, prefix included. Namespaces are not resolved: peers change them at will (spec 0). */
  readonly name: string;
  /** By qualified name; absent where there are none. */
  readonly attributes?: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Empty where there are children. */
  readonly text: string;
}
