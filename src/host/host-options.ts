import { availableParallelism } from "node:os";
import * as v from "valibot";
import { MAXIMUM_DELAY_MS, systemClock, type Clock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { Wwwroot } from "../core/ids.ts";
import { DEFAULT_LIMITS, type Limits } from "../core/limits.ts";
import { Secret } from "../core/secret.ts";
import { DEFAULT_KEY_POLICY, type KeyPolicy } from "../keys/key-policy.ts";
import type { KeyWrapper } from "../keys/key-wrapper.ts";
import { KeyWrapping } from "../keys/key-wrapping.ts";
import { PEER_SETTINGS } from "../peer/check-options.ts";
import type { PeerSettings } from "../peer/peer-settings.ts";
import type { ReplayStore } from "../peer/replay-store.ts";
import { parseWwwroot } from "../peer/wwwroot.ts";
import { HttpTransport } from "../transport/http-transport.ts";
import type { Transport } from "../transport/transport.ts";
import { ClientAddresses } from "./client-address.ts";
import type { Service } from "./service.ts";
import type { Store } from "./store.ts";
import type { TrustedMachine } from "./trusted-machines.ts";

/** How our own keys are made. */
export interface KeyOptions {
  /** Life of a key. Default 28 days (MNET-020). */
  readonly lifetimeMs?: number | undefined;
  /** Part of the lifetime after which `maintain` rotates. Default 0.8 (SEC-049). */
  readonly rotateAt?: number | undefined;
  /** Retired keys kept to open late messages. Default 3 (MNET-021). */
  readonly generations?: number | undefined;
  /** 2048 (default) to 4096. */
  readonly modulusBits?: number | undefined;
  /**
   * Encrypts private keys in the store: a passphrase of at least 12 characters, or a KMS (SEC-051). Default: none.
   * `createHost` encrypts what is there plain or with one of `decryptAlsoWith`; see docs/keys-at-rest.md.
   */
  readonly encryptWith?: Secret | KeyWrapper | undefined;
  /** What keys in the store may be encrypted with besides, until nobody needs it any more. Default none. */
  readonly decryptAlsoWith?: readonly (Secret | KeyWrapper)[] | undefined;
}

/** Where private-key operations are done. */
export interface CryptoOptions {
  /**
   * Threads for them, so that they do not hold up the event loop. They are started when there is enough to do; hosts of
   * one process share them. Default: as many as the machine has cores. 0: none, such as where there is a process for each
   * core. Unless it is 0, envelopes of more than 1 MiB have a thread of their own.
   */
  readonly workers?: number | undefined;
}

/** How other sites are reached. */
export interface NetworkOptions {
  /** A whole outgoing exchange. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Networks in CIDR form that may be private, loopback or link-local. Default none (SEC-078). */
  readonly allowAddresses?: readonly string[] | undefined;
  /**
   * URL of an HTTP proxy for everything that goes out, such as `http://user:password@proxy.example:3128`. Default none;
   * environment variables are not looked at. The proxy resolves names, so it decides about names that lead to private
   * addresses; literal private addresses are refused all the same (SEC-078).
   */
  readonly proxy?: string | undefined;
  /**
   * Certificate authorities in PEM form that are trusted beside the system's. Default none. On Node 20, those of
   * `NODE_EXTRA_CA_CERTS` count only without this option.
   */
  readonly ca?: string | readonly string[] | undefined;
  /**
   * Our reverse proxies, in CIDR form: only if the socket's address is one of them, `X-Forwarded-For` is believed, from
   * the right up to the first address that is none. Default none. Set it behind a reverse proxy, or all callers share
   * the budget of one address (SEC-083).
   */
  readonly trustedProxies?: readonly string[] | undefined;
}

/** What `createHost` takes. */
export interface HostOptions<S extends readonly Service[] = readonly Service[]> {
  /** Our identity, from configuration only, never from a request (SEC-086). One trailing slash is dropped. */
  readonly wwwroot: string;
  /** Shown to people at other sites; at least one Latin letter, at most 80 characters. */
  readonly name: string;
  /** Opened by `createHost`, closed by `host.close()`. */
  readonly store: Store;
  /** Where the messages that were taken are remembered, such as `redisReplay(client)`. Default: in the store. */
  readonly replay?: ReplayStore | undefined;
  /** What this host serves and what it can call, beside the system methods. Default none. */
  readonly services?: S | undefined;
  /** How our own keys are made. */
  readonly keys?: KeyOptions | undefined;
  /** Where private-key operations are done. */
  readonly crypto?: CryptoOptions | undefined;
  /** How other sites are reached. */
  readonly network?: NetworkOptions | undefined;
  /** Ceilings on what comes from outside. */
  readonly limits?: Partial<Limits> | undefined;
  /**
   * What every peer has unless `peers.set` says otherwise. A weakness that `legacy` allows here is allowed for every peer,
   * and an event at start.
   */
  readonly peerDefaults?: PeerSettings | undefined;
  /** `false`: keeps keys and peers, answers nothing, calls nobody (dispatcher "off", spec 1.6). Default `true`. */
  readonly enabled?: boolean | undefined;
  /**
   * Hub mode (spec 1.6): strangers who swap keys become pending peers, and active ones with the All Hosts services once
   * they have proved that they control their wwwroot (SEC-044). At most `limits.pendingPeers` are pending. Default `false`.
   */
  readonly registerStrangers?: boolean | undefined;
  /** Answer known and unknown senders alike until they have proved themselves (SEC-087). Default `false`. */
  readonly hidePeers?: boolean | undefined;
  /**
   * Machines that may omit encryption (spec 1.7, SEC-037), each use of which is an event. Default none. With them, the
   * network between that machine and this one is trusted: there is no protection against replay or eavesdropping.
   */
  readonly trustedMachines?: readonly TrustedMachine[] | undefined;
  /** `host.maintain()` once a minute on an unreferenced timer, or only when you call it. Default `"automatic"`. */
  readonly maintenance?: "automatic" | "manual" | undefined;
  /**
   * Answer `GET <wwwroot>` with a page whose title is `name`, because peers read it. Default `true`; ignored where the
   * framework has a next handler.
   */
  readonly homePage?: boolean | undefined;
  /** Told of everything that happens. */
  readonly observer?: Observer | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Cryptographically secure bytes. Default: the platform's. */
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
  /** Default: HTTP. */
  readonly transport?: Transport | undefined;
}

/** Options with every default filled in. */
export interface HostConfiguration {
  readonly wwwroot: Wwwroot;
  readonly name: string;
  readonly store: Store;
  readonly replay: ReplayStore;
  readonly services: readonly Service[];
  readonly keys: KeyPolicy;
  readonly keyWrapping: KeyWrapping;
  /** Private keys that are stored otherwise are to be encrypted at the start. */
  readonly encryptsKeys: boolean;
  readonly cryptoWorkers: number;
  readonly timeoutMs: number;
  readonly limits: Limits;
  readonly peerDefaults: PeerSettings;
  readonly enabled: boolean;
  readonly registerStrangers: boolean;
  readonly hidePeers: boolean;
  readonly trustedMachines: readonly TrustedMachine[];
  readonly clients: ClientAddresses;
  readonly maintenance: "automatic" | "manual";
  readonly homePage: boolean;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  readonly random: ((bytes: number) => Uint8Array) | undefined;
  readonly transport: Transport;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** A key that lives longer has no end that a certificate could say. */
const MAXIMUM_LIFETIME_MS = 100 * 365 * DAY_MS;

const integer = (minimum: number, maximum = Number.MAX_SAFE_INTEGER) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(maximum)));
const object = (method: string) =>
  v.custom<object>(
    (input) => typeof (input as Record<string, unknown> | null)?.[method] === "function",
    `Expected an object with the method ${method}`,
  );
