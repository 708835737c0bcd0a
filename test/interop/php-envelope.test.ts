import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { codeOf } from "../support/code-of.ts";
import {
  alice,
  bob,
  cipherValues,
  DOCUMENT,
  edit,
  openAsBob,
  sealedByAlice,
  signedByAlice,
  textOf,
} from "../support/envelopes.ts";
import { PHP_ABSENT, phpIsPresent, runPhp } from "../support/php.ts";

const pemOf = ({ privateKey }: typeof alice): string => privateKey.export({ type: "pkcs8", format: "pem" }).toString();

/** What a Moodle does with a message: its parsers left out, its calls of OpenSSL kept. */
const OPEN = `
function open(array $in): array {
    $data = base64_decode($in['data']);
    $opened = openssl_open($data, $plain, base64_decode($in['wrapped']), openssl_pkey_get_private($in['key']), 'RC4');
    return ['opened' => $opened, 'plain' => base64_encode((string) $plain)];
}`;
interface Opened {
  readonly opened: boolean;
  readonly plain: string;
}
const openInPhp = (body: Buffer, key: string): Opened => {
  const [data, wrapped] = cipherValues(body).map((value) => value.toString("base64"));
  return runPhp(`${OPEN} $out = open($in);`, { data, wrapped, key }) as Opened;
};

const documents: [what: string, document: Buffer][] = [
  ["a call", DOCUMENT],
  ["nothing", Buffer.alloc(0)],
  ["UTF-8", Buffer.from("<string>Łódź 日本語 é 😀</string>")],
  ["any bytes", randomBytes(1000)],
  ["200 KB", Buffer.alloc(200_000, "document ")],
];

describe("envelopes to PHP", () => {
  it.for(documents)("MNET-044 openssl_open opens %s and openssl_verify verifies it", async ([, document], ctx) => {
    if (!phpIsPresent) ctx.skip(PHP_ABSENT);
    const body = await sealedByAlice(document);
    const { opened, plain } = openInPhp(body, pemOf(bob));
    expect(opened).toBe(true);
    const signed = Buffer.from(plain, "base64");
    const result = runPhp(
      `$payload = base64_decode($in['object']);
       $out = [
           'payload' => base64_encode($payload),
           'verified' => openssl_verify($payload, base64_decode($in['signature']), $in['certificate']),
           'other' => openssl_verify($payload . ' ', base64_decode($in['signature']), $in['certificate']),
           'digest' => sha1($payload),
       ];`,
      {
        object: textOf(signed, "object"),
        signature: textOf(signed, "SignatureValue"),
        certificate: alice.certificate.pem,
      },
    );
    expect(result).toEqual({
      payload: document.toString("base64"),
      verified: 1,
      other: 0,
      digest: textOf(signed, "DigestValue"),
    });
  });

  it("MNET-044 openssl_open with another key does not", async (ctx) => {
    if (!phpIsPresent) ctx.skip(PHP_ABSENT);
    const body = await sealedByAlice();
    const { plain } = openInPhp(body, pemOf(alice));
    expect(Buffer.from(plain, "base64").includes("signedMessage")).toBe(false);
  });
});

describe("envelopes from PHP", () => {
  const sealInPhp = (plain: Buffer, certificate: string): Buffer => {
    const sealed = runPhp(
      `openssl_seal(base64_decode($in['plain']), $data, $keys, [openssl_pkey_get_public($in['certificate'])], 'RC4');
       $out = [base64_encode($data), base64_encode(array_pop($keys))];`,
      { plain: plain.toString("base64"), certificate },
    ) as [data: string, wrapped: string];
    const template = mould.toString("latin1").split("MOULD");
    return Buffer.from(
      `${template[0] ?? ""}${sealed[0]}${template[1] ?? ""}${sealed[1]}${template[2] ?? ""}`,
      "latin1",
    );
  };

  it.for(documents)("MNET-044 what openssl_sign signs and openssl_seal seals opens: %s", async ([, document], ctx) => {
    if (!phpIsPresent) ctx.skip(PHP_ABSENT);
    const signature = runPhp(
      `openssl_sign(base64_decode($in['document']), $signature, openssl_pkey_get_private($in['key']));
       $out = base64_encode($signature);`,
      { document: document.toString("base64"), key: pemOf(alice) },
    ) as string;
    const own = signedByAlice(document);
    expect(signature).toBe(textOf(own, "SignatureValue"));
    const { document: opened, sender } = await openAsBob(sealInPhp(own, bob.certificate.pem));
    expect(Buffer.from(opened).equals(document)).toBe(true);
    expect(sender).toBe(alice.wwwroot);
  });

  it("MNET-044 what is sealed for another does not", async (ctx) => {
    if (!phpIsPresent) ctx.skip(PHP_ABSENT);
    const body = sealInPhp(signedByAlice(), alice.certificate.pem);
    expect(await codeOf(() => openAsBob(body))).toBe("MNET_ENVELOPE_DECRYPTION_FAILED");
  });
});

/** An encrypted envelope with holes for the two CipherValues. */
const mould = await (async (): Promise<Buffer> => {
  const body = await sealedByAlice();
  const [data, wrapped] = cipherValues(body).map((value) => value.toString("base64"));
  return edit(edit(body, data!, "MOULD"), wrapped!, "MOULD");
})();
