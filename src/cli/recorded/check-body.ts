import type { OpenedBody } from "./opened-body.ts";
import type { RecordedExchange, RecordedSide } from "./recorded-set.ts";

/** Refusals by which a recorded site said that it could not open a message or verify it. */
const NOT_OPENED = new Set([7023, 7025, 6001, 6002, 6007]);
const NOT_VERIFIED = new Set([710, 7025, 7026, 6004]);

/**
 * Compares how a body opens here with how it was recorded: which key opens it, which verifies it, what is inside, or
 * that it fails. Recordings of Mahara do not say which keys; there the site's own refusal tells.
 *
 * @returns what differs; empty if nothing does.
 */
export function checkBody(name: "request" | "response", exchange: RecordedExchange, opened: OpenedBody): string[] {
  const side: RecordedSide = exchange[name];
  const differences: string[] = [];
  const expect = (isRight: boolean, what: string): void => {
    if (!isRight) differences.push(`the ${name} ${what}`);
  };
  const refusal = exchange.faultCode ?? 0;
  if (opened.failure) {
    const isRefusedThere = name === "request" && NOT_OPENED.has(exchange.faultCode ?? 0);
    const isGarbled = side.signedXml === undefined && (!side.openedWith || (name === "request" && isCrash(exchange)));
    expect(isRefusedThere || isGarbled, "does not open");
  }
  if (side.openedWith && opened.openedWith !== undefined) {
    expect(side.openedWith.endsWith(openerLabel(opened.openedWith)), `opens with another key than ${side.openedWith}`);
  }
  if (side.signatureValidWith) {
    const label = opened.signedWith === undefined ? "?" : openerLabel(opened.signedWith);
    expect(side.signatureValidWith.endsWith(label), `does not verify with ${side.signatureValidWith}`);
  } else if (opened.isSigned && opened.signedWith === undefined) {
    const isRecorded = name === "request" && (side.signatureValidWith === null || NOT_VERIFIED.has(refusal));
    expect(isRecorded, "does not verify");
  }
  if (side.signedXml !== undefined && opened.plaintext) {
    expect(opened.plaintext.toString("utf8") === side.signedXml, "holds another text inside the encryption");
  }
  if (side.xmlrpcBase64 !== undefined && opened.document) {
    expect(opened.document.equals(Buffer.from(side.xmlrpcBase64, "base64")), "holds another document");
  }
  return differences;
}

/** The site answered with something that is not XML-RPC: a page, or nothing. */
export function isCrash({ faultCode, response }: RecordedExchange): boolean {
  if (faultCode !== undefined) return false;
  const body = Buffer.from(response.bodyBase64, "base64").toString("latin1");
  return !body.includes("<methodResponse") && !body.includes("<encryptedMessage") && !body.includes("<signedMessage");
}

const openerLabel = (index: number): string => (index === 0 ? " current" : ` history[${index - 1}]`);
