import { describe, expect, it } from "vitest";
import { EnvelopeError, MnetError } from "../../src/core/errors.ts";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import { decryptEnvelope, readSecureEnvelope } from "../../src/secure/secure-envelope.ts";
import { SecureMessage } from "../../src/secure/secure-message.ts";
import { alice, bob, DOCUMENT, edit, mallory, TIMESTAMP } from "../support/envelopes.ts";
import { mutationsBeside } from "../support/mutations.ts";
import { xorshift } from "../support/random.ts";
import { encryptedSecurely, signedSecurely } from "../support/secure.ts";

/** The nightly run takes 100,000; a run that failed is repeated with its seed. */
const CASES = Number(process.env["MNET_MUTATIONS"] ?? 6000);
const SEED = Number(process.env["MNET_SEED"] ?? 20_261_122);

const { signed, sessionKey } = signedSecurely();
const sealed = encryptedSecurely(signed, { sessionKey });
const wrapped = readSecureEnvelope(sealed).wrappedKey;
/** Valid but for the sender, and about other things. */
const { signed: foreign } = signedSecurely(
  { sender: mallory.wwwroot },
  { signer: mallory, document: Buffer.from("<methodCall>evil</methodCall>") },
);

/** Bob's key, which unwraps the usual wrapped key from memory: thousands of cases do not change it. */
const quickBob = {
  certificate: bob.certificate,
  unwrapOaep: (bytes: Buffer) => (wrapped.equals(bytes) ? sessionKey.key : bob.key.unwrapOaep(bytes)),
} as unknown as KeyPair;
const certificateOf = (sender: string) => [alice, mallory].find(({ wwwroot }) => wwwroot === sender)?.certificate;

type Outcome = "accepted" | "refused";

/** Throws unless the mutated message is refused as it should be, or says exactly what alice signed. */
function judge(body: Uint8Array, what: string): Outcome {
  let message;
  try {
    const decrypted = decryptEnvelope(readSecureEnvelope(body), [quickBob]);
    message = SecureMessage.verify(decrypted, certificateOf(decrypted.envelope.sender), { self: bob.wwwroot });
  } catch (error) {
    if (MnetError.is(error) && error instanceof EnvelopeError) return "refused";
    throw new Error(`${what}: failed with another error`, { cause: error });
  }
  const isAlices = message.sender === alice.wwwroot && message.replayKey === sessionKey.messageId;
  const isTheSame = DOCUMENT.equals(message.document) && message.timestamp.getTime() === TIMESTAMP.getTime();
  if (!isAlices || !isTheSame) throw new Error(`${what}: accepted ${JSON.stringify(message)}`);
  return "accepted";
}

describe("mutated envelopes of the secure profile", () => {
  it("SEC-097 the message that is mutated opens, and one of mallory is not alice's", () => {
    expect(judge(sealed, "the original")).toBe("accepted");
    expect(judge(encryptedSecurely(signed, { sessionKey }), "the original, encrypted anew")).toBe("accepted");
    expect(judge(encryptedSecurely(foreign, { sessionKey }), "mallory's as alice's")).toBe("refused");
    const own = signedSecurely({ sender: mallory.wwwroot, messageId: sessionKey.messageId }, { signer: mallory });
    expect(() => judge(encryptedSecurely(own.signed, { sessionKey, sender: mallory.wwwroot }), "")).toThrow("accepted");
  });

  it(
    `SEC-097 ${CASES} mutations are refused, or say exactly what was signed (seed ${SEED})`,
    () => {
      const random = xorshift(SEED);
      const mutations = mutationsBeside(Buffer.from(foreign));
      const counts: Record<Outcome, number> = { accepted: 0, refused: 0 };
      for (let n = 0; n < CASES; n++) {
        const isInner = n % 3 !== 0;
        let mutated = isInner ? Buffer.from(signed) : sealed;
        const applied: string[] = [];
        for (let rounds = 1 + random.below(3); rounds > 0; rounds--) {
          const [name, mutate] = random.of(mutations);
          applied.push(name);
          if (mutated.length > 0) mutated = mutate(mutated, random);
        }
        const body = isInner ? encryptedSecurely(mutated.toString("latin1"), { sessionKey }) : mutated;
        counts[judge(body, `case ${n} (${isInner ? "signed" : "encrypted"} layer: ${applied.join(", ")})`)] += 1;
      }
      // White space between elements may change, and mutations that undo each other; nothing else may.
      expect(counts.accepted + counts.refused).toBe(CASES);
      expect(counts.accepted).toBeGreaterThan(0);
      expect(counts.refused).toBeGreaterThan(CASES * 0.9);
    },
    120_000 + CASES * 10,
  );

  it("SEC-017 cut anywhere, it is refused", () => {
    for (let end = 0; end < sealed.length; end++)
      expect(judge(sealed.subarray(0, end), `cut at ${end}`)).toBe("refused");
    for (let end = 0; end < signed.length; end += 3) {
      const body = encryptedSecurely(signed.slice(0, end), { sessionKey });
      expect(judge(body, `signed layer cut at ${end}`)).toBe("refused");
    }
    expect(judge(edit(sealed, "</secureMessage>", "</secureMessage>\n"), "a line feed at the end")).toBe("accepted");
  });
});
