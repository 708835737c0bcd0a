import type { MnetError } from "../../core/errors.ts";
import { checkBody } from "./check-body.ts";
import { checkDocument, type DocumentCheck } from "./check-document.ts";
import { DEVIATIONS, strictnessDeviation, type Difference } from "./deviations.ts";
import { keysOf, openBody, type OpenedBody } from "./opened-body.ts";
import { isSame, recordedOutcome, type RecordedOutcome } from "./recorded-outcome.ts";
import { readRecordedSet, type RecordedExchange, type RecordedSet } from "./recorded-set.ts";
import { replayRequest, type Outcome } from "./replay-request.ts";
import { strictnessOf } from "./strictness.ts";

/** What was found about one exchange. */
export interface ExchangeReport {
  readonly name: string;
  readonly software: string;
  readonly verdict: "passed" | "deviates" | "failed";
  /** With `deviates`: the statement that asks for the difference. */
  readonly id?: string;
  /** With `deviates`: why. With `failed`: what differs. */
  readonly details: readonly string[];
  /** What the recorded site did, and what this host does in its place. */
  readonly recorded: string;
  readonly ours: string;
}

/** What was found about a folder of recorded exchanges. */
export interface RecordedReport {
  readonly directory: string;
  readonly exchanges: readonly ExchangeReport[];
  /** Exchanges that are as recorded, the reviewed deviations included. */
  readonly passed: number;
  readonly failed: number;
}

/**
 * Checks every exchange of a folder in three ways: both bodies open and verify as recorded; the XML-RPC survives
 * decoding and encoding; a host in the receiver's place answers the request as the recorded site did.
 *
 * Throws `MNET_CONFIG_INVALID` if the folder does not hold recorded exchanges.
 */
export async function inspectRecorded(directory: string): Promise<RecordedReport> {
  const set = await readRecordedSet(directory);
  const exchanges: ExchangeReport[] = [];
  for (const exchange of set.exchanges) exchanges.push(await inspectExchange(set, exchange));
  const failed = exchanges.filter(({ verdict }) => verdict === "failed").length;
  return { directory, exchanges, passed: exchanges.length - failed, failed };
}

async function inspectExchange(set: RecordedSet, exchange: RecordedExchange): Promise<ExchangeReport> {
  const senderKeys = keysOf(set, exchange, exchange.from);
  const receiverKeys = keysOf(set, exchange, exchange.to);
  const request = openBody(exchange.request, receiverKeys, senderKeys);
  const response = openBody(exchange.response, senderKeys, receiverKeys);
  const requestDocument = request.document && checkDocument(request.document);
  const responseDocument = response.document && checkDocument(response.document);

  const recorded = recordedOutcome(exchange, methodOf(requestDocument) ?? exchange.method ?? undefined);
  const { outcome: ours, defects } = await replayRequest(set, exchange);
  const knowsOuterSender =
    request.outerSender !== undefined &&
    request.outerSender in exchange.keys &&
    !exchange.unknownTo.includes(request.outerSender);
  const strictness = strictnessOf(exchange, request, receiverKeys);
  return {
    name: exchange.name,
    software: exchange.software,
    recorded: describeRecorded(recorded),
    ours: describeOurs(ours),
    ...judge(
      {
        ofRequest: [
          ...checkBody("request", exchange, request),
          ...documentDifferences(
            "request",
            requestDocument,
            recorded.kind === "crashed" || recorded.faultCode !== undefined,
          ),
        ],
        others: [
          ...checkBody("response", exchange, response),
          ...(isXmlRpc(response)
            ? documentDifferences("response", responseDocument, isUnescapedFault(exchange, response))
            : []),
          ...defects,
        ],
      },
      { recorded, ours, request, knowsOuterSender, strictness },
    ),
  };
}

/** What differs: in how the request is read, which strictness may explain, and in anything else. */
interface Differences {
  readonly ofRequest: readonly string[];
  readonly others: readonly string[];
}

function judge(
  { ofRequest, others }: Differences,
  difference: Difference,
): Pick<ExchangeReport, "verdict" | "id" | "details"> {
  const isAnsweredAlike = isSame(difference.recorded, difference.ours);
  const isReadAlike = ofRequest.length === 0;
  if (others.length === 0) {
    if (isReadAlike && isAnsweredAlike) return { verdict: "passed", details: [] };
    const deviation =
      (isReadAlike ? DEVIATIONS.find(({ applies }) => applies(difference)) : undefined) ??
      strictnessDeviation(difference);
    if (deviation) return { verdict: "deviates", id: deviation.id, details: [deviation.reason] };
  }
  const unexplained = isAnsweredAlike ? [] : ["the answer differs, and no statement asks for that"];
  return { verdict: "failed", details: [...ofRequest, ...others, ...unexplained] };
}

/** A document may be refused here if it was malformed there, too. */
function documentDifferences(
  name: "request" | "response",
  check: DocumentCheck | undefined,
  isMalformedOnPurpose: boolean,
): string[] {
  switch (check?.result) {
    case "lossy":
      return [`the ${name}'s values change when they are encoded and decoded again`];
    case "refused":
      return isMalformedOnPurpose ? [] : [`the ${name}'s XML-RPC is refused: ${describe(check.error)}`];
    default:
      return [];
  }
}

/** Mahara writes the text of its faults as it is, so that some are no XML (spec 5.2). */
const isUnescapedFault = ({ software, faultCode }: RecordedExchange, { kind }: OpenedBody): boolean =>
  kind === "plain" && faultCode !== undefined && software.startsWith("Mahara");

/** Pages, redirects and "forbidden" come without a document. */
const isXmlRpc = ({ kind, document }: OpenedBody): boolean =>
  kind !== "plain" || (document?.includes("<methodResponse") ?? false);

const methodOf = (check: DocumentCheck | undefined): string | undefined =>
  check && check.result !== "refused" && check.decoded.kind === "call" ? check.decoded.method : undefined;

const describe = ({ code, message }: MnetError): string => `${code} ${message}`;

function describeRecorded({ kind, faultCode }: RecordedOutcome): string {
  if (faultCode !== undefined) return `fault ${faultCode}`;
  return kind === "dispatched" ? "answered" : kind === "crashed" ? "no XML-RPC" : "key swap";
}

function describeOurs(outcome: Outcome): string {
  switch (outcome.kind) {
    case "keyswap":
      return "key swap";
    case "dispatched":
      return outcome.faultCode === undefined ? "answered" : `dispatcher, fault ${outcome.faultCode}`;
    case "refused":
      return `fault ${outcome.faultCode} (${outcome.code})`;
    case "not-started":
      return `nothing (${outcome.code})`;
  }
}
