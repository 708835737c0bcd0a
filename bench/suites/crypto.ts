import { createDecipheriv, randomBytes } from "node:crypto";
import cryptoJs from "crypto-js";
import forge from "node-forge";
import { Certificate } from "../../src/crypto/certificate.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { rc4 } from "../../src/crypto/rc4.ts";
import { isSignedSha1, wrapKey } from "../../src/crypto/rsa.ts";
import { interleave, timeOf } from "../support/interleave.ts";
import { CALLER, echoCalls, makeKey } from "../support/sites.ts";
import { ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";

const MB = 1024 * 1024;

/** What a call needs of cryptography, beside those who have it in JavaScript. */
export const crypto: Suite = {
  name: "crypto",
  title: "Cryptography of a call, RC4, certificates",
  async run(bench) {
    const pem = await makeKey(CALLER);
    const key = KeyPair.parse(pem);
    const { publicKey } = key.certificate;
    const [document = new Uint8Array()] = echoCalls(1024, 1);
    const signature = key.sign(document);
    const sessionKey = randomBytes(16);
    const wrapped = wrapKey(publicKey, sessionKey);
    const ciphertext = rc4(sessionKey, document);
    const ours = (): void => {
      rc4(key.unwrapSessionKey(wrapped), ciphertext);
      if (!isSignedSha1(publicKey, document, signature)) throw new Error("Our own signature is not right.");
      key.sign(document);
      wrapKey(publicKey, randomBytes(16));
      rc4(sessionKey, document);
    };

    const theirs = forge.pki.privateKeyFromPem(pem.privateKey);
    const theirPublic = forge.pki.setRsaPublicKey(theirs.n, theirs.e);
    const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
    const sha1 = (): forge.md.MessageDigest => forge.md.sha1.create().update(binary(document));
    const [wrappedText, signatureText] = [binary(wrapped), binary(signature)];
    // It has no RC4; ours stands in for it.
    const forges = (): void => {
      rc4(Buffer.from(theirs.decrypt(wrappedText, "RSAES-PKCS1-V1_5"), "latin1"), ciphertext);
      if (!theirPublic.verify(sha1().digest().bytes(), signatureText)) throw new Error("node-forge does not agree.");
      theirs.sign(sha1());
      theirPublic.encrypt(binary(randomBytes(16)), "RSAES-PKCS1-V1_5");
      rc4(sessionKey, document);
    };
    const call = await interleave(
      { ours: () => timeOf(30, ours), forge: () => timeOf(1, forges) },
      { rounds: bench.either(20, 6), warmUp: 2 },
    );
    bench.add(
      "crypto.call",
      "Verify, decrypt, sign and encrypt 1 KB: node-forge / ours",
      ratios(call.forge, call.ours),
      {
        unit: "×",
        bound: { atLeast: 50 },
      },
    );
    bench.add("crypto.call-ms", "Verify, decrypt, sign and encrypt 1 KB", call.ours, { unit: "ms" });

    const data = randomBytes(MB);
    const copy = Buffer.allocUnsafe(MB);
    const [dataWords, keyWords] = [cryptoJs.lib.WordArray.create(data), cryptoJs.lib.WordArray.create(sessionKey)];
    const ciphers = await interleave(
      {
        rc4: () => timeOf(2, () => rc4(sessionKey, data)),
        cryptoJs: () => timeOf(1, () => cryptoJs.RC4.encrypt(dataWords, keyWords)),
        aes: () => timeOf(20, () => createDecipheriv("aes-128-ctr", sessionKey, data.subarray(0, 16)).update(data)),
        copy: () => timeOf(20, () => data.copy(copy)),
      },
      { rounds: bench.either(20, 7), warmUp: bench.either(5, 3) },
    );
    bench.add("crypto.rc4-crypto-js", "RC4 of 1 MB: crypto-js / ours", ratios(ciphers.cryptoJs, ciphers.rc4), {
      unit: "×",
    });
    for (const [id, title] of [
      ["rc4", "RC4, ours"],
      ["aes", "AES-128-CTR of OpenSSL"],
      ["copy", "Copying"],
    ] as const) {
      bench.add(
        `crypto.${id}-rate`,
        title,
        ciphers[id].map((ms) => 1000 / ms),
        { unit: "MB/s" },
      );
    }

    const certificates = await interleave(
      {
        parsed: () => timeOf(20, () => isSignedSha1(Certificate.parse(pem.certificate).publicKey, document, signature)),
        cached: () => timeOf(100, () => isSignedSha1(publicKey, document, signature)),
      },
      { rounds: bench.either(20, 7), warmUp: 3 },
    );
    bench.add(
      "crypto.certificate-parse",
      "Verify with a certificate read for each call / with a cached one",
      ratios(certificates.parsed, certificates.cached),
      { unit: "×" },
    );
    bench.add("crypto.verify-ms", "Verify with a cached certificate", certificates.cached, { unit: "ms" });
    bench.add("crypto.certificate-ms", "Read a certificate and verify with it", certificates.parsed, { unit: "ms" });
  },
};
