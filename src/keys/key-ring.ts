import type { Clock } from "../core/clock.ts";
import { ConfigError, EnvelopeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Fingerprint } from "../core/ids.ts";
import type { PeerKey } from "../core/peer-snapshot.ts";
import { TokenBucket } from "../core/token-bucket.ts";
import { Certificate } from "../crypto/certificate.ts";
import { KeyPair } from "../crypto/key-pair.ts";
import { perform, workBy, type PrivateOperator, type PrivateWork, type Share } from "../crypto/private-operation.ts";
import { decryptingMessage, type DecryptedMessage, type EncryptedMessage } from "../envelope/encrypted-message.ts";
import { decryptEnvelope, type DecryptedEnvelope, type SecureEnvelope } from "../secure/secure-envelope.ts";
import { generateKeyPair, type GeneratedKeyPair } from "./generate-key-pair.ts";
import type { KeyStore, StoredKey } from "./key-store.ts";
import { KeyWrapping } from "./key-wrapping.ts";
import { peerKey } from "./peer-key.ts";

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

/** One of our keys, for people. The private half is not in it. */
export interface OwnKey extends PeerKey {
  /** Archived keys open messages and sign the answer that brings the new key; revoked ones do nothing. */
  readonly state: "current" | "archived" | "revoked";
}

/** The keys that are in use at one moment. */
export interface ActiveKeys {
  /** Signs what we send. */
  readonly current: KeyPair;
  /** Open what peers send who know us by an old key, newest first. */
  readonly archived: readonly KeyPair[];
}

/** Another process may change the keys; this is how long we may not notice while nothing looks odd. */
const MAXIMUM_AGE_MS = 500;
/** While something does, the store is asked at once; bad messages must not make us ask it all the time. */
const DOUBTS = { capacity: 10, perSecond: 10 };
/** A request that is under way when its key goes out of use is still answered; clocks of several machines differ. */
const RETIREMENT_MARGIN_MS = 60_000;

/** Our own key pairs: makes the first one, knows the current one and those that still open late messages. */
export class KeyRing {
  readonly #store: KeyStore;
  readonly #wrapping: KeyWrapping;
  readonly #site: { readonly wwwroot: string; readonly name: string };
  readonly #policy: KeyPolicy;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #parsed = new Map<Fingerprint, KeyPair>();
  readonly #doubts: TokenBucket;
  readonly #operator: PrivateOperator;
  #newestAt = 0;
  #loaded: { readonly at: number; readonly keys: Promise<ActiveKeys> } | undefined;

  constructor(options: {
    readonly store: KeyStore;
    /** How private keys are stored. Default: plain. */
    readonly wrapping?: KeyWrapping;
    /** Where private operations are done. Default: in this thread. */
    readonly operator?: PrivateOperator;
    readonly site: { readonly wwwroot: string; readonly name: string };
    readonly policy: KeyPolicy;
    readonly clock: Clock;
    readonly emit: Emit;
  }) {
    this.#store = options.store;
    this.#wrapping = options.wrapping ?? new KeyWrapping();
    this.#site = options.site;
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#emit = options.emit;
    this.#operator = options.operator ?? { perform };
    this.#doubts = new TokenBucket(DOUBTS, options.clock.now());
  }

