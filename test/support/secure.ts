import type { SecureProfileName } from "../../src/core/profile-name.ts";
import { sealSecure, type SecureSealOptions, type SealedMessage } from "../../src/secure/seal-secure.ts";
import {
  decryptEnvelope,
  encryptEnvelope,
  newSessionKey,
  readSecureEnvelope,
  type SessionKey,
} from "../../src/secure/secure-envelope.ts";
import { SecureMessage, signBound, type Bindings, type Expectations } from "../../src/secure/secure-message.ts";
import { signatureOf } from "../../src/secure/xml-signature.ts";
import { suiteOf } from "../../src/secure/suite.ts";
import { alice, bob, DOCUMENT, mallory, TIMESTAMP } from "./envelopes.ts";
import type { Site } from "./sites.ts";

const SITES: ReadonlyMap<string, Site> = new Map([alice, bob, mallory].map((site) => [site.wwwroot, site]));

/** A message from alice to bob in the secure profile. */
export const sealedSecurely = (
  document: Uint8Array = DOCUMENT,
  options: Partial<SecureSealOptions> = {},
): SealedMessage =>
  sealSecure(document, {
    sender: alice.wwwroot,
    key: alice.key,
    to: bob.wwwroot,
    recipient: bob.certificate,
    timestamp: TIMESTAMP,
    ...options,
  });

/** Opens as bob, who knows alice and mallory, and waits for a request. */
export function openSecurelyAsBob(
  body: Uint8Array,
  { keys = [bob.key], ...expected }: Partial<Expectations> & { readonly keys?: readonly Site["key"][] } = {},
): SecureMessage {
  const decrypted = decryptEnvelope(readSecureEnvelope(body), keys);
  const { certificate } = SITES.get(decrypted.envelope.sender) ?? {};
  return SecureMessage.verify(decrypted, certificate, { self: bob.wwwroot, ...expected });
}

/** The parts of a message, for those who put it together otherwise. */
export interface Parts {
  readonly profile: SecureProfileName;
  readonly sessionKey: SessionKey;
  readonly bindings: Bindings;
  /** The signed envelope. */
  readonly signed: string;
}

/** A signed envelope from alice to bob, with whatever is given in place of what belongs there. */
export function signedSecurely(
  given: Partial<Bindings> = {},
  {
    profile = "secure/1",
    signer = alice,
    document = DOCUMENT,
  }: {
    readonly profile?: SecureProfileName;
    readonly signer?: Site;
    readonly document?: Uint8Array;
  } = {},
): Parts {
  const sessionKey = newSessionKey();
  const bindings: Bindings = {
    sender: alice.wwwroot,
    recipient: bob.wwwroot,
    recipientKey: bob.certificate.fingerprint,
    messageId: sessionKey.messageId,
    timestamp: TIMESTAMP,
    ...given,
  };
  const signed = signBound(document, bindings, signer.key, suiteOf(profile)).toString("latin1");
  return { profile, sessionKey, bindings, signed };
}

/** The same message with a change that its sender has signed. */
export function resigned(
  { signed, profile }: Pick<Parts, "signed" | "profile">,
  change: (message: string) => string,
  signer: Site = alice,
): string {
  const [start = "", end = ""] = signed.split(/<Signature .*<\/Signature>/s);
  const changed = change(start);
  return changed + signatureOf(changed + end, signer.key, suiteOf(profile)) + end;
}

/** Encrypts any text to bob, as from alice unless told. */
export const encryptedSecurely = (
  plaintext: string,
  {
    profile = "secure/1",
    sessionKey = newSessionKey(),
    sender = alice.wwwroot,
    to = bob,
  }: {
    readonly profile?: SecureProfileName;
    readonly sessionKey?: SessionKey;
    readonly sender?: string;
    readonly to?: Site;
  } = {},
): Buffer =>
  encryptEnvelope(Buffer.from(plaintext, "utf8"), {
    suite: suiteOf(profile),
    sender,
    recipient: to.certificate,
    sessionKey,
  });

/** What bob sees when he decrypts a message. */
export const plaintextOf = (body: Uint8Array, site: Site = bob): string =>
  decryptEnvelope(readSecureEnvelope(body), [site.key]).plaintext.toString("latin1");