const callable = v.optional(v.custom((input) => typeof input === "function", "Expected a function"));

const encryption = v.custom<Secret | KeyWrapper>(
  (input) =>
    input instanceof Secret ||
    ["wrap", "unwrap"].every((method) => typeof (input as Record<string, unknown> | null)?.[method] === "function"),
  "Expected a Secret, or an object with the methods wrap and unwrap",
);

const strings = v.optional(v.array(v.string()));

const SCHEMA = v.strictObject({
  wwwroot: v.string(),
  name: v.pipe(
    v.string(),
    v.check((name) => [...name].length <= 80, "Expected at most 80 characters"),
    // Moodle takes a title for a name only if there is a letter in it; control characters would break its pages.
    v.regex(/[A-Za-z]/, "Expected at least one Latin letter"),
    v.regex(/^\P{Cc}*$/u, "Expected no control characters"),
  ),
  store: object("open"),
  replay: v.optional(object("remember")),
  services: v.optional(v.array(v.custom((input) => typeof input === "object" && input !== null, "Expected a service"))),
  keys: v.optional(
    v.strictObject({
      lifetimeMs: integer(DAY_MS, MAXIMUM_LIFETIME_MS),
      rotateAt: v.optional(v.pipe(v.number(), v.minValue(0.1), v.maxValue(1))),
      generations: integer(0, 7),
      modulusBits: integer(2048, 4096),
      encryptWith: v.optional(encryption),
      decryptAlsoWith: v.optional(v.array(encryption)),
    }),
  ),
  crypto: v.optional(v.strictObject({ workers: integer(0, 1024) })),
  network: v.optional(
    v.strictObject({
      timeoutMs: integer(1, MAXIMUM_DELAY_MS),
      allowAddresses: strings,
      proxy: v.optional(v.string()),
      ca: v.optional(v.union([v.string(), v.array(v.string())])),
      trustedProxies: strings,
    }),
  ),
  limits: v.optional(
    v.strictObject({
      requestBytes: integer(1024),
      responseBytes: integer(1024),
      depth: integer(1),
      nodes: integer(1),
      members: integer(1),
      pendingPeers: integer(0),
    }),
  ),
  peerDefaults: v.optional(PEER_SETTINGS),
  enabled: v.optional(v.boolean()),
  registerStrangers: v.optional(v.boolean()),
  hidePeers: v.optional(v.boolean()),
  trustedMachines: v.optional(
    v.array(
      v.strictObject({
        address: v.string(),
        actsAs: v.string(),
        services: v.array(v.string()),
        accept: v.picklist(["signed", "plain"] satisfies TrustedMachine["accept"][]),
      }),
    ),
  ),
  maintenance: v.optional(v.picklist(["automatic", "manual"])),
  homePage: v.optional(v.boolean()),
  observer: callable,
  clock: v.optional(object("now")),
  random: callable,
  transport: v.optional(object("exchange")),
});

