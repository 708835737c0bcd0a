/** How strictly a peer's TLS certificate is checked: wholly, its host name only, or not at all (spec 6.1). */
export type TlsLevel = "verify" | "host-name" | "none";

/** One request to a peer. */
export interface TransportRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** More than this of a response's body is not read. */
  readonly maxBytes: number;
  readonly tls: TlsLevel;
  /** Networks in CIDR form where the address may lie although they are private; beside those of the host. */
  readonly allowAddresses?: readonly string[];
  /** Ends the exchange; the promise rejects with its reason. */
  readonly signal: AbortSignal;
}

/** What came back. */
export interface TransportResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * One HTTP exchange with a peer. Follows no redirect (MNET-071), reads no more than `maxBytes`.
 *
 * Throws `TransportError`: `MNET_TRANSPORT_UNREACHABLE`, `MNET_TRANSPORT_TIMEOUT`, `MNET_TRANSPORT_TLS`,
 * `MNET_TRANSPORT_TOO_LARGE`, `MNET_TRANSPORT_ADDRESS_REFUSED`, `MNET_TRANSPORT_NOT_MNET`; an aborted exchange rejects with `signal.reason`.
 */
export interface Transport {
  /** Sends the request and reads the answer to its end. */
  exchange(request: TransportRequest): Promise<TransportResponse>;
  /** Ends idle connections. */
  close?(): Promise<void>;
}
