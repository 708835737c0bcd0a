import { randomBytes } from "node:crypto";
import { ConfigError, MnetError, StoreError } from "../core/errors.ts";
import type { Fingerprint } from "../core/ids.ts";
import { Secret } from "../core/secret.ts";
import {
  decryptWithKey,
  deriveKey,
  encryptWithKey,
  isAffordable,
  SALT_BYTES,
  SCRYPT_COST,
  type ScryptCost,
} from "../crypto/passphrase.ts";
import type { KeyWrapper } from "./key-wrapper.ts";

/** How private keys are encrypted in the store (SEC-051). */
export interface WrappingOptions {
  /** Encrypts: a passphrase, or a KMS. Default: none, keys are stored as PEM. */
  readonly encryptWith?: Secret | KeyWrapper | undefined;
  /** Decrypt as well, and encrypt nothing. Default none. */
  readonly decryptAlsoWith?: readonly (Secret | KeyWrapper)[] | undefined;
}

/** A private key, out of the store. */
export interface UnwrappedKey {
  /** PEM. Secret. */
  readonly privateKey: string;
  /** It is stored as `wrap` would store it: encrypted by `encryptWith`, or plain where there is none. */
  readonly isUpToDate: boolean;
}

/** Begins what is encrypted, where a plain key begins with `-----BEGIN`. */
const MAGIC = Buffer.from("mnet-key", "latin1");
const VERSION = 1;
const HEADER_BYTES = MAGIC.length + 2;
/** What follows the header. */
const KIND = {
  /** log2N, r, p of scrypt, the salt, and AES-256-GCM over it, with all before and the key's fingerprint as context. */
  passphrase: 1,
  /** Whatever a `KeyWrapper` gave. */
  wrapper: 2,
} as const;
/** A short one can be tried out by whoever has the file. */
const MINIMUM_PASSPHRASE_LENGTH = 12;

/** One way of encrypting private keys. */
interface Wrapping {
  readonly kind: number;
  seal(privateKey: Uint8Array, fingerprint: Fingerprint): Promise<Uint8Array>;
  /** `undefined`: it was encrypted otherwise. May throw as a `KeyWrapper` does. */
  open(body: Uint8Array, fingerprint: Fingerprint): Promise<Uint8Array | undefined>;
}

/** Private keys on their way into the store and out of it. */
export class KeyWrapping {
  readonly #current: Wrapping | undefined;
  readonly #all: readonly Wrapping[];

  /** Throws `MNET_CONFIG_INVALID` for a passphrase that is too short. `cost` is for tests. */
  constructor(
    { encryptWith, decryptAlsoWith = [] }: WrappingOptions = {},
    { cost = SCRYPT_COST, option = "keys" }: { readonly cost?: ScryptCost; readonly option?: string } = {},
  ) {
    const wrappingOf = (given: Secret | KeyWrapper, name: string): Wrapping =>
      given instanceof Secret ? byPassphrase(longEnough(given, `${option}.${name}`), cost) : byWrapper(given);
    this.#current = encryptWith && wrappingOf(encryptWith, "encryptWith");
    const others = decryptAlsoWith.map((given, index) => wrappingOf(given, `decryptAlsoWith.${index}`));
    this.#all = [...(this.#current ? [this.#current] : []), ...others];
  }

