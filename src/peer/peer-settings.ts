/** What can be set for one peer. Everything has a default that is safe. */
export interface PeerSettings {
  /** A whole outgoing exchange. Default: the host's `network.timeoutMs`. */
  readonly timeoutMs?: number;
  /** How far a responder may be ahead. Default 15,000 (MNET-104). */
  readonly driftToleranceMs?: number;
  /** Refuse messages that declare an algorithm that no known peer declares (SEC-011). Default `false`. */
  readonly strictAlgorithms?: boolean;
  /** Networks in CIDR form where this peer's address may lie although they are private (SEC-078). Default none. */
  readonly allowAddresses?: readonly string[];
}
