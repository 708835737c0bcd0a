import type { Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import type { Fingerprint, PeerId, Wwwroot } from "../core/ids.ts";
import { goOn, type NowOrLater } from "../core/now-or-later.ts";
import { RecentValue } from "../core/recent-value.ts";
import type { Certificate } from "../crypto/certificate.ts";
import { KeyPair } from "../crypto/key-pair.ts";
import { generateKeyPair, type GeneratedKeyPair } from "./generate-key-pair.ts";
import type { KeyPolicy } from "./key-policy.ts";
import type { KeyStore, StoredKey } from "./key-store.ts";
import type { KeyWrapping } from "./key-wrapping.ts";

/** What every lineage of a site needs. */
export interface LineageContext {
  readonly store: KeyStore;
  readonly wrapping: KeyWrapping;
  readonly site: { readonly wwwroot: string; readonly name: string };
  readonly policy: KeyPolicy;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** The keys of a lineage at one moment. */
export interface LineageKeys {
  /** None, if none was made, or the last was given up without another in its place. */
  readonly current: KeyPair | undefined;
  /** When the current one was made, as the store orders them; 0 if there is none. */
  readonly madeAt: number;
  /** Newest first. */
  readonly archived: readonly KeyPair[];
}

/** The same, where there is a current one. */
export interface UsableKeys extends LineageKeys {
  readonly current: KeyPair;
}

/** Keys of ours that replace each other: those that all peers share, or those of one peer (SEC-032). */
export class KeyLineage {
  readonly #context: LineageContext;
  readonly #owner: { readonly id: PeerId; readonly wwwroot: Wwwroot } | undefined;
  readonly #parsed = new Map<Fingerprint, KeyPair>();
  readonly #stored: RecentValue<LineageKeys>;
  #newestAt = 0;
  #renewing: Promise<UsableKeys> | undefined;

  /** @param owner the peer; left out: all who have none of their own. */
  constructor(context: LineageContext, owner?: { readonly id: PeerId; readonly wwwroot: Wwwroot }) {
    this.#context = context;
    this.#owner = owner;
    this.#stored = new RecentValue(context.clock, () => this.#load());
  }

  /** As they were in the store at most so long ago. Nothing is made. */
  present(maximumAgeMs: number): NowOrLater<LineageKeys> {
    return this.#stored.noOlderThan(maximumAgeMs);
  }

  /**
   * The same, with a current key that is good: makes one if there is none, or if it has expired. Moodle, too, rotates when
   * an expired key is wanted (spec 2.4); a host that is maintained does so long before.
   *
   * @param newerThan a new key counts as made later than this.
   */
  active(maximumAgeMs: number, newerThan = 0): NowOrLater<UsableKeys> {
    return goOn(this.present(maximumAgeMs), (keys) => {
      if (isUsable(keys) && keys.current.certificate.notAfter.getTime() > this.#context.clock.now()) return keys;
      this.#renewing ??= this.#renew(keys, newerThan).finally(() => {
        this.#renewing = undefined;
      });
      return this.#renewing;
    });
  }

  /** As they are in the store at this moment. */
  fresh(): NowOrLater<LineageKeys> {
    return this.#stored.fresh();
  }

  /** Whether the current key has had the part of its life after which it is replaced, while it is still good (SEC-049). */
  isDue({ notBefore, notAfter }: Certificate): boolean {
    const { clock, policy } = this.#context;
    const lifetimeMs = notAfter.getTime() - notBefore.getTime();
    return clock.now() >= notBefore.getTime() + policy.rotateAt * lifetimeMs;
  }

  /**
   * A new key in place of `expected`, or as the first one. It is durable before anybody sees it: what was published once
   * can always be opened, wherever the process dies.
   *
   * @returns `false` if another process was faster.
   */
  async replace(expected: Fingerprint | undefined, newerThan = 0): Promise<boolean> {
    const { store, site, policy, clock, emit } = this.#context;
    await this.present(Infinity);
    const now = clock.now();
    const generated = await generateKeyPair({
      ...site,
      modulusBits: policy.modulusBits,
      notBefore: new Date(now),
      notAfter: new Date(now + policy.lifetimeMs),
    });
    // A clock that was set back must not make the new key look like the oldest, which the archive drops first.
    const key = await this.#storedKey(generated, Math.max(now, this.#newestAt + 1, newerThan + 1));
    await store.prepare(key);
    // If another process was faster, its key is the one, and ours was never shown to anybody.
    const isOurs = await store.promote(key.fingerprint, expected, now);
    if (isOurs) {
      const peer = this.#owner && { peer: this.#owner };
      emit(
        expected === undefined
          ? { type: "key.created", level: "info", ...peer, fingerprint: key.fingerprint }
          : { type: "key.rotated", level: "info", ...peer, from: expected, to: key.fingerprint },
      );
    }
    await store.prune(policy.generations, now);
    return isOurs;
  }

  /** Gives the current key up without another in its place: the peer shares a newer one from now on. */
  async retire(current: Fingerprint): Promise<LineageKeys> {
    await this.#context.store.archive(current, this.#context.clock.now());
    return this.fresh();
  }

  /** A key is nobody's any more. */
  forget(fingerprint: Fingerprint): void {
    this.#parsed.delete(fingerprint);
  }

  async #renew({ current }: LineageKeys, newerThan: number): Promise<UsableKeys> {
    await this.replace(current?.certificate.fingerprint, newerThan);
    const keys = await this.fresh();
    if (!isUsable(keys)) throw new Error("The key store lost the key that it has just confirmed.");
    return keys;
  }

  async #load(): Promise<LineageKeys> {
    const stored = await this.#context.store.list(this.#owner?.id ?? "shared");
    this.#newestAt = Math.max(0, ...stored.map(({ createdAt }) => createdAt));
    const current = stored.find(({ state }) => state === "current");
    const archived = stored.filter(({ state }) => state === "archived").slice(0, this.#context.policy.generations);
    // What is out of use is in nobody's memory.
    const inUse = new Set([current, ...archived].map((key) => key?.fingerprint));
    for (const fingerprint of this.#parsed.keys()) if (!inUse.has(fingerprint)) this.#parsed.delete(fingerprint);
    const pair = current && (await this.#parse(current));
    if (pair) this.#requireOurs(pair.certificate);
    return {
      current: pair,
      madeAt: current?.createdAt ?? 0,
      archived: await Promise.all(archived.map((key) => this.#parse(key))),
    };
  }

  /** A store that is another site's would make us speak in its name, and be refused by everybody. */
  #requireOurs(certificate: Certificate): void {
    const { wwwroot } = this.#context.site;
    try {
      certificate.requireFor(wwwroot);
    } catch (cause) {
      throw new ConfigError(
        "MNET_CONFIG_INVALID",
        `The store is that of ${certificate.site ?? "another site"}, not of ${wwwroot}.`,
        { option: "wwwroot", cause },
      );
    }
  }

  async #parse({ fingerprint, certificate, privateKey: stored }: StoredKey): Promise<KeyPair> {
    const known = this.#parsed.get(fingerprint);
    if (known) return known;
    const { privateKey } = await this.#context.wrapping.unwrap(stored, fingerprint);
    const pair = KeyPair.parse({ certificate, privateKey });
    this.#parsed.set(fingerprint, pair);
    return pair;
  }

  async #storedKey({ certificate, privateKey }: GeneratedKeyPair, createdAt: number): Promise<StoredKey> {
    const { fingerprint } = KeyPair.parse({ certificate, privateKey }).certificate;
    const wrapped = await this.#context.wrapping.wrap(privateKey, fingerprint);
    const owner = this.#owner && { peer: this.#owner.id };
    return { fingerprint, certificate, privateKey: wrapped, state: "prepared", createdAt, ...owner };
  }
}

/** Whether there is a current key. */
export const isUsable = (keys: LineageKeys): keys is UsableKeys => keys.current !== undefined;
