import { describe, expect, it } from "vitest";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import { decryptMessage } from "../../src/envelope/encrypted-message.ts";
import { open, readEnvelope } from "../../src/envelope/open.ts";
import { verifySignature } from "../../src/envelope/verified-message.ts";
import { codeOf } from "../support/code-of.ts";
import {
  recordedKeyPair,
  recordedMessages,
  recordedPems,
  RECORDINGS,
  type RecordedMessage,
} from "../support/fixtures.ts";

/** Messages that are enveloped and that we refuse; most were made wrong on purpose, and the peer refused them, too. */
const REFUSED: Readonly<Record<string, string>> = {
  "mahara-23.04/fault.7025-unknown-key request": "MNET_ENVELOPE_DECRYPTION_FAILED",
  "mahara-23.04/fault.encrypted-not-xml request": "MNET_ENVELOPE_DECRYPTION_FAILED",
  "mahara-23.04/fault.encrypted-only request": "MNET_ENVELOPE_NOT_SIGNED",
  "mahara-23.04/fault.sha256-signature request": "MNET_ENVELOPE_SIGNATURE_INVALID",
  // The peer accepts what names two senders.
  "mahara-23.04/ok.mixed-wwwroot request": "MNET_ENVELOPE_SENDER_MISMATCH",
  // Faults 7025, signed with a key that is not the sender's current one.
  "mahara-23.04/out.probe-new-key response": "MNET_ENVELOPE_SIGNATURE_INVALID",
  "moodle-3.11/029-rotation-d-rotated-a-calls response": "MNET_ENVELOPE_SIGNATURE_INVALID",
  "moodle-3.11/033-rotation-a-rotated-a-calls-d response": "MNET_ENVELOPE_SIGNATURE_INVALID",
  "moodle-4.5-takeover/002-after-rotation response": "MNET_ENVELOPE_SIGNATURE_INVALID",
  "moodle-4.5/164-rotation-3-b-rotated-b-calls-a response": "MNET_ENVELOPE_SIGNATURE_INVALID",
  "moodle-4.5/170-rotation-5-both-rotated-b-calls-a response": "MNET_ENVELOPE_SIGNATURE_INVALID",
  "moodle-4.5/174-rotation-5-both-rotated-b-calls-a response": "MNET_ENVELOPE_SIGNATURE_INVALID",
  "moodle-4.5/093-fault-7023-undecryptable-foreign-key request": "MNET_ENVELOPE_DECRYPTION_FAILED",
  "moodle-4.5/094-fault-7023-garbled-encrypted-key request": "MNET_ENVELOPE_DECRYPTION_FAILED",
  "moodle-4.5/095-fault-corrupt-ciphertext-key-ok request": "MNET_ENVELOPE_DECRYPTION_FAILED",
  "moodle-4.5/102-quirk-inner-wwwroot-differs request": "MNET_ENVELOPE_SENDER_MISMATCH",
  "moodle-4.5/103-fault-711-encrypted-unsigned request": "MNET_ENVELOPE_NOT_SIGNED",
  "moodle-4.5/103-fault-711-encrypted-unsigned response": "MNET_ENVELOPE_NOT_SIGNED",
  "moodle-4.5/129-fault-encrypted-inner-not-xml request": "MNET_ENVELOPE_DECRYPTION_FAILED",
  "moodle-4.5/149-quirk-sha256-signature-rejected request": "MNET_ENVELOPE_SIGNATURE_INVALID",
  "moodle-4.5/157-trusted-encrypted-unsigned-711 request": "MNET_ENVELOPE_NOT_SIGNED",
  "moodle-4.5/157-trusted-encrypted-unsigned-711 response": "MNET_ENVELOPE_NOT_SIGNED",
  "moodle-4.5/185-rotation-10-a-key-replaced-without-history-b-calls request": "MNET_ENVELOPE_DECRYPTION_FAILED",
};

