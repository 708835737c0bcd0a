import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPicture } from "../../../src/services/sso/picture.ts";
import { decodeResponse } from "../../../src/xmlrpc/decode.ts";
import { recordedMessage } from "../../support/fixtures.ts";
import * as made from "./picture-builder.ts";

const { png, pngChunk, jpeg, jpegSegment, gif, gifExtension, gifFrame, webp, riffChunk, vp8x, anmf } = made;

/** What comes back of a picture that is taken. */
function taken(bytes: Uint8Array, limits?: Parameters<typeof checkPicture>[1]): { type: string; bytes: Buffer } {
  const verdict = checkPicture(bytes, limits);
  if ("refused" in verdict) throw new Error(verdict.refused);
  return { type: verdict.picture.type, bytes: Buffer.from(verdict.picture.bytes) };
}
/** The sentence for the operator; nothing if the picture is taken. */
function refusal(bytes: Uint8Array, limits?: Parameters<typeof checkPicture>[1]): string | undefined {
  const verdict = checkPicture(bytes, limits);
  return "refused" in verdict ? verdict.refused : undefined;
}

/** The bytes inside an XML-RPC struct's string of base64. */
function recordedPicture(): Buffer {
  const { document } = recordedMessage("moodle-4.5", "056-fetch_user_image-with-picture", "response");
  const answer = decodeResponse(document!);
  if (answer.kind !== "result") throw new Error("The recording is no result.");
  return Buffer.from((answer.value as Record<string, string>)["f1"]!, "base64");
}

const SECRET = "48.2082 N <script>alert(1)</script>";
const secret = Buffer.from(SECRET, "latin1");
const stillWebp = webp([vp8x(0), made.VP8]);
const animatedWebp = webp([vp8x(0x02), made.ANIM, anmf([made.VP8]), anmf([made.VP8L])]);
const animatedGif = gif([made.GIF_LOOP, made.GIF_CONTROL, gifFrame(), made.GIF_CONTROL, gifFrame()]);
const palette = pngChunk("PLTE", Buffer.alloc(6, 7));
const indexed = { colourType: 3, depth: 1 };

/** Pictures of which every byte stays. */
const CLEAN: readonly (readonly [name: string, type: string, bytes: Buffer])[] = [
  ["a PNG", "image/png", png()],
  ["a PNG with several IDAT", "image/png", png([made.PNG_PIXELS, made.PNG_PIXELS])],
  [
    "a PNG with a palette and transparency",
    "image/png",
    png([palette, pngChunk("tRNS", Buffer.alloc(2)), made.PNG_PIXELS], indexed),
  ],
  [
    "a PNG with gamma, chromaticities and sRGB",
    "image/png",
    png([
      pngChunk("gAMA", Buffer.alloc(4)),
      pngChunk("cHRM", Buffer.alloc(32)),
      pngChunk("sRGB", Buffer.alloc(1)),
      made.PNG_PIXELS,
    ]),
  ],
  ["a JPEG", "image/jpeg", jpeg()],
  ["a progressive JPEG", "image/jpeg", jpeg([made.JFIF], made.jpegBody(made.JPEG.progressive))],
  [
    "a JPEG with Adobe's marker only",
    "image/jpeg",
    jpeg([jpegSegment(0xee, Buffer.from("Adobe\0d\0\0\0\0\x01", "latin1"))]),
  ],
  ["a GIF", "image/gif", gif()],
  ["a GIF87a", "image/gif", Buffer.from(gif().toString("latin1").replace("89a", "87a"), "latin1")],
  ["an animated GIF", "image/gif", animatedGif],
  ["a lossy WebP", "image/webp", made.WEBP.lossy],
  ["a lossless WebP", "image/webp", made.WEBP.lossless],
  ["a WebP with alpha", "image/webp", made.WEBP.alpha],
  ["an extended WebP", "image/webp", stillWebp],
  ["an animated WebP", "image/webp", animatedWebp],
];

