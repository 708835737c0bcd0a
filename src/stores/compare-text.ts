/** The order of names in every store: by their bytes in UTF-8, as databases have it that compare exactly. */
export const compareText = (a: string, b: string): number =>
  a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
