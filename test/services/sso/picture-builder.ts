import { crc32, deflateSync } from "node:zlib";

const base64 = (text: string): Buffer => Buffer.from(text, "base64");
const ascii = (text: string): Buffer => Buffer.from(text, "latin1");

export const SVG = ascii('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
export const HTML = ascii("<!doctype html><script>alert(1)</script>");
/** An archive without files is its directory's end. */
export const ZIP = Buffer.concat([ascii("PK\x05\x06"), Buffer.alloc(18)]);
export const PHAR = ascii("<?php __HALT_COMPILER(); ?>\r\n");

// PNG

export function pngChunk(type: string, data: Uint8Array = new Uint8Array()): Buffer {
  const written = Buffer.alloc(12 + data.length);
  written.writeUInt32BE(data.length);
  written.write(type, 4, "latin1");
  written.set(data, 8);
  written.writeUInt32BE(crc32(written.subarray(4, 8 + data.length)), 8 + data.length);
  return written;
}
export interface PngHeader {
  readonly width?: number;
  readonly height?: number;
  readonly depth?: number;
  readonly colourType?: number;
  /** Compression, filter, interlace. */
  readonly methods?: readonly [number, number, number];
}
export function pngHeader({
  width = 3,
  height = 2,
  depth = 8,
  colourType = 2,
  methods = [0, 0, 0],
}: PngHeader): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width);
  data.writeUInt32BE(height, 4);
  data.set([depth, colourType, ...methods], 8);
  return pngChunk("IHDR", data);
}
/** Two rows of three pixels, each row behind its filter. */
export const PNG_PIXELS = pngChunk("IDAT", deflateSync(Buffer.from("00112233445566778899".repeat(2), "hex")));
/** A PNG of these chunks between its header and its end. */
export const png = (chunks: readonly Uint8Array[] = [PNG_PIXELS], header: PngHeader = {}): Buffer =>
  Buffer.concat([base64("iVBORw0KGgo="), pngHeader(header), ...chunks, pngChunk("IEND")]);

// JPEG

export function jpegSegment(marker: number, data: Uint8Array): Buffer {
  const length = data.length + 2;
  return Buffer.concat([Buffer.from([0xff, marker, length >> 8, length & 0xff]), data]);
}
/** EXIF with an orientation, and with the text of a place behind it. */
export function exif(order: "II" | "MM", orientation: number): Buffer {
  const [int16, int32] =
    order === "II" ? (["writeUInt16LE", "writeUInt32LE"] as const) : (["writeUInt16BE", "writeUInt32BE"] as const);
  const tiff = Buffer.alloc(8 + 2 + 24 + 4);
  tiff.write(order, "latin1");
  tiff[int16](42, 2);
  tiff[int32](8, 4);
  tiff[int16](2, 8);
  tiff[int16](0x0103, 10); // Compression, before the tag that counts.
  tiff[int16](3, 12);
  tiff[int32](1, 14);
  tiff[int16](6, 18);
  tiff[int16](0x0112, 22);
  tiff[int16](3, 24);
  tiff[int32](1, 26);
  tiff[int16](orientation, 30);
  return Buffer.concat([ascii("Exif\0\0"), tiff, ascii("48.2082 N 16.3738 E")]);
}
/** 3 × 2 pixels, as libjpeg wrote them, with its comment. */
export const JPEG = {
  baseline: base64(
    "/9j/4AAQSkZJRgABAQEAYABgAAD//gA7Q1JFQVRPUjogZ2QtanBlZyB2MS4wICh1c2luZyBJSkcgSlBFRyB2NjIpLCBxdWFsaXR5" +
      "ID0gNjAK/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+WmFaUGBKUVJP" +
      "/9sAQwEODg4TERMmFRUmTzUtNU9PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P/8AAEQgA" +
      "AgADAwEiAAIRAQMRAf/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUS" +
      "ITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0" +
      "dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX2" +
      "9/j5+v/EAB8BAAMBAQEBAQEBAQEAAAAAAAABAgMEBQYHCAkKC//EALURAAIBAgQEAwQHBQQEAAECdwABAgMRBAUhMQYSQVEHYXET" +
      "IjKBCBRCkaGxwQkjM1LwFWJy0QoWJDThJfEXGBkaJicoKSo1Njc4OTpDREVGR0hJSlNUVVZXWFlaY2RlZmdoaWpzdHV2d3h5eoKD" +
      "hIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uLj5OXm5+jp6vLz9PX29/j5+v/aAAwD" +
      "AQACEQMRAD8A1LLT7H7HF/oVv93/AJ5L/hRRRXDP4mexQ/hR9F+R/9k=",
  ),
  progressive: base64(
    "/9j/4AAQSkZJRgABAQEAYABgAAD//gA7Q1JFQVRPUjogZ2QtanBlZyB2MS4wICh1c2luZyBJSkcgSlBFRyB2NjIpLCBxdWFsaXR5" +
      "ID0gNjAK/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+WmFaUGBKUVJP" +
      "/9sAQwEODg4TERMmFRUmTzUtNU9PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P/8IAEQgA" +
      "AgADAwEiAAIRAQMRAf/EABUAAQEAAAAAAAAAAAAAAAAAAAAE/8QAFQEBAQAAAAAAAAAAAAAAAAAAAwT/2gAMAwEAAhADEAAAAagF" +
      "n//EABYQAQEBAAAAAAAAAAAAAAAAAAIDEv/aAAgBAQABBQITGP/EABcRAAMBAAAAAAAAAAAAAAAAAAABAjL/2gAIAQMBAT8BjKP/" +
      "xAAWEQADAAAAAAAAAAAAAAAAAAAAATH/2gAIAQIBAT8BdP/EABgQAAIDAAAAAAAAAAAAAAAAAAABAiKR/9oACAEBAAY/AlSOH//E" +
      "ABYQAAMAAAAAAAAAAAAAAAAAAABRYf/aAAgBAQABPyGEEP/aAAwDAQACAAMAAAAQA//EABcRAAMBAAAAAAAAAAAAAAAAAAABobH/" +
      "2gAIAQMBAT8QmWH/xAAVEQEBAAAAAAAAAAAAAAAAAAAAMf/aAAgBAgEBPxCz/8QAFhAAAwAAAAAAAAAAAAAAAAAAAIHw/9oACAEB" +
      "AAE/EKMkf//Z",
  ),
};
/** A JPEG from its first table on: SOI, JFIF (18 bytes) and a comment of 61 are cut off. */
export const jpegBody = (jpeg: Buffer): Buffer => jpeg.subarray(2 + 18 + 61);
export const JFIF = JPEG.baseline.subarray(2, 20);
/** A JPEG with these segments before its tables. */
export const jpeg = (segments: readonly Uint8Array[] = [JFIF], body: Uint8Array = jpegBody(JPEG.baseline)): Buffer =>
  Buffer.concat([Buffer.from([0xff, 0xd8]), ...segments, body]);