describe("checkPicture", () => {
  it.each(CLEAN)("SEC-066 takes %s as it is", (_name, type, bytes) => {
    expect(taken(bytes)).toEqual({ type, bytes });
  });

  it("SEC-066 takes the recorded picture of a Moodle, less the chunk that says how large it prints", () => {
    const recorded = recordedPicture();
    const { type, bytes } = taken(recorded);
    expect(type).toBe("image/png");
    const at = recorded.indexOf("pHYs") - 4;
    expect(at).toBeGreaterThan(0);
    expect(bytes.equals(Buffer.concat([recorded.subarray(0, at), recorded.subarray(at + 12 + 9)]))).toBe(true);
  });

  it("SEC-066 returns bytes of its own", () => {
    const bytes = png();
    const before = Buffer.from(bytes);
    const own = taken(bytes).bytes;
    bytes.fill(0);
    expect(own.equals(before)).toBe(true);
  });

  it("SEC-066 reads a part of a larger buffer as that part", () => {
    const larger = Buffer.concat([made.HTML, gif(), made.ZIP]);
    const part = larger.subarray(made.HTML.length, -made.ZIP.length);
    expect(taken(part).bytes.equals(gif())).toBe(true);
  });
});

describe("what is no picture", () => {
  it.each([
    ["SVG", made.SVG],
    ["SVG behind an XML declaration", Buffer.concat([Buffer.from('<?xml version="1.0"?>'), made.SVG])],
    ["HTML", made.HTML],
    ["an archive", made.ZIP],
    ["a PHP archive", made.PHAR],
    ["a bitmap", Buffer.from("BM\x1e\0\0\0", "latin1")],
    ["a picture behind something else", Buffer.concat([made.PHAR, gif()])],
    ["RIFF that is no WebP", Buffer.from("RIFF\x04\0\0\0WAVE", "latin1")],
    ["nothing", new Uint8Array()],
  ])("SEC-066 %s is refused", (_name, bytes) => {
    expect(refusal(bytes)).toBe("The picture is no PNG, JPEG, GIF or WebP.");
  });

  it.each(CLEAN)("SEC-066 %s with another file behind it is refused", (_name, _type, bytes) => {
    for (const tail of [made.ZIP, made.PHAR, made.HTML, made.SVG, Buffer.alloc(1), bytes])
      expect(refusal(Buffer.concat([bytes, tail]))).toBe(
        `Something follows the end of the picture (${tail.length} bytes).`,
      );
  });

  it.each(CLEAN)("SEC-066 %s that breaks off anywhere is refused", (_name, _type, bytes) => {
    for (let length = 0; length < bytes.length; length++)
      expect(refusal(bytes.subarray(0, length)), `${length} bytes`).toMatch(/^The picture (breaks off|is no )/);
  });
});

