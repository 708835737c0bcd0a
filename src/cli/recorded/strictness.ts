import { constants, privateDecrypt } from "node:crypto";
import { decodeBase64 } from "../../core/base64.ts";
import { SESSION_KEY_LENGTH } from "../../crypto/key-pair.ts";
import type { OpenedBody } from "./opened-body.ts";
import type { RecordedExchange, RecordedKey } from "./recorded-set.ts";

/** Why a form that real sites overlook is refused here. */
export interface Strictness {
  /** The statement that asks for it. */
  readonly id: string;
  readonly reason: string;
}

/**
 * Finds what is wrong with the form of a request that is refused here. There must be evidence in the text: a message
 * that is refused for no visible reason is a defect of ours.
 */
export function strictnessOf(
  exchange: RecordedExchange,
  request: OpenedBody,
  receiver: readonly RecordedKey[],
): Strictness | undefined {
  const body = Buffer.from(exchange.request.bodyBase64, "base64").toString("latin1");
  const isEnvelope = /<(?:encryptedMessage|signedMessage)[\s>]/i.test(body);
  const signed = exchange.request.signedXml ?? "";
  return (
    (isEnvelope ? envelopeFault(body, OUTER) : undefined) ??
    (/<signedMessage[\s>]/i.test(signed) ? envelopeFault(signed, INNER) : undefined) ??
    documentFault(documentOf(exchange)) ??
    wrappedKeyFault(request, body, receiver)
  );
}

/** How often each element that matters stands in an envelope. */
type Shape = Readonly<Record<string, number>>;
const OUTER: Shape = { EncryptedData: 1, EncryptedKey: 1, CipherData: 2, CipherValue: 2, wwwroot: 1 };
const INNER: Shape = { Signature: 1, SignatureValue: 1, object: 1, wwwroot: 1, timestamp: 1 };

function envelopeFault(text: string, shape: Shape): Strictness | undefined {
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) return { id: "SEC-015", reason: "the envelope has a DOCTYPE" };
  if (/<!--|<!\[CDATA\[/.test(text)) return { id: "SEC-016", reason: "the envelope has a comment or CDATA" };
  if (text.slice(2).includes("<?")) return { id: "SEC-016", reason: "the envelope has a processing instruction" };
  if (!/<\/(?:encryptedMessage|signedMessage)\s*>\s*$/.test(text)) {
    return { id: "SEC-017", reason: "the envelope is cut off, or something follows it" };
  }
  if (/[^\t\n\r\x20-\x7e]/.test(text)) return { id: "SEC-018", reason: "the envelope is not ASCII" };
  for (const [name, times] of Object.entries(shape)) {
    const anyForm = text.match(new RegExp(`<(?:\\w+:)?${name}[\\s>/]`, "gi"))?.length ?? 0;
    const rightForm = text.match(new RegExp(`<${name}[\\s>/]`, "g"))?.length ?? 0;
    if (anyForm !== times || rightForm !== times) {
      return { id: "SEC-014", reason: `the element ${name} is missing, doubled, prefixed or in another case` };
    }
  }
  for (const [, content = ""] of text.matchAll(/<(?:CipherValue|SignatureValue|object)[^>]*>([^<]*)</g)) {
    if (decodeBase64(content) === undefined) return { id: "SEC-012", reason: "the base64 is not canonical" };
  }
  return undefined;
}

const SCALARS: Readonly<Record<string, RegExp>> = {
  int: /^\s*[+-]?\d{1,16}\s*$/,
  i4: /^\s*[+-]?\d{1,16}\s*$/,
  i8: /^\s*[+-]?\d{1,19}\s*$/,
  double: /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/,
  boolean: /^\s*(?:0|1|true|false)\s*$/,
  "dateTime.iso8601": /^\s*\d{8}T\d\d:\d\d:\d\d\s*$/,
};
const TYPES = new Set([...Object.keys(SCALARS), "string", "base64", "struct", "array", "nil", "ex:nil"]);

function documentFault(text: string): Strictness | undefined {
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) return { id: "SEC-015", reason: "the XML-RPC has a DOCTYPE" };
  if (/<!--|<!\[CDATA\[/.test(text) || text.slice(2).includes("<?")) {
    return { id: "SEC-016", reason: "the XML-RPC has a comment, CDATA or a processing instruction" };
  }
  for (const [, type = "", content = ""] of text.matchAll(/<value>\s*<([\w.:]+)[^>]*>([^<]*)/g)) {
    if (!TYPES.has(type)) return { id: "SEC-021", reason: "the XML-RPC has a value of an unknown type" };
    if (SCALARS[type]?.test(content) === false) return { id: "SEC-021", reason: `the XML-RPC has a bad ${type}` };
  }
  for (const [, members = ""] of text.matchAll(/<struct>((?:(?!<\/?struct>)[^])*)<\/struct>/g)) {
    const names = [...members.matchAll(/<name>([^<]*)<\/name>/g)].map(([, name]) => name);
    if (new Set(names).size < names.length) return { id: "SEC-020", reason: "the XML-RPC has a member twice" };
  }
  return undefined;
}

const documentOf = ({ request }: RecordedExchange): string =>
  Buffer.from(request.xmlrpcBase64 ?? "", "base64").toString("latin1");

/** The wrapped key itself can only be looked at because the recorded sites' private keys are public. */
function wrappedKeyFault(request: OpenedBody, body: string, receiver: readonly RecordedKey[]): Strictness | undefined {
  const wrapped = decodeBase64([...body.matchAll(/<CipherValue>([^<]*)</g)].at(-1)?.[1] ?? "");
  if (request.kind !== "encrypted" || !wrapped) return undefined;
  const lengths = receiver.map(({ privateKey }) => sessionKeyLength(privateKey, wrapped));
  return lengths.some((length) => length !== undefined && length !== SESSION_KEY_LENGTH)
    ? { id: "MNET-049", reason: "the session key has not 16 bytes" }
    : undefined;
}

function sessionKeyLength(privateKey: string, wrapped: Buffer): number | undefined {
  try {
    const block = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, wrapped);
    const separator = block.indexOf(0, 2);
    return block[0] === 0 && block[1] === 2 && separator >= 10 ? block.length - separator - 1 : undefined;
  } catch {
    return undefined;
  }
}