// GIF

export const GIF_LOOP = ascii("\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0");
export const GIF_CONTROL = ascii("\x21\xf9\x04\0\x0a\0\0\0");
export const gifExtension = (label: number, ...blocks: readonly string[]): Buffer =>
  Buffer.concat([
    Buffer.from([0x21, label]),
    ...blocks.map((block) => ascii(String.fromCharCode(block.length) + block)),
    Buffer.alloc(1),
  ]);
export function gifFrame({ left = 0, top = 0, width = 3, height = 2 } = {}): Buffer {
  const descriptor = Buffer.alloc(10, 0x2c);
  descriptor.writeUInt16LE(left, 1);
  descriptor.writeUInt16LE(top, 3);
  descriptor.writeUInt16LE(width, 5);
  descriptor.writeUInt16LE(height, 7);
  descriptor.writeUInt8(0, 9);
  return Buffer.concat([descriptor, base64("AgQEFDEFAA==")]);
}
/** A GIF of these blocks, with four colours. */
export function gif(blocks: readonly Uint8Array[] = [gifFrame()], { width = 3, height = 2 } = {}): Buffer {
  const screen = base64("R0lGODlhAwACAJEAADQCTDTKTMwCTMzKTA==");
  screen.writeUInt16LE(width, 6);
  screen.writeUInt16LE(height, 8);
  return Buffer.concat([screen, ...blocks, ascii(";")]);
}

// WebP

export function riffChunk(type: string, data: Uint8Array = new Uint8Array()): Buffer {
  const written = Buffer.alloc(8 + data.length + (data.length % 2));
  written.write(type, "latin1");
  written.writeUInt32LE(data.length, 4);
  written.set(data, 8);
  return written;
}
export function webp(chunks: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat([ascii("WEBP"), ...chunks]);
  const header = Buffer.from("RIFF\0\0\0\0", "latin1");
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}
/** 3 × 2 pixels, as libwebp wrote them. */
export const WEBP = {
  lossy: base64(
    "UklGRkoAAABXRUJQVlA4ID4AAADQAQCdASoDAAIAAoBCJagCdAEO/gOOAADifftea9kUQnJEHVtfa8a0bff8faC+v/5N/+839Sym" +
      "fn/8m/kAAA==",
  ),
  lossless: base64("UklGRjYAAABXRUJQVlA4TCkAAAAvAkAAAC8gFkyGlf8VokAgyZ9hoLGmaf6DhwligECAMlYcc0FE/2N9AAA="),
  alpha: base64(
    "UklGRmgAAABXRUJQVlA4WAoAAAAQAAAAAgAAAQAAQUxQSAcAAAAASv//////AFZQOCA6AAAA8AEAnQEqAwACAAKAQiWoAnS6AAMJ" +
      "Bv3sAOJ9+15r2RRCeQXO6k/P7XotfP/5N/lFed/L8//k37dAAA==",
  ),
};
/** The chunks of pixels in them. */
export const VP8 = WEBP.lossy.subarray(12);
export const VP8L = WEBP.lossless.subarray(12);

export function vp8x(flags: number, { width = 3, height = 2 } = {}): Buffer {
  const data = Buffer.alloc(10);
  data.writeUInt8(flags);
  data.writeUIntLE(width - 1, 4, 3);
  data.writeUIntLE(height - 1, 7, 3);
  return riffChunk("VP8X", data);
}
export const ANIM = riffChunk("ANIM", Buffer.alloc(6));
/** A frame of an animation; `left` is half of where it lies. */
export function anmf(chunks: readonly Uint8Array[], { left = 0, width = 3, height = 2 } = {}): Buffer {
  const data = Buffer.alloc(16);
  data.writeUIntLE(left, 0, 3);
  data.writeUIntLE(width - 1, 6, 3);
  data.writeUIntLE(height - 1, 9, 3);
  return riffChunk("ANMF", Buffer.concat([data, ...chunks]));
}