/** Checks options once, at the door. Throws `MNET_CONFIG_INVALID` or `MNET_CONFIG_MISSING` with the path of the wrong one. */
export function configure(options: HostOptions): HostConfiguration {
  const result = v.safeParse(SCHEMA, options, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    const option = v.getDotPath(issue) ?? undefined;
    const isMissing = issue.received === "undefined";
    throw new ConfigError(
      isMissing ? "MNET_CONFIG_MISSING" : "MNET_CONFIG_INVALID",
      `The option ${option ?? "object"} of createHost is ${isMissing ? "missing" : "not right"}: ${issue.message}.`,
      { option },
    );
  }
  const { network = {}, transport } = options;
  const { encryptWith, decryptAlsoWith, ...keyPolicy } = options.keys ?? {};
  return {
    wwwroot: parseWwwroot(options.wwwroot),
    name: options.name,
    store: options.store,
    replay: options.replay ?? options.store.replay,
    services: options.services ?? [],
    keys: withDefaults(DEFAULT_KEY_POLICY, keyPolicy),
    keyWrapping: new KeyWrapping({ encryptWith, decryptAlsoWith }),
    encryptsKeys: encryptWith !== undefined,
    cryptoWorkers: options.crypto?.workers ?? availableParallelism(),
    timeoutMs: network.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    limits: withDefaults(DEFAULT_LIMITS, options.limits),
    peerDefaults: options.peerDefaults ?? {},
    enabled: options.enabled ?? true,
    registerStrangers: options.registerStrangers ?? false,
    hidePeers: options.hidePeers ?? false,
    trustedMachines: options.trustedMachines ?? [],
    clients: inNetwork(() => new ClientAddresses(network.trustedProxies)),
    maintenance: options.maintenance ?? "automatic",
    homePage: options.homePage ?? true,
    observer: options.observer,
    clock: options.clock ?? systemClock,
    random: options.random,
    transport: transport ?? inNetwork(() => new HttpTransport(network)),
  };
}

/** Names the option as the host's. */
function inNetwork<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.code, error.message, { option: `network.${error.option}`, cause: error.cause });
  }
}

/** `undefined` means absent. */
function withDefaults<T extends object>(defaults: T, given: { readonly [K in keyof T]?: T[K] | undefined } = {}): T {
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(present) };
}