describe("size", () => {
  it("SEC-066 bytes are limited to 1 MiB, or as the caller says", () => {
    const filled = (length: number) =>
      png([pngChunk("teXt", Buffer.alloc(length - png().length - 12)), made.PNG_PIXELS]);
    expect(refusal(filled(1024 * 1024))).toBeUndefined();
    expect(refusal(filled(1024 * 1024 + 1))).toBe("The picture has 1048577 bytes; 1048576 are allowed.");
    expect(refusal(gif(), { maxBytes: gif().length })).toBeUndefined();
    expect(refusal(gif(), { maxBytes: gif().length - 1 })).toContain("are allowed");
  });

  const jpegOf = (width: number, height: number, marker = 0xc0): Buffer => {
    const body = Buffer.from(made.jpegBody(made.JPEG.baseline));
    const frame = body.indexOf(Buffer.from([0xff, 0xc0]));
    body.writeUInt8(marker, frame + 1);
    body.writeUInt16BE(height, frame + 5);
    body.writeUInt16BE(width, frame + 7);
    return jpeg([made.JFIF], body);
  };
  const vp8Of = (width: number, height: number): Buffer => {
    const chunk = Buffer.from(made.VP8);
    chunk.writeUInt16LE(width, 8 + 6);
    chunk.writeUInt16LE(height, 8 + 8);
    return chunk;
  };
  const vp8lOf = (width: number, height: number): Buffer => {
    const chunk = Buffer.from(made.VP8L);
    chunk.writeUInt32LE((width - 1) | ((height - 1) << 14), 8 + 1);
    return chunk;
  };
  const animated = (width: number, height: number) => webp([vp8x(2, { width, height }), made.ANIM, anmf([made.VP8])]);

  const SIZED: readonly (readonly [string, (width: number, height: number) => Buffer])[] = [
    ["PNG", (width, height) => png(undefined, { width, height })],
    ["GIF", (width, height) => gif([gifFrame({ width: 1, height: 1 })], { width, height })],
    ["JPEG", jpegOf],
    ["lossy WebP", (width, height) => webp([vp8Of(width, height)])],
    ["lossless WebP", (width, height) => webp([vp8lOf(width, height)])],
    ["extended WebP", (width, height) => webp([vp8x(0, { width, height }), vp8Of(width, height)])],
    ["animated WebP", animated],
  ];
  it.each(SIZED)("SEC-066 pixels of a %s are limited to 2048 × 2048, or as the caller says", (_name, sized) => {
    expect(refusal(sized(2048, 2048))).toBeUndefined();
    expect(refusal(sized(4096, 1024))).toBeUndefined();
    expect(refusal(sized(2049, 2048))).toBe("The picture has more than 4194304 pixels: 2049 × 2048.");
    expect(refusal(sized(2048, 2049))).toBe("The picture has more than 4194304 pixels: 2048 × 2049.");
    expect(refusal(sized(16383, 16383))).toBe("The picture has more than 4194304 pixels: 16383 × 16383.");
    expect(refusal(sized(8, 8), { maxPixels: 64 })).toBeUndefined();
    expect(refusal(sized(8, 8), { maxPixels: 63 })).toContain("more than 63 pixels");
  });

  it("SEC-066 a decompression bomb is refused at its header", () => {
    const bomb = png([pngChunk("IDAT", deflateSync(Buffer.alloc(500_000)))], { width: 60_000, height: 60_000 });
    expect(refusal(bomb)).toBe("The picture has more than 4194304 pixels: 60000 × 60000.");
    expect(refusal(bomb.subarray(0, 33))).toBe("The picture has more than 4194304 pixels: 60000 × 60000.");
    expect(refusal(jpegOf(65_535, 65_535))).toContain("65535 × 65535");
    expect(refusal(gif(undefined, { width: 65_535, height: 65_535 }))).toContain("65535 × 65535");
    expect(refusal(animated(2 ** 24, 2 ** 24))).toContain("16777216 × 16777216");
  });

  it.each([0xc0, 0xc1, 0xc2, 0xc3, 0xc9, 0xca, 0xcb])(
    "SEC-066 a JPEG's frame of kind %i tells the pixels",
    (marker) => {
      expect(refusal(jpegOf(2048, 2048, marker))).toBeUndefined();
      expect(refusal(jpegOf(2049, 2048, marker))).toContain("2049 × 2048");
    },
  );

  it.each([0xc5, 0xc6, 0xc7, 0xcd, 0xce, 0xcf])(
    "SEC-066 a JPEG's differential frame of kind %i is refused",
    (marker) => {
      expect(refusal(jpegOf(3, 2, marker))).toBe("The JPEG is hierarchical.");
    },
  );

  it.each([
    ["a PNG", png(undefined, { width: 0 })],
    ["a PNG", png(undefined, { height: 0 })],
    ["a JPEG whose height follows later", jpegOf(3, 0)],
    ["a JPEG", jpegOf(0, 2)],
    ["a GIF", gif(undefined, { width: 0 })],
    ["a WebP", webp([vp8Of(0, 2)])],
  ])("SEC-066 %s without width or height is refused", (_name, bytes) => {
    expect(refusal(bytes)).toBe("The picture is empty: its width or height is 0.");
  });

  it("SEC-066 every frame of an animation counts as large as the whole", () => {
    const frames = (count: number) => Array.from({ length: count }, () => gifFrame());
    const size = { width: 1024, height: 1024 };
    expect(refusal(gif(frames(4), size))).toBeUndefined();
    expect(refusal(gif(frames(5), size))).toBe("The picture has more than 4194304 pixels: 1024 × 1024 in 5 frames.");
    const moving = (count: number) =>
      webp([vp8x(2, size), made.ANIM, ...Array.from({ length: count }, () => anmf([made.VP8]))]);
    expect(refusal(moving(4))).toBeUndefined();
    expect(refusal(moving(5))).toBe("The picture has more than 4194304 pixels: 1024 × 1024 in 5 frames.");
  });

  it("SEC-066 frames and scans are limited in number, too", () => {
    const frames = (count: number) => gif(Array.from({ length: count }, () => gifFrame()));
    expect(refusal(frames(500))).toBeUndefined();
    expect(refusal(frames(501))).toBe("The picture has more than 500 frames.");
    const body = made.jpegBody(made.JPEG.baseline);
    const scan = body.subarray(body.indexOf(Buffer.from([0xff, 0xda])), -2);
    const scans = (count: number) =>
      jpeg(
        [made.JFIF],
        Buffer.concat([body.subarray(0, -2), ...Array.from({ length: count - 1 }, () => scan), body.subarray(-2)]),
      );
    expect(refusal(scans(100))).toBeUndefined();
    expect(refusal(scans(101))).toBe("The JPEG has more than 100 scans.");
  });
});

