import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MnetError } from "../../src/core/errors.ts";
import { decode } from "../../src/xmlrpc/decode.ts";
import { documentText } from "../../src/xmlrpc/document-text.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { KnownForm } from "../../src/xmlrpc/known-form.ts";
import { documentLimits } from "../../src/xmlrpc/limits.ts";
import { bytes, EPI, PXR_CALL, RECORDED_FOLDERS, recordedIn, text, unknownForm } from "./documents.ts";

const recorded = RECORDED_FOLDERS.flatMap(recordedIn).map(({ document }) => document);

/** What becomes of a document: what it says, or the code of the error. */
function outcome(document: Uint8Array): unknown {
  try {
    return decode(document);
  } catch (error) {
    if (MnetError.is(error)) return error.code;
    throw error;
  }
}

function readsKnownForm(document: Uint8Array, part = Infinity): boolean {
  const { text: source, bodyStart } = documentText(document);
  const form = new KnownForm(source, { start: bodyStart, perByte: false, limits: documentLimits() });
  while (form.read(part)) if (form.content) return true;
  return false;
}

const VALUES = [
  "plain",
  " 日本 & <b> \r\n ",
  { name: "é", list: [1, true, 1.5, { a: [] }, "", {}], bytes: Buffer.from("abc") },
];
const DOCUMENTS = [
  encodeCall("auth/mnet/auth.php/user_authorise", VALUES),
  encodeResult(VALUES, { dialect: "pxr" }),
  encodeResult(VALUES, { dialect: "epi" }),
  bytes(`${EPI}\r\n<methodCall>\r\n <methodName>a</methodName>\r\n<params/>\r\n</methodCall>\r\n`),
  bytes(
    `${PXR_CALL}<methodCall><methodName>a/b</methodName><params><param>\n<value>\t<array>\n <data/></array> </value></param>
     <param><value>untyped &lt;&#13;&#x41;&#195;&#169;</value></param><param><value><string/></value></param></params></methodCall>`,
  ),
];

/** Something that stands in a document somewhere, or should not. */
const SNIPPETS = [
  ...["<", ">", "&", ";", "/", " ", "\r", "\r\n", "\t", "\0", "\u0001", "\u000b", "\ufffe", "\u0085", "]]>", "]]", "é"],
  ...[
    "&amp;",
    "&lt;",
    "&-;",
    "&nbsp;",
    "&#13;",
    "&#1;",
    "&#x;",
    "&#xD800;",
    "&#1114112;",
    "&#195;",
    "&#169;",
    "&#38;lt;",
  ],
  ...[
    "<!-- -->",
    "<![CDATA[x]]>",
    "<?pi?>",
    "<!DOCTYPE a>",
    "<value>",
    "</value>",
    "<value/>",
    "<string>",
    "</string>",
  ],
  ...[
    "<string/>",
    "<int>1</int>",
    "<int/>",
    "<struct/>",
    "<struct></struct>",
    "<data/>",
    "<data>",
    "</data>",
    "<params/>",
  ],
  ...[
    "<member><name>a</name><value/></member>",
    "<name/>",
    "<i4>",
    "<nil/>",
    "<base64/>",
    "<array></array>",
    "<fault>",
  ],
];

describe("documents in the known form", () => {
  it("SEC-015 SEC-016 SEC-021 whatever is changed in one, it is refused, or says the same, as if a parser read it", () => {
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      removed: fc.oneof(fc.constant(0), fc.nat(20)),
      inserted: fc.oneof(fc.constant(""), fc.constantFrom(...SNIPPETS), fc.constantFrom(...SNIPPETS)),
    });
    let different = 0;
    fc.assert(
      fc.property(fc.constantFrom(...DOCUMENTS), fc.array(edit, { minLength: 1, maxLength: 3 }), (document, edits) => {
        let changed = text(document);
        for (const { at, removed, inserted } of edits) {
          const from = Math.floor(at * changed.length);
          changed = changed.slice(0, from) + inserted + changed.slice(from + removed);
        }
        const result = outcome(bytes(changed));
        if (typeof result !== "string") different += 1;
        expect(result).toEqual(outcome(unknownForm(bytes(changed))));
      }),
      { numRuns: 5_000 },
    );
    // Some of them must have been right.
    expect(different).toBeGreaterThan(100);
  });

  it("are all that real sites have sent, apart from faults", () => {
    const results = recorded.filter((document) => {
      const content = outcome(document);
      return typeof content === "object" && (content as { kind: string }).kind !== "fault";
    });
    const others = results.filter((document) => !readsKnownForm(document)).map(text);
    expect(results.length).toBeGreaterThan(300);
    expect(others.filter((document) => !document.includes("<methodName/>"))).toEqual([]);
  });

  it("say the same in any other form, for all that real sites have sent", () => {
    expect(recorded.map((document) => outcome(unknownForm(document)))).toEqual(recorded.map(outcome));
  });

  it("can be read in parts of any size", () => {
    for (const document of DOCUMENTS) {
      for (const part of [1, 7, 100]) expect(readsKnownForm(document, part)).toBe(true);
    }
  });
});
