import { UsageError } from "../usage-error.ts";

/** Which half of an exchange. */
export type Side = "request" | "response";

/** A message as it was captured. */
export interface Capture {
  readonly body: Uint8Array;
  /** Which half it is, where the file says so. */
  readonly side?: Side;
  /** When it was recorded, where the file says so. */
  readonly recordedAt?: Date;
}

/**
 * The message in a file: its bytes, or if the file is a recorded exchange in the form of `fixtures/`, the half of it that
 * `side` names. Throws `UsageError`.
 */
export function readCapture(file: Uint8Array, side: Side | undefined): Capture {
  const exchange = readExchange(file);
  if (!exchange) {
    if (side) throw new UsageError("--side is for recorded exchanges; this file is one message.");
    return { body: file };
  }
  const half = side ?? "request";
  const { bodyBase64 } = exchange[half];
  if (typeof bodyBase64 !== "string") throw new UsageError(`The recorded exchange has no body of the ${half}.`);
  const { recordedAt } = exchange;
  return {
    body: Buffer.from(bodyBase64, "base64"),
    side: half,
    ...(typeof recordedAt === "number" && { recordedAt: new Date(recordedAt * 1000) }),
  };
}

interface Exchange {
  readonly request: { readonly bodyBase64?: unknown };
  readonly response: { readonly bodyBase64?: unknown };
  readonly recordedAt?: unknown;
}

function readExchange(file: Uint8Array): Exchange | undefined {
  const BRACE = 0x7b;
  if (file[0] !== BRACE) return undefined;
  try {
    const parsed = JSON.parse(Buffer.from(file).toString("utf8")) as Partial<Exchange>;
    return isHalf(parsed.request) && isHalf(parsed.response) ? (parsed as Exchange) : undefined;
  } catch {
    return undefined;
  }
}

const isHalf = (half: unknown): boolean => typeof half === "object" && half !== null && "bodyBase64" in half;
