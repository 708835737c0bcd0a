import type { OpenedBody } from "./opened-body.ts";
import type { RecordedOutcome } from "./recorded-outcome.ts";
import type { Outcome } from "./replay-request.ts";
import type { Strictness } from "./strictness.ts";

/** What is known of an exchange when a difference has to be judged. Nothing in it is a file's name. */
export interface Difference {
  readonly recorded: RecordedOutcome;
  readonly ours: Outcome;
  readonly request: OpenedBody;
  /** Whether the recorded receiver knew the name on the encrypted envelope. */
  readonly knowsOuterSender: boolean;
  /** What is wrong with the request's form, if anything is. */
  readonly strictness: Strictness | undefined;
}

/** A kind of difference that is meant. */
export interface Deviation {
  /** The statement that asks for it. */
  readonly id: string;
  readonly reason: string;
  readonly applies: (difference: Difference) => boolean;
}

const isRefused = ({ ours }: Difference, faultCode: number, code?: string): boolean =>
  ours.kind === "refused" && ours.faultCode === faultCode && (code === undefined || ours.code === code);
const recordedFault = ({ recorded }: Difference, ...codes: number[]): boolean =>
  codes.includes(recorded.faultCode ?? Number.NaN);
const wasServed = ({ recorded }: Difference): boolean =>
  recorded.kind === "dispatched" && recorded.faultCode === undefined;

/** Codes for "this is not the form of a message". */
const REFUSED_FOR_ITS_FORM = /^MNET_(?:ENVELOPE_MALFORMED|ENVELOPE_DECRYPTION_FAILED|ENVELOPE_NOT_ENCRYPTED|XMLRPC_)/;

/** A request whose form real sites overlook, refused here for evidence that is in it. */
export function strictnessDeviation({ ours, strictness }: Difference): Pick<Deviation, "id" | "reason"> | undefined {
  return ours.kind === "refused" && REFUSED_FOR_ITS_FORM.test(ours.code) ? strictness : undefined;
}

/**
 * Where this library answers otherwise than the recorded site, on purpose. Reviewed row by row: a difference without a
 * row is a failure.
 */
export const DEVIATIONS: readonly Deviation[] = [
  {
    id: "SEC-031",
    reason: "the encrypted and the signed envelope name different sites: 710, whatever the signature says",
    applies: (difference) => wasServed(difference) && isRefused(difference, 710, "MNET_ENVELOPE_SENDER_MISMATCH"),
  },
  {
    id: "SEC-031",
    reason: "the encrypted envelope names an unknown site: 7020, even if the signed one inside names a known one",
    applies: (difference) =>
      wasServed(difference) &&
      isRefused(difference, 7020) &&
      !difference.knowsOuterSender &&
      differ(difference.request),
  },
  {
    id: "MNET-002",
    reason: "a wwwroot with a trailing slash is another wwwroot on the wire: 7020",
    applies: (difference) =>
      wasServed(difference) && isRefused(difference, 7020) && (difference.request.outerSender?.endsWith("/") ?? false),
  },
  {
    id: "SEC-037",
    reason: "not encrypted, from a machine that the site trusted: 7021, nobody is trusted by default",
    applies: (difference) =>
      (wasServed(difference) || recordedFault(difference, 710, 711)) &&
      difference.request.kind !== "encrypted" &&
      isRefused(difference, 7021, "MNET_ENVELOPE_NOT_ENCRYPTED"),
  },
  {
    id: "MNET-078",
    reason: "Mahara's 7025 with a sentence instead of a certificate means that no key of its opens the message: 7023",
    applies: (difference) =>
      recordedFault(difference, 7025) && difference.request.failure !== undefined && isRefused(difference, 7023),
  },
  {
    id: "SEC-003",
    reason: "no readable message inside the encryption: 7023, where the site crashed or named the layer",
    applies: (difference) =>
      (difference.recorded.kind === "crashed" || recordedFault(difference, 6002, 6001)) &&
      difference.request.kind === "encrypted" &&
      isRefused(difference, 7023, "MNET_ENVELOPE_DECRYPTION_FAILED"),
  },
  {
    id: "SEC-021",
    reason: "verified, but no XML-RPC call inside: 7021, where the site crashed or named the layer",
    applies: (difference) =>
      (difference.recorded.kind === "crashed" || recordedFault(difference, 6007, 6008, 6009)) &&
      difference.request.signedWith !== undefined &&
      difference.ours.kind === "refused" &&
      difference.ours.code.startsWith("MNET_XMLRPC_") &&
      difference.ours.faultCode === 7021,
  },
  {
    id: "MNET-082",
    reason: "neither encrypted nor a key swap: 7021, where the site crashed or has another code",
    applies: (difference) =>
      (difference.recorded.kind === "crashed" || recordedFault(difference, 6001, 6005, 6008, 6009)) &&
      difference.request.kind !== "encrypted" &&
      isRefused(difference, 7021),
  },
  {
    id: "MNET-077",
    reason: "unknown sender: 7020, Mahara's 6003 and a debugging Moodle's 0",
    applies: (difference) =>
      recordedFault(difference, 6003, 0) && !difference.knowsOuterSender && isRefused(difference, 7020),
  },
  {
    id: "MNET-083",
    reason: "encrypted and not signed: 711, Mahara's 6005",
    applies: (difference) =>
      recordedFault(difference, 6005) && !difference.request.isSigned && isRefused(difference, 711),
  },
  {
    id: "MNET-084",
    reason: "the signature is wrong: 710, Mahara's 6004",
    applies: (difference) =>
      recordedFault(difference, 6004) &&
      difference.request.signedWith === undefined &&
      isRefused(difference, 710, "MNET_ENVELOPE_SIGNATURE_INVALID"),
  },
];

const differ = ({ outerSender, innerSender }: OpenedBody): boolean =>
  innerSender !== undefined && outerSender !== innerSender;
