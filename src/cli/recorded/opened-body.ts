import { MnetError } from "../../core/errors.ts";
import { decryptMessage, type EncryptedMessage } from "../../envelope/encrypted-message.ts";
import { readEnvelope } from "../../envelope/open.ts";
import type { SignedMessage } from "../../envelope/signed-message.ts";
import { verifySignature } from "../../envelope/verified-message.ts";
import type { RecordedExchange, RecordedKey, RecordedSet, RecordedSide } from "./recorded-set.ts";

/** The keys of one site at the moment of an exchange: the current one, then the archived ones. */
export function keysOf(
  set: RecordedSet,
  exchange: RecordedExchange,
  wwwroot: string | null | undefined,
): readonly RecordedKey[] {
  const ids = exchange.keys[wwwroot ?? ""];
  return ids ? [ids.current, ...ids.archived].flatMap((id) => set.keys.get(id) ?? []) : [];
}

/** What is in a recorded body, layer by layer, as far as it opens. */
export interface OpenedBody {
  readonly kind: "plain" | "signed" | "encrypted";
  /** The name on the encrypted envelope. */
  readonly outerSender?: string;
  /** The name on the signed envelope. */
  readonly innerSender?: string;
  /** Which of the receiver's keys opened it: 0 is the current one. */
  readonly openedWith?: number;
  /** Which of the sender's keys verifies it. Absent if none does, or nothing is signed. */
  readonly signedWith?: number;
  /** Whether there is a signed envelope. */
  readonly isSigned: boolean;
  /** The text inside the encryption. */
  readonly plaintext?: Buffer;
  /** The innermost document, if everything around it could be read. */
  readonly document?: Buffer;
  /** Why it does not open. */
  readonly failure?: MnetError;
}

/** Opens a recorded body with the keys of its receiver and of its sender. */
export function openBody(
  side: RecordedSide,
  receiver: readonly RecordedKey[],
  sender: readonly RecordedKey[],
): OpenedBody {
  const body = Buffer.from(side.bodyBase64, "base64");
  return orFailure({ kind: "plain", isSigned: false }, () => {
    const envelope = readEnvelope(body, Infinity);
    switch (envelope.kind) {
      case "plain":
        return { kind: "plain", isSigned: false, document: body };
      case "signed":
        return { kind: "signed", plaintext: body, ...signedLayer(envelope.message, sender) };
      case "encrypted":
        return openEncrypted(envelope.message, receiver, sender);
    }
  });
}

function openEncrypted(
  message: EncryptedMessage,
  receiver: readonly RecordedKey[],
  sender: readonly RecordedKey[],
): OpenedBody {
  const outer = { kind: "encrypted", outerSender: message.sender, isSigned: false } as const;
  return orFailure(outer, () => {
    const pairs = receiver.map(({ pair }) => pair);
    const { content, openedWith, plaintext } = decryptMessage(message, pairs);
    const layer = { ...outer, openedWith: pairs.indexOf(openedWith), plaintext };
    return content.kind === "signed"
      ? { ...layer, ...signedLayer(content.message, sender) }
      : { ...layer, document: content.document };
  });
}

function signedLayer(
  message: SignedMessage,
  sender: readonly RecordedKey[],
): Pick<OpenedBody, "innerSender" | "isSigned" | "signedWith" | "document"> {
  const signedWith = sender.findIndex(({ pair }) => {
    try {
      verifySignature(message, pair.certificate);
      return true;
    } catch {
      return false;
    }
  });
  return {
    innerSender: message.sender,
    isSigned: true,
    document: message.document,
    ...(signedWith >= 0 && { signedWith }),
  };
}

function orFailure(otherwise: OpenedBody, open: () => OpenedBody): OpenedBody {
  try {
    return open();
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    return { ...otherwise, failure: error };
  }
}
