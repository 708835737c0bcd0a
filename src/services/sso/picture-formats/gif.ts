import { type CheckPixels, type PictureSource, RefusedPicture } from "./picture-source.ts";

const TRAILER = 0x3b;
const EXTENSION = 0x21;
const IMAGE = 0x2c;
const GRAPHIC_CONTROL = 0xf9;
const PLAIN_TEXT = 0x01;
const APPLICATION = 0xff;
/** Sub-blocks that say how often an animation is shown: the application's name, then 1 and a count of two bytes. */
const LOOP = /^\x0bNETSCAPE2\.0\x03\x01[^]{2}\0$/;

/**
 * GIF89a. Animations stay, with their loop (NETSCAPE2.0). Comments, plain text and what other applications left go. Every frame
 * lies within the logical screen.
 */
export function gifParts(source: PictureSource, checkPixels: CheckPixels): readonly Uint8Array[] {
  const screen = source.take(13);
  const [width, height] = [screen.readUInt16LE(6), screen.readUInt16LE(8)];
  checkPixels(width, height);
  const parts: Uint8Array[] = [screen, colourTable(source, screen.readUInt8(10))];

  let frames = 0;
  let looped = false;
  /** A graphic control extension, which is for the frame that follows. */
  let control: Uint8Array | undefined;
  for (;;) {
    const start = source.at;
    const block = source.byte();
    if (block === TRAILER) {
      if (frames === 0) throw new RefusedPicture("The GIF has no pixels.");
      parts.push(source.since(start));
      return parts;
    }
    if (block === IMAGE) {
      const frame = source.take(9);
      const right = frame.readUInt16LE(0) + frame.readUInt16LE(4);
      const bottom = frame.readUInt16LE(2) + frame.readUInt16LE(6);
      if (right > width || bottom > height) throw new RefusedPicture("A frame of the GIF lies outside of the picture.");
      frames += 1;
      checkPixels(width, height, frames);
      colourTable(source, frame.readUInt8(8));
      const codeSize = source.byte();
      if (codeSize < 2 || codeSize > 8) throw malformed();
      subBlocks(source);
      if (control) parts.push(control);
      control = undefined;
      parts.push(source.since(start));
    } else if (block === EXTENSION) {
      const label = source.byte();
      const data = subBlocks(source);
      if (label === GRAPHIC_CONTROL) {
        if (data.length !== 6 || data.readUInt8(0) !== 4) throw malformed();
        control = source.since(start);
      } else if (label === PLAIN_TEXT) control = undefined;
      else if (label === APPLICATION && !looped && LOOP.test(data.toString("latin1", 0, 18))) {
        looped = true;
        parts.push(source.since(start));
      }
    } else throw malformed();
  }
}

const malformed = (): RefusedPicture => new RefusedPicture("The GIF is malformed.");

/** The colour table that the packed fields before it announce. */
const colourTable = (source: PictureSource, packed: number): Uint8Array =>
  source.take(packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0);

/** Reads sub-blocks, each behind its length, up to and with the empty one that ends them. */
function subBlocks(source: PictureSource): Buffer {
  const start = source.at;
  for (let length = source.byte(); length > 0; length = source.byte()) source.skip(length);
  return source.since(start);
}
