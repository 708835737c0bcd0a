import type { Certificate } from "../../src/crypto/certificate.ts";
import { encryptMessage } from "../../src/envelope/encrypted-message.ts";
import { open, type OpenOptions } from "../../src/envelope/open.ts";
import { seal } from "../../src/envelope/seal.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import type { VerifiedMessage } from "../../src/envelope/verified-message.ts";
import { makeSite } from "./sites.ts";

/** The sender and the receiver of made-up messages. */
export const alice = makeSite("https://alice.example");
export const bob = makeSite("https://bob.example/moodle");
/** Has a key, too, and no business here. */
export const mallory = makeSite("https://mallory.example");

export const DOCUMENT = Buffer.from(
  `<?xml version="1.0" encoding="utf-8" ?>
<methodCall>
<methodName>system/listServices</methodName>
<params>
</params>
</methodCall>`,
);
export const TIMESTAMP = new Date("2026-11-21T12:00:00Z");

/** A signed envelope from alice. */
export const signedByAlice = (document: Uint8Array = DOCUMENT): Buffer =>
  signMessage(document, { sender: alice.wwwroot, key: alice.key, timestamp: TIMESTAMP });

/** Encrypts any bytes to bob, as from alice unless told. */
export const encryptedToBob = (plaintext: Uint8Array | string, sender = alice.wwwroot): Buffer =>
  encryptMessage(Buffer.from(plaintext), { sender, recipient: bob.certificate });

/** A message from alice to bob. */
export const sealedByAlice = async (document: Uint8Array = DOCUMENT): Promise<Buffer> =>
  Buffer.from(
    await seal(document, { sender: alice.wwwroot, key: alice.key, recipient: bob.certificate, timestamp: TIMESTAMP }),
  );

const pinned = new Map<string, Certificate>([alice, mallory].map(({ wwwroot, certificate }) => [wwwroot, certificate]));

/** Opens as bob, who knows alice and mallory. */
export const openAsBob = (body: Uint8Array, options: Partial<OpenOptions> = {}): Promise<VerifiedMessage> =>
  open(body, { keys: [bob.key], certificateOf: (sender) => pinned.get(sender), ...options });

/** Replaces the one occurrence of `search`. Throws if there is none or more: the test would test nothing. */
export function edit(xml: Uint8Array | string, search: string | RegExp, replacement: string): Buffer {
  const text = typeof xml === "string" ? xml : Buffer.from(xml).toString("latin1");
  const parts = text.split(search);
  if (parts.length !== 2) throw new Error(`${String(search)} occurs ${parts.length - 1} times.`);
  return Buffer.from(parts.join(replacement), "latin1");
}

/** The text of the only element with that start tag. */
export function textOf(xml: Uint8Array | string, element: string): string {
  const text = typeof xml === "string" ? xml : Buffer.from(xml).toString("latin1");
  const found = [...text.matchAll(new RegExp(`<${element}(?: [^>]*)?>([^<]*)</${element}>`, "g"))];
  if (found.length !== 1) throw new Error(`${element} occurs ${found.length} times.`);
  return found[0]?.[1] ?? "";
}

/** The two CipherValues: the data and the wrapped key. */
export function cipherValues(xml: Uint8Array): [data: Buffer, wrappedKey: Buffer] {
  const found = [
    ...Buffer.from(xml)
      .toString("latin1")
      .matchAll(/<CipherValue>([^<]*)<\/CipherValue>/g),
  ];
  if (found.length !== 2) throw new Error(`CipherValue occurs ${found.length} times.`);
  return [Buffer.from(found[0]?.[1] ?? "", "base64"), Buffer.from(found[1]?.[1] ?? "", "base64")];
}