describe("what shows nothing", () => {
  const cleanJpeg = jpeg();
  const CARRIERS: readonly (readonly [name: string, carrier: Buffer, clean: Buffer])[] = [
    ...["tEXt", "zTXt", "iTXt", "eXIf", "iCCP", "tIME", "pHYs", "sPLT", "abCd"].flatMap((type) => [
      [`${type} before a PNG's pixels`, png([pngChunk(type, secret), made.PNG_PIXELS]), png()] as const,
      [`${type} behind a PNG's pixels`, png([made.PNG_PIXELS, pngChunk(type, secret)]), png()] as const,
    ]),
    ["a PNG's gamma of the wrong size", png([pngChunk("gAMA", secret), made.PNG_PIXELS]), png()],
    [
      "a PNG's second gamma",
      png([pngChunk("gAMA", Buffer.alloc(4)), pngChunk("gAMA", secret.subarray(0, 4)), made.PNG_PIXELS]),
      png([pngChunk("gAMA", Buffer.alloc(4)), made.PNG_PIXELS]),
    ],
    ["a PNG's gamma behind its pixels", png([made.PNG_PIXELS, pngChunk("gAMA", secret.subarray(0, 4))]), png()],
    ["a PNG's transparency of the wrong size", png([pngChunk("tRNS", secret), made.PNG_PIXELS]), png()],
    [
      "a PNG's transparency of more colours than it has",
      png([palette, pngChunk("tRNS", Buffer.alloc(3)), made.PNG_PIXELS], indexed),
      png([palette, made.PNG_PIXELS], indexed),
    ],
    [
      "an APNG's animation",
      png([
        pngChunk("acTL", Buffer.alloc(8)),
        pngChunk("fcTL", Buffer.alloc(26)),
        made.PNG_PIXELS,
        pngChunk("fcTL", Buffer.alloc(26)),
        pngChunk("fdAT", secret),
      ]),
      png(),
    ],
    ["libjpeg's comment", made.JPEG.baseline, cleanJpeg],
    ["a JPEG's comment", jpeg([made.JFIF, jpegSegment(0xfe, secret)]), cleanJpeg],
    ["a JPEG's EXIF", jpeg([jpegSegment(0xe1, Buffer.concat([made.exif("MM", 1), secret])), made.JFIF]), cleanJpeg],
    [
      "a JPEG's EXIF that nobody can read",
      jpeg([made.JFIF, jpegSegment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), secret]))]),
      cleanJpeg,
    ],
    [
      "a JPEG's XMP",
      jpeg([made.JFIF, jpegSegment(0xe1, Buffer.concat([Buffer.from("http://ns.adobe.com/xap/1.0/\0"), secret]))]),
      cleanJpeg,
    ],
    [
      "a JPEG's colour profile",
      jpeg([made.JFIF, jpegSegment(0xe2, Buffer.concat([Buffer.from("ICC_PROFILE\0\x01\x01"), secret]))]),
      cleanJpeg,
    ],
    [
      "a JPEG's IPTC",
      jpeg([made.JFIF, jpegSegment(0xed, Buffer.concat([Buffer.from("Photoshop 3.0\0"), secret]))]),
      cleanJpeg,
    ],
    [
      "a JPEG's JFXX",
      jpeg([made.JFIF, jpegSegment(0xe0, Buffer.concat([Buffer.from("JFXX\0\x10"), secret]))]),
      cleanJpeg,
    ],
    ["a JPEG's second JFIF", jpeg([made.JFIF, made.JFIF, jpegSegment(0xef, secret)]), cleanJpeg],
    [
      "bytes that fill up before a marker",
      jpeg([made.JFIF, Buffer.from([0xff, 0xff, 0xff]), jpegSegment(0xfe, secret)]),
      cleanJpeg,
    ],
    ["a GIF's comment", gif([gifExtension(0xfe, SECRET), gifFrame(), gifExtension(0xfe, SECRET, SECRET)]), gif()],
    ["a GIF's XMP", gif([gifExtension(0xff, "XMP DataXMP", SECRET), gifFrame()]), gif()],
    ["a GIF's loop that says more", gif([gifExtension(0xff, "NETSCAPE2.0", "\x01\0\0", SECRET), gifFrame()]), gif()],
    [
      "a GIF's second loop",
      gif([made.GIF_LOOP, made.GIF_LOOP, gifExtension(0x7f, SECRET), gifFrame()]),
      gif([made.GIF_LOOP, gifFrame()]),
    ],
    [
      "a GIF's plain text, with its control",
      gif([made.GIF_CONTROL, gifExtension(0x01, "\0".repeat(12), SECRET), gifFrame()]),
      gif(),
    ],
    ["a GIF's control of no frame", gif([gifFrame(), gifExtension(0xf9, "abcd")]), gif()],
    [
      "a comment between a GIF's control and its frame",
      gif([made.GIF_CONTROL, gifExtension(0xfe, SECRET), gifFrame()]),
      gif([made.GIF_CONTROL, gifFrame()]),
    ],
    ...["ICCP", "EXIF", "XMP ", "abcd"].flatMap((type) => [
      [
        `${type} of a WebP`,
        webp([vp8x(0x2c), riffChunk(type, secret), made.VP8, riffChunk(type, secret)]),
        stillWebp,
      ] as const,
      [`${type} behind a simple WebP`, webp([made.VP8L, riffChunk(type, secret)]), made.WEBP.lossless] as const,
      [
        `${type} in and between the frames of a WebP`,
        webp([
          vp8x(0x2e),
          riffChunk(type, secret),
          made.ANIM,
          anmf([made.VP8, riffChunk(type, secret)]),
          riffChunk(type, secret),
          anmf([made.VP8L]),
        ]),
        animatedWebp,
      ] as const,
    ]),
  ];

  it.each(CARRIERS)("SEC-066 %s is left out, the pixels stay as they are", (_name, carrier, clean) => {
    expect(carrier.length).toBeGreaterThan(clean.length);
    const { bytes } = taken(carrier);
    expect(bytes.toString("hex")).toBe(clean.toString("hex"));
  });

  it("SEC-066 a JFIF's thumbnail is left out", () => {
    const thumbnail = Buffer.concat([made.JFIF.subarray(4, 16), Buffer.from([1, 1, 0x50, 0x4b, 0x05])]);
    expect(taken(jpeg([jpegSegment(0xe0, thumbnail)])).bytes.equals(cleanJpeg)).toBe(true);
  });

  it.each([2, 3, 4, 5, 6, 7, 8])("SEC-066 of EXIF stays the orientation %i alone", (orientation) => {
    const kept = Buffer.from(
      `457869660000 4d4d002a00000008 0001 0112000300000001 000${orientation}0000 00000000`.replaceAll(" ", ""),
      "hex",
    );
    for (const order of ["II", "MM"] as const) {
      const { bytes } = taken(jpeg([made.JFIF, jpegSegment(0xe1, made.exif(order, orientation))]));
      expect(bytes.toString("hex")).toBe(jpeg([made.JFIF, jpegSegment(0xe1, kept)]).toString("hex"));
      expect(taken(bytes).bytes.equals(bytes)).toBe(true);
    }
  });

  it.each([
    ["0", made.exif("II", 0)],
    ["9", made.exif("MM", 9)],
    ["with a directory that breaks off", made.exif("MM", 6).subarray(0, 6 + 8 + 2 + 24)],
    ["with a directory beyond the end", Buffer.from("4578696600004d4d002affffffff0001", "hex")],
    ["in no byte order", Buffer.concat([Buffer.from("Exif\0\0XX"), made.exif("MM", 6).subarray(8)])],
    ["cut short", Buffer.from("Exif\0\0MM")],
  ])("SEC-066 an orientation %s is left out with its EXIF", (_name, exif) => {
    expect(taken(jpeg([made.JFIF, jpegSegment(0xe1, exif)])).bytes.equals(cleanJpeg)).toBe(true);
  });
});

