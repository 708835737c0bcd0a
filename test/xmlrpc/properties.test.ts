import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { XmlRpcError } from "../../src/core/errors.ts";
import { decode, decodeCall, decodeResponse } from "../../src/xmlrpc/decode.ts";
import type { XmlRpcDocument } from "../../src/xmlrpc/document.ts";
import { encodeDocument } from "../../src/xmlrpc/encode-document.ts";
import { encodeCall, encodeResult } from "../../src/xmlrpc/encode.ts";
import { encodeFault } from "../../src/xmlrpc/fault.ts";
import { XmlRpcDateTime, XmlRpcDouble, type XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { bytes, EPI, response } from "./documents.ts";

const ILLEGAL = /[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]/gu;

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.string({
    unit: fc.constantFrom("é", "e\u0301", "Ã", "©", "日", "😀", "&", "&#195;", "&#169;", "<", "]]>", "\r", "\n", " "),
  }),
);
const legalText = anyText.map((text) => text.replace(ILLEGAL, ""));

const dateTime = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  .map((date) => new XmlRpcDateTime(date.toISOString().slice(0, 19).replaceAll("-", "")));

/** Values that XML-RPC can say; with `lossless`, those that only `encodeDocument` keeps, too. */
function values(lossless: boolean): fc.Arbitrary<XmlRpcValue> {
  const scalars: fc.Arbitrary<XmlRpcValue>[] = [
    legalText,
    fc.integer(),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Number.isInteger(number)),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => new XmlRpcDouble(Math.round(number) || 0)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.uint8Array(),
    dateTime,
  ];
  if (lossless) scalars.push(fc.constant(null), fc.maxSafeInteger());
  return fc.letrec<{ value: XmlRpcValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.oneof(...scalars),
      fc.array(tie("value"), { maxLength: 5 }),
      fc
        .array(fc.tuple(fc.oneof(legalText, fc.constantFrom("__proto__", "constructor", "0")), tie("value")), {
          maxLength: 5,
        })
        .map((members) => {
          const struct = Object.create(null) as Record<string, XmlRpcValue>;
          for (const [name, value] of members) struct[name] = value;
          return struct;
        }),
    ),
  })).value;
}

describe("decode is the inverse of encode", () => {
  it("for results in both dialects", () => {
    fc.assert(
      fc.property(values(false), fc.constantFrom("epi", "pxr"), (value, dialect) => {
        expect(isDeepStrictEqual(decode(encodeResult(value, { dialect })), { kind: "result", value, dialect })).toBe(
          true,
        );
      }),
      { numRuns: 500 },
    );
  });

  it("for calls", () => {
    fc.assert(
      fc.property(legalText, fc.array(values(false), { maxLength: 4 }), (method, params) => {
        const expected = { kind: "call", method, params, dialect: "pxr" };
        expect(isDeepStrictEqual(decodeCall(encodeCall(method, params)), expected)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("for faults in both dialects", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        legalText,
        fc.constantFrom("epi", "pxr"),
        (code, text, dialect) => {
          const expected = { kind: "fault", faultCode: code, faultString: text, dialect };
          expect(decodeResponse(encodeFault(code, text, { dialect }), { dialect })).toEqual(expected);
        },
      ),
    );
  });

  it("for text that holds what XML forbids, without that", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.constantFrom("epi", "pxr"), (text, dialect) => {
        const value = text.replace(ILLEGAL, "");
        expect(decode(encodeResult(text, { dialect }))).toEqual({ kind: "result", value, dialect });
        expect(decode(encodeCall(text, [text]))).toMatchObject({ method: value, params: [value] });
      }),
    );
  });

  it("for every decoded document, if it is encoded for diagnosis", () => {
    const dialect = fc.constantFrom("epi" as const, "pxr" as const, undefined);
    const plain = { noNullPrototype: true } as const;
    const documents: fc.Arbitrary<XmlRpcDocument> = fc.oneof(
      fc.record(
        { kind: fc.constant("call"), method: legalText, params: fc.array(values(true), { maxLength: 3 }), dialect },
        plain,
      ),
      fc.record({ kind: fc.constant("result"), value: values(true), dialect }, plain),
      fc.record(
        {
          kind: fc.constant("fault"),
          faultCode: fc.integer(),
          faultString: legalText,
          dialect: fc.constantFrom("epi" as const, undefined),
        },
        plain,
      ),
    );
    fc.assert(
      fc.property(documents, (document) => {
        expect(isDeepStrictEqual(decode(encodeDocument(document)), document)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("SEC-021 nothing but XmlRpcError is thrown", () => {
  const accepts = (document: Uint8Array): void => {
    try {
      decode(document);
    } catch (error) {
      expect(error).toBeInstanceOf(XmlRpcError);
    }
  };

  it("SEC-021 whatever the bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), accepts), { numRuns: 500 });
  });

  it("SEC-021 whatever the order of tokens", () => {
    const token = fc.constantFrom(
      ...[
        "methodCall",
        "methodResponse",
        "methodName",
        "params",
        "param",
        "fault",
        "value",
        "struct",
        "member",
        "name",
      ],
      ...["array", "data", "int", "string", "nil", "double", "boolean", "base64"],
    );
    const piece = fc.oneof(
      token.map((name) => `<${name}>`),
      token.map((name) => `</${name}>`),
      token.map((name) => `<${name}/>`),
      fc.constantFrom("1", " ", "&#1;", "&#195;", "&lt;", "&", "<", ">", "?", "!", "]", '"', "\0", "\r", "\u0085", EPI),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        accepts(bytes(pieces.join("")));
        accepts(bytes(`<methodResponse><params><param><value>${pieces.join("")}`));
        accepts(bytes(response(pieces.join(""))));
      }),
      { numRuns: 1000 },
    );
  });

  it("SEC-021 whatever is changed in a valid document", () => {
    const change = fc.record({ at: fc.nat(), remove: fc.nat(8), insert: fc.uint8Array({ maxLength: 4 }) });
    fc.assert(
      fc.property(
        values(false),
        fc.constantFrom("epi", "pxr"),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (value, dialect, changes) => {
          let document = Buffer.from(encodeResult(value, { dialect }));
          for (const { at, remove, insert } of changes) {
            const start = at % (document.length + 1);
            document = Buffer.concat([document.subarray(0, start), insert, document.subarray(start + remove)]);
          }
          accepts(document);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
