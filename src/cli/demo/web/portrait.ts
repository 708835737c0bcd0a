import { crc32, deflateSync } from "node:zlib";

/** Red, green, blue; 0 to 255 each. */
type Color = readonly [red: number, green: number, blue: number];

/** What a drawn person looks like. */
export interface Looks {
  readonly background: Color;
  readonly clothes: Color;
  readonly skin: Color;
  readonly hair: Color;
  readonly hasLongHair?: boolean;
}

const SIZE = 128;
/** Each pixel is the mean of so many points in each direction: no edge is jagged. */
const POINTS = 3;

/** Draws a person's head and shoulders: a PNG of 128 × 128 pixels, so that the demo needs no pictures of real people. */
export function portrait(looks: Looks): Uint8Array {
  const rows = Array.from({ length: SIZE }, (_, y) => [
    0, // no filter
    ...Array.from({ length: SIZE }, (__, x) => meanColor(looks, x, y)).flat(),
  ]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIZE, 0);
  header.writeUInt32BE(SIZE, 4);
  header.set([8, 2], 8); // 8 bits a channel, RGB
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Uint8Array.from(rows.flat()), { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function meanColor(looks: Looks, x: number, y: number): readonly number[] {
  const sum = [0, 0, 0];
  for (let point = 0; point < POINTS ** 2; point++) {
    const across = (x + ((point % POINTS) + 0.5) / POINTS) / SIZE;
    const down = (y + (Math.floor(point / POINTS) + 0.5) / POINTS) / SIZE;
    for (const [channel, value] of colorAt(looks, across, down).entries()) sum[channel] = (sum[channel] ?? 0) + value;
  }
  return sum.map((value) => Math.round(value / POINTS ** 2));
}

/** The nearest layer at a point of the unit square. */
function colorAt({ background, clothes, skin, hair, hasLongHair = false }: Looks, x: number, y: number): Color {
  const isIn = (centreX: number, centreY: number, radiusX: number, radiusY: number): boolean =>
    ((x - centreX) / radiusX) ** 2 + ((y - centreY) / radiusY) ** 2 <= 1;
  const isFace = isIn(0.5, 0.45, 0.18, 0.215) && !isIn(0.42, 0.22, 0.26, 0.13);
  if (isFace) return skin;
  if (isIn(0.5, 0.4, 0.215, 0.225) && y < 0.44) return hair;
  if (Math.abs(x - 0.5) < 0.075 && y > 0.5 && y < 0.74) return skin;
  if (isIn(0.5, 1.04, 0.38, 0.34)) return clothes;
  if (hasLongHair && isIn(0.5, 0.5, 0.245, 0.33)) return hair;
  return background;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const framed = Buffer.alloc(data.length + 12);
  framed.writeUInt32BE(data.length, 0);
  framed.write(type, 4, "latin1");
  framed.set(data, 8);
  framed.writeUInt32BE(crc32(framed.subarray(4, -4)), data.length + 8);
  return framed;
}