describe("what is malformed", () => {
  const damaged = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
    return copy;
  };
  const body = made.jpegBody(made.JPEG.baseline);
  const frameAt = body.indexOf(Buffer.from([0xff, 0xc0]));
  const frame = body.subarray(frameAt, frameAt + 19);
  const tables = body.subarray(0, frameAt);
  const tooSmall = vp8x(0, { width: 2 });

  it.each<[string, Buffer, RegExp]>([
    ["whose pixels are damaged", damaged(png(), png().indexOf("IDAT") + 6), /check sum/],
    ["whose header is damaged", damaged(png(), 19), /check sum/],
    ["without a header", Buffer.concat([png().subarray(0, 8), made.PNG_PIXELS, pngChunk("IEND")]), /IHDR/],
    ["with two headers", png([made.pngHeader({ width: 9999, height: 9999 }), made.PNG_PIXELS]), /critical chunk/],
    ["with a critical chunk that nobody knows", png([pngChunk("ABCD"), made.PNG_PIXELS]), /critical chunk/],
    ["with a chunk without a name", png([pngChunk("<b>!"), made.PNG_PIXELS]), /what should be a chunk/],
    ["without pixels", png([]), /no pixels/],
    ["with pixels in two places", png([made.PNG_PIXELS, pngChunk("tEXt"), made.PNG_PIXELS]), /several places/],
    ["of colours without a palette", png(undefined, indexed), /no palette/],
    ["with two palettes", png([palette, palette, made.PNG_PIXELS], indexed), /palette/],
    ["with a palette behind the pixels", png([made.PNG_PIXELS, palette]), /palette/],
    ["of grey with a palette", png([palette, made.PNG_PIXELS], { colourType: 0 }), /palette/],
    ["with half a colour", png([pngChunk("PLTE", Buffer.alloc(4)), made.PNG_PIXELS], indexed), /palette/],
    ["with 257 colours", png([pngChunk("PLTE", Buffer.alloc(771)), made.PNG_PIXELS], indexed), /palette/],
    ["with no colours", png([pngChunk("PLTE"), made.PNG_PIXELS], indexed), /palette/],
    ["of an unknown colour type", png(undefined, { colourType: 5 }), /colour type/],
    ["of an unknown depth", png(undefined, { depth: 4 }), /colour type/],
    ["of an unknown compression", png(undefined, { methods: [1, 0, 0] }), /no known way/],
    ["of an unknown filter", png(undefined, { methods: [0, 1, 0] }), /no known way/],
    ["of an unknown interlacing", png(undefined, { methods: [0, 0, 2] }), /no known way/],
    ["whose end has content", Buffer.concat([png().subarray(0, -12), pngChunk("IEND", secret)]), /end is malformed/],
  ])("SEC-066 a PNG %s is refused", (_name, bytes, why) => {
    expect(refusal(bytes)).toMatch(why);
  });

  it.each<[string, Buffer, RegExp]>([
    [
      "without a frame",
      jpeg([], Buffer.from(body.toString("hex").replace(frame.toString("hex"), ""), "hex")),
      /malformed/,
    ],
    ["with two frames", jpeg([frame], body), /several frames/],
    ["without pixels", jpeg([], Buffer.concat([tables, frame, Buffer.from([0xff, 0xd9])])), /no pixels/],
    ["with bytes between its segments", jpeg([made.JFIF, secret], body), /malformed/],
    ["with a segment shorter than its length", jpeg([Buffer.from([0xff, 0xe5, 0, 1])], body), /malformed/],
    ["with a second beginning", jpeg([Buffer.from([0xff, 0xd8])], body), /malformed/],
    ["that tells its height later", jpeg([jpegSegment(0xdc, Buffer.alloc(2))], body), /malformed/],
    ["of several sizes", jpeg([jpegSegment(0xde, frame.subarray(4))], body), /hierarchical/],
    [
      "with text in its quantization table",
      jpeg([jpegSegment(0xdb, Buffer.concat([Buffer.alloc(65), secret]))], body),
      /malformed/,
    ],
    ["with an empty table", jpeg([jpegSegment(0xdb, Buffer.alloc(0))], body), /malformed/],
    [
      "with text in its Huffman table",
      jpeg([jpegSegment(0xc4, Buffer.concat([Buffer.alloc(17), secret]))], body),
      /malformed/,
    ],
    [
      "with more codes than there are",
      jpeg([jpegSegment(0xc4, Buffer.concat([Buffer.from([0, 255, 255]), Buffer.alloc(14 + 510)]))], body),
      /malformed/,
    ],
    ["with text in its restart interval", jpeg([jpegSegment(0xdd, secret)], body), /malformed/],
    ["with half an arithmetic table", jpeg([jpegSegment(0xcc, Buffer.alloc(3))], body), /malformed/],
    ["whose frame has no components", jpeg([jpegSegment(0xc0, Buffer.from([8, 0, 2, 0, 3, 0]))], body), /malformed/],
    ["whose frame is cut short", jpeg([jpegSegment(0xc0, Buffer.from([8, 0, 2, 0, 3]))], body), /malformed/],
    [
      "whose component has no sampling",
      jpeg([jpegSegment(0xc0, Buffer.from([8, 0, 2, 0, 3, 1, 1, 0x01, 0]))], body),
      /malformed/,
    ],
    ["whose scan has no components", jpeg([frame, jpegSegment(0xda, Buffer.alloc(4))], body), /malformed/],
    ["whose scan says nothing", jpeg([frame, jpegSegment(0xda, Buffer.alloc(0))], body), /malformed/],
  ])("SEC-066 a JPEG %s is refused", (_name, bytes, why) => {
    expect(refusal(bytes)).toMatch(why);
  });

  it.each<[string, Buffer, RegExp]>([
    ["without pixels", gif([]), /no pixels/],
    ["with comments only", gif([gifExtension(0xfe, SECRET)]), /no pixels/],
    ["with bytes between its blocks", gif([secret, gifFrame()]), /malformed/],
    ["with a frame too far to the right", gif([gifFrame({ left: 1 })]), /outside/],
    ["with a frame too far down", gif([gifFrame({ top: 1 })]), /outside/],
    ["with a frame larger than the screen", gif([gifFrame({ width: 65_535, height: 65_535 })]), /outside/],
    ["with a control that says more", gif([gifExtension(0xf9, "abcd", SECRET), gifFrame()]), /malformed/],
    ["with a control that says less", gif([gifExtension(0xf9, "a", "b"), gifFrame()]), /malformed/],
    [
      "with codes of an impossible size",
      gif([Buffer.concat([gifFrame().subarray(0, 10), Buffer.from([9, 1, 0, 0])])]),
      /malformed/,
    ],
  ])("SEC-066 a GIF %s is refused", (_name, bytes, why) => {
    expect(refusal(bytes)).toMatch(why);
  });

  const interFrame = Buffer.from(made.VP8);
  interFrame.writeUInt8(interFrame.readUInt8(8) | 1, 8);
  it.each<[string, Buffer, RegExp]>([
    ["without chunks", webp([]), /no pixels/],
    ["without pixels", webp([vp8x(0)]), /no pixels/],
    ["with two pictures", webp([made.VP8, made.VP8L]), /malformed/],
    ["with alpha only", webp([vp8x(0x10), riffChunk("ALPH", secret)]), /malformed/],
    ["with two headers", webp([vp8x(0), vp8x(0), made.VP8]), /malformed/],
    ["with a header cut short", webp([riffChunk("VP8X", Buffer.alloc(9)), made.VP8]), /malformed/],
    ["of another size than its header says", webp([tooSmall, made.VP8]), /malformed/],
    ["that is no key frame", webp([interFrame]), /malformed/],
    ["whose lossy pixels do not begin", webp([riffChunk("VP8 ", Buffer.alloc(10))]), /malformed/],
    ["whose lossy pixels are cut short", webp([riffChunk("VP8 ", made.VP8.subarray(8, 17))]), /malformed/],
    ["whose lossless pixels do not begin", webp([riffChunk("VP8L", Buffer.alloc(5))]), /malformed/],
    [
      "whose lossless pixels are of an unknown version",
      webp([riffChunk("VP8L", Buffer.from("2f020040e0", "hex"))]),
      /malformed/,
    ],
    ["with frames that no header announces", webp([vp8x(0), made.ANIM, anmf([made.VP8])]), /malformed/],
    ["with frames before the animation", webp([vp8x(2), anmf([made.VP8]), made.ANIM]), /malformed/],
    ["with two animations", webp([vp8x(2), made.ANIM, made.ANIM, anmf([made.VP8])]), /malformed/],
    ["with an animation without frames", webp([vp8x(2), made.ANIM]), /no pixels/],
    ["with a still beside its animation", webp([vp8x(2), made.ANIM, anmf([made.VP8]), made.VP8]), /malformed/],
    ["with a frame without pixels", webp([vp8x(2), made.ANIM, anmf([])]), /no pixels/],
    ["with a frame cut short", webp([vp8x(2), made.ANIM, riffChunk("ANMF", Buffer.alloc(15))]), /malformed/],
    ["with a frame in a frame", webp([vp8x(2), made.ANIM, anmf([anmf([made.VP8])])]), /malformed/],
    [
      "with a frame of another size than it says",
      webp([vp8x(2), made.ANIM, anmf([made.VP8], { width: 2 })]),
      /malformed/,
    ],
    ["with a frame outside", webp([vp8x(2), made.ANIM, anmf([made.VP8], { left: 1 })]), /outside/],
    ["whose size is less than its name", Buffer.from("RIFF\x03\0\0\0WEBP", "latin1"), /malformed/],
    ["whose size is more than there is", Buffer.from("RIFF\xff\xff\xff\xffWEBP", "latin1"), /breaks off/],
    ["whose chunk is larger than the file", webp([Buffer.from("VP8 \xff\xff\xff\xff", "latin1")]), /breaks off/],
  ])("SEC-066 a WebP %s is refused", (_name, bytes, why) => {
    expect(refusal(bytes)).toMatch(why);
  });
});

