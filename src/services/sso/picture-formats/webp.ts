import { type CheckPixels, PictureSource, RefusedPicture } from "./picture-source.ts";

// Flags of VP8X. Those for a colour profile, EXIF and XMP go with what they announce.
const ANIMATION = 0x02;
const ALPHA = 0x10;

/**
 * WebP (RFC 9649): lossy, lossless, extended, animated. Colour profiles, EXIF, XMP and unknown chunks go; the file's size and
 * flags are written anew.
 */
export function webpParts(source: PictureSource, checkPixels: CheckPixels): readonly Uint8Array[] {
  // The size counts the name "WEBP", too.
  const size = source.take(12).readUInt32LE(4);
  if (size < 4) throw malformed();
  const chunks = allChunks(new PictureSource(source.take(size - 4)));
  const [first, ...rest] = chunks;
  const parts =
    first?.type === "VP8X" ? extendedParts(first, rest, checkPixels) : stillParts(chunks, checkPixels).parts;
  return [riffHeader(parts), ...parts];
}

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
}
interface Still {
  readonly width: number;
  readonly height: number;
  readonly parts: readonly Uint8Array[];
}

const malformed = (): RefusedPicture => new RefusedPicture("The WebP is malformed.");

/** Each is filled up to an even length. */
function allChunks(source: PictureSource): readonly Chunk[] {
  const chunks: Chunk[] = [];
  while (source.left > 0) {
    const type = source.take(4).toString("latin1");
    const data = source.take(source.take(4).readUInt32LE());
    source.skip(data.length % 2);
    chunks.push({ type, data });
  }
  return chunks;
}

function extendedParts(header: Chunk, chunks: readonly Chunk[], checkPixels: CheckPixels): readonly Uint8Array[] {
  if (header.data.length !== 10 || chunks.some(({ type }) => type === "VP8X")) throw malformed();
  const flags = header.data.readUInt8(0) & (ANIMATION | ALPHA);
  const canvas = header.data.subarray(4);
  const [width, height] = [canvas.readUIntLE(0, 3) + 1, canvas.readUIntLE(3, 3) + 1];
  checkPixels(width, height);
  const start = chunk("VP8X", Buffer.concat([Buffer.from([flags, 0, 0, 0]), canvas]));

  if (!(flags & ANIMATION)) {
    const still = stillParts(chunks, checkPixels);
    if (still.width !== width || still.height !== height) throw malformed();
    return [start, ...still.parts];
  }
  const parts = [start];
  let frames = 0;
  let begun = false;
  for (const { type, data } of chunks) {
    if (type === "ANIM") {
      if (begun || data.length !== 6) throw malformed();
      begun = true;
      parts.push(chunk(type, data));
    } else if (type === "ANMF") {
      if (!begun || data.length < 16) throw malformed();
      frames += 1;
      checkPixels(width, height, frames);
      parts.push(chunk(type, frameData(data, width, height, checkPixels)));
    } else if (isPixels(type)) throw malformed();
  }
  if (frames === 0) throw new RefusedPicture("The WebP has no pixels.");
  return parts;
}

/** A frame of an animation: where it lies, how long it is shown, and a still. */
function frameData(data: Buffer, width: number, height: number, checkPixels: CheckPixels): Uint8Array {
  const still = stillParts(allChunks(new PictureSource(data.subarray(16))), checkPixels);
  if (still.width !== data.readUIntLE(6, 3) + 1 || still.height !== data.readUIntLE(9, 3) + 1) throw malformed();
  if (2 * data.readUIntLE(0, 3) + still.width > width || 2 * data.readUIntLE(3, 3) + still.height > height)
    throw new RefusedPicture("A frame of the WebP lies outside of the picture.");
  return Buffer.concat([data.subarray(0, 16), ...still.parts]);
}

const isPixels = (type: string): boolean => ["VP8 ", "VP8L", "ALPH", "ANMF", "ANIM"].includes(type);

/** One picture: lossless, or lossy with an alpha channel before it or without. */
function stillParts(chunks: readonly Chunk[], checkPixels: CheckPixels): Still {
  const pixels = chunks.filter(({ type }) => isPixels(type));
  const names = pixels.map(({ type }) => type).join();
  const data = pixels.at(-1)?.data;
  if (data === undefined) throw new RefusedPicture("The WebP has no pixels.");
  if (!["VP8 ", "VP8L", "ALPH,VP8 "].includes(names)) throw malformed();
  const [width, height] = names === "VP8L" ? losslessSize(data) : lossySize(data);
  checkPixels(width, height);
  return { width, height, parts: pixels.map((each) => chunk(each.type, each.data)) };
}

/** RFC 9649, 3.4: a signature, then 14 bits each for width and height less one, one for alpha and three for the version. */
function losslessSize(data: Buffer): [width: number, height: number] {
  if (data.length < 5 || data.readUInt8(0) !== 0x2f) throw malformed();
  const bits = data.readUInt32LE(1);
  if (bits >>> 29 !== 0) throw malformed();
  return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
}

/** RFC 6386, 9.1: a key frame's tag and start code, then 14 bits each for width and height beside their scales. */
function lossySize(data: Buffer): [width: number, height: number] {
  if (data.length < 10 || data.readUInt8(0) & 1 || data.readUIntBE(3, 3) !== 0x9d012a) throw malformed();
  return [data.readUInt16LE(6) & 0x3fff, data.readUInt16LE(8) & 0x3fff];
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const written = Buffer.alloc(8 + data.length + (data.length % 2));
  written.write(type, "latin1");
  written.writeUInt32LE(data.length, 4);
  written.set(data, 8);
  return written;
}

function riffHeader(parts: readonly Uint8Array[]): Uint8Array {
  const written = Buffer.from("RIFF\0\0\0\0WEBP", "latin1");
  written.writeUInt32LE(4 + parts.reduce((sum, part) => sum + part.length, 0), 4);
  return written;
}
