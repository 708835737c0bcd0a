import { type CheckPixels, type PictureSource, RefusedPicture } from "./picture-source.ts";

// Markers, each after 0xff (ITU T.81, table B.1).
const DHT = 0xc4;
const DAC = 0xcc;
const EOI = 0xd9;
const SOS = 0xda;
const DQT = 0xdb;
const DRI = 0xdd;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP14 = 0xee;
const APP15 = 0xef;
const COM = 0xfe;
/** Baseline, extended, progressive and lossless frames; the last three of them with arithmetic coding, too. */
const FRAMES = new Set([0xc0, 0xc1, 0xc2, 0xc3, 0xc9, 0xca, 0xcb]);
/** Differential frames and DHP, EXP: pictures made of several frames, which nothing shows. */
const HIERARCHICAL = new Set([0xc5, 0xc6, 0xc7, 0xcd, 0xce, 0xcf, 0xde, 0xdf]);

/** A decoder goes over all pixels for each scan; progressive pictures have about ten. */
const MOST_SCANS = 100;

/**
 * ITU T.81, JFIF and Adobe's marker, which says how colours are meant. Comments, EXIF, XMP, thumbnails, colour profiles and what
 * else applications left go. Of EXIF one thing stays, without which photographs lie on their side: the orientation.
 */
export function jpegParts(source: PictureSource, checkPixels: CheckPixels): readonly Uint8Array[] {
  const parts: Uint8Array[] = [source.take(2)];
  let framed = false;
  let scans = 0;
  const written = new Set<number>();
  for (;;) {
    const marker = nextMarker(source);
    if (marker === EOI) {
      if (scans === 0) throw new RefusedPicture("The JPEG has no pixels.");
      parts.push(Buffer.from([0xff, EOI]));
      return parts;
    }
    if (!hasData(marker)) throw malformed();
    const length = source.take(2).readUInt16BE();
    if (length < 2) throw malformed();
    const data = source.take(length - 2);
    if (FRAMES.has(marker)) {
      if (framed) throw new RefusedPicture("The JPEG has several frames.");
      framed = true;
      checkFrame(data, checkPixels);
      parts.push(segment(marker, data));
    } else if (marker === SOS) {
      const components = data.length > 0 ? data.readUInt8(0) : 0;
      if (!framed || components < 1 || components > 4 || data.length !== 4 + 2 * components) throw malformed();
      scans += 1;
      if (scans > MOST_SCANS) throw new RefusedPicture(`The JPEG has more than ${MOST_SCANS} scans.`);
      parts.push(segment(marker, data), entropyCodedData(source));
    } else if (marker === DQT || marker === DHT || marker === DAC || marker === DRI) {
      if (!isTable(marker, data)) throw malformed();
      parts.push(segment(marker, data));
    } else if (!framed && !written.has(marker)) {
      const kept = keptOfApplication(marker, data);
      if (kept === undefined) continue;
      written.add(marker);
      parts.push(segment(marker, kept));
    }
  }
}

const malformed = (): RefusedPicture => new RefusedPicture("The JPEG is malformed.");

/** The next marker's second byte. Bytes that fill up before it are allowed, and go. */
function nextMarker(source: PictureSource): number {
  if (source.byte() !== 0xff) throw malformed();
  let marker = source.byte();
  while (marker === 0xff) marker = source.byte();
  if (HIERARCHICAL.has(marker)) throw new RefusedPicture("The JPEG is hierarchical.");
  return marker;
}

const hasData = (marker: number): boolean =>
  FRAMES.has(marker) || [DHT, DAC, SOS, DQT, DRI, COM].includes(marker) || (marker >= APP0 && marker <= APP15);