describe("any bytes", () => {
  /** What is wrong with a verdict; nothing if all is well. Counts verdicts, so that neither kind is missing by accident. */
  function wrong(bytes: Uint8Array, verdicts: { taken: number; refused: number }): string | undefined {
    const before = Buffer.from(bytes);
    const verdict = checkPicture(bytes);
    if (!before.equals(bytes)) return "the bytes were changed";
    if ("refused" in verdict) {
      verdicts.refused += 1;
      return /^(?:A|The|Something) [\w ,:'()×]+\.$/.test(verdict.refused) ? undefined : verdict.refused;
    }
    verdicts.taken += 1;
    const first = verdict.picture.bytes;
    if (first.length > bytes.length) return "the picture grew";
    const second = checkPicture(first);
    if ("refused" in second) return `a second check refuses it: ${second.refused}`;
    const same = second.picture.type === verdict.picture.type && Buffer.from(first).equals(second.picture.bytes);
    return same ? undefined : "a second check changed it";
  }

  const pictures = [
    ...CLEAN.map(([, , bytes]) => bytes),
    made.JPEG.baseline,
    jpeg([made.JFIF, jpegSegment(0xe1, made.exif("II", 6))]),
    jpeg([made.JFIF, jpegSegment(0xe1, made.exif("MM", 3)), jpegSegment(0xfe, secret)]),
    png([pngChunk("tEXt", secret), made.PNG_PIXELS]),
    gif([gifExtension(0xfe, SECRET), made.GIF_CONTROL, gifFrame()]),
    webp([vp8x(0x0c), made.VP8, riffChunk("EXIF", secret)]),
  ];
  const edit = fc.record({
    at: fc.nat(700),
    cut: fc.integer({ min: 0, max: 4 }),
    put: fc.uint8Array({ maxLength: 4 }),
  });

  it("SEC-066 mutated pictures are taken or refused, never longer, and a second check changes nothing", () => {
    const verdicts = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...pictures), fc.array(edit, { maxLength: 4 }), (picture, edits) => {
        let bytes: Buffer = picture;
        for (const { at, cut, put } of edits) {
          const start = at % bytes.length || 0;
          bytes = Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + cut)]);
        }
        expect(wrong(bytes, verdicts)).toBeUndefined();
      }),
      { numRuns: 5000 },
    );
    expect(verdicts.taken).toBeGreaterThan(100);
    expect(verdicts.refused).toBeGreaterThan(100);
  });

  it("SEC-066 so is every picture with any one bit turned over", () => {
    const verdicts = { taken: 0, refused: 0 };
    for (const picture of pictures)
      for (let bit = 0; bit < picture.length * 8; bit++) {
        const bytes = Buffer.from(picture);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const found = wrong(bytes, verdicts);
        if (found !== undefined) throw new Error(`${found}, bit ${bit} of ${picture.toString("base64")}`);
      }
    expect(verdicts.taken).toBeGreaterThan(100);
    expect(verdicts.refused).toBeGreaterThan(100);
  });

  it("SEC-066 so is anything that begins like a picture", () => {
    const verdicts = { taken: 0, refused: 0 };
    const heads = [
      png().subarray(0, 33),
      Buffer.from([0xff, 0xd8, 0xff]),
      gif([]).subarray(0, 25),
      webp([]).subarray(0, 12),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 200 }), (head, tail) => {
        expect(wrong(Buffer.concat([head, tail]), verdicts)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
    expect(verdicts.refused).toBeGreaterThan(100);
  });
});
