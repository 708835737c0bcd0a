/** Ceilings on what comes from outside. They are enforced while reading, before anything is built (SEC-019). */
export interface Limits {
  /** Size of a request's body. Default 8 MiB. */
  readonly requestBytes: number;
  /** Size of a response's body, after decompression. Default 16 MiB. */
  readonly responseBytes: number;
  /** Nesting of XML-RPC values. Default 32. */
  readonly depth: number;
  /** XML-RPC values in one document. Default 100,000. */
  readonly nodes: number;
  /** Members of one XML-RPC struct. Default 4,096. */
  readonly members: number;
  /** Peers that registered themselves and wait for approval. Default 500. */
  readonly pendingPeers: number;
}

/** The limits that apply unless the host's options say otherwise. */
export const DEFAULT_LIMITS: Limits = {
  requestBytes: 8 * 1024 * 1024,
  responseBytes: 16 * 1024 * 1024,
  depth: 32,
  nodes: 100_000,
  members: 4096,
  pendingPeers: 500,
};
