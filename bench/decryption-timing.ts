/**
 * SEC-004: does the time that decryption takes tell a bad padding from a wrong session key?
 *
 * Run it on a machine that does nothing else, with `node bench/decryption-timing.ts [pairs]` (Node 22.18 or later) or
 * `npm run bench:decryption-timing`. It takes about a minute, and exits with 1 if a difference was measured.
 *
 * Each comparison takes 10,000 pairs of messages, one of each class, in random order within the pair. The sign test asks
 * in how many pairs the first class took longer: half of them if the classes cannot be told apart. JavaScript cannot
 * promise constant time; this shows what an attacker on the same machine could see, which is more than one on the
 * network can.
 */
import { constants, generateKeyPairSync, publicEncrypt, randomBytes, randomInt, type KeyObject } from "node:crypto";
import { KeyPair } from "../src/crypto/key-pair.ts";
import { decryptMessage, type EncryptedMessage } from "../src/envelope/encrypted-message.ts";
import { selfSignedCertificate } from "../src/keys/self-signed-certificate.ts";

const PAIRS = Number(process.argv[2] ?? 10_000);
const WARM_UP = 1000;
/** Distinct messages of each class. */
const MESSAGES = 500;
const CIPHERTEXT = randomBytes(3000);
const BLOCK = 256;
/** A z-score that chance gives once in a thousand runs. */
const SIGNIFICANT = 3.29;
/** A difference of medians below it is of no use to anybody. */
const TOLERANCE = 0.01;

function makeKey(): { pair: KeyPair; publicKey: KeyObject } {
  const keys = generateKeyPairSync("rsa", { modulusLength: BLOCK * 8 });
  const certificate = selfSignedCertificate(keys, {
    wwwroot: "https://bench.example",
    name: "Bench",
    notBefore: new Date(),
    notAfter: new Date(Date.now() + 86_400_000),
  });
  const privateKey = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { pair: KeyPair.parse({ certificate, privateKey }), publicKey: keys.publicKey };
}
const ours = makeKey();
const others = makeKey();

const nonZero = (length: number): Buffer => Buffer.from(Array.from({ length }, () => randomInt(1, 256)));
const raw = (block: Buffer): Buffer => publicEncrypt({ key: ours.publicKey, padding: constants.RSA_NO_PADDING }, block);
const padded = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0, 2]), nonZero(BLOCK - 3 - message.length), Buffer.from([0]), message]);

/** What an attacker may send; makes a wrapped key. */
interface MessageClass {
  readonly name: string;
  readonly wrap: () => Buffer;
}
const WRONG_KEY: MessageClass = {
  name: "right padding, wrong session key",
  wrap: () => raw(padded(randomBytes(16))),
};
const CLASSES: readonly MessageClass[] = [
  { name: "right padding, 32 bytes", wrap: () => raw(padded(randomBytes(32))) },
  { name: "bad padding: wrong second byte", wrap: () => raw(padded(randomBytes(16)).fill(1, 1, 2)) },
  {
    name: "bad padding: no zero",
    wrap: () => raw(Buffer.concat([Buffer.from([0, 2]), nonZero(BLOCK - 2)])),
  },
  { name: "bad padding: zero too early", wrap: () => raw(padded(randomBytes(16)).fill(0, 5, 6)) },
  {
    name: "wrapped for another key",
    wrap: () => {
      for (;;) {
        const wrapped = publicEncrypt({ key: others.publicKey, padding: constants.RSA_PKCS1_PADDING }, randomBytes(16));
        if (ours.pair.fits(wrapped)) return wrapped;
      }
    },
  },
];

const messageOf = ({ wrap }: MessageClass): EncryptedMessage => ({
  sender: "https://peer.example",
  ciphertext: CIPHERTEXT,
  wrappedKey: wrap(),
  remarks: [],
  hasUnknownAlgorithm: false,
});

function timeOf(message: EncryptedMessage): number {
  const started = process.hrtime.bigint();
  try {
    decryptMessage(message, [ours.pair]);
  } catch {
    return Number(process.hrtime.bigint() - started);
  }
  throw new Error("A message opened that should not have.");
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b).at(numbers.length >> 1) ?? Number.NaN;
}

/** Whether there is a difference. */
function compare(first: MessageClass, second: MessageClass): boolean {
  const messages = Array.from({ length: MESSAGES }, () => [messageOf(first), messageOf(second)] as const);
  const times: [number[], number[]] = [[], []];
  let longer = 0;
  for (let n = -WARM_UP; n < PAIRS;) {
    for (const [one, two] of messages.slice(0, PAIRS - n)) {
      const isFirst = randomInt(2) === 0;
      const before = timeOf(isFirst ? one : two);
      const after = timeOf(isFirst ? two : one);
      if (n++ < 0) continue;
      const [timeOne, timeTwo] = isFirst ? [before, after] : [after, before];
      times[0].push(timeOne);
      times[1].push(timeTwo);
      if (timeOne > timeTwo) longer += 1;
    }
  }
  const [medianOne, medianTwo] = [median(times[0]), median(times[1])];
  const ratio = medianOne / medianTwo;
  const z = (longer - PAIRS / 2) / Math.sqrt(PAIRS / 4);
  const isDifferent = Math.abs(z) > SIGNIFICANT && Math.abs(ratio - 1) > TOLERANCE;
  console.log(
    [
      `SEC-004 ${first.name} against ${second.name}:`,
      `  medians ${(medianOne / 1000).toFixed(1)} µs and ${(medianTwo / 1000).toFixed(1)} µs, ratio ${ratio.toFixed(4)}`,
      `  sign test: ${longer} of ${PAIRS} longer, z = ${z.toFixed(2)}`,
      `  ${isDifferent ? "DIFFERENT" : "no measurable difference"}`,
    ].join("\n"),
  );
  return isDifferent;
}

const results = CLASSES.map((messageClass) => compare(messageClass, WRONG_KEY));
const verdict = results.some(Boolean) ? "FAILED: the classes can be told apart" : "passed";
console.log(`SEC-004 ${verdict}`);
process.exitCode = results.some(Boolean) ? 1 : 0;
