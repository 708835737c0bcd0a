/**
 * SEC-024: does any text of 1 MiB take the readers more than three times as long as a benign one?
 *
 * Run it with `node bench/linear-scanning.ts` (Node 22.18 or later) or `npm run bench:linear-scanning`. It takes
 * some seconds, and exits with 1 if one does.
 */
import { generateKeyPairSync } from "node:crypto";
import { decodeBase64 } from "../src/core/base64.ts";
import { Certificate } from "../src/crypto/certificate.ts";
import { readEnvelope } from "../src/envelope/open.ts";
import { selfSignedCertificate } from "../src/keys/self-signed-certificate.ts";
import { readDocument } from "../src/xml/read-document.ts";

const SIZE = 1024 * 1024;
const RUNS = 15;
const LIMIT = 3;

const filled = (unit: string, before = "", after = ""): string =>
  before + unit.repeat(Math.floor((SIZE - before.length - after.length) / unit.length)) + after;
const inElement = (unit: string): string => filled(unit, "<signedMessage><object>", "</object></signedMessage>");
const inAttribute = (unit: string): string => filled(unit, '<signedMessage><object ID="', '"/></signedMessage>');

interface Subject {
  readonly name: string;
  readonly run: (text: string) => unknown;
  readonly benign: string;
  readonly adversarial: Readonly<Record<string, string>>;
}

const xml: Readonly<Record<string, string>> = {
  "< only": filled("<"),
  "> only": filled(">"),
  "start tags": filled("<a>"),
  "start tags that do not end": filled("<a "),
  "empty elements": filled("<a/>", "<signedMessage>", "</signedMessage>"),
  "end tags": filled("</a>"),
  "a name": filled("a", "<"),
  "colons in a name": filled(":", "<a"),
  "white space in front": filled(" ", "", "<signedMessage/>"),
  "white space behind": filled(" \n", "<signedMessage/>"),
  "white space in a tag": filled("\t", "<signedMessage", "/>"),
  "white space between elements": filled("\r\n", "<signedMessage>", "<a/></signedMessage>"),
  "white space before text": filled(" ", "<signedMessage>", "x<a/></signedMessage>"),
  attributes: filled(' a=""', "<signedMessage", "/>"),
  "different attributes": `<signedMessage${Array.from({ length: 80_000 }, (_, n) => ` a${n}=""`).join("")}/>`,
  "an attribute that does not end": filled("x", '<signedMessage a="'),
  "quotes in an attribute": inAttribute("'"),
  "= in a tag": filled("=", "<signedMessage a"),
  ampersands: inElement("&"),
  "ampersands in an attribute": inAttribute("&"),
  "ampersands and semicolons": inElement("&;"),
  "semicolons after one ampersand": inElement(";").replace(";", "&"),
  "numeric references": inElement("&#65;"),
  "long numeric references": inElement("&#0000065"),
  "hexadecimal references": inElement("&#x41;"),
  "named references": inElement("&amp;"),
  "named references in an attribute": inAttribute("&quot;"),
  "one long reference": inElement("a").replace("a", "&"),
  comments: filled("<!--"),
  "a comment": filled("-", "<signedMessage><!--"),
  CDATA: filled("<![CDATA[", "<signedMessage>"),
  "]]>": inElement("]]>"),
  "processing instructions": filled("<?x?>"),
  "a declaration that does not end": filled(" ", '<?xml version="1.0"'),
  "? in the declaration": filled("?", "<?xml"),
  "a DOCTYPE": filled("<!ENTITY a 'b'>", "<!DOCTYPE a ["),
  "fields twice": filled("<object/>", "<signedMessage>", "</signedMessage>"),
  NUL: filled("\0"),
};

const base64Line = (width: number): string => filled(`${"QUJD".repeat(width / 4)}\n`);
const certificate = (body: string): string =>
  `-----BEGIN CERTIFICATE-----${body.slice(0, 60_000)}-----END CERTIFICATE-----`;
const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
const realCertificate = selfSignedCertificate(keys, {
  wwwroot: "https://bench.example",
  name: "Bench",
  notBefore: new Date(),
  notAfter: new Date(),
});

const subjects: readonly Subject[] = [
  {
    name: "readDocument",
    run: (text) => readDocument(Buffer.from(text, "latin1")),
    benign: inElement("QUJD"),
    adversarial: xml,
  },
  {
    name: "readEnvelope",
    run: (text) => readEnvelope(Buffer.from(text, "latin1")),
    benign: filled(
      "QUJD",
      "<signedMessage><object>",
      "</object><wwwroot>a</wwwroot><timestamp>1</timestamp></signedMessage>",
    ),
    adversarial: {
      ...xml,
      "slashes in the sender": filled(
        "/",
        "<signedMessage><object>QUJD</object><wwwroot>",
        "</wwwroot><timestamp>1</timestamp></signedMessage>",
      ),
      "digits in the time": filled(
        "1",
        "<signedMessage><object>QUJD</object><wwwroot>a</wwwroot><timestamp>",
        "</timestamp></signedMessage>",
      ),
      "a long algorithm": filled(
        "https:",
        '<signedMessage><Signature><SignedInfo><SignatureMethod Algorithm="',
        '"/></SignedInfo></Signature><object>QUJD</object><wwwroot>a</wwwroot><timestamp>1</timestamp></signedMessage>',
      ),
    },
  },
  {
    name: "decodeBase64",
    run: decodeBase64,
    benign: base64Line(76),
    adversarial: {
      "one line": filled("QUJD"),
      "a line of 4": base64Line(4),
      "white space only": filled(" "),
      "white space between all": filled("Q "),
      "= only": filled("="),
      "= between": filled("QQ=="),
      "foreign characters": filled("!"),
      "a foreign character at the end": `${filled("QUJD")}!`,
      "wide characters": filled("\u0141").slice(0, SIZE),
    },
  },
  {
    name: "Certificate.parse",
    run: (text) => Certificate.parse(text),
    // Read up to 64 KiB, so that a real one is the measure.
    benign: realCertificate,
    adversarial: {
      "base64 of nothing": certificate(filled("QUJD")),
      "BEGIN only": certificate(filled("-----BEGIN CERTIFICATE-----")),
      "END only": certificate(filled("-----END CERTIFICATE-----")),
      hyphens: certificate(filled("-")),
      "white space": certificate(filled(" \n")),
      "nested sequences": certificate(Buffer.from("30803080".repeat(10_000), "hex").toString("base64")),
      "1 MiB": filled("-----BEGIN CERTIFICATE-----"),
    },
  },
];

/** The best of some runs, in milliseconds: noise only adds. */
function timeOf(run: (text: string) => unknown, text: string): number {
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < RUNS; n++) {
    const started = performance.now();
    try {
      run(text);
    } catch {
      // Refusing is a way to read.
    }
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

let slow = 0;
for (const { name, run, benign, adversarial } of subjects) {
  timeOf(run, benign);
  const usual = timeOf(run, benign);
  console.log(`SEC-024 ${name}: benign ${usual.toFixed(2)} ms`);
  for (const [what, text] of Object.entries(adversarial)) {
    const ratio = timeOf(run, text) / usual;
    if (ratio > LIMIT) slow += 1;
    console.log(`  ${ratio.toFixed(2).padStart(6)} × ${ratio > LIMIT ? "TOO SLOW " : ""}${what}`);
  }
}
console.log(slow === 0 ? `SEC-024 passed: nothing above ${LIMIT} ×` : `SEC-024 FAILED: ${slow} above ${LIMIT} ×`);
process.exitCode = slow === 0 ? 0 : 1;
