/** Why a picture is not taken: a sentence for the operator, without a word of the sender. */
export class RefusedPicture extends Error {}

const BREAKS_OFF = "The picture breaks off before its end.";

/** Refuses the picture if it has more pixels than allowed. `frames` of an animation count as large as the whole. */
export type CheckPixels = (width: number, height: number, frames?: number) => void;

/**
 * One format: walks the picture to its exact end and returns the parts that stay, in their order. Together they are never
 * longer than what was read.
 *
 * @throws RefusedPicture
 */
export type PictureFormat = (source: PictureSource, checkPixels: CheckPixels) => readonly Uint8Array[];

/** Reads a picture from its beginning to its end, and never beyond. */
export class PictureSource {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes were read. */
  get at(): number {
    return this.#at;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next bytes: all of them, or the picture is refused. */
  take(length: number): Buffer {
    const start = this.#at;
    this.skip(length);
    return this.#bytes.subarray(start, this.#at);
  }

  byte(): number {
    this.skip(1);
    return this.#bytes.readUInt8(this.#at - 1);
  }

  /** A byte further on, which stays unread. */
  peek(distance: number): number {
    if (distance >= this.left) throw new RefusedPicture(BREAKS_OFF);
    return this.#bytes.readUInt8(this.#at + distance);
  }

  skip(length: number): void {
    if (length > this.left) throw new RefusedPicture(BREAKS_OFF);
    this.#at += length;
  }

  /** Goes to the next byte of that value, and stays in front of it. */
  skipTo(value: number): void {
    const found = this.#bytes.indexOf(value, this.#at);
    this.skip(found < 0 ? Infinity : found - this.#at);
  }

  /** What was read since then. */
  since(start: number): Buffer {
    return this.#bytes.subarray(start, this.#at);
  }

  /** Whatever follows a picture is another file that hides behind it: an archive, a script, a page. */
  expectEnd(): void {
    if (this.left > 0) throw new RefusedPicture(`Something follows the end of the picture (${this.left} bytes).`);
  }
}
