import { MnetError, RemoteFault, StoreError, TransportError, type AnyMnetError } from "../core/errors.ts";
import type { Fingerprint } from "../core/ids.ts";
import type { Peer, PeerRef } from "../core/peer-snapshot.ts";
import type { KeyRing, OwnKey } from "../keys/key-ring.ts";
import { peerKey } from "../keys/peer-key.ts";
import type { PeerClient } from "../peer/peer-client.ts";
import type { PeerDirectory } from "../peer/peer-directory.ts";
import { everyPeer, type PeerRecord, type PeerStore } from "../peer/peer-store.ts";

/** What a peer makes of a rotation. */
export interface RotationOutcome {
  readonly peer: Peer;
  /**
   * - `"knows"`: it has answered a call that was signed with the new key.
   * - `"will-learn"`: it works with us, and will be told with its next call.
   * - `"must-act"`: it refused; its administrator has to fetch our key again.
   * - `"unreachable"`: it did not answer; it will be told with its next call, if that comes while the old key is kept.
   */
  readonly outcome: "knows" | "will-learn" | "must-act" | "unreachable";
  /** With a rotation of a peer's own key (`keyPair: "own"`): that one, before and after. */
  readonly ownKey?: { readonly from?: Fingerprint; readonly to: Fingerprint };
  /** With `"must-act"` and `"unreachable"`: what happened. */
  readonly error?: AnyMnetError;
}

/** What became of a rotation, or would. */
export interface RotationReport {
  readonly dryRun: boolean;
  /** The shared key before; where a peer's own was revoked, that peer's. */
  readonly from: Fingerprint;
  /** The key after. Absent in a dry run. */
  readonly to?: Fingerprint;
  /** Every active peer that had to be told. */
  readonly peers: readonly RotationOutcome[];
}

