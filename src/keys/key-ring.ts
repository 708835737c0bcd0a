import type { Clock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";
import type { Fingerprint } from "../core/ids.ts";
import type { PeerKey } from "../core/peer-snapshot.ts";
import { KeyPair } from "../crypto/key-pair.ts";
import { generateKeyPair, type GeneratedKeyPair } from "./generate-key-pair.ts";
import type { KeyStore, StoredKey } from "./key-store.ts";
import { peerKey } from "./peer-key.ts";

/** How our own keys are made and kept. */
export interface KeyPolicy {
  /** Default 28 days (MNET-020). */
  readonly lifetimeMs: number;
  /** Archived keys that still open late messages. Default 3 (MNET-021). */
  readonly generations: number;
  /** 2048 (default) to 4096. */
  readonly modulusBits: number;
}

/** The policy that applies unless the host's options say otherwise. */
export const DEFAULT_KEY_POLICY: KeyPolicy = {
  lifetimeMs: 28 * 24 * 60 * 60 * 1000,
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

/** Another process may change the keys; this is how long we may not notice. */
const MAXIMUM_AGE_MS = 5000;

/** Our own key pairs: makes the first one, knows the current one and those that still open late messages. */
export class KeyRing {
  readonly #store: KeyStore;
  readonly #site: { readonly wwwroot: string; readonly name: string };
  readonly #policy: KeyPolicy;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #parsed = new Map<Fingerprint, KeyPair>();
  #loaded: { readonly at: number; readonly keys: Promise<ActiveKeys> } | undefined;

  constructor(options: {
    readonly store: KeyStore;
    readonly site: { readonly wwwroot: string; readonly name: string };
    readonly policy: KeyPolicy;
    readonly clock: Clock;
    readonly emit: Emit;
  }) {
    this.#store = options.store;
    this.#site = options.site;
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#emit = options.emit;
  }

  /** The keys in use. Makes the first key if there is none. */
  active(): Promise<ActiveKeys> {
    const now = this.#clock.now();
    // A clock that was set back must not keep old keys in use.
    if (!this.#loaded || Math.abs(now - this.#loaded.at) >= MAXIMUM_AGE_MS) {
      const keys = this.#load();
      this.#loaded = { at: now, keys };
      keys.catch(() => {
        if (this.#loaded?.keys === keys) this.#loaded = undefined;
      });
    }
    return this.#loaded.keys;
  }

  /** All keys that were ever current, newest first. */
  async all(): Promise<readonly OwnKey[]> {
    const stored = await this.#store.list();
    return stored.flatMap((key) => (key.state === "prepared" ? [] : [this.#ownKey(key, key.state)]));
  }

  async #load(): Promise<ActiveKeys> {
    let stored = await this.#store.list();
    if (!stored.some(({ state }) => state === "current")) {
      await this.#createFirst();
      stored = await this.#store.list();
    }
    const archived = stored.filter(({ state }) => state === "archived").slice(0, this.#policy.generations);
    const current = stored.find(({ state }) => state === "current");
    if (!current) throw new Error("The key store lost the key that it has just confirmed.");
    return { current: this.#parse(current), archived: archived.map((key) => this.#parse(key)) };
  }

  /** A key is durable before anybody sees it: what was published once can always be opened. */
  async #createFirst(): Promise<void> {
    const now = this.#clock.now();
    const generated = await generateKeyPair({
      ...this.#site,
      modulusBits: this.#policy.modulusBits,
      notBefore: new Date(now),
      notAfter: new Date(now + this.#policy.lifetimeMs),
    });
    const key = storedKey(generated, now);
    await this.#store.prepare(key);
    // If another process was faster, its key is the one, and ours was never shown to anybody.
    const isOurs = await this.#store.promote(key.fingerprint, undefined, now);
    if (isOurs) this.#emit({ type: "key.created", level: "info", fingerprint: key.fingerprint });
  }

  #parse(key: StoredKey): KeyPair {
    let pair = this.#parsed.get(key.fingerprint);
    if (!pair) {
      pair = KeyPair.parse({
        certificate: key.certificate,
        privateKey: Buffer.from(key.privateKey).toString("utf8"),
      });
      this.#parsed.set(key.fingerprint, pair);
    }
    return pair;
  }

  #ownKey(key: StoredKey, state: OwnKey["state"]): OwnKey {
    const { certificate } = this.#parse(key);
    return { ...peerKey(certificate), state };
  }
}

function storedKey({ certificate, privateKey }: GeneratedKeyPair, createdAt: number): StoredKey {
  const pair = KeyPair.parse({ certificate, privateKey });
  return {
    fingerprint: pair.certificate.fingerprint,
    certificate,
    privateKey: Buffer.from(privateKey, "utf8"),
    state: "prepared",
    createdAt,
  };
}
