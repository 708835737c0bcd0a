import type { Fingerprint, Wwwroot } from "./ids.ts";
import type { Peer } from "./peer-snapshot.ts";

/** Fields that every error may carry. */
export interface ErrorDetails {
  /** Default `false`. */
  readonly retryable?: boolean | undefined;
  /** The other site, where there is one. */
  readonly peer?: Wwwroot | undefined;
  /** For the operator; never sent to a peer. */
  readonly cause?: unknown;
}

/**
 * The base of everything that fails in this library.
 *
 * An error carries no key, token, plaintext or body, neither in its message nor in its fields.
 */
export abstract class MnetError extends Error {
  /** Narrows a caught `unknown`; then `switch (error.code)` narrows to the class with its fields. */
  static is(this: void, error: unknown): error is AnyMnetError {
    return error instanceof MnetError;
  }

  /** What went wrong, stable across releases. */
  abstract readonly code: MnetErrorCode;
  /** The same operation may succeed later without anybody acting. */
  readonly retryable: boolean;
  /** The other site, where there is one. */
  declare readonly peer?: Wwwroot;

  protected constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.retryable = details.retryable ?? false;
    if (details.peer !== undefined) this.peer = details.peer;
  }
}

/** Thrown by `createHost` and by methods whose arguments are wrong: a mistake in the program or its configuration. */
export class ConfigError extends MnetError {
  override readonly name = "ConfigError";
  readonly code:
    | "MNET_CONFIG_INVALID"
    | "MNET_CONFIG_MISSING"
    | "MNET_HOST_CLOSED"
    | "MNET_HOST_TASK_FAILED"
    | "MNET_HTTP_BODY_CONSUMED";
  /** Path of the wrong option, such as `keys.lifetimeMs`. */
  declare readonly option?: string;

  constructor(
    code: ConfigError["code"],
    message: string,
    details: ErrorDetails & { option?: string | undefined } = {},
  ) {
    super(message, details);
    this.code = code;
    if (details.option !== undefined) this.option = details.option;
  }
}

/** Nothing that is MNet came back. */
export class TransportError extends MnetError {
  override readonly name = "TransportError";
  readonly code:
    | "MNET_TRANSPORT_UNREACHABLE"
    | "MNET_TRANSPORT_TIMEOUT"
    | "MNET_TRANSPORT_TLS"
    | "MNET_TRANSPORT_REDIRECT"
    | "MNET_TRANSPORT_STATUS"
    | "MNET_TRANSPORT_TOO_LARGE"
    | "MNET_TRANSPORT_ADDRESS_REFUSED"
    | "MNET_TRANSPORT_NOT_MNET"
    | "MNET_TRANSPORT_CIRCUIT_OPEN";
  /** What was asked. */
  readonly url: string;
  /** The HTTP status, if one came. */
  declare readonly status?: number;
  /** With `MNET_TRANSPORT_CIRCUIT_OPEN`: when the next attempt will be made. */
  declare readonly retryAt?: Date;

  constructor(
    code: TransportError["code"],
    message: string,
    details: ErrorDetails & { url: string; status?: number | undefined; retryAt?: Date | undefined },
  ) {
    super(message, details);
    this.code = code;
    this.url = details.url;
    if (details.status !== undefined) this.status = details.status;
    if (details.retryAt !== undefined) this.retryAt = details.retryAt;
  }
}

/** Bytes that nobody we know signed for us. Never use what they hold. */
export class EnvelopeError extends MnetError {
  override readonly name = "EnvelopeError";
  readonly code:
    | "MNET_ENVELOPE_MALFORMED"
    | "MNET_ENVELOPE_TOO_LARGE"
    | "MNET_ENVELOPE_NOT_ENCRYPTED"
    | "MNET_ENVELOPE_NOT_SIGNED"
    | "MNET_ENVELOPE_DECRYPTION_FAILED"
    | "MNET_ENVELOPE_SIGNER_UNKNOWN"
    | "MNET_ENVELOPE_SIGNATURE_INVALID"
    | "MNET_ENVELOPE_SENDER_MISMATCH"
    | "MNET_ENVELOPE_WRONG_RECIPIENT"
    | "MNET_ENVELOPE_WRONG_REPLY"
    | "MNET_ENVELOPE_ALGORITHM_NOT_ALLOWED"
    | "MNET_ENVELOPE_PROFILE_REFUSED"
    | "MNET_ENVELOPE_REPLAYED";