/** Our own keys. */
export interface Keys {
  /** The one that signs; with a peer, what that peer gets, which may be its own. Throws `MNET_PEER_UNKNOWN`. */
  current(peer?: PeerRef): Promise<OwnKey>;
  /** Newest first, archived and revoked ones included. */
  all(): Promise<readonly OwnKey[]>;
  /**
   * Makes a new key, archives the old one and tells every active peer by a call; a peer that has its own gets a new own one.
   * `dryRun` changes nothing: it makes the same call with the present key and says what each peer would see.
   */
  rotate(options?: {
    readonly dryRun?: boolean | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<RotationReport>;
  /**
   * Encrypts every private key in the store with `keys.encryptWith`, as the start of a host does; without that option,
   * stores them plain. For a store whose keys are encrypted with something of `keys.decryptAlsoWith`.
   *
   * @returns how many were stored otherwise. Throws `MNET_STORE_KEY_WRONG`.
   */
  rewrap(): Promise<number>;
  /**
   * For a stolen key: it never opens anything again. Rotates first if it is the current one (SEC-050). Peers that know us
   * by a revoked key only have to fetch the new one by hand.
   *
   * Throws `MNET_CONFIG_INVALID` for a key that is not ours.
   */
  revoke(
    fingerprint: string,
    options: { readonly reason: string; readonly signal?: AbortSignal | undefined },
  ): Promise<RotationReport>;
}

/** `Keys`, and what the host does with them by itself. */
export interface KeyAdministration extends Keys {
  /**
   * Rotates as `rotate` does the keys that are due (SEC-049), and lets peers change over to a key of their own, or back. Of
   * several processes that do this at once, one rotates and tells the peers.
   *
   * @returns whether it was this one.
   */
  rotateIfDue(signal: AbortSignal): Promise<boolean>;
}

/** What `createKeys` needs of the host. */
export interface KeyAdministrationOptions {
  readonly ring: KeyRing;
  readonly store: PeerStore;
  readonly directory: PeerDirectory;
  readonly client: PeerClient;
  /** `false`: a host that is switched off tells nobody. */
  readonly callsPeers: boolean;
}

/** Peers that are told at once. Each costs two private operations here, and a call-back or two. */
const CONCURRENCY = 4;

/** `Keys` over a key ring. */
export function createKeys({
  ring,
  store,
  directory,
  client,
  callsPeers,
}: KeyAdministrationOptions): KeyAdministration {
  return {
    async current(ref) {
      const peer = ref && (await directory.get(ref.id));
      const { current } = await ring.active(peer);
      const isOwn = peer && current !== (await ring.active()).current;
      return { ...peerKey(current.certificate), state: "current", ...(isOwn && { peer: peer.id }) };
    },
    all: () => ring.all(),
    rewrap: () => ring.rewrap(),

    async rotate({ dryRun = false, signal } = {}) {
      signal?.throwIfAborted();
      if (dryRun) {
        const from = (await ring.active()).current.certificate.fingerprint;
        return { dryRun, from, peers: await askAll("will-learn", signal) };
      }
      const { from, to } = await ring.rotate();
      return {
        dryRun,
        from,
        to,
        peers: await eachPeer(async (peer) => {
          const ownKey = await ring.rotateOwn(peer);
          return { ...(await ask(peer, "knows", signal)), ...(ownKey && { ownKey }) };
        }),
      };
    },

    async rotateIfDue(signal) {
      const isShared = await ring.rotateIfDue();
      let isOurs = isShared;
      const active = new Set<PeerRecord["id"]>();
      await eachPeer(async (peer) => {
        signal.throwIfAborted();
        active.add(peer.id);
        const isOwn = await ring.rotateOwnIfDue(peer);
        if (isOwn) isOurs = true;
        return isOwn || isShared ? ask(peer, "knows", signal) : undefined;
      });
      for (const id of await ring.owners()) {
        const peer = active.has(id) ? undefined : await store.find(id);
        if (peer?.state === "deleted") await ring.retireExpired(peer);
      }
      return isOurs;
    },

    async revoke(fingerprint, { reason, signal }) {
      const id = await ring.ownerOf(fingerprint);
      const owner = id && (await store.find(id));
      const from = (await ring.active(owner)).current.certificate.fingerprint;
      await ring.revoke(fingerprint, reason, owner);
      const to = (await ring.active(owner)).current.certificate.fingerprint;
      if (to === from || !callsPeers) return { dryRun: false, from, to, peers: [] };
      const peers = owner ? [await ask(owner, "knows", signal)] : await askAll("knows", signal);
      return { dryRun: false, from, to, peers };
    },
  };

  /** A signed call to every active peer: a Moodle that cannot verify it asks back and learns our key there and then (spec 7.5). */
  function askAll(success: RotationOutcome["outcome"], signal: AbortSignal | undefined): Promise<RotationOutcome[]> {
    return eachPeer((peer) => ask(peer, success, signal));
  }

  /** Some at a time. */
  async function eachPeer(
    work: (peer: PeerRecord) => Promise<RotationOutcome | undefined>,
  ): Promise<RotationOutcome[]> {
    const outcomes: RotationOutcome[] = [];
    const waiting = everyPeer(store, { state: "active" })[Symbol.asyncIterator]();
    const worker = async (): Promise<void> => {
      for (let next = await waiting.next(); !next.done; next = await waiting.next()) {
        const outcome = await work(next.value);
        if (outcome) outcomes.push(outcome);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    return outcomes.sort((a, b) => a.peer.id - b.peer.id);
  }

  async function ask(
    peer: PeerRecord,
    success: RotationOutcome["outcome"],
    signal: AbortSignal | undefined,
  ): Promise<RotationOutcome> {
    const snapshot = directory.snapshot(peer);
    try {
      await client.call(peer, "system/listServices", [], { signal });
      return { peer: snapshot, outcome: success };
    } catch (error) {
      if (!MnetError.is(error) || error instanceof StoreError) throw error;
      if (error instanceof TransportError && error.retryable) return { peer: snapshot, outcome: "unreachable", error };
      return hasReadUs(error) ? { peer: snapshot, outcome: success } : { peer: snapshot, outcome: "must-act", error };
    }
  }
}

/** Refusals that say "I cannot verify you", or come from somebody else. Any other answer shows that the peer knows the key. */
const UNVERIFIED = new Set([710, 711, 7020, 7023, 7025]);

/** Whether the peer evidently understood a signed call, although the call failed. */
const hasReadUs = (error: AnyMnetError): boolean =>
  (error instanceof RemoteFault && error.authenticated && !UNVERIFIED.has(error.faultCode)) ||
  error.code === "MNET_PEER_CLOCK_AHEAD" ||
  error.code === "MNET_PEER_CLOCK_BEHIND";