/** A height of 0 means that it follows the pixels (DNL): it is refused as no pixels at all. */
function checkFrame(data: Buffer, checkPixels: CheckPixels): void {
  if (data.length < 6) throw malformed();
  checkPixels(data.readUInt16BE(3), data.readUInt16BE(1));
  const components = data.readUInt8(5);
  if (components < 1 || components > 4 || data.length !== 6 + 3 * components) throw malformed();
  for (let at = 6; at < data.length; at += 3) {
    const factors = data.readUInt8(at + 1);
    for (const factor of [factors >> 4, factors & 15]) if (factor < 1 || factor > 4) throw malformed();
  }
}

/** Whether the segment holds tables and nothing between or behind them. */
function isTable(marker: number, data: Buffer): boolean {
  if (marker === DRI) return data.length === 2;
  if (marker === DAC) return data.length > 0 && data.length % 2 === 0;
  let at = 0;
  while (at < data.length) {
    const [kind, id] = [data.readUInt8(at) >> 4, data.readUInt8(at) & 15];
    if (kind > 1 || id > 3) return false;
    if (marker === DQT) at += kind === 0 ? 65 : 129;
    else {
      const codes = data.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
      if (codes > 256) return false;
      at += 17 + codes;
    }
  }
  return at > 0 && at === data.length;
}

/** Everything to the next marker but restart markers; after 0xff a zero stands for the 0xff itself. */
function entropyCodedData(source: PictureSource): Uint8Array {
  const start = source.at;
  for (;;) {
    source.skipTo(0xff);
    const marker = source.peek(1);
    if (marker !== 0 && !(marker >= 0xd0 && marker <= 0xd7)) return source.since(start);
    source.skip(2);
  }
}

function keptOfApplication(marker: number, data: Buffer): Buffer | undefined {
  const names = (name: string): boolean => data.toString("latin1", 0, name.length) === name;
  if (marker === APP0 && names("JFIF\0") && data.length >= 14)
    return Buffer.concat([data.subarray(0, 12), Buffer.alloc(2)]); // A thumbnail of 0 × 0.
  if (marker === APP14 && names("Adobe") && data.length >= 12) return data.subarray(0, 12);
  if (marker === APP1 && names("Exif\0\0")) {
    const value = orientation(data.subarray(6));
    return value === undefined ? undefined : exif(value);
  }
  return undefined;
}

/** The orientation in EXIF's first directory, from 2 to 8 (EXIF 2.32, 4.6.4); 1 is how the pixels lie anyway. */
function orientation(tiff: Buffer): number | undefined {
  if (tiff.length < 8) return undefined;
  const order = tiff.toString("latin1", 0, 2);
  if (order !== "II" && order !== "MM") return undefined;
  const [int16, int32] =
    order === "II" ? (["readUInt16LE", "readUInt32LE"] as const) : (["readUInt16BE", "readUInt32BE"] as const);
  const directory = tiff[int32](4);
  if (tiff[int16](2) !== 42 || directory < 8 || directory + 2 > tiff.length) return undefined;
  const entries = directory + 2;
  const end = entries + 12 * tiff[int16](directory);
  // The link to the next directory belongs to it. So what is written below is never longer than what was read.
  if (end + 4 > tiff.length) return undefined;
  for (let at = entries; at < end; at += 12) {
    if (tiff[int16](at) !== 0x0112) continue;
    const value = tiff[int16](at + 8);
    return tiff[int16](at + 2) === 3 && tiff[int32](at + 4) === 1 && value >= 2 && value <= 8 ? value : undefined;
  }
  return undefined;
}

/** EXIF that says the orientation only. */
function exif(value: number): Buffer {
  const written = Buffer.from(
    "457869660000 4d4d002a00000008 0001 0112000300000001 0000 0000 00000000".replaceAll(" ", ""),
    "hex",
  );
  written.writeUInt16BE(value, 24);
  return written;
}

function segment(marker: number, data: Uint8Array): Uint8Array {
  const length = data.length + 2;
  return Buffer.concat([Buffer.from([0xff, marker, length >> 8, length & 0xff]), data]);
}
