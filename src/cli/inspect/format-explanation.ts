import type { Colors } from "../cli-io.ts";
import { printable, printableLines } from "../printable.ts";
import type { CarriedCertificate, Check, Explanation, KeyDescription } from "./explanation.ts";

/** An explanation for a person. Everything that comes from the message is made safe for a terminal. */
export function formatExplanation(explanation: Explanation, colors: Colors): string {
  const { encrypted, signed, document, checks, bytes } = explanation;
  const lines = [verdictOf(explanation, colors), ""];
  const section = (title: string, remark: string, rows: readonly Row[]): void => {
    lines.push(`${colors.bold(title)}${remark && `  ${colors.dim(remark)}`}`, ...rows.flatMap(formatRow), "");
  };

  if (encrypted) {
    const { cipher, keyTransport } = encrypted.algorithms;
    section("Encrypted envelope", `${bytes} bytes; nobody vouches for what it says`, [
      ["sender", encrypted.sender],
      ["encrypted", `${encrypted.ciphertextBytes} bytes, its key wrapped in ${encrypted.wrappedKeyBytes} bytes`],
      ["declared", `${shortUri(cipher)}, ${shortUri(keyTransport)}`],
      ["opened with", encrypted.openedWith ? keyText(encrypted.openedWith) : "no key that was given"],
    ]);
  }
  if (signed) {
    const { signature, digest } = signed.algorithms;
    section("Signed envelope", "the signature is about the document only", [
      ["sender", signed.sender],
      ["timestamp", signed.timestamp + (signed.ageSeconds === undefined ? "" : `, ${ageText(signed.ageSeconds)}`)],
      ["digest", DIGESTS[signed.digest]],
      ["declared", `${shortUri(signature)}, digest ${shortUri(digest)}`],
      ["signature", `${signed.signatureBytes} bytes`],
      ["made with", signed.verifiedWith ? keyText(signed.verifiedWith) : "no key of the sender that was given"],
    ]);
  }
  if (document) {
    const { method, params, faultCode, faultMeaning, certificate, dialect, payload } = document;
    section("XML-RPC document", document.verified ? "verified" : "not verified: anybody may have written it", [
      ["kind", `${document.kind}, ${document.bytes} bytes`],
      ...rowIf("method", method),
      ...rowIf("parameters", params),
      ...rowIf("fault", faultCode === undefined ? undefined : `${faultCode}${faultMeaning ? `: ${faultMeaning}` : ""}`),
      ["dialect", dialect === null ? "the document does not tell" : DIALECTS[dialect]],
      ...(certificate ? certificateRows(certificate) : []),
    ]);
    if (payload !== undefined) lines.push(colors.bold("Payload"), printableLines(payload), "");
  }

  lines.push(colors.bold("Checks"), ...checks.flatMap((check) => formatCheck(check, colors)));
  return `${lines.join("\n")}\n`;
}

type Row = readonly [label: string, value: string];

const LABEL_WIDTH = 13;
const formatRow = ([label, value]: Row): string => `  ${label.padEnd(LABEL_WIDTH)}${printable(value, 400)}`;

const rowIf = (label: string, value: string | number | undefined): readonly Row[] =>
  value === undefined ? [] : [[label, String(value)]];

function verdictOf({ ok, verified, kind, checks }: Explanation, colors: Colors): string {
  if (ok) return colors.green("✓ Genuine: opened, and signed by its sender.");
  const failed = checks.find(({ outcome }) => outcome === "failed");
  if (failed) {
    const verdict = verified ? "Genuine, but a host would refuse it" : "Not verified";
    return colors.red(`✗ ${verdict}: ${printable(failed.detail, 400)}`);
  }
  return colors.yellow(`! Not verified: a message in clear (${kind}).`);
}

const MARKS = { passed: "✓", failed: "✗", warning: "!", skipped: "–" } as const;

function formatCheck({ name, outcome, code, detail, hint }: Check, colors: Colors): string[] {
  const paint = { passed: colors.green, failed: colors.red, warning: colors.yellow, skipped: colors.dim }[outcome];
  const lines = [`  ${paint(MARKS[outcome])} ${name.padEnd(LABEL_WIDTH - 2)}${printable(detail, 600)}`];
  const indent = " ".repeat(LABEL_WIDTH + 2);
  if (code !== undefined) lines.push(`${indent}${colors.dim(`a host says ${code}`)}`);
  if (hint !== undefined) lines.push(`${indent}hint: ${printable(hint, 600)}`);
  return lines;
}

const DIGESTS = { matches: "matches the document", differs: "does not match the document", absent: "none" } as const;
const DIALECTS = { epi: "epi (Moodle to 4.0, Mahara)", pxr: "pxr (Moodle from 4.1, and this library)" } as const;

const keyText = ({ fingerprint, modulusBits, origin }: KeyDescription): string =>
  `${fingerprint} (${modulusBits} bits, ${origin})`;

function certificateRows({ fingerprint, modulusBits, wwwroot, belongs, notAfter }: CarriedCertificate): readonly Row[] {
  const owner = wwwroot === undefined ? "" : belongs ? `, belongs to ${wwwroot}` : `, does NOT belong to ${wwwroot}`;
  return [
    ["certificate", `${fingerprint} (${modulusBits} bits, until ${notAfter.slice(0, 10)})`],
    ...(owner === "" ? [] : [["", owner.slice(2)] as const]),
  ];
}

const ageText = (seconds: number): string =>
  seconds >= 0 ? `${seconds} s before the moment of comparison` : `${-seconds} s after the moment of comparison`;

/** What follows the `#`; the rest is the same in all of them. */
const shortUri = (uri: string | null): string => uri?.slice(uri.lastIndexOf("#") + 1).slice(0, 80) ?? "nothing";
