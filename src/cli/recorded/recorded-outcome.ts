import { isCrash } from "./check-body.ts";
import type { RecordedExchange } from "./recorded-set.ts";
import type { Outcome } from "./replay-request.ts";

/** What the recorded site made of the request, as far as the recording determines it. */
export type RecordedOutcome =
  | { readonly kind: "keyswap"; readonly faultCode?: undefined }
  /** One of the codes that a request alone determines. */
  | { readonly kind: "determined"; readonly faultCode: number }
  /** It got as far as the methods: a result, or a fault that depends on what the site had in its database. */
  | { readonly kind: "dispatched"; readonly faultCode?: number }
  /** No XML-RPC came back. It may have failed anywhere. */
  | { readonly kind: "crashed"; readonly faultCode?: undefined };

/** Codes that depend on the message, the keys and the peers only. */
const DETERMINED = new Set([7020, 7021, 7023, 7025, 710, 711, 713, 7018]);

/** Reads the outcome off the recording. `method` is what the request calls, if it could be read. */
export function recordedOutcome(exchange: RecordedExchange, method: string | undefined): RecordedOutcome {
  const { faultCode } = exchange;
  if (faultCode !== undefined) {
    return DETERMINED.has(faultCode) ? { kind: "determined", faultCode } : { kind: "dispatched", faultCode };
  }
  if (isCrash(exchange)) return { kind: "crashed" };
  return method === "system/keyswap" ? { kind: "keyswap" } : { kind: "dispatched" };
}

/** Whether a host in the same place did the same. */
export function isSame(recorded: RecordedOutcome, ours: Outcome): boolean {
  switch (recorded.kind) {
    case "keyswap":
      return ours.kind === "keyswap";
    case "determined":
      return ours.kind !== "keyswap" && ours.faultCode === recorded.faultCode;
    case "dispatched":
    case "crashed":
      return ours.kind === "keyswap" || ours.kind === "dispatched";
  }
}
