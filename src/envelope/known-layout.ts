const LESS_THAN = 0x3c;

/**
 * A text that always has the same layout, to the byte, and differs in its fields only: what peers write in fact. Reading
 * it takes a tenth of the time of reading XML, and says nothing that reading XML would not have said: it is read this way
 * only if its fields are plain text, and with the strict reader otherwise.
 */
export class KnownLayout {
  readonly #parts: readonly { readonly bytes: Buffer; readonly lessThan: number }[];

  /** @param parts what stands around the fields. Each part after the first has a `<`, at which the field before it has ended. */
  constructor(parts: readonly string[]) {
    this.#parts = parts.map((part) => ({ bytes: Buffer.from(part, "latin1"), lessThan: part.indexOf("<") }));
  }

  /** The fields, as Latin-1, or `undefined`: another layout, or fields that are more than plain text. */
  read(text: Uint8Array): string[] | undefined {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    const fields: string[] = [];
    let at = 0;
    for (const [n, { bytes: part, lessThan }] of this.#parts.entries()) {
      let start = at;
      if (n > 0) {
        start = bytes.indexOf(LESS_THAN, at) - lessThan;
        if (start < at) return undefined;
        fields.push(bytes.toString("latin1", at, start));
      }
      at = start + part.length;
      if (at > bytes.length || part.compare(bytes, start, at) !== 0) return undefined;
    }
    return at === bytes.length ? fields : undefined;
  }
}

/** Printable ASCII that means itself, in an attribute as in an element. */
export const isPlainText = (field: string): boolean => /^[!#-%(-;=?-~]+$/.test(field);