const all = recordedMessages().filter(({ body }) => body.length > 0);
const encrypted = all.filter(({ body }) => readEnvelope(body).kind === "encrypted");
const accepted = encrypted.filter(({ title }) => REFUSED[title] === undefined);
const options = ({ keys, certificateOf }: RecordedMessage) => ({ keys, certificateOf });
const message = (title: string): RecordedMessage => {
  const found = all.find((candidate) => candidate.title === title);
  if (!found) throw new Error(`There is no ${title}.`);
  return found;
};

describe("recorded messages", () => {
  it("are many, of every kind", () => {
    expect(accepted.length).toBeGreaterThan(300);
    expect(encrypted).toHaveLength(accepted.length + Object.keys(REFUSED).length);
  });

  it.each(accepted)("MNET-035 $title opens and verifies", async (recorded) => {
    const verified = await open(recorded.body, options(recorded));
    expect(recorded.document?.equals(verified.document)).toBe(true);
    expect(verified.sender).toBe(recorded.from?.replace(/\/$/, ""));
    expect(verified.timestamp.getTime() / 1000).toBe(recorded.timestamp);
    expect(verified.signedBy).toBe(recorded.certificateOf(recorded.from ?? "")?.fingerprint);
    expect(verified.remarks).toEqual([]);
  });

  it.each(Object.entries(REFUSED))("MNET-050 SEC-003 %s: %s", async (title, code) => {
    const recorded = message(title);
    expect(await codeOf(() => open(recorded.body, options(recorded)))).toBe(code);
  });

  it("MNET-047 are opened by no key but the receiver's", async () => {
    for (const recorded of accepted.filter((_, n) => n % 10 === 0)) {
      const strangers = strangersKeys(recorded);
      expect(strangers.length).toBeGreaterThan(2);
      expect(await codeOf(() => open(recorded.body, { ...options(recorded), keys: strangers }))).toBe(
        "MNET_ENVELOPE_DECRYPTION_FAILED",
      );
    }
  });

  it("SEC-026 are verified by no certificate but the sender's", async () => {
    for (const recorded of accepted.filter((_, n) => n % 10 === 0)) {
      for (const { certificate } of strangersKeys(recorded)) {
        const code = await codeOf(() =>
          open(recorded.body, { ...options(recorded), certificateOf: () => certificate }),
        );
        expect(code).toBe("MNET_ENVELOPE_SIGNATURE_INVALID");
      }
    }
  });

  it("MNET-048 MNET-109 are opened with the archived key where the sender knew us by it", async () => {
    const late = accepted.filter(({ body, keys: [current] }) => current && !isOpenedBy(current, body));
    expect(late.length).toBeGreaterThan(5);
    for (const recorded of late) {
      const { openedWith } = await open(recorded.body, options(recorded));
      expect(recorded.keys.slice(1).map(({ certificate }) => certificate.fingerprint)).toContain(openedWith);
      expect(await codeOf(() => open(recorded.body, { ...options(recorded), keys: recorded.keys.slice(0, 1) }))).toBe(
        "MNET_ENVELOPE_DECRYPTION_FAILED",
      );
    }
  });

  it.each([
    "moodle-3.11/029-rotation-d-rotated-a-calls response",
    "moodle-3.11/033-rotation-a-rotated-a-calls-d response",
    "moodle-4.5/164-rotation-3-b-rotated-b-calls-a response",
    "moodle-4.5/170-rotation-5-both-rotated-b-calls-a response",
    "moodle-4.5/174-rotation-5-both-rotated-b-calls-a response",
  ])("MNET-080 %s is signed with the key that the sender archived", async (title) => {
    const recorded = message(title);
    const verified = await open(recorded.body, {
      ...options(recorded),
      certificateOf: (sender) => recorded.archivedCertificatesOf(sender)[0],
    });
    expect(Buffer.from(verified.document).toString()).toContain("<int>7025</int>");
    expect(Buffer.from(verified.document).toString()).toContain(recorded.certificateOf(verified.sender)?.pem.trim());
  });

  it.each([
    "moodle-4.5/155-trusted-plaintext-signed request",
    "moodle-4.5/155-trusted-plaintext-signed response",
    "mahara-23.04/system.keyswap-signedonly request",
    "mahara-23.04/system.keyswap-signedonly response",
  ])("%s is signed and not encrypted", async (title) => {
    const { body, certificateOf, keys, document } = message(title);
    expect(await codeOf(() => open(body, { keys, certificateOf }))).toBe("MNET_ENVELOPE_NOT_ENCRYPTED");
    const envelope = readEnvelope(body);
    if (envelope.kind !== "signed") throw new Error(envelope.kind);
    expect(document?.equals(envelope.message.document)).toBe(true);
    const certificate = certificateOf(envelope.message.sender);
    expect(certificate).toBeDefined();
    expect(() => {
      verifySignature(envelope.message, certificate);
    }).not.toThrow();
  });

  it.each(all.filter(({ body }) => readEnvelope(body).kind === "plain"))("$title is no envelope", async (recorded) => {
    expect(await codeOf(() => open(recorded.body, options(recorded)))).toBe("MNET_ENVELOPE_NOT_ENCRYPTED");
  });

  describe("of the odd ones", () => {
    const ofRecording = (recording: string): RecordedMessage[] =>
      accepted.filter((candidate) => candidate.recording === recording);

    it("MNET-032 SEC-011 the Moodle with https:// URIs passes, also where algorithms are strict", async () => {
      const odd = ofRecording("moodle-4.2-https").filter(({ body }) => body.includes("https://www.w3.org/2001/04"));
      expect(odd.length).toBeGreaterThan(5);
      for (const recorded of odd) {
        expect(recorded.body.includes("http://www.w3.org")).toBe(false);
        expect(recorded.signedXml).toContain("https://www.w3.org/2000/09/xmldsig#rsa-sha1");
        expect(await codeOf(() => open(recorded.body, { ...options(recorded), strictAlgorithms: true }))).toBe(
          "accepted",
        );
      }
    });

    it("MNET-033 Mahara's X1 is ignored", async () => {
      const odd = ofRecording("mahara-23.04").filter(({ body }) => body.includes("<X1>nothing</X1>"));
      expect(odd.length).toBeGreaterThan(20);
      for (const recorded of odd) {
        expect(await codeOf(() => open(recorded.body, { ...options(recorded), strictAlgorithms: true }))).toBe(
          "accepted",
        );
      }
    });

    it("MNET-033 CRLF and no line breaks between elements", async () => {
      expect(accepted.some(({ body }) => body.includes(">\r\n"))).toBe(true);
      const compact = message("moodle-4.5/128-quirk-compact-envelope request");
      expect(compact.body.includes("\n")).toBe(false);
      expect(await codeOf(() => open(compact.body, options(compact)))).toBe("accepted");
    });
  });
});

/** Some keys that are neither the receiver's nor the sender's. */
function strangersKeys({ keys, from, certificateOf, archivedCertificatesOf }: RecordedMessage): KeyPair[] {
  const senders = from === undefined ? [] : [certificateOf(from), ...archivedCertificatesOf(from)];
  const involved = new Set([...keys.map(({ certificate }) => certificate), ...senders].map((own) => own?.fingerprint));
  return RECORDINGS.flatMap((recording) =>
    Object.keys(recordedPems(recording)).flatMap((id) => recordedKeyPair(recording, id) ?? []),
  )
    .filter(({ certificate }) => !involved.has(certificate.fingerprint))
    .slice(0, 4);
}

function isOpenedBy(key: KeyPair, body: Buffer): boolean {
  const envelope = readEnvelope(body);
  if (envelope.kind !== "encrypted") return false;
  try {
    decryptMessage(envelope.message, [key]);
    return true;
  } catch {
    return false;
  }
}
