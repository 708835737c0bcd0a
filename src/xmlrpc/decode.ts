import { XmlRpcError } from "../core/errors.ts";
import { atOnce, inTurns, type LongWork } from "../core/long-work.ts";
import { CHARACTERS_AT_ONCE, readAnyForm } from "./any-form.ts";
import { type Dialect, detectDialect, EPI_DECLARATION } from "./dialect.ts";
import type { XmlRpcCall, XmlRpcDocument, XmlRpcResponse } from "./document.ts";
import type { DocumentContent } from "./document-reader.ts";
import { type DocumentText, documentText } from "./document-text.ts";
import { KnownForm } from "./known-form.ts";
import { type DocumentLimits, documentLimits, type XmlRpcLimits } from "./limits.ts";

/** How a document is decoded. */
export interface DecodeOptions {
  /** What the sender is known to be. Default: what the XML declaration tells. */
  readonly dialect?: Dialect | undefined;
  /** Ceilings on the document's structure. */
  readonly limits?: XmlRpcLimits | undefined;
}

/**
 * Decodes a request or a response (spec 5.3), leniently in the values that real peers send, strictly in everything else:
 * one root, nothing after it, no DOCTYPE, no comments, no CDATA, no processing instructions, no attributes but namespaces.
 *
 * - `int`, `i4`: number, up to the safe integers. `i8`: bigint. `double`: number, or `XmlRpcDouble` if integral.
 * - `boolean`: `0`, `1`, `false`, `true`. `base64`: bytes. `dateTime.iso8601`: `XmlRpcDateTime`. `nil`, `ex:nil`: null.
 * - `string` and text without a type: string, spaces kept. Numbers out of a Moodle's database arrive as such.
 * - An epi document's references to the bytes of UTF-8 become that text (MNET-065).
 *
 * @throws XmlRpcError, and nothing else whatever the bytes: `MNET_XMLRPC_MALFORMED`, `MNET_XMLRPC_LIMIT`, or
 *   `MNET_XMLRPC_UNEXPECTED_ROOT` if the root is neither `methodCall` nor `methodResponse`. Limits that are no limits
 *   are a `ConfigError`.
 * @example
 * const document = decode(bytes);
 * if (document.kind === "fault") console.log(document.faultCode, document.faultString);
 */
export function decode(document: Uint8Array, options?: DecodeOptions): XmlRpcDocument {
  return atOnce(decoding(document, options));
}

/** The same, bit by bit. */
function* decoding(document: Uint8Array, options: DecodeOptions = {}): LongWork<XmlRpcDocument> {
  const limits = documentLimits(options.limits);
  const source = documentText(document);
  const perByte = (options.dialect ?? (source.declaration === EPI_DECLARATION ? "epi" : undefined)) === "epi";
  yield;
  const content = (yield* readKnownForm(source, perByte, limits)) ?? (yield* readAnyForm(source, perByte, limits));
  return withDialect(content, options.dialect ?? detectDialect(content.kind, source.declaration));
}

/** Spelled out: what another object is spread into has a hidden class of its own on Node 20 (docs/decisions/0068). */
function withDialect(content: DocumentContent, dialect: Dialect | undefined): XmlRpcDocument {
  switch (content.kind) {
    case "call":
      return { kind: "call", method: content.method, params: content.params, dialect };
    case "result":
      return { kind: "result", value: content.value, dialect };
    case "fault":
      return { kind: "fault", faultCode: content.faultCode, faultString: content.faultString, dialect };
  }
}

/**
 * Decodes a request. Throws what `decode` throws, and `MNET_XMLRPC_UNEXPECTED_ROOT` for a response: a peer's signed
 * answer sent back to us as a request is none (SEC-022).
 */
export function decodeCall(document: Uint8Array, options?: DecodeOptions): XmlRpcCall {
  return requireCall(decode(document, options));
}

/** Decodes a response. Throws what `decode` throws, and `MNET_XMLRPC_UNEXPECTED_ROOT` for a request (SEC-022). */
export function decodeResponse(document: Uint8Array, options?: DecodeOptions): XmlRpcResponse {
  return requireResponse(decode(document, options));
}

/** The same without holding up the event loop: a long document gives a promise, which rejects with what would be thrown. */
export function decodeCallInTurns(document: Uint8Array, options?: DecodeOptions): XmlRpcCall | Promise<XmlRpcCall> {
  return isLong(document) ? inTurns(decoding(document, options)).then(requireCall) : decodeCall(document, options);
}

/** As `decodeCallInTurns`. */
export function decodeResponseInTurns(
  document: Uint8Array,
  options?: DecodeOptions,
): XmlRpcResponse | Promise<XmlRpcResponse> {
  return isLong(document)
    ? inTurns(decoding(document, options)).then(requireResponse)
    : decodeResponse(document, options);
}

function requireCall(decoded: XmlRpcDocument): XmlRpcCall {
  if (decoded.kind !== "call") throw unexpectedRoot("A methodCall was expected, a methodResponse came.");
  return decoded;
}

function requireResponse(decoded: XmlRpcDocument): XmlRpcResponse {
  if (decoded.kind === "call") throw unexpectedRoot("A methodResponse was expected, a methodCall came.");
  return decoded;
}

/** Bytes that take more than a few milliseconds. */
const LONG = 128 * 1024;

const isLong = (document: Uint8Array): boolean => document.length > LONG;

const KNOWN_DECLARATION = /^(?:<\?xml version="1\.0"(?: encoding="[\w-]+")? ?\?>)?$/;

function* readKnownForm(
  { text, declaration, bodyStart }: DocumentText,
  perByte: boolean,
  limits: DocumentLimits,
): LongWork<DocumentContent | undefined> {
  if (!KNOWN_DECLARATION.test(declaration)) return undefined;
  const document = new KnownForm(text, { start: bodyStart, perByte, limits });
  while (document.read(CHARACTERS_AT_ONCE)) {
    if (document.content) return document.content;
    yield;
  }
  return undefined;
}

function unexpectedRoot(message: string): XmlRpcError {
  return new XmlRpcError("MNET_XMLRPC_UNEXPECTED_ROOT", message);
}
