import { readdirSync, readFileSync } from "node:fs";
import type { Certificate } from "../../src/crypto/certificate.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";

/** The folders of fixtures/, each with keys of its own. */
export const RECORDINGS = [
  "moodle-4.5",
  "moodle-4.5-register",
  "moodle-4.5-takeover",
  "moodle-4.2-https",
  "moodle-3.11",
  "mahara-23.04",
] as const;
export type Recording = (typeof RECORDINGS)[number];

/** One half of an exchange, as it was recorded. */
interface RecordedHalf {
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBase64: string | null;
  readonly signedXml: string | null;
  readonly xmlrpcBase64: string | null;
  readonly timestamp: number | null;
}
interface RecordedExchange {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly faultCode: number | null;
  readonly request: RecordedHalf;
  readonly response: RecordedHalf;
  readonly keys: Readonly<Record<string, { readonly current: string; readonly archived: readonly string[] }>>;
}

/** One message of a real site, with what is needed to open it. */
export interface RecordedMessage {
  /** Such as `moodle-4.5/063-refresh_log request`. */
  readonly title: string;
  readonly recording: Recording;
  readonly direction: "request" | "response";
  readonly body: Buffer;
  /** The signed envelope inside. */
  readonly signedXml: string | undefined;
  /** The XML-RPC document inside that. */
  readonly document: Buffer | undefined;
  readonly timestamp: number | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** The receiver's: the current one, then archived ones. */
  readonly keys: readonly KeyPair[];
  /** The current certificate of a site at that moment. */
  readonly certificateOf: (wwwroot: string) => Certificate | undefined;
  /** Certificates that the site had before, newest first. */
  readonly archivedCertificatesOf: (wwwroot: string) => readonly Certificate[];
}

interface PemPair {
  readonly wwwroot: string;
  readonly certificate: string;
  readonly privateKey: string;
}

const folder = (recording: Recording): URL => new URL(`../../fixtures/${recording}/`, import.meta.url);
const readJson = (url: URL): unknown => JSON.parse(readFileSync(url, "utf8"));

const pems = new Map<Recording, Readonly<Record<string, PemPair>>>();

/** Every key pair of a recording, by the first 16 digits of its fingerprint. */
export function recordedPems(recording: Recording): Readonly<Record<string, PemPair>> {
  let found = pems.get(recording);
  if (!found) {
    found = readJson(new URL("keys.json", folder(recording))) as Record<string, PemPair>;
    pems.set(recording, found);
  }
  return found;
}

const pairs = new Map<string, KeyPair>();

/** A recorded site's key pair. */
export function recordedKeyPair(recording: Recording, id: string): KeyPair | undefined {
  const pem = recordedPems(recording)[id];
  if (!pem) return undefined;
  let pair = pairs.get(pem.certificate);
  if (!pair) {
    pair = KeyPair.parse(pem);
    pairs.set(pem.certificate, pair);
  }
  return pair;
}

/** Names of a recording's exchanges. */
export const exchangeNames = (recording: Recording): string[] =>
  readdirSync(folder(recording))
    .filter((name) => name.endsWith(".json") && name !== "keys.json")
    .map((name) => name.slice(0, -".json".length))
    .sort();

/** One message, such as `recordedMessage("moodle-4.5", "063-refresh_log", "request")`. */
export function recordedMessage(
  recording: Recording,
  name: string,
  direction: "request" | "response",
): RecordedMessage {
  const exchange = readJson(new URL(`${name}.json`, folder(recording))) as RecordedExchange;
  const half = exchange[direction];
  const [from, to] = direction === "request" ? [exchange.from, exchange.to] : [exchange.to, exchange.from];
  const ring = to === null ? undefined : exchange.keys[to];
  return {
    title: `${recording}/${name} ${direction}`,
    recording,
    direction,
    body: Buffer.from(half.bodyBase64 ?? "", "base64"),
    signedXml: half.signedXml ?? undefined,
    document: half.xmlrpcBase64 === null ? undefined : Buffer.from(half.xmlrpcBase64, "base64"),
    timestamp: half.timestamp ?? undefined,
    from: from ?? undefined,
    to: to ?? undefined,
    keys: (ring ? [ring.current, ...ring.archived] : []).flatMap((id) => recordedKeyPair(recording, id) ?? []),
    certificateOf: (wwwroot) => recordedKeyPair(recording, exchange.keys[wwwroot]?.current ?? "")?.certificate,
    archivedCertificatesOf: (wwwroot) =>
      (exchange.keys[wwwroot]?.archived ?? []).flatMap((id) => recordedKeyPair(recording, id)?.certificate ?? []),
  };
}

/** Every message of the recordings: requests and responses, enveloped or not. */
export const recordedMessages = (recordings: readonly Recording[] = RECORDINGS): RecordedMessage[] =>
  recordings.flatMap((recording) =>
    exchangeNames(recording).flatMap((name) => [
      recordedMessage(recording, name, "request"),
      recordedMessage(recording, name, "response"),
    ]),
  );