  /** The keys in use. Makes the first key if there is none. */
  active(): Promise<ActiveKeys> {
    const loaded = this.#loaded;
    // A clock that was set back must not keep old keys in use.
    return loaded && Math.abs(this.#clock.now() - loaded.at) < MAXIMUM_AGE_MS ? loaded.keys : this.#fresh();
  }

  /**
   * The same, for somebody who doubts them: a message that none of them opens, or a peer that does not know the current
   * one. Another process may have rotated this very moment.
   */
  recent(): Promise<ActiveKeys> {
    return this.#doubts.take(this.#clock.now()) ? this.#fresh() : this.active();
  }

  /**
   * Opens a message with the keys in use. If none does, another process may have made a key a moment ago, and shown it.
   *
   * Throws `MNET_ENVELOPE_DECRYPTION_FAILED`, and for a request that is not among those that can be served in time
   * `CryptoOverload`.
   *
   * @param share whose request it is; none for what answers a call of ours.
   */
  decrypt(
    message: EncryptedMessage,
    share?: Share,
  ): Promise<{ readonly keys: ActiveKeys; readonly decrypted: DecryptedMessage }> {
    return this.#open((keys) => workBy(this.#operator, decryptingMessage(message, keys), share));
  }

  /** Does what needs a private key for a call that has begun, without holding up this thread. */
  work<T>(work: PrivateWork<T>): Promise<T> {
    return workBy(this.#operator, work);
  }

  /** The same for a message in the secure profile. */
  decryptSecure(
    envelope: SecureEnvelope,
  ): Promise<{ readonly keys: ActiveKeys; readonly decrypted: DecryptedEnvelope }> {
    return this.#open((keys) => decryptEnvelope(envelope, keys));
  }

  async #open<T>(
    open: (keys: readonly KeyPair[]) => T | Promise<T>,
  ): Promise<{ readonly keys: ActiveKeys; readonly decrypted: T }> {
    const keys = await this.active();
    try {
      return { keys, decrypted: await open([keys.current, ...keys.archived]) };
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      const recent = await this.recent();
      if (recent.current === keys.current) throw error;
      return { keys: recent, decrypted: await open([recent.current]) };
    }
  }

  /** All keys that were ever current, newest first. */
  async all(): Promise<readonly OwnKey[]> {
    const stored = await this.#store.list();
    return stored.flatMap((key) => (key.state === "prepared" ? [] : [this.#ownKey(key, key.state)]));
  }

  /**
   * Stores every private key as the next one will be: encrypted with what encrypts now, which may be new, or none so far
   * (SEC-051). Safe beside other processes that do the same.
   *
   * @returns how many were stored otherwise. Throws `MNET_STORE_KEY_WRONG` at the first that cannot be read.
   */
  async rewrap(): Promise<number> {
    let keys = 0;
    for (const { fingerprint, privateKey: stored, state } of await this.#store.list()) {
      if (state === "revoked") continue;
      const { privateKey, isUpToDate } = await this.#wrapping.unwrap(stored, fingerprint);
      if (isUpToDate) continue;
      const wrapped = await this.#wrapping.wrap(privateKey, fingerprint);
      if (await this.#store.rewrap(fingerprint, stored, wrapped)) keys += 1;
    }
    if (keys > 0) this.#emit({ type: "key.rewrapped", level: "info", keys });
    return keys;
  }

  /** The latest moment at which a request that was sealed for this key may still be served. */
  retiredAt({ notAfter }: Certificate): Date {
    return new Date(notAfter.getTime() + RETIREMENT_MARGIN_MS);
  }

  /** The latest moment at which one of our keys may still open an answer: as the oldest of the archive. */
  forgottenAt({ notAfter }: Certificate): Date {
    return new Date(notAfter.getTime() + this.#policy.generations * this.#policy.lifetimeMs);
  }

  /** Whether a key has had the part of its life after which it is replaced, while it is still good (SEC-049). */
  #isDue({ notBefore, notAfter }: Certificate): boolean {
    const lifetimeMs = notAfter.getTime() - notBefore.getTime();
    return this.#clock.now() >= notBefore.getTime() + this.#policy.rotateAt * lifetimeMs;
  }

  /**
   * Replaces the current key and archives it (MNET-021, MNET-022). Of several processes that do this at once, one does;
   * the others get its key.
   */
  async rotate(): Promise<{ readonly from: Fingerprint; readonly to: Fingerprint }> {
    const from = (await this.#stored()).fingerprint;
    await this.#replace(from);
    return { from, to: (await this.#fresh()).current.certificate.fingerprint };
  }

  /**
   * Replaces the current key if it is due (SEC-049). Of several processes that do this at once, one does.
   *
   * @returns whether it was this one.
   */
  async rotateIfDue(): Promise<boolean> {
    const certificate = await this.#stored();
    if (!this.#isDue(certificate)) return false;
    const isOurs = await this.#replace(certificate.fingerprint);
    await this.#fresh();
    return isOurs;
  }

  /** The certificate that is current in the store, expired or not: what is about to be replaced need not be good. */
  async #stored(): Promise<Certificate> {
    const { current } = (await this.#read(await this.#list())) ?? (await this.#fresh());
    return current.certificate;
  }

  /**
   * Makes a key unusable, now and for ever: nothing is opened with it and nobody is told a new key in its name (SEC-050).
   * The current key is replaced first. Throws `MNET_CONFIG_INVALID` for a key that is not ours.
   */
  async revoke(fingerprint: string, reason: string): Promise<void> {
    const key = (await this.#list()).find((stored) => stored.fingerprint === fingerprint);
    if (!key) {
      throw new ConfigError("MNET_CONFIG_INVALID", `No key of ours has the fingerprint ${fingerprint}.`, {
        option: "fingerprint",
      });
    }
    if (key.state === "current") await this.#replace(key.fingerprint);
    await this.#store.revoke(key.fingerprint);
    this.#parsed.delete(key.fingerprint);
    await this.#fresh();
    this.#emit({ type: "key.revoked", level: "warn", fingerprint: key.fingerprint, reason });
  }

  /** The keys as they are in the store at this moment. */
  #fresh(): Promise<ActiveKeys> {
    const keys = this.#load();
    const loaded = { at: this.#clock.now(), keys };
    this.#loaded = loaded;
    keys.catch(() => {
      if (this.#loaded === loaded) this.#loaded = undefined;
    });
    return keys;
  }

  async #load(): Promise<ActiveKeys> {
    const active = await this.#read(await this.#list());
    // Moodle, too, rotates when an expired key is wanted (spec 2.4); a host that is maintained does so long before.
    if (active && active.current.certificate.notAfter.getTime() > this.#clock.now()) return active;
    await this.#replace(active?.current.certificate.fingerprint);
    const replaced = await this.#read(await this.#list());
    if (!replaced) throw new Error("The key store lost the key that it has just confirmed.");
    return replaced;
  }

  /** A store that is another site's would make us speak in its name, and be refused by everybody. */
  #requireOurs(certificate: Certificate): void {
    try {
      certificate.requireFor(this.#site.wwwroot);
    } catch (cause) {
      throw new ConfigError(
        "MNET_CONFIG_INVALID",
        `The store is that of ${certificate.site ?? "another site"}, not of ${this.#site.wwwroot}.`,
        { option: "wwwroot", cause },
      );
    }
  }

  async #list(): Promise<readonly StoredKey[]> {
    const stored = await this.#store.list();
    this.#newestAt = Math.max(0, ...stored.map(({ createdAt }) => createdAt));
    return stored;
  }

  async #read(stored: readonly StoredKey[]): Promise<ActiveKeys | undefined> {
    const current = stored.find(({ state }) => state === "current");
    const archived = stored.filter(({ state }) => state === "archived").slice(0, this.#policy.generations);
    // What is out of use is in nobody's memory.
    const inUse = new Set([current, ...archived].map((key) => key?.fingerprint));
    for (const fingerprint of this.#parsed.keys()) if (!inUse.has(fingerprint)) this.#parsed.delete(fingerprint);
    if (!current) return undefined;
    const pair = await this.#parse(current);
    this.#requireOurs(pair.certificate);
    return { current: pair, archived: await Promise.all(archived.map((key) => this.#parse(key))) };
  }

  /**
   * A new key in place of `expected`, or as the first one. It is durable before anybody sees it: what was published once
   * can always be opened, wherever the process dies.
   *
   * @returns `false` if another process was faster.
   */
  async #replace(expected: Fingerprint | undefined): Promise<boolean> {
    const now = this.#clock.now();
    const generated = await generateKeyPair({
      ...this.#site,
      modulusBits: this.#policy.modulusBits,
      notBefore: new Date(now),
      notAfter: new Date(now + this.#policy.lifetimeMs),
    });
    // A clock that was set back must not make the new key look like the oldest, which the archive drops first.
    const key = await this.#storedKey(generated, Math.max(now, this.#newestAt + 1));
    await this.#store.prepare(key);
    // If another process was faster, its key is the one, and ours was never shown to anybody.
    const isOurs = await this.#store.promote(key.fingerprint, expected, now);
    if (isOurs) {
      this.#emit(
        expected === undefined
          ? { type: "key.created", level: "info", fingerprint: key.fingerprint }
          : { type: "key.rotated", level: "info", from: expected, to: key.fingerprint },
      );
    }
    await this.#store.prune(this.#policy.generations, now);
    return isOurs;
  }

  async #parse({ fingerprint, certificate, privateKey: stored }: StoredKey): Promise<KeyPair> {
    const known = this.#parsed.get(fingerprint);
    if (known) return known;
    const { privateKey } = await this.#wrapping.unwrap(stored, fingerprint);
    const pair = KeyPair.parse({ certificate, privateKey });
    this.#parsed.set(fingerprint, pair);
    return pair;
  }

  async #storedKey({ certificate, privateKey }: GeneratedKeyPair, createdAt: number): Promise<StoredKey> {
    const { fingerprint } = KeyPair.parse({ certificate, privateKey }).certificate;
    const wrapped = await this.#wrapping.wrap(privateKey, fingerprint);
    return { fingerprint, certificate, privateKey: wrapped, state: "prepared", createdAt };
  }

  #ownKey(key: StoredKey, state: OwnKey["state"]): OwnKey {
    // Of a revoked key there is no private half any more.
    const certificate = Certificate.parse(key.certificate, { minimumBits: 1024 });
    return { ...peerKey(certificate), state };
  }
}
