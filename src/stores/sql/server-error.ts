import { StoreError } from "../../core/errors.ts";

/** Why a database does not do what it should. */
export interface Reason {
  /** Goes after "The database x ". */
  readonly text: string;
  /** Default `false`. */
  readonly retryable?: boolean;
}

/** What the system and the drivers say of connections. */
const CONNECTION_REASONS: { readonly [code: string]: Reason } = {
  ECONNREFUSED: { text: "cannot be reached: nobody listens there", retryable: true },
  ECONNRESET: { text: "has lost the connection", retryable: true },
  EPIPE: { text: "has lost the connection", retryable: true },
  PROTOCOL_CONNECTION_LOST: { text: "has lost the connection", retryable: true },
  ETIMEDOUT: { text: "does not answer", retryable: true },
  PROTOCOL_SEQUENCE_TIMEOUT: { text: "took too long", retryable: true },
  EHOSTUNREACH: { text: "cannot be reached", retryable: true },
  ENETUNREACH: { text: "cannot be reached", retryable: true },
  ENOTFOUND: { text: "cannot be reached: its host is unknown", retryable: true },
  EAI_AGAIN: { text: "cannot be reached: its host cannot be looked up now", retryable: true },
  ENOENT: { text: "cannot be reached: a socket or certificate of its URL is not there" },
  EACCES: { text: "cannot be reached: this user may not open its socket or certificate" },
};
/** The server is there, and its certificate is not believed. Codes of `node:tls` and OpenSSL. */
const TLS = /CERT|SELF_SIGNED|ERR_TLS|ERR_SSL|EPROTO|UNABLE_TO_VERIFY|HANDSHAKE_NO_SSL/;
/** An answer that never came, by the drivers' words where they have no code. */
const NO_ANSWER = /timeout|terminated|ended unexpectedly|closed state|connection (lost|closed)/i;

/** A driver's error as ours. Where `reason` is unknown, the connection is at fault, or nobody knows. */
export function serverError(
  code: StoreError["code"],
  thrown: unknown,
  database: string,
  reason: Reason | undefined,
): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const { text, retryable = false } = reason ?? connectionReason(thrown) ?? { text: "does not work" };
  return new StoreError(code, `The database ${database} ${text}.`, { retryable, cause: withoutValues(thrown) });
}

function connectionReason(thrown: unknown): Reason | undefined {
  const { code, message } = thrown as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code === "string") {
    if (CONNECTION_REASONS[code]) return CONNECTION_REASONS[code];
    if (TLS.test(code)) return { text: "cannot be reached safely: TLS failed" };
  }
  if (thrown instanceof AggregateError) return connectionReason(thrown.errors[0]);
  if (typeof message === "string" && /does not support SSL/i.test(message)) return { text: "does not speak TLS" };
  if (typeof message === "string" && NO_ANSWER.test(message)) return { text: "does not answer", retryable: true };
  return undefined;
}

/**
 * What a driver threw, for the operator. Its other fields are dropped: they hold the statement, and rows with whatever is
 * in them.
 */
function withoutValues(thrown: unknown): Error {
  const { message, code, severity, errno, sqlState } = thrown as { readonly [name: string]: unknown };
  // What is in quotes may be a value; the names of tables and columns, too, but the code tells enough.
  const text = String(message).replace(/'[^]*'|"[^]*"/, "…");
  const kept = Object.entries({ code, severity, errno, sqlState }).filter(([, value]) => value !== undefined);
  return Object.assign(new Error(text), Object.fromEntries(kept));
}
