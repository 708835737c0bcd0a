import type { Clock } from "../core/clock.ts";
import { ConfigError, EnvelopeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Fingerprint, PeerId } from "../core/ids.ts";
import { goOn, isLater, type NowOrLater } from "../core/now-or-later.ts";
import type { PeerKey } from "../core/peer-snapshot.ts";
import { RecentMap } from "../core/recent-map.ts";
import { RecentValue } from "../core/recent-value.ts";
import { TokenBucket } from "../core/token-bucket.ts";
import { Certificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/key-pair.ts";
import type { Share } from "../crypto/private-operation.ts";
import { HERE, workBy, type Operators, type Work } from "../crypto/work.ts";
import { decryptingMessage, type DecryptedMessage, type EncryptedMessage } from "../envelope/encrypted-message.ts";
import { decryptEnvelope, type DecryptedEnvelope, type SecureEnvelope } from "../secure/secure-envelope.ts";
import { isUsable, KeyLineage, type LineageContext, type LineageKeys, type UsableKeys } from "./key-lineage.ts";
import type { KeyPolicy } from "./key-policy.ts";
import type { KeyStore, StoredKey } from "./key-store.ts";
import type { KeyUser } from "./key-user.ts";
import { KeyWrapping } from "./key-wrapping.ts";
import { peerKey } from "./peer-key.ts";

/** One of our keys, for people. The private half is not in it. */
export interface OwnKey extends PeerKey {
  /** Archived keys open messages and sign the answer that brings the new key; revoked ones do nothing. */
  readonly state: "current" | "archived" | "revoked";
  /** The peer that it is for (`keyPair: "own"`). Absent: all that have none of their own. */
  readonly peer?: PeerId;
}

/** The keys that are in use at one moment. */
export interface ActiveKeys {
  /** Signs what we send. */
  readonly current: KeyPair;
  /** Open what peers send who know us by another key, newest first. */
  readonly archived: readonly KeyPair[];
}

/** Another process may change the keys; this is how long we may not notice while nothing looks odd. */
const MAXIMUM_AGE_MS = 500;
/** While something does, the store is asked at once; bad messages must not make us ask it all the time. */
const DOUBTS = { capacity: 50, perSecond: 10 };
/** A request that is under way when its key goes out of use is still answered; clocks of several machines differ. */
const RETIREMENT_MARGIN_MS = 60_000;
/** Peers whose keys are in memory, some 10 KB each. */
const CACHED_LINEAGES = 10_000;

/**
 * Our own key pairs: makes the first one, knows the current one and those that still open late messages.
 *
 * All peers share one key at a time, unless a peer's `keyPair` says that it has its own: then what is signed for it is
 * worth nothing at another (SEC-032). Either way a peer goes from one key to the next as in a rotation, and never back to
 * one that it was told to forget (SEC-040): who is to share again keeps its own until a newer one is shared.
 */
export class KeyRing {
  readonly #context: LineageContext;
  readonly #shared: KeyLineage;
  readonly #own = new RecentMap<PeerId, KeyLineage>(CACHED_LINEAGES);
  readonly #doubts: TokenBucket;
  readonly #operators: Operators;
  readonly #owners: RecentValue<ReadonlySet<PeerId>>;

  constructor(options: {
    readonly store: KeyStore;
    /** How private keys are stored. Default: plain. */
    readonly wrapping?: KeyWrapping;
    /** Where private operations are done and large messages gone over. Default: in this thread. */
    readonly operators?: Operators;
    readonly site: { readonly wwwroot: string; readonly name: string };
    readonly policy: KeyPolicy;
    readonly clock: Clock;
    readonly emit: Emit;
  }) {
    const { operators = HERE, wrapping = new KeyWrapping(), ...context } = options;
    this.#context = { ...context, wrapping };
    this.#shared = new KeyLineage(this.#context);
    this.#operators = operators;
    this.#doubts = new TokenBucket(DOUBTS, options.clock.now());
    this.#owners = new RecentValue(options.clock, async () => new Set(await options.store.owners()));
  }

  /** The keys in use with a peer, or with all that share. Makes one where there is none. */
  active(peer?: KeyUser): NowOrLater<ActiveKeys> {
    return this.#noOlderThan(MAXIMUM_AGE_MS, peer);
  }

  /**
   * The same, for somebody who doubts them: a message that none of them opens, or a peer that does not know the current
   * one. Another process may have rotated this very moment.
   */
  recent(peer?: KeyUser): NowOrLater<ActiveKeys> {
    return this.#noOlderThan(this.#doubts.take(this.#context.clock.now()) ? 0 : MAXIMUM_AGE_MS, peer);
  }

  /**
   * Opens a message with the keys in use. If none does, another process may have made a key a moment ago, and shown it.
   *
   * Throws `MNET_ENVELOPE_DECRYPTION_FAILED`, and for a request that is not among those that can be served in time
   * `CryptoOverload`.
   *
   * @param peer whom it claims to be from: the keys of others are not tried.
   * @param share whose request it is; none for what answers a call of ours.
   */
  decrypt(
    message: EncryptedMessage,
    peer?: KeyUser,
    share?: Share,
  ): Promise<{ readonly keys: ActiveKeys; readonly decrypted: DecryptedMessage }> {
    return this.#open(peer, (keys) => workBy(this.#operators, decryptingMessage(message, keys), share));
  }

  /** Whether more waits for private keys than can be done in time. */
  get isOverloaded(): boolean {
    return this.#operators.privately.isFull ?? false;
  }

  /** Whether more large messages wait than can be read in time. */
  get isOverloadedByLarge(): boolean {
    return this.#operators.bulk.isFull;
  }

  /**
   * Does what takes long without holding up this thread.
   *
   * @param gives whether nobody needs the large bytes that go into it any more; see `BulkOperator`.
   */
  work<T>(work: Work<T>, gives = false): NowOrLater<T> {
    return workBy(this.#operators, work, undefined, gives);
  }

  /** The same for a message in the secure profile. */
  decryptSecure(
    envelope: SecureEnvelope,
    peer?: KeyUser,
  ): Promise<{ readonly keys: ActiveKeys; readonly decrypted: DecryptedEnvelope }> {
    return this.#open(peer, (keys) => decryptEnvelope(envelope, keys));
  }

  async #open<T>(
    peer: KeyUser | undefined,
    open: (keys: readonly KeyPair[]) => NowOrLater<T>,
  ): Promise<{ readonly keys: ActiveKeys; readonly decrypted: T }> {
    const active = this.active(peer);
    const keys = isLater(active) ? await active : active;
    try {
      const opened = open([keys.current, ...keys.archived]);
      return { keys, decrypted: isLater(opened) ? await opened : opened };
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      const recent = await this.recent(peer);
      if (recent.current === keys.current) throw error;
      return { keys: recent, decrypted: await open([recent.current]) };
    }
  }

  #noOlderThan(ageMs: number, peer: KeyUser | undefined): NowOrLater<ActiveKeys> {
    return goOn(this.#shared.active(ageMs), (shared) => {
      if (!peer) return shared;
      return goOn(this.#hasOwn(peer, ageMs), (hasOwn) => (hasOwn ? this.#withOwn(peer, shared, ageMs) : shared));
    });
  }

  /** Both, the ones to be used first. */
  async #withOwn(peer: KeyUser, shared: UsableKeys, ageMs: number): Promise<ActiveKeys> {
    const own = await this.#ownKeys(this.#lineageOf(peer), peer, shared, ageMs);
    return isUsable(own)
      ? { current: own.current, archived: alternating(own.archived, [shared.current, ...shared.archived]) }
      : { current: shared.current, archived: alternating(shared.archived, this.#late(own.archived)) };
  }

  /** The peer's own keys as they are to be used: with a current one as long as that is the one for it. */
  async #ownKeys(lineage: KeyLineage, peer: KeyUser, shared: UsableKeys, ageMs: number): Promise<LineageKeys> {
    if (peer.settings.keyPair === "own") return lineage.active(ageMs, shared.madeAt);
    const own = await lineage.present(ageMs);
    if (!isUsable(own)) return own;
    return shared.madeAt > own.madeAt
      ? lineage.retire(own.current.certificate.fingerprint)
      : // None is used when it has expired: what was sealed for it is not remembered any more (SEC-033).
        lineage.active(ageMs, shared.madeAt);
  }

  /** Those that may still be in use: rotations do not push them out any more. */
  #late(archived: readonly KeyPair[]): readonly KeyPair[] {
    const now = this.#context.clock.now();
    return archived.filter(({ certificate }) => this.forgottenAt(certificate).getTime() > now);
  }

  /** Whether a peer has keys of its own, or is to have them. */
  #hasOwn({ id, state, settings }: KeyUser, ageMs: number): NowOrLater<boolean> {
    if (state !== "active") return false;
    if (settings.keyPair === "own" || this.#own.get(id)) return true;
    return goOn(this.#owners.noOlderThan(ageMs), (owners) => owners.has(id));
  }

  #lineageOf(owner: Pick<KeyUser, "id" | "wwwroot">): KeyLineage {
    let lineage = this.#own.get(owner.id);
    if (!lineage) {
      lineage = new KeyLineage(this.#context, { id: owner.id, wwwroot: owner.wwwroot });
      this.#own.set(owner.id, lineage);
    }
    return lineage;
  }

  /** All keys that were ever current, newest first. */
  async all(): Promise<readonly OwnKey[]> {
    const stored = await this.#context.store.list();
    return stored.flatMap((key) => (key.state === "prepared" ? [] : [ownKey(key, key.state)]));
  }

  /**
   * Stores every private key as the next one will be: encrypted with what encrypts now, which may be new, or none so far
   * (SEC-051). Safe beside other processes that do the same.
   *
   * @returns how many were stored otherwise. Throws `MNET_STORE_KEY_WRONG` at the first that cannot be read.
   */
  async rewrap(): Promise<number> {
    const { store, wrapping, emit } = this.#context;
    let keys = 0;
    for (const { fingerprint, privateKey: stored, state } of await store.list()) {
      if (state === "revoked") continue;
      const { privateKey, isUpToDate } = await wrapping.unwrap(stored, fingerprint);
      if (isUpToDate) continue;
      const wrapped = await wrapping.wrap(privateKey, fingerprint);
      if (await store.rewrap(fingerprint, stored, wrapped)) keys += 1;
    }
    if (keys > 0) emit({ type: "key.rewrapped", level: "info", keys });
    return keys;
  }

  /** The latest moment at which a request that was sealed for this key may still be served. */
  retiredAt({ notAfter }: Certificate): Date {
    return new Date(notAfter.getTime() + RETIREMENT_MARGIN_MS);
  }

  /** The latest moment at which one of our keys may still open an answer: as the oldest of the archive. */
  forgottenAt({ notAfter }: Certificate): Date {
    const { generations, lifetimeMs } = this.#context.policy;
    return new Date(notAfter.getTime() + generations * lifetimeMs);
  }

  /**
   * Replaces the current key and archives it (MNET-021, MNET-022). Of several processes that do this at once, one does;
   * the others get its key.
   */
  async rotate(): Promise<{ readonly from: Fingerprint; readonly to: Fingerprint }> {
    const from = (await this.#storedShared()).current.certificate.fingerprint;
    await this.#shared.replace(from);
    return { from, to: (await this.#storedShared()).current.certificate.fingerprint };
  }

  /**
   * The same for the key that a peer has of its own; what is shared stays.
   *
   * @returns `undefined`, and no change, if it has none, or shares from now on.
   */
  async rotateOwn(peer: KeyUser): Promise<{ readonly from?: Fingerprint; readonly to: Fingerprint } | undefined> {
    const own = await this.#storedOwn(peer);
    if (!own) return undefined;
    const { lineage, keys, shared } = own;
    const from = keys.current?.certificate.fingerprint;
    await lineage.replace(from, shared.madeAt);
    const to = (await lineage.fresh()).current?.certificate.fingerprint;
    return to && { ...(from && { from }), to };
  }

  /**
   * Replaces the current key if it is due (SEC-049). Of several processes that do this at once, one does.
   *
   * @returns whether it was this one.
   */
  async rotateIfDue(): Promise<boolean> {
    const { certificate } = (await this.#storedShared()).current;
    if (!this.#shared.isDue(certificate)) return false;
    const isOurs = await this.#shared.replace(certificate.fingerprint);
    await this.#shared.fresh();
    return isOurs;
  }

  /**
   * The same for the key that a peer has of its own: makes the first, if `keyPair` was set a moment ago, and ends its use
   * where the peer is to share again.
   *
   * @returns whether the peer has another key from now on, and is to be told.
   */
  async rotateOwnIfDue(peer: KeyUser): Promise<boolean> {
    if (!(await this.#hasOwn(peer, MAXIMUM_AGE_MS))) return false;
    const before = (await this.#lineageOf(peer).fresh()).current?.certificate;
    const own = await this.#storedOwn(peer);
    // Given up at this moment, here or elsewhere; or long ago.
    if (!own) return before !== undefined;
    if (before && !own.lineage.isDue(before)) return false;
    const isOurs = await own.lineage.replace(before?.fingerprint, own.shared.madeAt);
    await own.lineage.fresh();
    return isOurs;
  }

  /** Gives up the key of a peer that is gone, when it has expired: until then the peer may come back. */
  async retireExpired(owner: Pick<KeyUser, "id" | "wwwroot">): Promise<void> {
    const lineage = this.#lineageOf(owner);
    const { current } = await lineage.present(MAXIMUM_AGE_MS);
    if (!current || current.certificate.notAfter.getTime() > this.#context.clock.now()) return;
    await lineage.retire(current.certificate.fingerprint);
  }

  /** The peers that have keys of their own, in whatever state. */
  owners(): NowOrLater<ReadonlySet<PeerId>> {
    return this.#owners.noOlderThan(MAXIMUM_AGE_MS);
  }

  /** The peer that one of our keys is for; `undefined` for one that is shared, or not ours. */
  async ownerOf(fingerprint: string): Promise<PeerId | undefined> {
    return (await this.#context.store.list()).find((stored) => stored.fingerprint === fingerprint)?.peer;
  }

  /**
   * Makes a key unusable, now and for ever: nothing is opened with it and nobody is told a new key in its name (SEC-050).
   * The current key is replaced first. Throws `MNET_CONFIG_INVALID` for a key that is not ours.
   *
   * @param owner the peer that it is for, if it is one's own.
   */
  async revoke(fingerprint: string, reason: string, owner?: Pick<KeyUser, "id" | "wwwroot">): Promise<void> {
    const { store, emit } = this.#context;
    const lineage = owner ? this.#lineageOf(owner) : this.#shared;
    const key = (await store.list(owner?.id ?? "shared")).find((stored) => stored.fingerprint === fingerprint);
    if (!key) {
      throw new ConfigError("MNET_CONFIG_INVALID", `No key of ours has the fingerprint ${fingerprint}.`, {
        option: "fingerprint",
      });
    }
    const newerThan = owner && (await this.#shared.active(MAXIMUM_AGE_MS)).madeAt;
    if (key.state === "current") await lineage.replace(key.fingerprint, newerThan);
    await store.revoke(key.fingerprint);
    lineage.forget(key.fingerprint);
    await lineage.fresh();
    const peer = owner && { peer: { id: owner.id, wwwroot: owner.wwwroot } };
    emit({ type: "key.revoked", level: "warn", ...peer, fingerprint: key.fingerprint, reason });
  }

  /** The keys that are shared in the store, expired or not: what is about to be replaced need not be good. */
  async #storedShared(): Promise<UsableKeys> {
    const keys = await this.#shared.fresh();
    return isUsable(keys) ? keys : this.#shared.active(MAXIMUM_AGE_MS);
  }

  /** A peer's own keys in the store, if it uses them; the current one is expired or not, or not made yet. */
  async #storedOwn(
    peer: KeyUser,
  ): Promise<{ readonly lineage: KeyLineage; readonly keys: LineageKeys; readonly shared: UsableKeys } | undefined> {
    if (!(await this.#hasOwn(peer, MAXIMUM_AGE_MS))) return undefined;
    const lineage = this.#lineageOf(peer);
    const shared = await this.#storedShared();
    const keys =
      peer.settings.keyPair === "own" ? await lineage.fresh() : await this.#ownKeys(lineage, peer, shared, 0);
    return isUsable(keys) || peer.settings.keyPair === "own" ? { lineage, keys, shared } : undefined;
  }
}

function ownKey(key: StoredKey, state: OwnKey["state"]): OwnKey {
  // Of a revoked key there is no private half any more.
  const certificate = Certificate.parse(key.certificate, { minimumBits: 1024 });
  return { ...peerKey(certificate), state, ...(key.peer !== undefined && { peer: key.peer }) };
}

/** One of these, one of those: so few are tried that each kind gets its share (SEC-006). */
function alternating<T>(first: readonly T[], second: readonly T[]): readonly T[] {
  const longest = Math.max(first.length, second.length);
  return Array.from({ length: longest }, (_, at) => [...first.slice(at, at + 1), ...second.slice(at, at + 1)]).flat();
}