  constructor(code: EnvelopeError["code"], message: string, details?: ErrorDetails) {
    super(message, details);
    this.code = code;
  }
}

/** A document that is no XML-RPC, or a value that XML-RPC cannot say. */
export class XmlRpcError extends MnetError {
  override readonly name = "XmlRpcError";
  readonly code:
    "MNET_XMLRPC_MALFORMED" | "MNET_XMLRPC_LIMIT" | "MNET_XMLRPC_UNEXPECTED_ROOT" | "MNET_XMLRPC_UNENCODABLE";

  constructor(code: XmlRpcError["code"], message: string, details?: ErrorDetails) {
    super(message, details);
    this.code = code;
  }
}

/** A certificate or key that is wrong, weak, old, or waits for a decision. */
export class KeyError extends MnetError {
  override readonly name = "KeyError";
  readonly code:
    | "MNET_KEY_CERTIFICATE_INVALID"
    | "MNET_KEY_NOT_FOR_WWWROOT"
    | "MNET_KEY_WEAK"
    | "MNET_KEY_EXPIRED"
    | "MNET_KEY_ROLLBACK"
    | "MNET_KEY_HELD"
    | "MNET_KEY_NOT_HELD"
    | "MNET_KEY_FINGERPRINT_MISMATCH";
  /** With `MNET_KEY_HELD`: what `peers.approve` wants after somebody has compared it. */
  declare readonly fingerprint?: Fingerprint;

  constructor(
    code: KeyError["code"],
    message: string,
    details: ErrorDetails & { fingerprint?: Fingerprint | undefined } = {},
  ) {
    super(message, details);
    this.code = code;
    if (details.fingerprint !== undefined) this.fingerprint = details.fingerprint;
  }
}

/** A peer that is unknown, known already, not active, or whose clock is off. */
export class PeerError extends MnetError {
  override readonly name = "PeerError";
  readonly code:
    | "MNET_PEER_UNKNOWN"
    | "MNET_PEER_EXISTS"
    | "MNET_PEER_NOT_ACTIVE"
    | "MNET_PEER_CLOCK_AHEAD"
    | "MNET_PEER_CLOCK_BEHIND"
    | "MNET_PEER_NOT_PROVED";
  /** With the clock codes: positive if the peer is ahead. */
  declare readonly offsetMs?: number;
  /** With `MNET_PEER_EXISTS`: the one that is there. */
  declare readonly existing?: Peer;

  constructor(
    code: PeerError["code"],
    message: string,
    details: ErrorDetails & { offsetMs?: number | undefined; existing?: Peer | undefined } = {},
  ) {
    super(message, details);
    this.code = code;
    if (details.offsetMs !== undefined) this.offsetMs = details.offsetMs;
    if (details.existing !== undefined) this.existing = details.existing;
  }
}

/** A call that was stopped here, before or after the wire. */
export class CallError extends MnetError {
  override readonly name = "CallError";
  readonly code:
    "MNET_CALL_NOT_SUBSCRIBED" | "MNET_CALL_METHOD_UNKNOWN" | "MNET_CALL_PARAMS_INVALID" | "MNET_CALL_RESULT_INVALID";
  /** Wire name of the method. */
  readonly method: string;
  /** With `MNET_CALL_PARAMS_INVALID` and `MNET_CALL_RESULT_INVALID`: where, such as `[2].email`. */
  declare readonly path?: string;

  constructor(
    code: CallError["code"],
    message: string,
    details: ErrorDetails & { method: string; path?: string | undefined },
  ) {
    super(message, details);
    this.code = code;
    this.method = details.method;
    if (details.path !== undefined) this.path = details.path;
  }
}

/** The peer understood us and said no. */
export class RemoteFault extends MnetError {
  override readonly name = "RemoteFault";
  readonly code = "MNET_REMOTE_FAULT";
  /** Wire name of the method. */
  readonly method: string;
  /** The peer's code (spec 7.4). */
  readonly faultCode: number;
  /** The peer's words. Text from outside. */
  readonly faultString: string;
  /** `false`: sent in clear, so that anyone on the way may have written it. */
  readonly authenticated: boolean;

  constructor(
    message: string,
    details: ErrorDetails & { method: string; faultCode: number; faultString: string; authenticated: boolean },
  ) {
    super(message, details);
    this.method = details.method;
    this.faultCode = details.faultCode;
    this.faultString = details.faultString;
    this.authenticated = details.authenticated;
  }
}

