import type { PeerId, Wwwroot } from "../core/ids.ts";
import type { PeerState } from "../core/peer-snapshot.ts";

/** A peer, as far as it matters which of our keys are used with it. */
export interface KeyUser {
  readonly id: PeerId;
  readonly wwwroot: Wwwroot;
  /** Only active peers have keys of their own: strangers in hub mode must not make us generate some. */
  readonly state: PeerState;
  readonly settings: { readonly keyPair?: "shared" | "own" };
}
