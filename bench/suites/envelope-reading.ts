import { strictEqual } from "node:assert/strict";
import { DOMParser } from "@xmldom/xmldom";
import { XMLParser } from "fast-xml-parser";
import { SaxesParser } from "saxes";
import { decodeBase64 } from "../../src/core/base64.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { Certificate } from "../../src/crypto/certificate.ts";
import { encryptMessage } from "../../src/envelope/encrypted-message.ts";
import { readEnvelope } from "../../src/envelope/open.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import { interleave, timeOf } from "../support/interleave.ts";
import { CALLER, echoCalls, makeKey, SERVER } from "../support/sites.ts";
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";

const SIZE = 100 * 1024;

/** The bytes in an envelope's fields. */
interface Content {
  readonly data: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly sender: string;
}
/** What matters in one of the two envelopes. */
interface Paths {
  readonly data: string;
  readonly key: string;
  readonly sender: string;
}
const ENCRYPTED: Paths = {
  data: "encryptedMessage/EncryptedData/CipherData/CipherValue",
  key: "encryptedMessage/EncryptedKey/CipherData/CipherValue",
  sender: "encryptedMessage/wwwroot",
};
const SIGNED: Paths = {
  data: "signedMessage/object",
  key: "signedMessage/Signature/SignatureValue",
  sender: "signedMessage/wwwroot",
};

/**
 * From the bytes of both envelopes of a message to the bytes in their fields, without any cryptography. Ours also checks
 * that nothing stands twice or where it does not belong, remarks on algorithms, and compares the digest; a generic parser
 * only finds the fields.
 */
export const envelopeReading: Suite = {
  name: "envelope-reading",
  title: "Reading both envelopes of a message of 100 KB, beside generic XML parsers",
  async run(bench) {
    const [ours, theirs] = [await makeKey(CALLER), await makeKey(SERVER)];
    const [document = new Uint8Array()] = echoCalls(SIZE, 1);
    const signed = signMessage(document, { sender: CALLER, key: KeyPair.parse(ours), timestamp: new Date() });
    const recipient = Certificate.parse(theirs.certificate);
    const encrypted = encryptMessage(signed, { sender: CALLER, recipient });

    const readers = { saxes: withSaxes, "fast-xml-parser": withFastXmlParser, xmldom: withXmldom } as const;
    for (const read of Object.values(readers)) {
      strictEqual(read(encrypted, ENCRYPTED).data?.length, signed.length);
      strictEqual(read(signed, SIGNED).data?.compare(document), 0);
    }
    const both =
      (read: (bytes: Buffer, paths: Paths) => Content): (() => number) =>
      () =>
        timeOf(10, () => [read(encrypted, ENCRYPTED), read(signed, SIGNED)]);
    const costs = await interleave(
      {
        ours: () => timeOf(30, () => [readEnvelope(encrypted), readEnvelope(signed)]),
        saxes: both(withSaxes),
        "fast-xml-parser": both(withFastXmlParser),
        xmldom: both(withXmldom),
      },
      { rounds: bench.either(40, 10), warmUp: bench.either(10, 4) },
    );
    bench.add("envelope-reading.saxes", "Read the envelopes of 100 KB: saxes / ours", ratios(costs.saxes, costs.ours), {
      unit: "×",
      bound: { atLeast: 3 },
    });
    for (const name of ["fast-xml-parser", "xmldom"] as const) {
      bench.add(
        `envelope-reading.${name}`,
        `Read the envelopes of 100 KB: ${name} / ours`,
        ratios(costs[name], costs.ours),
        { unit: "×" },
      );
    }
    bench.add("envelope-reading.ms", "Read the envelopes of 100 KB", costs.ours, { unit: "ms" });
  },
};

const content = (paths: Paths, text: (path: string) => string): Content => ({
  data: decodeBase64(text(paths.data)),
  key: decodeBase64(text(paths.key)),
  sender: text(paths.sender),
});

function withSaxes(bytes: Buffer, paths: Paths): Content {
  const parser = new SaxesParser({ position: false });
  const texts = new Map<string, string>();
  const path: string[] = [];
  parser.on("opentag", ({ name }) => {
    path.push(name);
  });
  parser.on("text", (text) => {
    const at = path.join("/");
    texts.set(at, (texts.get(at) ?? "") + text);
  });
  parser.on("closetag", () => {
    path.pop();
  });
  parser.write(bytes.toString("latin1")).close();
  return content(paths, (at) => texts.get(at) ?? "");
}

const fastXmlParser = new XMLParser({ ignoreAttributes: false, parseTagValue: false, alwaysCreateTextNode: true });
function withFastXmlParser(bytes: Buffer, paths: Paths): Content {
  const root: unknown = fastXmlParser.parse(bytes.toString("latin1"));
  return content(paths, (path) => {
    let at = root;
    for (const step of path.split("/")) at = (at as Record<string, unknown>)[step];
    return String((at as Record<string, unknown>)["#text"]);
  });
}

/** As much of a DOM as finds a field. */
interface DomElement {
  readonly localName: string | null;
  readonly textContent: string;
  readonly childNodes: ArrayLike<DomElement>;
}

const xmldom = new DOMParser({
  errorHandler(_level, message) {
    throw new Error(String(message));
  },
});
function withXmldom(bytes: Buffer, paths: Paths): Content {
  const { documentElement } = xmldom.parseFromString(bytes.toString("latin1"), "text/xml");
  return content(paths, (path) => {
    let at = documentElement as unknown as DomElement | undefined;
    for (const step of path.split("/").slice(1)) {
      at = Array.from(at?.childNodes ?? []).find(({ localName }) => localName === step);
    }
    return at?.textContent ?? "";
  });
}