/** A jump or a landing that was refused. The error page says the same in words for the user. */
export class SsoError extends MnetError {
  override readonly name = "SsoError";
  readonly code:
    | "MNET_SSO_NOT_LOGGED_IN"
    | "MNET_SSO_NOT_PERMITTED"
    | "MNET_SSO_ACTING_AS"
    | "MNET_SSO_REMOTE_USER"
    | "MNET_SSO_USERNAME_UNSUITABLE"
    | "MNET_SSO_PROFILE_INCOMPLETE"
    | "MNET_SSO_NOT_CONFIGURED"
    | "MNET_SSO_IDP_UNKNOWN"
    | "MNET_SSO_IDP_FAILED"
    | "MNET_SSO_TOKEN_REFUSED"
    | "MNET_SSO_ACCESS_DENIED"
    | "MNET_SSO_CONFIRMATION_NEEDED"
    | "MNET_SSO_REQUEST_INVALID"
    | "MNET_SSO_TOO_MANY_JUMPS";
  /** Whose administrator can help. */
  readonly side: "here" | "there";

  constructor(code: SsoError["code"], message: string, details: ErrorDetails & { side: SsoError["side"] }) {
    super(message, details);
    this.code = code;
    this.side = details.side;
  }
}

/** A remote enrolment that was stopped before anything was sent, or refused without a reason. */
export class EnrolmentError extends MnetError {
  override readonly name = "EnrolmentError";
  readonly code:
    | "MNET_ENROLMENT_COURSE_UNKNOWN"
    | "MNET_ENROLMENT_PERSON_UNSUITABLE"
    | "MNET_ENROLMENT_REFUSED"
    | "MNET_ENROLMENT_RUN_ACTIVE"
    | "MNET_ENROLMENT_RUN_CHANGED"
    | "MNET_ENROLMENT_CSV_INVALID";
  /** With the codes of runs and files: which row, from 1. */
  declare readonly row?: number;

  constructor(
    code: EnrolmentError["code"],
    message: string,
    details: ErrorDetails & { row?: number | undefined } = {},
  ) {
    super(message, details);
    this.code = code;
    if (details.row !== undefined) this.row = details.row;
  }
}

/** A database that is away, behind, ahead, or opened with the wrong key. */
export class StoreError extends MnetError {
  override readonly name = "StoreError";
  readonly code:
    | "MNET_STORE_UNAVAILABLE"
    | "MNET_STORE_DRIVER_MISSING"
    | "MNET_STORE_MIGRATION_NEEDED"
    | "MNET_STORE_TOO_NEW"
    | "MNET_STORE_INCOMPLETE"
    | "MNET_STORE_NOT_EMPTY"
    | "MNET_STORE_KEY_WRONG";

  constructor(code: StoreError["code"], message: string, details?: ErrorDetails) {
    super(message, details);
    this.code = code;
  }
}

/** A backup that cannot be restored. Nothing was imported. */
export class ArchiveError extends MnetError {
  override readonly name = "ArchiveError";
  readonly code:
    | "MNET_ARCHIVE_MALFORMED"
    | "MNET_ARCHIVE_VERSION"
    | "MNET_ARCHIVE_INCOMPLETE"
    | "MNET_ARCHIVE_TAMPERED"
    | "MNET_ARCHIVE_PASSPHRASE_WRONG";
  /** Which line of the archive, from 1, where it is one. */
  declare readonly line?: number;

  constructor(code: ArchiveError["code"], message: string, details: ErrorDetails & { line?: number | undefined } = {}) {
    super(message, details);
    this.code = code;
    if (details.line !== undefined) this.line = details.line;
  }
}

/** A Moodle's database that cannot be taken over. Nothing was imported. */
export class MoodleImportError extends MnetError {
  override readonly name = "MoodleImportError";
  readonly code: "MNET_MOODLE_TABLES_MISSING" | "MNET_MOODLE_NETWORKING_UNUSED" | "MNET_MOODLE_KEYS_UNREADABLE";

  constructor(code: MoodleImportError["code"], message: string, details?: ErrorDetails) {
    super(message, details);
    this.code = code;
  }
}

/** Every error class of the library; `switch (error.code)` narrows it. */
export type AnyMnetError =
  | ConfigError
  | TransportError
  | EnvelopeError
  | XmlRpcError
  | KeyError
  | PeerError
  | CallError
  | RemoteFault
  | SsoError
  | EnrolmentError
  | StoreError
  | ArchiveError
  | MoodleImportError;

/** Every code that an error of this library can have. */
export type MnetErrorCode = AnyMnetError["code"];
