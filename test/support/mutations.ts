import type { Random } from "./random.ts";

/** A change of a document, right or wrong. */
export type Mutation = (bytes: Buffer, random: Random) => Buffer;

const splice = (bytes: Buffer, at: number, remove: number, insert: Uint8Array | string = ""): Buffer =>
  Buffer.concat([bytes.subarray(0, at), Buffer.from(insert), bytes.subarray(at + remove)]);
const somewhere = (bytes: Buffer, random: Random): number => random.below(bytes.length + 1);

/** An element somewhere in the document: from its start tag to its end tag. */
function elementIn(bytes: Buffer, random: Random): { start: number; end: number; name: string; text: string } {
  const xml = bytes.toString("latin1");
  const tags = [...xml.matchAll(/<([A-Za-z:]+)(?: [^<>]*)?>/g)];
  const tag = tags[random.below(tags.length)];
  if (!tag) return { start: 0, end: 0, name: "", text: "" };
  const [startTag, name = ""] = tag;
  const close = startTag.endsWith("/>") ? -1 : xml.indexOf(`</${name}>`, tag.index);
  const end = close < 0 ? tag.index + startTag.length : close + name.length + 3;
  return { start: tag.index, end, name, text: xml.slice(tag.index, end) };
}

const MARKUP = [
  ...["\0", "\x80", "&", "<", ">", '"', "'", "<!---->", "<!-- x -->", "<?x?>", "<![CDATA[", "]]>"],
  "<!DOCTYPE x>",
  '<!DOCTYPE x [<!ENTITY y "z">]>',
  "&y;",
  "&#0;",
  "&#65;",
  "&amp;",
  "&toString;",
  "<X1>nothing</X1>",
  "<object>",
  "</object>",
  "<wwwroot/>",
  "<wwwroot>https://mallory.example</wwwroot>",
  "<WWWROOT>.evil</WWWROOT>",
  "<ds:object>eA==</ds:object>",
  "<Signature/>",
  "<SignatureValue>AA==</SignatureValue>",
  "<timestamp>0</timestamp>",
  "<CipherValue>AA==</CipherValue>",
  '<message Id="message">',
  "<sender>https://mallory.example</sender>",
  "<recipient>https://mallory.example</recipient>",
  ' Id="message"',
  ' xmlns="urn:x-mnet:secure:2"',
  ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#"',
  "</signedMessage>",
  "</encryptedMessage>",
  "<signedMessage>",
  " ",
  "\r\n",
];

const bytewise: Readonly<Record<string, Mutation>> = {
  "a flipped bit": (bytes, random) => {
    const at = random.below(bytes.length);
    return splice(bytes, at, 1, Uint8Array.of(bytes.readUInt8(at) ^ (1 << random.below(8))));
  },
  "another byte": (bytes, random) => splice(bytes, random.below(bytes.length), 1, Uint8Array.of(random.below(256))),
  "an inserted byte": (bytes, random) => splice(bytes, somewhere(bytes, random), 0, Uint8Array.of(random.below(256))),
  "a removed byte": (bytes, random) => splice(bytes, random.below(bytes.length), 1),
  "a repeated byte": (bytes, random) => {
    const at = random.below(bytes.length);
    return splice(bytes, at, 0, bytes.subarray(at, at + 1));
  },
  "a removed stretch": (bytes, random) => splice(bytes, somewhere(bytes, random), random.below(60)),
  "a repeated stretch": (bytes, random) => {
    const at = somewhere(bytes, random);
    return splice(bytes, at, 0, bytes.subarray(at, at + random.below(200)));
  },
  "a stretch moved elsewhere": (bytes, random) => {
    const at = somewhere(bytes, random);
    const stretch = bytes.subarray(at, at + random.below(200));
    return splice(splice(bytes, at, stretch.length), random.below(bytes.length - stretch.length + 1), 0, stretch);
  },
  "a cut end": (bytes, random) => bytes.subarray(0, somewhere(bytes, random)),
  "a cut front": (bytes, random) => bytes.subarray(somewhere(bytes, random)),
  "inserted markup": (bytes, random) => splice(bytes, somewhere(bytes, random), 0, random.of(MARKUP)),
};
/**
 * All of them, by name.
 *
 * @param foreign another document, out of which elements are taken.
 */
export const mutationsBeside = (foreign: Buffer): readonly (readonly [string, Mutation])[] =>
  Object.entries({ ...bytewise, ...elementwise(foreign) });

const elementwise = (foreign: Buffer): Readonly<Record<string, Mutation>> => ({
  "an element removed": (bytes, random) => {
    const { start, end } = elementIn(bytes, random);
    return splice(bytes, start, end - start);
  },
  "an element twice": (bytes, random) => {
    const { start, text } = elementIn(bytes, random);
    return splice(bytes, start, 0, text);
  },
  "an element moved": (bytes, random) => {
    const { start, end, text } = elementIn(bytes, random);
    const without = splice(bytes, start, end - start);
    return splice(without, elementIn(without, random).start, 0, text);
  },
  "two elements swapped": (bytes, random) => {
    const [one, two] = [elementIn(bytes, random), elementIn(bytes, random)].sort((a, b) => a.start - b.start) as [
      ReturnType<typeof elementIn>,
      ReturnType<typeof elementIn>,
    ];
    if (one.end > two.start) return bytes;
    return splice(splice(bytes, two.start, two.end - two.start, one.text), one.start, one.end - one.start, two.text);
  },
  "an element wrapped": (bytes, random) => {
    const { start, end, text } = elementIn(bytes, random);
    const name = random.of(["X1", "Object", "object", "Signature", "signedMessage", "wwwroot"]);
    return splice(bytes, start, end - start, `<${name}>${text}</${name}>`);
  },
  "an element unwrapped": (bytes, random) => {
    const { start, end, text } = elementIn(bytes, random);
    return splice(bytes, start, end - start, text.replace(/^<[^<>]*>/, "").replace(/<\/[^<>]*>$/, ""));
  },
  "an element renamed": (bytes, random) => {
    const { start, end, name, text } = elementIn(bytes, random);
    const other = random.of([name.toUpperCase(), name.toLowerCase(), `ds:${name}`, "object", "wwwroot", "X1"]);
    return splice(
      bytes,
      start,
      end - start,
      text.replaceAll(`<${name}`, `<${other}`).replaceAll(`</${name}`, `</${other}`),
    );
  },
  "another's element beside": (bytes, random) => {
    const { start, end } = elementIn(bytes, random);
    const { text } = elementIn(foreign, random);
    return splice(bytes, random.below(2) === 0 ? start : end, 0, text);
  },
  "another's element instead": (bytes, random) => {
    const { start, end, name } = elementIn(bytes, random);
    const [text = ""] = new RegExp(`<${name}[ >].*?</${name}>`, "s").exec(foreign.toString("latin1")) ?? [];
    return text === "" ? bytes : splice(bytes, start, end - start, text);
  },
});
