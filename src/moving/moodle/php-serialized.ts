/** What PHP's `serialize` can say, as far as Moodle's settings use it: no objects, no references. */
export type PhpValue = string | number | boolean | null | PhpArray;

/** An array of PHP, in its order. */
export type PhpArray = ReadonlyMap<string | number, PhpValue>;

const MAXIMUM_DEPTH = 8;
const MAXIMUM_ENTRIES = 1000;

/**
 * Reads one serialised value. Lengths of strings count bytes of UTF-8. Throws `TypeError` for anything that PHP would not
 * have written so, and for objects: nothing that is read can make code run.
 */
export function readPhpSerialized(text: string): PhpValue {
  const reader = new Reader(Buffer.from(text, "utf8"));
  const value = reader.value(0);
  reader.requireEnd();
  return value;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  requireEnd(): void {
    if (this.#at !== this.#bytes.length) throw this.#wrong("something follows the value");
  }

  value(depth: number): PhpValue {
    if (depth > MAXIMUM_DEPTH) throw this.#wrong("it is nested too deeply");
    const type = this.#take(1);
    switch (type) {
      case "N":
        this.#expect(";");
        return null;
      case "b":
        this.#expect(":");
        return this.#upTo(";", /^[01]$/) === "1";
      case "i":
        this.#expect(":");
        return this.#integer(";");
      case "s":
        this.#expect(":");
        return this.#string();
      case "a":
        this.#expect(":");
        return this.#array(depth);
      default:
        throw this.#wrong(`there is no type ${JSON.stringify(type)} here`);
    }
  }

  #string(): string {
    const length = this.#integer(":");
    this.#expect('"');
    const text = this.#take(length);
    this.#expect('";');
    return text;
  }

  #array(depth: number): PhpArray {
    const length = this.#integer(":");
    if (length > MAXIMUM_ENTRIES) throw this.#wrong("it has too many entries");
    const entries = new Map<string | number, PhpValue>();
    this.#expect("{");
    for (let index = 0; index < length; index += 1) {
      const key = this.value(MAXIMUM_DEPTH);
      if (typeof key !== "string" && typeof key !== "number") throw this.#wrong("a key is neither text nor number");
      if (entries.has(key)) throw this.#wrong("a key comes twice");
      entries.set(key, this.value(depth + 1));
    }
    this.#expect("}");
    return entries;
  }

  #integer(end: string): number {
    const number = Number(this.#upTo(end, /^-?(0|[1-9][0-9]{0,15})$/));
    if (!Number.isSafeInteger(number)) throw this.#wrong("a number is too large");
    return number;
  }

  #upTo(end: string, form: RegExp): string {
    const stop = this.#bytes.indexOf(end, this.#at);
    const text = stop < 0 ? "" : this.#bytes.toString("latin1", this.#at, stop);
    if (!form.test(text)) throw this.#wrong("a number is missing");
    this.#at = stop + end.length;
    return text;
  }

  #take(length: number): string {
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) throw this.#wrong("it ends too early");
    const text = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end;
    return text;
  }

  #expect(text: string): void {
    if (this.#take(text.length) !== text) throw this.#wrong(`${JSON.stringify(text)} is missing`);
  }

  /** Shows nothing of the value, which may hold private keys. */
  #wrong(why: string): TypeError {
    return new TypeError(`This is no value that PHP has serialised: ${why}, before byte ${this.#at}.`);
  }
}
