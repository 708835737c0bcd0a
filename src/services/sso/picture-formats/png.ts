import { crc32 } from "node:zlib";
import { type CheckPixels, type PictureSource, RefusedPicture } from "./picture-source.ts";

/** Bit depths by colour type (PNG, third edition, table 8). */
const DEPTHS = new Map([
  [0, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [3, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
]);
const INDEXED = 3;

/** Ancillary chunks that decide how the pixels look, with the size of their data. tRNS is one more. */
const COLOUR_CHUNKS = new Map([
  ["gAMA", 4],
  ["cHRM", 32],
  ["sRGB", 1],
]);

/**
 * PNG, third edition (W3C). Of ancillary chunks stay tRNS, gAMA, cHRM and sRGB; text, EXIF, times and colour profiles go, and so
 * does the animation of an APNG: what stays is the still picture that such a file must have.
 */
export function pngParts(source: PictureSource, checkPixels: CheckPixels): readonly Uint8Array[] {
  const parts: Uint8Array[] = [source.take(8)];
  const header = nextChunk(source);
  if (header.type !== "IHDR" || header.data.length !== 13)
    throw new RefusedPicture("The PNG does not begin with IHDR.");
  checkPixels(header.data.readUInt32BE(0), header.data.readUInt32BE(4));
  const [depth, colourType, compression, filter, interlace] = header.data.subarray(8);
  if (colourType === undefined || !DEPTHS.get(colourType)?.includes(depth ?? 0))
    throw new RefusedPicture("The PNG is of no known colour type.");
  if (compression !== 0 || filter !== 0 || (interlace ?? 2) > 1)
    throw new RefusedPicture("The PNG is compressed in no known way.");
  parts.push(sound(header));

  /** Bytes of the palette. */
  let palette = 0;
  const seen = new Set<string>();
  let previous = "IHDR";
  for (;;) {
    const chunk = nextChunk(source);
    const { type, data } = chunk;
    const beforePixels = !seen.has("IDAT");
    switch (type) {
      case "PLTE":
        palette = data.length;
        if (!beforePixels || seen.has(type) || palette === 0 || palette > 768 || palette % 3 || !(colourType & 2))
          throw new RefusedPicture("The PNG's palette is malformed.");
        parts.push(sound(chunk));
        break;
      case "IDAT":
        if (!beforePixels && previous !== "IDAT") throw new RefusedPicture("The PNG's pixels are in several places.");
        if (colourType === INDEXED && palette === 0) throw new RefusedPicture("The PNG has no palette.");
        parts.push(sound(chunk));
        break;
      case "IEND":
        if (beforePixels) throw new RefusedPicture("The PNG has no pixels.");
        if (data.length > 0) throw new RefusedPicture("The PNG's end is malformed.");
        parts.push(sound(chunk));
        return parts;
      default:
        // Upper case begins the names of chunks that nobody may pass over.
        if (/^[A-Z]/.test(type)) throw new RefusedPicture("The PNG has a critical chunk that is unknown or misplaced.");
        if (
          beforePixels &&
          !seen.has(type) &&
          (COLOUR_CHUNKS.get(type) === data.length || (type === "tRNS" && fits(data.length, colourType, palette)))
        )
          parts.push(sound(chunk));
    }
    seen.add(type);
    previous = type;
  }
}

/** Whether that can be the transparency of such a picture. */
function fits(length: number, colourType: number, palette: number): boolean {
  if (colourType === INDEXED) return length > 0 && length <= palette / 3;
  return length === { 0: 2, 2: 6 }[colourType];
}

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
  readonly whole: Buffer;
}

function nextChunk(source: PictureSource): Chunk {
  const start = source.at;
  const length = source.take(4).readUInt32BE();
  const type = source.take(4).toString("latin1");
  if (!/^[A-Za-z]{4}$/.test(type)) throw new RefusedPicture("The PNG is malformed: what should be a chunk is none.");
  const data = source.take(length);
  source.skip(4);
  return { type, data, whole: source.since(start) };
}

/** The chunk as it came, if its check sum is right. */
function sound({ whole }: Chunk): Uint8Array {
  const end = whole.length - 4;
  if (crc32(whole.subarray(4, end)) !== whole.readUInt32BE(end))
    throw new RefusedPicture("The PNG is damaged: a check sum is wrong.");
  return whole;
}
