import type { Clock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";
import type { SecureProfileName } from "../core/profile-name.ts";
import type { PeerDirectory } from "./peer-directory.ts";
import type { PeerProfile } from "./peer-profile.ts";
import type { PeerRecord, PeerStore } from "./peer-store.ts";

/** Writes down what peers have proved of their profiles. */
export class ProfileProofs {
  readonly #store: PeerStore;
  readonly #directory: PeerDirectory;
  readonly #clock: Clock;

  constructor(options: { readonly store: PeerStore; readonly directory: PeerDirectory; readonly clock: Clock }) {
    this.#store = options.store;
    this.#directory = options.directory;
    this.#clock = options.clock;
  }

  /**
   * A message of the peer in the secure profile was verified and is new. From the first of them on, its messages in
   * MNet's own are refused, unless an operator says otherwise (`peers.set` with `profile`).
   *
   * A peer that waits for approval proves nothing: its key may turn out to be another's, and the true site a Moodle.
   *
   * @returns the peer as it is now.
   */
  async prove(peer: PeerRecord, proved: SecureProfileName, emit: Emit): Promise<PeerRecord> {
    // Who fixed a profile wants no other; a proof in spite of it would be in the way when that is taken back.
    if (peer.profile?.proved === proved || peer.settings.profile === "mnet" || peer.state !== "active") return peer;
    const { id, wwwroot } = peer;
    const provedAt = this.#clock.now();
    const changed = await this.#change(peer, ({ profile }) => profile?.proved !== proved && { proved, provedAt });
    if (changed.profile?.provedAt === provedAt) {
      emit({ type: "peer.profile", level: "info", peer: { id, wwwroot }, profile: proved });
    }
    return changed;
  }

  /** The peer said, signed, that it has MNet's own profile only. */
  async noteNone(peer: PeerRecord): Promise<void> {
    const askedAt = this.#clock.now();
    await this.#change(peer, ({ profile }) => profile?.proved === undefined && { askedAt });
  }

  async #change(peer: PeerRecord, edit: (latest: PeerRecord) => PeerProfile | false): Promise<PeerRecord> {
    for (;;) {
      const latest = await this.#directory.get(peer.id);
      // What somebody has proved says nothing of whoever has another key by now, or was reset meanwhile.
      const isSame =
        latest.state === "active" &&
        latest.certificate === peer.certificate &&
        latest.settings.profile === peer.settings.profile;
      const profile = isSame && edit(latest);
      if (!profile) return latest;
      const changed = await this.#store.update({ ...latest, profile });
      if (changed) return changed;
    }
  }
}
