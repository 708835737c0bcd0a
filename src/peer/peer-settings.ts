import type { TlsLevel } from "../transport/transport.ts";

/** What can be set for one peer. Everything has a default that is safe (SEC-098). */
export interface PeerSettings {
  /** A whole outgoing exchange. Default: the host's `network.timeoutMs`. */
  readonly timeoutMs?: number;
  /** How far a responder may be ahead. Default 15,000 (MNET-104). */
  readonly driftToleranceMs?: number;
  /** Default `"tolerant"`; `"strict"` also refuses messages whose time is behind or ahead by more than the tolerance (SEC-035). */
  readonly clock?: "tolerant" | "strict";
  /** What to do with a peer whose certificate has expired. Default `"warn"`, because Moodles rotate lazily (SEC-048). */
  readonly expiredKey?: "warn" | "refuse";
  /** Refuse messages that declare an algorithm that no known peer declares (SEC-011). Default `false`. */
  readonly strictAlgorithms?: boolean;
  /** Networks in CIDR form where this peer's address may lie although they are private (SEC-078). Default none. */
  readonly allowAddresses?: readonly string[];
  /** Every weakness for an old peer is here and nowhere else. Each use is an event. */
  readonly legacy?: {
    /** How its TLS certificate is checked. Default `"verify"` (MNET-073). */
    readonly tls?: TlsLevel;
    /** Accept RSA below 2048 bits, down to 1024 (SEC-047). Default `false`. */
    readonly smallKeys?: boolean;
    /** Adopt a Mahara's new key when its verified https site shows the same (SEC-039). Default `false`. */
    readonly adoptKeyOverHttps?: boolean;
  };
}

/** The smallest RSA key that is accepted of a peer with these settings. */
export const minimumKeyBits = ({ legacy }: PeerSettings): 1024 | 2048 => (legacy?.smallKeys ? 1024 : 2048);
