/** How our own keys are made and kept. */
export interface KeyPolicy {
  /** Default 28 days (MNET-020). */
  readonly lifetimeMs: number;
  /** Part of the lifetime after which a key is replaced. Default 0.8 (SEC-049). */
  readonly rotateAt: number;
  /** Archived keys that still open late messages. Default 3 (MNET-021). */
  readonly generations: number;
  /** 2048 (default) to 4096. */
  readonly modulusBits: number;
}

/** The policy that applies unless the host's options say otherwise. */
export const DEFAULT_KEY_POLICY: KeyPolicy = {
  lifetimeMs: 28 * 24 * 60 * 60 * 1000,
  rotateAt: 0.8,
  generations: 3,
  modulusBits: 2048,
};