  /** A private key as it is stored. Throws `MNET_STORE_UNAVAILABLE` if the KMS does not do it. */
  async wrap(privateKey: string, fingerprint: Fingerprint): Promise<Uint8Array> {
    const plain = Buffer.from(privateKey, "utf8");
    if (!this.#current) return plain;
    try {
      const body = await this.#current.seal(plain, fingerprint);
      return Buffer.concat([headerOf(this.#current.kind), body]);
    } catch (cause) {
      if (MnetError.is(cause)) throw cause;
      throw new StoreError("MNET_STORE_UNAVAILABLE", "A private key could not be encrypted: keys.encryptWith failed.", {
        cause,
      });
    }
  }

  /**
   * A private key out of the store.
   *
   * Throws `MNET_STORE_KEY_WRONG` if nothing that was given decrypts it, `MNET_STORE_TOO_NEW` for a format of a newer
   * version, `MNET_STORE_UNAVAILABLE` if the KMS says so.
   */
  async unwrap(stored: Uint8Array, fingerprint: Fingerprint): Promise<UnwrappedKey> {
    const bytes = Buffer.from(stored);
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
      return { privateKey: bytes.toString("utf8"), isUpToDate: this.#current === undefined };
    }
    const [version, kind] = bytes.subarray(MAGIC.length);
    if (version !== VERSION) {
      throw new StoreError(
        "MNET_STORE_TOO_NEW",
        "A private key was encrypted by a newer version of mnet. Install that version here.",
      );
    }
    const failures: unknown[] = [];
    for (const wrapping of this.#all.filter((one) => one.kind === kind)) {
      try {
        const plain = await wrapping.open(bytes.subarray(HEADER_BYTES), fingerprint);
        const privateKey = plain && Buffer.from(plain).toString("utf8");
        if (privateKey?.startsWith("-----BEGIN ")) return { privateKey, isUpToDate: wrapping === this.#current };
      } catch (error) {
        failures.push(error);
      }
    }
    const [cause] = failures;
    throw failures.find(MnetError.is) ?? this.#wrongKey(cause);
  }

  #wrongKey(cause: unknown): StoreError {
    return new StoreError(
      "MNET_STORE_KEY_WRONG",
      this.#all.length === 0
        ? "The private keys in the store are encrypted, and keys.encryptWith is not given."
        : "A private key in the store is encrypted with something else than keys.encryptWith and keys.decryptAlsoWith.",
      { cause },
    );
  }
}

const headerOf = (kind: number): Buffer => Buffer.concat([MAGIC, Buffer.of(VERSION, kind)]);

function byWrapper(wrapper: KeyWrapper): Wrapping {
  return {
    kind: KIND.wrapper,
    seal: (privateKey) => wrapper.wrap(privateKey),
    open: (body) => wrapper.unwrap(body),
  };
}

const COST_BYTES = 3;
const PREFIX_BYTES = COST_BYTES + SALT_BYTES;

function byPassphrase(passphrase: Secret, cost: ScryptCost): Wrapping {
  // Deriving is slow on purpose. All keys of a site have one salt, as long as nobody gives it another.
  const derived = new Map<string, Promise<Buffer>>();
  let newest: Buffer | undefined;

  function keyFor(prefix: Buffer): Promise<Buffer> {
    const name = prefix.toString("hex");
    let key = derived.get(name);
    if (!key) {
      const [log2N = 0, r = 0, p = 0] = prefix;
      key = deriveKey(passphrase.reveal(), prefix.subarray(COST_BYTES), { log2N, r, p });
      derived.set(name, key);
      key.catch(() => derived.delete(name));
    }
    return key;
  }

  const contextOf = (prefix: Buffer, fingerprint: Fingerprint): Buffer =>
    Buffer.concat([headerOf(KIND.passphrase), prefix, Buffer.from(fingerprint, "latin1")]);

  return {
    kind: KIND.passphrase,
    async seal(privateKey, fingerprint) {
      newest ??= Buffer.concat([Buffer.of(cost.log2N, cost.r, cost.p), randomBytes(SALT_BYTES)]);
      const box = encryptWithKey(await keyFor(newest), privateKey, contextOf(newest, fingerprint));
      return Buffer.concat([newest, box]);
    },
    async open(body, fingerprint) {
      const prefix = Buffer.from(body.subarray(0, PREFIX_BYTES));
      const [log2N = 0, r = 0, p = 0] = prefix;
      if (prefix.length < PREFIX_BYTES || !isAffordable({ log2N, r, p })) return undefined;
      const plain = decryptWithKey(await keyFor(prefix), body.subarray(PREFIX_BYTES), contextOf(prefix, fingerprint));
      const isAsOurs = log2N === cost.log2N && r === cost.r && p === cost.p;
      if (plain && isAsOurs) newest ??= prefix;
      return plain;
    },
  };
}

function longEnough(passphrase: Secret, option: string): Secret {
  if ([...passphrase.reveal()].length >= MINIMUM_PASSPHRASE_LENGTH) return passphrase;
  throw new ConfigError(
    "MNET_CONFIG_INVALID",
    `${option} must have at least ${MINIMUM_PASSPHRASE_LENGTH} characters; "openssl rand -base64 32" makes a good one.`,
    { option },
  );
}
