import type { Fingerprint, PeerId, Wwwroot } from "./ids.ts";
import type { ProfileName } from "./profile-name.ts";

/** A peer, or anything that carries a peer's id. Its state is read afresh; a `Peer` in your hand is a snapshot. */
export interface PeerRef {
  /** The peer's id, as `Peer.id` gave it. */
  readonly id: PeerId;
}

/** Where a peer is in its life. Only active peers are answered and called. */
export type PeerState = "pending" | "active" | "suspended" | "deleted";

/** The software of a peer. It decides URL suffixes and the names of services on the wire (spec 1.2). */
export type ApplicationName = "moodle" | "mahara";

/** A certificate that we hold for a peer. */
export interface PeerKey {
  /** SHA-256 of the certificate. */
  readonly fingerprint: Fingerprint;
  /** Canonical PEM (spec 2.2). */
  readonly certificate: string;
  /** Start of validity. */
  readonly notBefore: Date;
  /** End of validity. Peers serve expired keys until they next sign (SEC-048). */
  readonly notAfter: Date;
  /** Size of the RSA modulus. */
  readonly modulusBits: number;
}

/** A certificate that waits for an operator's decision. */
export interface HeldKey extends PeerKey {
  /** Why it was not simply taken. */
  readonly reason: "registered-itself" | "signed-by-new-key" | "older-than-pinned" | "operator";
  /** When it arrived. */
  readonly since: Date;
}

/** Another site, as it was when it was read. */
export interface Peer {
  /** Our stable number for it. */
  readonly id: PeerId;
  /** Its identity. */
  readonly wwwroot: Wwwroot;
  /** The site's title. Text from outside: escape it. */
  readonly name: string;
  /** Its software. */
  readonly application: ApplicationName;
  /** Where it is in its life. */
  readonly state: PeerState;
  /** The pinned key. */
  readonly key: PeerKey;
  /** Which envelopes we use with it: the best that both have proved, unless `PeerSettings.profile` says otherwise. */
  readonly profile: ProfileName;
  /** A certificate that waits for `approve`. */
  readonly heldKey?: HeldKey;
  /** When it last answered us, or called us with a valid signature. */
  readonly lastContactAt?: Date;
}

/** How events name a peer. */
export const referenceTo = ({ id, wwwroot }: Pick<Peer, "id" | "wwwroot">): Pick<Peer, "id" | "wwwroot"> => ({
  id,
  wwwroot,
});
