import { describe, expect, it } from "vitest";
import { EnvelopeError, MnetError } from "../../src/core/errors.ts";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import type { Work } from "../../src/crypto/work.ts";
import { rc4 } from "../../src/crypto/rc4.ts";
import { open } from "../../src/envelope/open.ts";
import { signMessage } from "../../src/envelope/signed-message.ts";
import {
  alice,
  bob,
  cipherValues,
  DOCUMENT,
  edit,
  mallory,
  sealedByAlice,
  signedByAlice,
  TIMESTAMP,
} from "../support/envelopes.ts";
import { mutationsBeside } from "../support/mutations.ts";
import { xorshift, type Random } from "../support/random.ts";

/** The nightly run takes 100,000; a run that failed is repeated with its seed. */
const CASES = Number(process.env["MNET_MUTATIONS"] ?? 20_000);
const SEED = Number(process.env["MNET_SEED"] ?? 20_261_121);
/** Of so many cases one has its wrapped key changed, too, and costs a private operation. */
const WRAPPED_KEY_RATE = 20;

const signed = signedByAlice();
const sealed = await sealedByAlice();
const SESSION_KEY = bob.key.unwrapSessionKey(cipherValues(sealed)[1]);
const [DATA, WRAPPED] = cipherValues(sealed).map((value) => value.toString("base64")) as [string, string];
/** What mallory signed is material for wrapping: it is valid, and not alice's. */
const foreign = signMessage(Buffer.from("<methodCall>evil</methodCall>"), {
  sender: mallory.wwwroot,
  key: mallory.key,
  timestamp: TIMESTAMP,
});

const OBJECT = /<object [^>]*>[^<]*<\/object>/;
const SIGNATURE = /<Signature .*<\/Signature>/s;
const part = (xml: Buffer, pattern: RegExp): string => pattern.exec(xml.toString("latin1"))?.[0] ?? "";
const evil = part(foreign, OBJECT);
const good = part(signed, OBJECT);
const signature = part(signed, SIGNATURE);

/**
 * Signature wrapping after Somorovsky and others, "On Breaking SAML" (XSW 1 to 8), as far as this envelope has the
 * places: the signed object stays somewhere, an evil one stands where a careless receiver looks.
 */
const wrappings: readonly Buffer[] = [
  // 1, 2: an evil message around the signature, with the original inside or beside.
  edit(edit(signed, good, evil), "</Signature>", `<Object>${good}</Object></Signature>`),
  edit(edit(signed, good, evil), "</Signature>", `</Signature><Object>${good}</Object>`),
  // 3, 4: an evil object before, or around, the original.
  edit(signed, good, evil + good),
  edit(signed, good, evil.replace("</object>", `${good}</object>`)),
  // 5, 6: the original in the signature, or in KeyInfo.
  edit(edit(signed, good, evil), "<KeyInfo>", `<KeyInfo>${good}`),
  edit(edit(signed, good, evil), "<SignedInfo>", `<SignedInfo>${good}`),
  // 7, 8: in an extension element, before and after.
  edit(signed, good, `<Extensions>${evil}</Extensions>${good}`),
  edit(edit(signed, good, evil), "</signedMessage>", `<Extensions>${good}</Extensions></signedMessage>`),
  // And what this envelope makes possible besides: two envelopes in one, two signatures, joined fields.
  edit(signed, "</signedMessage>", `<signedMessage>${evil}${signature}</signedMessage></signedMessage>`),
  edit(signed, signature, part(foreign, SIGNATURE) + signature),
  edit(signed, signature, signature + part(foreign, SIGNATURE)),
  edit(signed, good, `<OBJECT>${/>(.*)</.exec(evil)?.[1] ?? ""}</OBJECT>${good}`),
  edit(signed, "<wwwroot>", "<wwwroot>https://mallory.example</wwwroot><wwwroot>"),
  edit(signed, "</wwwroot>", "</wwwroot><wwwroot>.evil</wwwroot>"),
];

