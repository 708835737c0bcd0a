import type { Picture } from "../../plug-ins/account.ts";
import { gifParts } from "./picture-formats/gif.ts";
import { jpegParts } from "./picture-formats/jpeg.ts";
import { type PictureFormat, PictureSource, RefusedPicture } from "./picture-formats/picture-source.ts";
import { pngParts } from "./picture-formats/png.ts";
import { webpParts } from "./picture-formats/webp.ts";

export interface PictureLimits {
  /** Default 1 MiB: a Moodle sends some KiB (100 × 100), a Mahara what its user uploaded. */
  readonly maxBytes?: number | undefined;
  /**
   * Width × height × frames. Default 4,194,304 (2048 × 2048): three times what Mahara lets its users upload (1170 × 1170), and and
   * 16 MiB for whoever decodes it at 8 bits a channel.
   */
  readonly maxPixels?: number | undefined;
}

const DEFAULT_LIMITS = { maxBytes: 1024 * 1024, maxPixels: 2048 * 2048 };
/** Decoders work for every frame, however small. */
const MOST_FRAMES = 500;

const FORMATS: readonly { type: Picture["type"]; magic: RegExp; parts: PictureFormat }[] = [
  { type: "image/png", magic: /^\x89PNG\r\n\x1a\n/, parts: pngParts },
  { type: "image/jpeg", magic: /^\xff\xd8\xff/, parts: jpegParts },
  { type: "image/gif", magic: /^GIF8[79]a/, parts: gifParts },
  { type: "image/webp", magic: /^RIFF[^]{4}WEBP/, parts: webpParts },
];

/**
 * Judges a picture that a peer sent (SEC-066, spec 9.8). Its type is told by its first bytes: what the sender declares is of no
 * account. The picture is walked to its exact end. What shows nothing is left out of the bytes that come back: comments, text,
 * EXIF (where a photograph was taken), XMP, colour profiles; a JPEG's orientation stays. Pixels stay byte for byte; they are not
 * decoded, so pages must serve them with their type and `X-Content-Type-Options: nosniff`.
 *
 * Written here because libraries read the size alone (image-size), take off metadata of one format without checking the rest
 * (piexifjs), or bring native decoders, which are what an attacker aims at (sharp).
 *
 * @returns the picture, in bytes of its own, never more than came, which a second check returns as they are; or a sentence for the
 *   operator: why it is refused. Bytes that follow a picture's end are refused, as they make it two files in one.
 */
export function checkPicture(
  bytes: Uint8Array,
  limits: PictureLimits = {},
): { readonly picture: Picture } | { readonly refused: string } {
  const { maxBytes = DEFAULT_LIMITS.maxBytes, maxPixels = DEFAULT_LIMITS.maxPixels } = limits;
  if (bytes.length > maxBytes) return { refused: `The picture has ${bytes.length} bytes; ${maxBytes} are allowed.` };
  const start = Buffer.from(bytes.subarray(0, 12)).toString("latin1");
  const format = FORMATS.find(({ magic }) => magic.test(start));
  if (!format) return { refused: "The picture is no PNG, JPEG, GIF or WebP." };

  const checkPixels = (width: number, height: number, frames = 1): void => {
    if (width === 0 || height === 0) throw new RefusedPicture("The picture is empty: its width or height is 0.");
    if (frames > MOST_FRAMES) throw new RefusedPicture(`The picture has more than ${MOST_FRAMES} frames.`);
    if (width * height * frames > maxPixels)
      throw new RefusedPicture(
        `The picture has more than ${maxPixels} pixels: ${width} × ${height}${frames > 1 ? ` in ${frames} frames` : ""}.`,
      );
  };
  try {
    const source = new PictureSource(bytes);
    const parts = format.parts(source, checkPixels);
    source.expectEnd();
    return { picture: { type: format.type, bytes: new Uint8Array(Buffer.concat(parts)) } };
  } catch (error) {
    if (error instanceof RefusedPicture) return { refused: error.message };
    throw error;
  }
}