/** Bob's key, which unwraps the usual wrapped key from memory: thousands of cases do not change it. */
const quickBob = {
  certificate: bob.certificate,
  fits: (wrapped: Uint8Array) => bob.key.fits(wrapped),
  *unwrapping(wrapped: Uint8Array): Work<Buffer> {
    return Buffer.from(wrapped).toString("base64") === WRAPPED ? SESSION_KEY : yield* bob.key.unwrapping(wrapped);
  },
} as unknown as KeyPair;
const certificateOf = (sender: string) =>
  sender === alice.wwwroot ? alice.certificate : sender === mallory.wwwroot ? mallory.certificate : undefined;

/** The message with another signed layer under the same session key. */
const [BEFORE = "", BETWEEN = ""] = sealed.toString("latin1").split(DATA);
const reencrypted = (inner: Buffer): Buffer =>
  Buffer.from(BEFORE + rc4(SESSION_KEY, inner).toString("base64") + BETWEEN, "latin1");

type Outcome = "accepted" | "refused";

/** Throws unless the mutated message is refused as it should be, or says exactly what alice signed. */
async function judge(body: Buffer, what: string): Promise<Outcome> {
  let verified;
  try {
    verified = await open(body, { keys: [quickBob], certificateOf });
  } catch (error) {
    if (MnetError.is(error) && error instanceof EnvelopeError) return "refused";
    throw new Error(`${what}: failed with another error`, { cause: error });
  }
  if (verified.sender !== alice.wwwroot || !DOCUMENT.equals(verified.document)) {
    throw new Error(`${what}: accepted ${verified.sender} ${Buffer.from(verified.document).toString("base64")}`);
  }
  return "accepted";
}

describe("mutated envelopes", () => {
  it("SEC-097 the message that is mutated opens, and an evil one of mallory is mallory's", async () => {
    expect(await judge(sealed, "the original")).toBe("accepted");
    expect(await judge(reencrypted(signed), "the original, encrypted anew")).toBe("accepted");
    await expect(judge(edit(reencrypted(foreign), alice.wwwroot, mallory.wwwroot), "mallory's")).rejects.toThrow(
      "accepted",
    );
  });

  it("SEC-097 signature wrapping: the original in all kinds of places", async () => {
    for (const [n, wrapping] of wrappings.entries()) {
      expect(await judge(reencrypted(wrapping), `wrapping ${n}`), `wrapping ${n}`).toBe("refused");
    }
  });

  it(
    `SEC-097 ${CASES} mutations are refused, or say exactly what was signed (seed ${SEED})`,
    async () => {
      const random = xorshift(SEED);
      const inner = mutationsBeside(foreign);
      const counts: Record<Outcome, number> = { accepted: 0, refused: 0 };
      for (let n = 0; n < CASES; n++) {
        const isInner = n % 2 === 0;
        const base = isInner ? (random.below(4) === 0 ? random.of(wrappings) : signed) : sealed;
        let mutated = base;
        const applied: string[] = [];
        for (let rounds = 1 + random.below(3); rounds > 0; rounds--) {
          const [name, mutate] = random.of(inner);
          applied.push(name);
          if (mutated.length > 0) mutated = mutate(mutated, random);
        }
        let body = isInner ? reencrypted(mutated) : mutated;
        if (n % WRAPPED_KEY_RATE === 1) body = withMutatedKey(body, random);
        counts[await judge(body, `case ${n} (${isInner ? "signed" : "encrypted"} layer: ${applied.join(", ")})`)] += 1;
      }
      // White space, unread elements and the like may change; nearly everything else may not.
      expect(counts.accepted + counts.refused).toBe(CASES);
      expect(counts.accepted).toBeGreaterThan(CASES * 0.01);
      expect(counts.refused).toBeGreaterThan(CASES * 0.5);
    },
    120_000 + CASES * 5,
  );
});

/** Changes the wrapped key, if it is still there, to another of the right length. */
function withMutatedKey(body: Buffer, random: Random): Buffer {
  const text = body.toString("latin1");
  if (!text.includes(WRAPPED)) return body;
  const wrapped = Buffer.from(WRAPPED, "base64");
  const at = random.below(wrapped.length);
  wrapped.writeUInt8(wrapped.readUInt8(at) ^ (1 << random.below(8)), at);
  return Buffer.from(text.replace(WRAPPED, wrapped.toString("base64")), "latin1");
}
